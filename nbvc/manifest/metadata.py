"""What each notebook object carries in its user metadata: enough to rebuild its record.

S3 allows 2,048 bytes of printable ASCII in all, so texts are percent-encoded UTF-8, and a long
message is shortened here (the record has all of it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import accumulate
from typing import TypeVar
from urllib.parse import quote, unquote

from nbvc.manifest.sealing import format_time, parse_time
from nbvc.model import MAX_NUMBER, Digest, VersionId, WriteId
from nbvc.stores.base import WRITE_ID
from nbvc.values import dataclass

_T = TypeVar("_T")

DIGEST = "nbvc-digest"
SAVED_AT = "nbvc-saved-at"
AUTHOR = "nbvc-author"
MESSAGE = "nbvc-message"
PARENT = "nbvc-parent"
SOURCE_NUMBER = "nbvc-source-number"
SOURCE_VERSION_ID = "nbvc-source-version-id"
NUMBER = "nbvc-number"
"""The number of its record: only in a version that was packed and made plain again, and in a copy
that a migration puts on top."""
AGAIN = "nbvc-again"
"""The version ID of the original: only in the copy of what was current that unpacking puts on top
of such versions, and a migration on top of those with higher numbers."""

_MAX_AUTHOR_BYTES = 300
_MAX_MESSAGE_BYTES = 900
_SHORTENED = "..."
_READABLE = " !#$&'()*+,/:;=?@[]^_`{|}~<>\"\\"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a notebook object says of itself.

    ``None`` where it says nothing, as an object of another tool. ``message`` and ``author`` may be
    shortened.
    """

    digest: Digest | None = None
    write_id: WriteId | None = None
    saved_at: datetime | None = None
    author: str | None = None
    message: str | None = None
    parent: int | None = None
    source_number: int | None = None
    source_version_id: str | None = None
    number: int | None = None
    again: VersionId | None = None


def to_metadata(provenance: Provenance) -> dict[str, str]:
    """Return *provenance* as user metadata."""
    texts = {
        DIGEST: provenance.digest,
        WRITE_ID: provenance.write_id,
        SAVED_AT: format_time(provenance.saved_at) if provenance.saved_at else None,
        AUTHOR: _encode(provenance.author, _MAX_AUTHOR_BYTES),
        MESSAGE: _encode(provenance.message, _MAX_MESSAGE_BYTES),
        PARENT: _decimal(provenance.parent),
        SOURCE_NUMBER: _decimal(provenance.source_number),
        SOURCE_VERSION_ID: provenance.source_version_id,
        NUMBER: _decimal(provenance.number),
        AGAIN: provenance.again,
    }
    return {name: text for name, text in texts.items() if text}


def from_metadata(metadata: Mapping[str, str]) -> Provenance:
    """Return what *metadata* says; what cannot be read is left out, for anyone may write there."""

    def text(name: str) -> str | None:
        value = metadata.get(name)
        return unquote(value, errors="replace") if value is not None else None

    return Provenance(
        digest=_try(Digest, metadata.get(DIGEST)),
        write_id=_try(WriteId, metadata.get(WRITE_ID)),
        saved_at=_try(parse_time, metadata.get(SAVED_AT)),
        author=text(AUTHOR),
        message=text(MESSAGE),
        parent=_try(_number, metadata.get(PARENT)),
        source_number=_try(_number, metadata.get(SOURCE_NUMBER)),
        source_version_id=metadata.get(SOURCE_VERSION_ID),
        number=_try(_number, metadata.get(NUMBER)),
        again=VersionId(metadata[AGAIN]) if AGAIN in metadata else None,
    )


def _encode(text: str | None, limit_bytes: int) -> str | None:
    if not text:
        return None
    # No character takes less than a byte, so that what follows cannot fit anyhow.
    text = text[: limit_bytes + 1]
    pieces = [quote(character, safe=_READABLE, errors="replace") for character in text]
    if sum(map(len, pieces)) > limit_bytes:
        ends = accumulate(map(len, pieces))
        fitting = sum(1 for end in ends if end <= limit_bytes - len(_SHORTENED))
        pieces = [*pieces[:fitting], *_SHORTENED]
    # S3 strips blanks at either end of a value.
    for end in (0, -1):
        pieces[end] = pieces[end].replace(" ", "%20")
    return "".join(pieces)


def _decimal(number: int | None) -> str | None:
    return None if number is None else str(number)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_NUMBER):
        raise ValueError(f"not a version number: {text!r}")
    return int(text)


def _try(read: Callable[[str], _T], text: str | None) -> _T | None:
    try:
        return None if text is None else read(text)
    except ValueError:
        return None
