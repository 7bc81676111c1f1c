"""Short keys by which values of JSON are known to be equal."""

from __future__ import annotations

import hashlib
import json

import msgspec

_encode = msgspec.msgpack.Encoder(order="sorted").encode
_DIGEST_BYTES = 16


def key_of(value: object) -> bytes:
    """Return the same key for equal values only; ``1``, ``1.0`` and ``true`` have different ones.

    Raises:
        RecursionError: *value* is nested too deeply.
    """
    try:
        encoded = _encode(value)
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, a number of 65 bits
        encoded = json.dumps(value, sort_keys=True).encode()
    if len(encoded) < _DIGEST_BYTES:
        return encoded
    return hashlib.blake2b(encoded, digest_size=_DIGEST_BYTES).digest()
