"""What the embedded store asks its index: the SQL statements and the rows they give.

All functions take a connection and raise ``sqlite3.Error``; the caller owns the transaction.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from nbvc.model import Digest, VersionId
from nbvc.values import dataclass

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from nbvc.stores.base import Metadata

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_CHARACTER = "\U0010ffff"

_COLUMNS = "v.sequence, v.key, v.version_id, v.digest, v.size_bytes, v.modified_microseconds"
_CONTENT_COLUMNS = f"{_COLUMNS}, v.content_type, v.metadata, v.inline_data"
_CURRENT = "current AS c CROSS JOIN versions AS v ON v.sequence = c.sequence"

FIND_CURRENT = f"SELECT {_CONTENT_COLUMNS} FROM {_CURRENT} WHERE c.key = :key"  # noqa: S608
FIND_VERSION = f"""
    SELECT {_CONTENT_COLUMNS} FROM versions AS v
    WHERE v.version_id = :version_id AND v.key = :key AND v.digest IS NOT NULL
"""  # noqa: S608
LIST_CURRENT = f"""
    SELECT {_COLUMNS} FROM {_CURRENT}
    WHERE c.key >= :start AND c.key < :end ORDER BY c.key LIMIT :count
"""  # noqa: S608
LIST_OLDER = f"""
    SELECT {_COLUMNS} FROM versions AS v
    WHERE v.key = :key AND v.sequence < :sequence ORDER BY v.sequence DESC LIMIT :count
"""  # noqa: S608
LIST_VERSIONS = f"""
    SELECT {_COLUMNS} FROM versions AS v
    WHERE v.key >= :start AND v.key < :end ORDER BY v.key, v.sequence DESC LIMIT :count
"""  # noqa: S608
_INSERT = """
    INSERT INTO versions (key, version_id, digest, size_bytes, modified_microseconds,
                          content_type, metadata, inline_data)
    VALUES (:key, :version_id, :digest, :size_bytes, :modified_microseconds,
            :content_type, :metadata, :inline_data)
"""
_DELETE = "DELETE FROM versions WHERE version_id = :version_id AND key = :key"
_CLEAR_CURRENT = "DELETE FROM current WHERE key = :key"
_SET_CURRENT = """
    INSERT INTO current (key, sequence)
    SELECT key, sequence FROM (
        SELECT key, sequence, digest FROM versions WHERE key = :key
        ORDER BY sequence DESC LIMIT 1
    ) WHERE digest IS NOT NULL
"""
_IS_BLOB_USED = "SELECT 1 FROM versions WHERE digest = :digest AND inline_data IS NULL LIMIT 1"


class DamagedRow(ValueError):
    """A row holds what nobody wrote there: the file was damaged, or changed by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What makes up an object: its bytes are here, or (``inline_data`` is None) in a file."""

    digest: Digest
    size_bytes: int
    content_type: str
    inline_data: bytes | None


class Row(NamedTuple):
    """One version or delete marker, without its bytes."""

    sequence: int
    key: str
    version_id: VersionId
    digest: str | None
    size_bytes: int
    modified_microseconds: int

    @property
    def etag(self) -> str:
        """The digest; empty for a delete marker."""
        return self.digest or ""

    @property
    def modified_at(self) -> datetime:
        """When it was written, in UTC."""
        return _EPOCH + self.modified_microseconds * _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One version with all that is known about it."""

    row: Row
    content: Content
    metadata: Metadata


def find(connection: sqlite3.Connection, key: str, version_id: VersionId | None) -> Found | None:
    """Return a version of *key*, the current one for None; None for a marker or no such version."""
    if version_id is None:
        values = connection.execute(FIND_CURRENT, {"key": key}).fetchone()
    elif version_id.isascii():  # SQLite takes no text with lone surrogates
        named = {"key": key, "version_id": version_id}
        values = connection.execute(FIND_VERSION, named).fetchone()
    else:
        values = None
    if values is None:
        return None
    *columns, content_type, metadata, inline_data = values
    row = _row(columns)
    if inline_data is not None and not isinstance(inline_data, bytes):
        raise DamagedRow(f"the bytes of {row.key!a} are none")
    content = Content(
        digest=Digest(row.etag),
        size_bytes=row.size_bytes,
        content_type=content_type,
        inline_data=inline_data,
    )
    return Found(row=row, content=content, metadata=_metadata(row, metadata))


