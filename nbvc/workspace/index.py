"""What a workspace remembers of its notebooks, in ``.nbvc/workspace.sqlite3``.

All of it can be learned again from the store: without it, commands cost a few more requests.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbvc.errors import AccessDenied, IntegrityError, NbvcError, StoreUnavailable
from nbvc.faults import Fault, fault_of_sqlite
from nbvc.manifest.records import RecordFile, decode, encode
from nbvc.model import Digest, VersionId, WriteId
from nbvc.text import typed
from nbvc.values import dataclass
from nbvc.workspace.files import Stamp

if TYPE_CHECKING:
    from nbvc.notebook import Outline
    from nbvc.repository import Known

_FORMAT = 2
_SCHEMA = (
    "DROP TABLE IF EXISTS settings",
    "DROP TABLE IF EXISTS notebooks",
    """CREATE TABLE settings (
    binding TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (binding, name)
) WITHOUT ROWID""",
    """CREATE TABLE notebooks (
    binding TEXT, path TEXT,
    base_number INTEGER, base_digest TEXT, base_version_id TEXT, base_write_id TEXT,
    base_etag TEXT, outline BLOB,
    size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER, file_digest TEXT,
    head BLOB, etag TEXT, published BLOB,
    PRIMARY KEY (binding, path)
) WITHOUT ROWID""",
    f"PRAGMA user_version = {_FORMAT}",
)
_SELECT = """
SELECT path, base_number, base_digest, base_version_id, base_write_id, base_etag, outline,
    size, mtime_ns, ctime_ns, inode, file_digest, head, etag, published
FROM notebooks WHERE binding = ? AND path = ?
"""
_INSERT = """
INSERT OR REPLACE INTO notebooks (binding, path, base_number, base_digest, base_version_id,
    base_write_id, base_etag, outline, size, mtime_ns, ctime_ns, inode, file_digest, head, etag,
    published)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The version that a working copy is based on.

    Attributes:
        number: Its number, where it has one.
        digest: Its digest.
        version_id: Its version ID; ``None`` while it waits in the outbox.
        write_id: The write ID of its save while it waits there.
        etag: Its ETag, where it was seen.
        outline: Its cells, for telling what changed; ``None`` where it is no valid notebook.
    """

    number: int | None
    digest: Digest
    version_id: VersionId | None
    write_id: WriteId | None = None
    etag: str | None = None
    outline: Outline | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is remembered of one notebook.

    Attributes:
        path: Relative to the workspace.
        base: What the working copy is based on; ``None``: nothing known.
        stamp: Stamp of the file when its digest was taken.
        file_digest: That digest.
        known: The newest version that was seen.
        published: The newest published record that was seen.
    """

    path: str
    base: Base | None = None
    stamp: Stamp | None = None
    file_digest: Digest | None = None
    known: Known | None = None
    published: RecordFile | None = None

    def based_on(self, base: Base) -> Entry:
        """Return the entry of a working copy that is based on *base* now.

        If that may be newer than the newest version that was seen, the latter is so no more.
        """
        newest = self.known.file.record.number if self.known else 0
        is_seen = base.number is not None and base.number <= newest
        return replace(self, base=base, known=self.known if is_seen else None)


