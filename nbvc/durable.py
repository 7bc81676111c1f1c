"""Files and folders that survive a loss of power. Errors are those of the system."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedRandom
    from pathlib import Path

_CANNOT_SYNC_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}
_MAX_CREATED = 100
_ABANDONED_NS = 3_600_000_000_000
"""Age of a temporary file from which on no process can be writing it any more: an hour."""


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Make *folder* and its missing parents, each durably. Idempotent.

    Args:
        folder: The folder; one that exists stays as it is.
        mode: Permissions of a new one, before the user's mask; its parents have the usual ones.

    Raises:
        OSError: It cannot be made, or a file is in the way.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable, where the system can.

    A folder such as /home may be searchable, but not readable: it cannot be synced, nor can any
    folder on some network file systems.

    Raises:
        OSError: The disk fails.
    """
    if os.name == "nt":  # Windows cannot open a folder; its names are journalled.
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def written(
    temporary: Path, data: bytes | memoryview, *, head: bytes = b"", mode: int | None = None
) -> Iterator[None]:
    """Write *data* durably to the new file *temporary*, for the body to give it its real name.

    Args:
        temporary: Where no file is yet; see :func:`created`.
        data: Its bytes.
        head: Bytes before them.
        mode: Its permissions, if not the usual ones.
    """
    with created(temporary, mode=mode) as file:
        file.write(head)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        if os.name == "nt":  # Windows renames no file that is open.
            file.close()
        yield


@contextmanager
def created(temporary: Path, *, mode: int | None = None) -> Iterator[BufferedRandom]:
    """Create the file *temporary*, for the body to fill it and to give it its real name.

    It is locked until then, so that :func:`sweep` knows it from one whose writer was killed. In any
    case the name *temporary* is gone afterwards.

    Args:
        temporary: Where no file is yet.
        mode: Its permissions, if not the usual ones.
    """
    with _create(temporary) as file:
        try:
            if mode is not None:  # before there is anything to read
                os.fchmod(file.fileno(), mode)
            yield file
        finally:
            with suppress(OSError):
                temporary.unlink()


def sweep(folder: Path, pattern: str, now_ns: int) -> None:
    """Remove the temporary files that killed processes left in *folder*. Never fails.

    Where files can be locked, those that nobody is writing; elsewhere, those older than an hour.

    Args:
        folder: The folder; those below it are not looked at.
        pattern: Of the names of temporary files.
        now_ns: The present time, as file systems count it.
    """
    with suppress(OSError):
        for left in folder.glob(pattern):
            with suppress(OSError), left.open("rb+") as file:
                if _is_abandoned(file, now_ns):
                    left.unlink()


def _create(path: Path) -> BufferedRandom:
    for _ in range(_MAX_CREATED):
        file = path.open("xb+")
        try:
            _lock(file, wait=True)
        except OSError:  # a file system without locks
            return file
        # Between the two steps a sweep may have taken it for abandoned.
        if path.exists():
            return file
        file.close()
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _is_abandoned(file: BufferedRandom, now_ns: int) -> bool:
    try:
        _lock(file, wait=False)
    except BlockingIOError:
        return False
    except OSError:
        return now_ns - os.fstat(file.fileno()).st_mtime_ns > _ABANDONED_NS
    return True


def _lock(file: BufferedRandom, *, wait: bool) -> None:
    """Lock *file* until it is closed, or its process dies."""
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