def _row(columns: Sequence[Any]) -> Row:
    row = Row(*columns)
    whole = all(isinstance(number, int) for number in (row.size_bytes, row.modified_microseconds))
    texts = isinstance(row.key, str) and isinstance(row.version_id, str)
    try:
        if row.digest is not None:
            Digest(row.digest)
        if whole and texts:
            row.modified_at  # noqa: B018
            return row
    except (ValueError, TypeError, OverflowError):
        pass
    raise DamagedRow(f"an entry of {row.key!a} cannot be read")


def _metadata(row: Row, text: str) -> Metadata:
    try:
        metadata = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise DamagedRow(f"the metadata of {row.key!a} cannot be read")
    return metadata


def insert(
    connection: sqlite3.Connection,
    key: str,
    version_id: VersionId,
    content: Content | None,
    *,
    metadata: Metadata,
    modified_at: datetime,
) -> None:
    """Add the newest version of *key*; a delete marker where *content* is None."""
    values: dict[str, Any] = {
        "key": key,
        "version_id": version_id,
        "digest": content.digest if content else None,
        "size_bytes": content.size_bytes if content else 0,
        "modified_microseconds": (modified_at - _EPOCH) // _MICROSECOND,
        "content_type": content.content_type if content else "",
        "metadata": json.dumps(dict(metadata)),
        "inline_data": content.inline_data if content else None,
    }
    connection.execute(_INSERT, values)
    _refresh_current(connection, key)


def remove(connection: sqlite3.Connection, key: str, version_id: VersionId) -> None:
    """Remove one version or delete marker, if it is there; the one before it becomes current."""
    connection.execute(_DELETE, {"key": key, "version_id": version_id})
    _refresh_current(connection, key)


def _refresh_current(connection: sqlite3.Connection, key: str) -> None:
    connection.execute(_CLEAR_CURRENT, {"key": key})
    connection.execute(_SET_CURRENT, {"key": key})


def is_blob_used(connection: sqlite3.Connection, digest: Digest) -> bool:
    """Tell whether any version has its bytes in the file of *digest*."""
    return connection.execute(_IS_BLOB_USED, {"digest": digest}).fetchone() is not None


def current_rows(
    connection: sqlite3.Connection, prefix: str, *, start: str, count: int
) -> list[Row]:
    """Return up to *count* current versions under *prefix*, from the key *start* on, by key."""
    span = {"start": max(prefix, start), "end": _end_of(prefix), "count": count}
    return _rows(connection.execute(LIST_CURRENT, span))


def version_rows(
    connection: sqlite3.Connection, prefix: str, *, after: Row | None, count: int
) -> list[Row]:
    """Return up to *count* versions and markers that follow *after*; by key, newest first."""
    older: list[Row] = []
    start = prefix
    if after is not None:
        left = {"key": after.key, "sequence": after.sequence, "count": count}
        older = _rows(connection.execute(LIST_OLDER, left))
        start = next_key(after.key)
    span = {"start": start, "end": _end_of(prefix), "count": count - len(older)}
    return older + _rows(connection.execute(LIST_VERSIONS, span))


def _rows(values: Iterable[tuple[Any, ...]]) -> list[Row]:
    return [_row(columns) for columns in values]


def next_key(key: str) -> str:
    """Return the text that comes directly after *key*; no key can lie between, or equal it."""
    return key + "\0"


def _end_of(prefix: str) -> str | bytes:
    """Return what comes after every text that begins with *prefix*.

    Python compares text by code points, which is the order of UTF-8 bytes, as SQLite's is.
    """
    stem = prefix.rstrip(_LAST_CHARACTER)
    if not stem:
        return b""  # SQLite orders every BLOB after every TEXT
    following = chr(ord(stem[-1]) + 1)
    return stem[:-1] + ("\ue000" if following == "\ud800" else following)