class Index:
    """The remembered entries. Safe for several threads and processes; durable.

    Args:
        path: The database; made when missing.
        binding: The store and the namespace that the folder is bound to just now. What is known of
            one store is never taken for another one's.
    """

    def __init__(self, path: Path, binding: str) -> None:
        self._path = path
        self._binding = binding
        self._lock = threading.Lock()
        with self._explained():
            self._connection = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        with self._lock:  # a thread that nobody waits for any more may be in the middle of a query
            self._connection.close()

    def setting(self, name: str) -> bytes | None:
        """Return what was kept under *name*."""
        rows = self._query(
            "SELECT value FROM settings WHERE binding = ? AND name = ?", (self._binding, name)
        )
        return rows[0][0] if rows else None

    def set_setting(self, name: str, value: bytes) -> None:
        """Keep *value* under *name*."""
        self._query(
            "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (self._binding, name, value)
        )

    def get(self, path: str) -> Entry:
        """Return what is remembered of the notebook at *path*: an empty entry where nothing is."""
        rows = self._query(_SELECT, (self._binding, path))
        return _entry(rows[0]) if rows else Entry(path=path)

    def paths(self) -> list[str]:
        """Return the paths of all remembered notebooks, in order."""
        return [
            row[0]
            for row in self._query(
                "SELECT path FROM notebooks WHERE binding = ? ORDER BY path", (self._binding,)
            )
        ]

    def put(self, entry: Entry) -> None:
        """Remember *entry* in place of what was remembered of its path."""
        self._query(_INSERT, (self._binding, *_row(entry)))

    def change(self, path: str, change: Callable[[Entry], Entry]) -> None:
        """Apply *change* to what is remembered of the notebook at *path*; nobody comes between."""
        with self._lock, self._explained(), self._transaction():
            rows = self._connection.execute(_SELECT, (self._binding, path)).fetchall()
            entry = change(_entry(rows[0]) if rows else Entry(path=path))
            self._connection.execute(_INSERT, (self._binding, *_row(entry)))

    def forget(self, path: str) -> None:
        """Forget the notebook at *path*."""
        self._query("DELETE FROM notebooks WHERE binding = ? AND path = ?", (self._binding, path))

    def _query(self, sql: str, values: _Row) -> list[_Row]:
        with self._lock, self._explained():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _prepare(self) -> None:
        if self._format() == _FORMAT:
            return
        with self._transaction():
            found = self._format()  # another process may have been faster
            if found > _FORMAT:
                raise NbvcError(
                    f"{self._path} was written by a newer nbvc.", hint="pip install --upgrade nbvc"
                )
            if found < _FORMAT:
                for statement in _SCHEMA:
                    self._connection.execute(statement)

    def _format(self) -> int:
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        return int(found)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error

    def _explain(self, error: sqlite3.DatabaseError) -> NbvcError:
        fault = fault_of_sqlite(error, self._path)
        if fault is Fault.FULL:
            return NbvcError(
                f"The disk that holds {self._path.parent} is full.", hint="Make room there."
            )
        if fault is Fault.DENIED:
            return AccessDenied(f"{self._path} may not be written to.")
        if fault is Fault.BUSY:
            return StoreUnavailable(
                f"{self._path} is in use by another program.", hint="Run the command again."
            )
        if fault is Fault.FAILING:
            return NbvcError(
                f"{self._path} cannot be read or written: {error}.", hint="Check the disk."
            )
        return IntegrityError(
            f"{self._path} is damaged ({error}).",
            hint="Remove it: all of it can be learned again from the store. "
            f"rm {typed(str(self._path))}",
        )


def _row(entry: Entry) -> _Row:
    base, stamp, known = entry.base, entry.stamp, entry.known
    return (
        entry.path,
        base.number if base else None,
        base.digest if base else None,
        base.version_id if base else None,
        base.write_id if base else None,
        base.etag if base else None,
        base.outline.to_bytes() if base and base.outline else None,
        stamp.size_bytes if stamp else None,
        stamp.mtime_ns if stamp else None,
        stamp.ctime_ns if stamp else None,
        stamp.inode if stamp else None,
        entry.file_digest,
        encode(known.file) if known else None,
        known.etag if known else None,
        encode(entry.published) if entry.published else None,
    )


def _entry(row: _Row) -> Entry:
    try:
        return _decoded(*row)
    except (IntegrityError, TypeError, ValueError):  # worth no more than a few requests
        return Entry(path=str(row[0]))


def _decoded(
    path: str,
    number: int | None,
    digest: str | None,
    version_id: str | None,
    write_id: str | None,
    base_etag: str | None,
    outline: bytes | None,
    size: int | None,
    mtime_ns: int | None,
    ctime_ns: int | None,
    inode: int | None,
    file_digest: str | None,
    head: bytes | None,
    etag: str | None,
    published: bytes | None,
) -> Entry:
    from nbvc.notebook import Outline
    from nbvc.repository import Known

    base = stamp = known = None
    if digest is not None and (version_id is not None or write_id is not None):
        base = Base(
            number=number,
            digest=Digest(digest),
            version_id=VersionId(version_id) if version_id is not None else None,
            write_id=WriteId(write_id) if write_id is not None else None,
            etag=base_etag,
            outline=Outline.from_bytes(outline) if outline is not None else None,
        )
    if size is not None and mtime_ns is not None and ctime_ns is not None and inode is not None:
        stamp = Stamp(size_bytes=size, mtime_ns=mtime_ns, ctime_ns=ctime_ns, inode=inode)
    if head is not None and etag is not None:
        known = Known(file=decode(head, what="remembered record"), etag=etag)
    return Entry(
        path=path,
        base=base,
        stamp=stamp,
        file_digest=Digest(file_digest) if file_digest else None,
        known=known,
        published=decode(published, what="remembered record") if published else None,
    )
