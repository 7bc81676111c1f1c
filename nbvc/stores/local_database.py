"""The index of the embedded store: one SQLite file, its format and its connections."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

from nbvc.durable import make_folder, sync_folder
from nbvc.errors import NbvcError, StoreMisconfigured, StoreNotFound, StoreUnavailable
from nbvc.stores.local_errors import FILE_NAME, translated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
BUSY_TIMEOUT_SECONDS = 30.0
_PAUSE_SECONDS = 0.01
_FileId = tuple[int, int]

# ``sequence`` is the order of writing. SQLite compares TEXT by its UTF-8 bytes, as S3 does.
# ``inline_data`` comes last, so that a listing never reads it; without it, and where ``digest`` is
# not NULL (a delete marker), the bytes are in a file.
_SCHEMA = (
    """
    CREATE TABLE versions (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        version_id TEXT NOT NULL UNIQUE,
        digest TEXT,
        size_bytes INTEGER NOT NULL,
        modified_microseconds INTEGER NOT NULL,
        content_type TEXT NOT NULL,
        metadata TEXT NOT NULL,
        inline_data BLOB
    )
    """,
    "CREATE INDEX versions_of_key ON versions (key, sequence DESC)",
    "CREATE INDEX versions_of_blob ON versions (digest) WHERE inline_data IS NULL",
    "CREATE TABLE current (key TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID",
)


class Database:
    """Connections to the index, handed out one per use and kept for the next.

    Safe for several threads and processes. Not to be used on both sides of a fork.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / FILE_NAME
        self._idle: list[tuple[_FileId, sqlite3.Connection]] = []
        self._lock = Lock()
        self._closed = False

    def create(self) -> None:
        """Make the folder and an empty index, durably. Leaves alone an index that is there.

        Raises:
            StoreMisconfigured: The index was made by a newer release.
            AccessDenied: The folder cannot be made or written.
        """
        with translated(self._folder):
            make_folder(self._folder)
            connection = self._open("rwc")
            try:
                _create_tables(connection)
                _switch_to_wal(connection, self._folder)
            finally:
                connection.close()
            sync_folder(self._folder)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for statements that do not write; each sees one state of the store."""
        with translated(self._folder), self._connection() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give a connection in a transaction: the body happens wholly and durably, or not at all.

        Only one writer, of all processes, is in the body at a time.

        Raises:
            StoreUnavailable: Another writer held the lock for ``BUSY_TIMEOUT_SECONDS``.
        """
        with translated(self._folder), self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # After a full disk SQLite has rolled back already, and says so with an error.
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def find_damage(self) -> str | None:
        """Return what ``PRAGMA quick_check`` finds wrong, in its words, or ``None``."""
        with self.read() as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        return None if found == "ok" else str(found)

    def close(self) -> None:
        """Close the idle connections; one in use is closed after its use. Idempotent."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        file_id = self._file_id()
        connection = self._take(file_id) or self._connect()
        try:
            yield connection
        except NbvcError:
            self._keep(file_id, connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._keep(file_id, connection)

    def _file_id(self) -> _FileId:
        status = self._file.stat()
        return status.st_dev, status.st_ino

    def _take(self, file_id: _FileId) -> sqlite3.Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                known, connection = self._idle.pop()
            if known == file_id:
                return connection
            # Somebody removed the store and made a new one: writes to the old file would be lost.
            connection.close()

    def _keep(self, file_id: _FileId, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append((file_id, connection))
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = self._open("rw")
        try:
            if _format_of(connection) == 0:
                raise StoreNotFound(
                    f"The store in {self._folder} was not made completely.",
                    hint="nbvc init finishes it.",
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._file.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            self._check_format(_format_of(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_format(self, found: int) -> None:
        if found > FORMAT:
            raise StoreMisconfigured(
                f"The store in {self._folder} has format {found}, made by a newer nbvc;"
                f" this one knows formats up to {FORMAT}.",
                hint="pip install --upgrade nbvc",
            )


def _format_of(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


def _create_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _format_of(connection) == 0:
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _switch_to_wal(connection: sqlite3.Connection, folder: Path) -> None:
    # The switch needs the file for itself, and SQLite does not wait for that, so this does.
    for _ in range(round(BUSY_TIMEOUT_SECONDS / _PAUSE_SECONDS)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
    raise StoreUnavailable(f"Other processes keep the new store in {folder} busy.")
