r"""JSON documents that show damage: the encoding of records, states and store settings.

A sealed document is canonical JSON (keys sorted, no white space, ASCII with ``\u`` escapes) whose
last member, ``check``, is the SHA-256 of the same document without it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nbvc.errors import IntegrityError, InvalidKey, StoreMisconfigured

FORMAT = 1
"""What every document is written in that older releases can judge."""

FORMAT_WITH_PACKS = 2
"""Of documents by which an older release, which knows no packs, would go wrong."""

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, InvalidKey)
"""What turning a document into a value raises where a member is missing or of another kind."""

_OPENING = b',"check":"'
_SEAL_LENGTH = len(_OPENING) + 64 + len(b'"}')


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the one encoding of *document* over which digests are taken."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def seal(document: Mapping[str, Any]) -> bytes:
    """Return *document* as bytes whose damage :func:`unseal` will notice."""
    return seal_canonical(canonical(document))


def seal_canonical(body: bytes) -> bytes:
    """Return *body*, the canonical encoding of a document, with its seal."""
    check = hashlib.sha256(body).hexdigest().encode("ascii")
    return body[:-1] + _OPENING + check + b'"}'


def unseal(data: bytes, *, what: str, newest: int = FORMAT) -> dict[str, Any]:
    """Return the document in *data*, without its ``check``.

    Args:
        data: Bytes as :func:`seal` made them.
        what: How to name the document in an error, as in "record v3 of mine.ipynb".
        newest: The newest format of such a document that this release knows.

    Raises:
        IntegrityError: The bytes are not the bytes that were sealed.
        StoreMisconfigured: A newer release of nbvc wrote them.
    """
    body, seal_ = data[:-_SEAL_LENGTH] + b"}", data[-_SEAL_LENGTH:]
    check = hashlib.sha256(body).hexdigest().encode("ascii")
    if seal_ != _OPENING + check + b'"}':
        raise IntegrityError(
            f"The {what} is damaged: its checksum does not fit its content.",
            hint="Nothing was changed. The notebook versions themselves are stored apart from it.",
        )
    try:
        document: dict[str, Any] = json.loads(
            body, parse_constant=_finite_number, parse_float=_finite_number
        )
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"The {what} is not a JSON document: {error}.") from error
    written = document.get("format")
    if not isinstance(written, int) or written > newest:
        raise StoreMisconfigured(
            f"The {what} has format {ascii(written)[:20]}; this nbvc reads up to {newest}.",
            hint="Upgrade nbvc: pip install --upgrade nbvc",
        )
    return document


def _finite_number(text: str) -> float:
    """Refuse what :func:`canonical` could not write again, such as ``NaN`` or ``1e999``."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a number")
    return number


def format_time(moment: datetime) -> str:
    """Return *moment* as RFC 3339 in UTC with microseconds: ``2026-08-01T09:30:00.000000Z``."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> datetime:
    """Return the moment that :func:`format_time` wrote.

    Raises:
        ValueError: It is not such a text, names no zone, or is out of range in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"beyond the years 1 to 9999 in UTC: {text!r}") from error
