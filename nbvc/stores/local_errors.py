"""What the operating system and SQLite report, told as errors of nbvc."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nbvc.errors import (
    AccessDenied,
    IntegrityError,
    NbvcError,
    StoreError,
    StoreNotFound,
    StoreUnavailable,
)
from nbvc.faults import Fault, fault_of_sqlite, fault_of_system
from nbvc.stores.local_index import DamagedRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


FILE_NAME = "index.sqlite3"
"""Name of the index in the folder of a store."""


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn every ``OSError``, ``sqlite3.Error`` and damaged row into an error of nbvc.

    Args:
        folder: The folder of the store, named in the messages.

    Raises:
        AccessDenied: The file system refuses.
        StoreNotFound: The folder is not there, or is no folder.
        StoreUnavailable: Another process held the lock for too long, or too many files are open.
        IntegrityError: The index is damaged.
        StoreError: The disk is full or failing. Trying again does not help.
    """
    try:
        yield
    except OSError as error:
        raise _from_system(error, folder) from error
    except sqlite3.Error as error:
        raise _from_sqlite(error, folder) from error
    except DamagedRow as error:
        raise _damaged(folder, error) from error


def _from_system(error: OSError, folder: Path) -> NbvcError:
    reason = error.strerror or str(error)
    fault = fault_of_system(error)
    if fault is Fault.FULL:
        return _full(folder)
    if fault is Fault.DENIED:
        return _denied(folder, reason)
    if fault is Fault.IN_THE_WAY:
        return StoreNotFound(
            f"There is no store in {folder}: a file is in the way.",
            hint="Choose another folder, or move that file away.",
        )
    if fault is Fault.ABSENT:
        return StoreNotFound(
            f"There is no store in {folder}: {reason}.", hint="nbvc init makes a store."
        )
    if fault is Fault.BUSY:
        return StoreUnavailable(f"The store in {folder} cannot be used right now: {reason}.")
    return StoreError(
        f"The store in {folder} cannot be read or written: {reason}.", hint="Check the disk."
    )


def _from_sqlite(error: sqlite3.Error, folder: Path) -> NbvcError:
    fault = fault_of_sqlite(error, folder / FILE_NAME)
    if fault is Fault.FULL:
        return _full(folder)
    if fault is Fault.DENIED:
        return _denied(folder, str(error))
    if fault is Fault.BUSY:
        return StoreUnavailable(
            f"Another process is using the store in {folder} and did not let go in time.",
            hint="Try again; if it stays so, look for a process that hangs.",
        )
    if fault is Fault.DAMAGED:
        return _damaged(folder, error)
    return StoreError(
        f"The index of the store in {folder} cannot be read or written: {error}.",
        hint="Check the disk.",
    )


def _damaged(folder: Path, error: Exception) -> IntegrityError:
    return IntegrityError(
        f"The index of the store in {folder} is damaged: {error}.",
        hint=f"Keep a copy of {folder} as it is, then bring it back from a backup.",
    )


def _full(folder: Path) -> StoreError:
    return StoreError(
        f"The disk that holds {folder} is full, or your quota is used up.",
        hint="Free some space there, then repeat the command.",
    )


def _denied(folder: Path, reason: str) -> AccessDenied:
    return AccessDenied(
        f"The store in {folder} cannot be opened for reading and writing: {reason}.",
        hint=f"Get write permission for {folder} and all files in it.",
    )
