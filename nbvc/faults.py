"""What kind of trouble the operating system or SQLite reports, for all who touch the local disk."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import closing
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

_LEAST_FREE_BYTES = 128 * 1024
"""With less, SQLite cannot make its shared memory (32 KB) and log, and calls that an I/O error."""


_BESIDE = ("-wal", "-shm", "-journal")
_FOR_FILES = os.R_OK | os.W_OK
_FOR_FOLDERS = _FOR_FILES | os.X_OK


class Fault(Enum):
    """A kind of trouble, by what the user can do about it."""

    FULL = auto()
    DENIED = auto()
    ABSENT = auto()
    IN_THE_WAY = auto()
    BUSY = auto()
    DAMAGED = auto()
    FAILING = auto()
    OTHER = auto()


_OF_SYSTEM = {
    errno.ENOSPC: Fault.FULL,
    errno.EDQUOT: Fault.FULL,
    errno.EFBIG: Fault.FULL,
    errno.EACCES: Fault.DENIED,
    errno.EPERM: Fault.DENIED,
    errno.EROFS: Fault.DENIED,
    errno.ENOENT: Fault.ABSENT,
    errno.ENOTDIR: Fault.IN_THE_WAY,
    errno.EEXIST: Fault.IN_THE_WAY,
    errno.EISDIR: Fault.IN_THE_WAY,
    errno.EMFILE: Fault.BUSY,
    errno.ENFILE: Fault.BUSY,
    errno.EAGAIN: Fault.BUSY,
    errno.EBUSY: Fault.BUSY,
    errno.ESTALE: Fault.BUSY,
    errno.ETIMEDOUT: Fault.BUSY,
    errno.EIO: Fault.FAILING,
}


def fault_of_system(error: OSError) -> Fault:
    """Return what kind of trouble *error* is."""
    return _OF_SYSTEM.get(error.errno or 0, Fault.OTHER)


def fault_of_sqlite(error: sqlite3.Error, database: Path) -> Fault:
    """Return what kind of trouble *error* is, of the file *database*."""
    import sqlite3

    kinds = {
        sqlite3.SQLITE_FULL: Fault.FULL,
        sqlite3.SQLITE_READONLY: Fault.DENIED,
        sqlite3.SQLITE_PERM: Fault.DENIED,
        sqlite3.SQLITE_AUTH: Fault.DENIED,
        # SQLite does not say why it cannot open a file.
        sqlite3.SQLITE_CANTOPEN: Fault.DENIED,
        sqlite3.SQLITE_BUSY: Fault.BUSY,
        sqlite3.SQLITE_LOCKED: Fault.BUSY,
        sqlite3.SQLITE_PROTOCOL: Fault.BUSY,
        sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
        sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
        sqlite3.SQLITE_IOERR: Fault.FAILING,
    }
    # Errors of the Python layer carry no code; the low byte is the kind of an extended one.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    fault = kinds.get(code, Fault.OTHER)
    if fault in {Fault.FAILING, Fault.DENIED} and _is_full(database.parent):
        return Fault.FULL
    # It may be a disk that cannot be read, too.
    if fault is Fault.DENIED and _is_permitted(database):
        return Fault.FAILING
    # SQLite calls a disk that cannot be read a malformed database.
    if fault is Fault.DAMAGED and _is_sound(database):
        return Fault.FAILING
    return fault


def _is_sound(database: Path) -> bool:
    """Tell whether *database* is found to be in order, now that it is looked at again."""
    import sqlite3

    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError:
        return True  # it cannot be read, so nothing is known of it
    except sqlite3.Error:
        return False
    return found == "ok"


def _is_permitted(database: Path) -> bool:
    """Tell whether *database*, and the files that SQLite makes beside it, may be read and written.

    True where the disk cannot say so, and False where no file has the name of one.
    """
    files = (database.with_name(f"{database.name}{end}") for end in ("", *_BESIDE))
    try:
        return _has(database.parent, _FOR_FOLDERS) and all(
            path.is_file() and _has(path, _FOR_FILES) for path in files if path.exists()
        )
    except OSError as error:
        return fault_of_system(error) is not Fault.DENIED


def _has(path: Path, rights: int) -> bool:
    path.stat()  # says why, where that fails
    return os.access(path, rights, effective_ids=os.access in os.supports_effective_ids)


def _is_full(folder: Path) -> bool:
    try:
        # A file system that cannot be written to may call itself full as well.
        return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free < _LEAST_FREE_BYTES
    except OSError:
        return False
