"""The limits of keys and metadata that hold in every store, so that histories can move."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbvc.errors import InvalidInput, InvalidKey
from nbvc.model import MAX_KEY_BYTES

if TYPE_CHECKING:
    from nbvc.stores.base import Metadata

MAX_METADATA_BYTES = 2048
"""S3's limit for user metadata, names and values together (Amazon S3 User Guide, "Metadata")."""

_METADATA_NAME = r"[a-z0-9-]+"
_METADATA_VALUE = r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?"


def check_store_key(key: str, *, root: str = "") -> None:
    """Check that *key* below *root* can be an object's key in every store.

    Raises:
        InvalidKey: It is empty, holds NUL or a lone surrogate, or is longer than 1,024 bytes.
    """
    if not key:
        raise InvalidKey("The key of an object cannot be empty.")
    check_prefix(key)
    size_bytes = len(f"{root}/{key}".encode() if root else key.encode())
    if size_bytes > MAX_KEY_BYTES:
        raise InvalidKey(
            f"{key[:60]!a}... is {size_bytes} bytes long with the root of the store;"
            f" the limit is {MAX_KEY_BYTES}."
        )


def check_prefix(prefix: str) -> None:
    """Check that *prefix* is text that can begin a key; it may be empty.

    Raises:
        InvalidKey: It holds NUL or a lone surrogate.
    """
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in prefix):
        raise InvalidKey(f"{prefix[:60]!a} holds a character that cannot be stored in a key.")


def check_metadata(metadata: Metadata) -> None:
    """Check that *metadata* keeps the limits that ``nbvc.stores.base.Metadata`` states.

    Raises:
        InvalidInput: It does not.
    """
    for name, value in metadata.items():
        if not re.fullmatch(_METADATA_NAME, name):
            raise InvalidInput(f"{name!a} cannot be the name of metadata in a store.")
        if not re.fullmatch(_METADATA_VALUE, value):
            raise InvalidInput(f"The metadata {name} is not printable ASCII without outer blanks.")
    size_bytes = sum(len(name) + len(value) for name, value in metadata.items())
    if size_bytes > MAX_METADATA_BYTES:
        raise InvalidInput(
            f"The metadata is {size_bytes} bytes long; the limit is {MAX_METADATA_BYTES}."
        )
