"""Members of a document that may come from anybody: of the right kind and size, or an error.

A seal proves that a document was not damaged, not that nbvc wrote it: whoever may write to a store
can seal what they like. So nothing is taken over that a later step could stumble over.
"""

from __future__ import annotations

from nbvc.errors import IntegrityError
from nbvc.model import MAX_NUMBER, Changes, VersionId
from nbvc.text import has_controls

MAX_INTEGER = 2**53 - 1
"""Largest count or size: what every reader of JSON keeps exactly (RFC 8259, section 6)."""

MAX_VERSION_ID_BYTES = 1_024
"""S3's limit (Amazon S3 User Guide, "How S3 Versioning works")."""

_MAX_SHOWN = 200


def integer(value: object, least: int = 0, most: int = MAX_INTEGER) -> int:
    """Return *value*, a whole number from *least* to *most*.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is out of bounds.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"not an integer: {value!r}")
    if not least <= value <= most:
        raise ValueError(f"a number is not from {least} to {most}")
    return value


def number(value: object) -> int:
    """Return *value*, the number of a version or of a state.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is out of bounds.
    """
    return integer(value, 1, MAX_NUMBER)


def text(value: object) -> str:
    """Return *value*, a text of any kind.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value


def flag(value: object) -> bool:
    """Return *value*, true or false.

    Raises:
        TypeError: It is neither.
    """
    if not isinstance(value, bool):
        raise TypeError(f"neither true nor false: {value!r}")
    return value


def version_id(value: object) -> VersionId:
    """Return *value*, a token that can be sent back to the store it came from.

    Raises:
        TypeError: It is no text.
        ValueError: It is empty, too long, or holds what no request can carry.
    """
    found = text(value)
    if not found or has_controls(found) or len(found.encode()) > MAX_VERSION_ID_BYTES:
        raise ValueError(f"not a version ID: {found!r}")
    return VersionId(found)


def changes(value: object) -> Changes | None:
    """Return *value*, what a version changed; ``None`` where that is not known.

    Raises:
        TypeError: It is neither.
        KeyError: A member is missing.
        ValueError: A number is out of bounds.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError(f"not an object: {value!r}")
    return Changes(
        cells_added=integer(value["cells_added"]),
        cells_removed=integer(value["cells_removed"]),
        cells_changed=integer(value["cells_changed"]),
        outputs_only=flag(value["outputs_only"]),
    )


def malformed(what: str, kind: str, error: Exception) -> IntegrityError:
    """Return the error for a document that is sealed, and is not what it should be.

    Args:
        what: How to name the document, as in "record v3 of mine.ipynb".
        kind: What it should be, as in "record".
        error: What reading it raised; it may repeat texts of any length from the document.
    """
    reason = str(error)
    shown = reason if len(reason) <= _MAX_SHOWN else f"{reason[:_MAX_SHOWN]}..."
    return IntegrityError(f"The {what} is not a {kind} ({type(error).__name__}: {shown}).")
