"""Local files: read them whole, write them all or nothing, find notebooks, stay in the folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from nbvc import durable, looking
from nbvc.errors import (
    AccessDenied,
    AlreadyExists,
    InvalidInput,
    InvalidKey,
    NbvcError,
    NotebookNotFound,
    UnsavedChanges,
)
from nbvc.faults import Fault, fault_of_system
from nbvc.mapped import LARGE_BYTES, CannotSpool, chunks_of, spool
from nbvc.model import CONTROL_FOLDERS, NOTEBOOK_SUFFIX, Data, Digest, NotebookKey
from nbvc.text import typed
from nbvc.values import dataclass

_NOT_THERE = {Fault.ABSENT, Fault.IN_THE_WAY}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
_NO_SUCH_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
_TEMPORARY = (".nbvc-", ".tmp")
_Read = TypeVar("_Read")


class FileRefused(AccessDenied):
    """One local file may not be read; others may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What shows, without reading it, that a file has not been written to.

    Attributes:
        size_bytes: Length.
        mtime_ns: Time of the last write.
        ctime_ns: Time of the last change of any kind, which programs cannot set back.
        inode: Number of the file in its file system.
    """

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def stamp(path: Path, *, shown: str | None = None) -> Stamp | None:
    """Return the stamp of a file, or ``None`` where there is no regular file.

    Args:
        path: The file.
        shown: How to name it in an error; by default by its whole path.

    Raises:
        FileRefused: Its folder may not be looked at.
        NbvcError: The disk fails, so that nobody knows whether there is one.
    """
    try:
        found = path.stat()
    except ValueError:
        return None
    except OSError as error:
        if error.errno in _NO_SUCH_FILE:
            return None
        raise _unreadable(shown or str(path), error) from error
    if not stat.S_ISREG(found.st_mode):
        return None
    return Stamp(
        size_bytes=found.st_size,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
    )


def read_file(path: Path, *, shown: str, room: Path | None = None) -> tuple[Data, Stamp]:
    """Return the bytes of a file and its stamp, both of the same moment.

    Args:
        path: The file.
        shown: How to name it in an error.
        room: A folder for a copy of a large file, which is then not held in memory.

    Raises:
        NotebookNotFound: There is no such file.
        FileRefused: It may not be read.
        NbvcError: The disk fails.
        InvalidInput: It is no regular file, or is being written to all the time.
    """

    def read(size_bytes: int) -> tuple[Data, int]:
        data = _read(path, room if size_bytes > LARGE_BYTES else None)
        return data, len(data)

    return _read_settled(path, read, shown=shown)


def digest_file(path: Path, *, shown: str) -> Digest:
    """Return the digest of a file, which is not held in memory; see :func:`read_file`."""

    def read(_: int) -> tuple[Digest, int]:
        with path.open("rb") as file:
            return Digest(hashlib.file_digest(file, "sha256").hexdigest()), file.tell()

    return _read_settled(path, read, shown=shown)[0]


def _read(path: Path, room: Path | None) -> Data:
    if room is not None:
        with contextlib.suppress(CannotSpool), path.open("rb") as file:
            return spool(room, chunks_of(file))
    return path.read_bytes()


def _read_settled(
    path: Path, read: Callable[[int], tuple[_Read, int]], *, shown: str
) -> tuple[_Read, Stamp]:
    """Return what *read* makes of a file, once nobody wrote to it meanwhile.

    It gets the size of the file, and returns also how many bytes it has read.
    """
    try:
        for _ in range(3):
            before = stamp(path, shown=shown)
            if before is None:
                break
            found, size_bytes = read(before.size_bytes)
            if stamp(path, shown=shown) == before and size_bytes == before.size_bytes:
                return found, before
    except OSError as error:
        raise _unreadable(shown, error) from error
    if not looking.exists(path):
        raise NotebookNotFound(f"There is no file {shown}.")
    if not looking.is_file(path):
        raise InvalidInput(f"{shown} is not a file.")
    raise InvalidInput(f"{shown} is being written to.", hint="Run the command again.")


def write_file(
    path: Path,
    data: Data,
    *,
    token: str,
    head: bytes = b"",
    expected: Stamp | None = None,
    check: bool = False,
) -> Stamp:
    """Replace a file all or nothing: a reader, or a crash, sees the old bytes or the new ones.

    Durable when this returns. The permissions of a file that was there are kept. What writers that
    were killed left in the folder is removed.

    Args:
        path: The file; its folder must exist.
        data: Its new bytes.
        token: Random text, for the name of the temporary file next to it.
        head: Bytes before them.
        expected: With *check*, the stamp that the file must still have (``None``: no file).
        check: Whether to look at *expected* just before replacing.

    Raises:
        UnsavedChanges: The file was changed meanwhile; it was left as it is.
        AccessDenied: It may not be written.
        NbvcError: The disk is full, or fails.
    """

    def put_in_place(temporary: Path) -> None:
        if check and stamp(path) != expected:
            raise _changed(path)
        temporary.replace(path)

    written = _write(path, data, token, put_in_place, head=head)
    _sweep(path.parent, written.mtime_ns)
    return written


def create_file(
    path: Path, data: Data, *, token: str, head: bytes = b"", private: bool = False
) -> Stamp:
    """Write a file that does not exist yet, all or nothing. Durable when this returns.

    Args:
        path: The file; its folder must exist.
        data: Its bytes.
        token: Random text, for the name of the temporary file next to it.
        head: Bytes before them.
        private: Whether it is for the user alone, wherever it lies.

    Raises:
        AlreadyExists: There is something of this name; it was left as it is.
        AccessDenied: It may not be written.
        NbvcError: The disk is full, or fails.
    """
    mode = 0o600 if private else None
    return _write(path, data, token, partial(_link, path), head=head, mode=mode)


def are_one_file(source: Path, target: Path) -> bool:
    """Tell whether both are names of the same file, as after a move that was cut off."""
    try:
        found, other = source.lstat(), target.lstat()
        # Where case does not matter, one name can be spelled in two ways.
        listed = all(path in path.parent.iterdir() for path in (source, target))
    except OSError:
        return False
    return listed and found.st_nlink > 1 and os.path.samestat(found, other)


def move_file(source: Path, target: Path) -> None:
    """Give a file another name, which must be free. Durable when this returns.

    A move that was cut off in between, and left both names, is finished.

    Raises:
        AlreadyExists: There is something of the new name; nothing was changed.
        AccessDenied: It may not be moved.
        NbvcError: The disk fails.
    """
    with explained(target):
        if not are_one_file(source, target):
            _link(target, source)
        # Durable under the new name before the old one goes.
        _make_durable(target)
        source.unlink(missing_ok=True)
    _make_durable(source)


def remove_file(path: Path, expected: Stamp) -> None:
    """Remove a file that has not been written to since it had the stamp *expected*.

    Raises:
        UnsavedChanges: It has; it was left as it is.
        AccessDenied: It may not be removed.
        NbvcError: The disk fails.
    """
    if stamp(path) != expected:
        raise _changed(path)
    with explained(path):
        path.unlink()
    _make_durable(path)


def _link(path: Path, source: Path) -> None:
    """Give the file *source* the further name *path*, or only that name, unless it is taken."""
    try:
        path.hardlink_to(source)  # refuses what exists, with no moment in between
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise _taken(path) from error
        source.replace(path)


def _changed(path: Path) -> UnsavedChanges:
    return UnsavedChanges(
        f"{path.name} was changed just now by another program; it was left as it is.",
        hint="Run the command again.",
    )


def _write(
    path: Path,
    data: Data,
    token: str,
    put_in_place: Callable[[Path], None],
    *,
    head: bytes = b"",
    mode: int | None = None,
) -> Stamp:
    """Write a file by way of a temporary one; its mode is that of the file that was there."""
    temporary = path.with_name(token.join(_TEMPORARY))
    with explained(path):
        mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else mode
        with durable.written(temporary, data, head=head, mode=mode):
            put_in_place(temporary)
    _make_durable(path)
    written = stamp(path)
    if written is None:
        raise NbvcError(f"{path} disappeared right after it was written.")
    return written


def _make_durable(path: Path) -> None:
    """Make the name of a file that was written, moved or removed just now durable."""
    try:
        durable.sync_folder(path.parent)
    except OSError as error:
        raise NbvcError(
            f"{path.name} was changed, but the disk that holds {path.parent} could not make that "
            f"durable: {error.strerror}.",
            hint="Check the disk, then run the command again.",
        ) from error


def _unreadable(shown: str, error: OSError) -> NbvcError:
    if fault_of_system(error) is Fault.DENIED:
        return FileRefused(f"{shown} may not be read.", hint=f"ls -l {typed(shown)}")
    return NbvcError(f"{shown} cannot be read: {error.strerror}.", hint="Check the disk.")


def _taken(path: Path) -> AlreadyExists:
    return AlreadyExists(
        f"{path} exists; it was left as it is.", hint="Choose another name, or remove that first."
    )


def sweep(folder: Path, now: datetime) -> None:
    """Remove the temporary files of writers that were killed from *folder*. Never fails."""
    _sweep(folder, int(now.timestamp() * 1e9))


def _sweep(folder: Path, now_ns: int) -> None:
    durable.sweep(folder, "*".join(_TEMPORARY), now_ns)


def make_folder(folder: Path, *, private: bool = False) -> None:
    """Make *folder* and its parents, durably. Idempotent.

    Args:
        folder: The folder.
        private: Whether a new one is for the user alone.

    Raises:
        AccessDenied: It may not be made.
        NbvcError: The disk is full, or a file is in the way.
    """
    with explained(folder):
        durable.make_folder(folder, mode=0o700 if private else 0o777)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the body, which is about *path*, into an error of nbvc."""
    try:
        yield
    except OSError as error:
        raise _explain(error, path) from error


def find_notebooks(
    folder: Path,
    below: Path | None = None,
    refused: list[tuple[PurePosixPath, FileRefused]] | None = None,
    *,
    now: datetime | None = None,
) -> Iterator[PurePosixPath]:
    """Yield the notebooks in *folder*, or in the part of it *below*, relative to it, in order.

    Hidden files and folders, links, and folders that are workspaces of their own are passed over:
    a link's target is found under its own name, or lies outside. So are folders that vanish
    meanwhile.

    Args:
        folder: The workspace.
        below: The part of it.
        refused: Gets the folders in it that may not be read; others are gone through.
        now: The present time, for who also wants removed what killed writers left there.

    Raises:
        FileRefused: The first of them may not be read.
        NbvcError: The disk fails, so that nobody knows which notebooks there are.
    """
    start = below or folder

    def explain(error: OSError) -> None:
        if fault_of_system(error) in _NOT_THERE:
            return
        path = Path(error.filename)
        explained = _unreadable(str(path), error)
        if path == start or not isinstance(explained, FileRefused):
            raise explained from error
        if refused is not None:
            refused.append((PurePosixPath(path.relative_to(folder).as_posix()), explained))

    for parent, names, files in os.walk(start, onerror=explain):
        here = Path(parent)
        if now is not None and any(map(_is_temporary, files)):
            sweep(here, now)
        names[:] = sorted(
            name
            for name in names
            if not name.startswith(".")
            and name.casefold() not in CONTROL_FOLDERS
            and not _is_workspace(here / name)
        )
        for name in sorted(files):
            if not name.endswith(NOTEBOOK_SUFFIX) or name.startswith("."):
                continue
            if not _is_link(here / name):
                yield PurePosixPath((here / name).relative_to(folder).as_posix())


def _is_temporary(name: str) -> bool:
    beginning, end = _TEMPORARY
    return name.startswith(beginning) and name.endswith(end)


def _is_workspace(folder: Path) -> bool:
    try:
        return looking.is_folder(folder / ".nbvc")
    except AccessDenied:
        return False  # nor can its notebooks be read


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError as error:
        raise _unreadable(str(path), error) from error


def inside(folder: Path, path: Path) -> PurePosixPath:
    """Return *path*, which is a notebook's, relative to *folder*.

    Links are followed first, so a link that leads outside is outside.

    Args:
        folder: The workspace, resolved.
        path: Absolute path; the file need not exist.

    Raises:
        InvalidKey: It is outside, or cannot name a notebook.
    """
    relative = folder_inside(folder, path)
    if not relative.parts:
        raise _outside(folder, path)
    NotebookKey(str(relative))
    return relative


def folder_inside(folder: Path, path: Path) -> PurePosixPath:
    """Return *path* relative to *folder*, which may be that very folder.

    The one check that a path stays inside; see :func:`inside`.
    """
    try:
        resolved = looking.resolve(path)
    except OSError as error:
        raise InvalidKey(f"{str(path)!a} is no usable path.") from error
    if not resolved.is_relative_to(folder):
        raise _outside(folder, path)
    return PurePosixPath(resolved.relative_to(folder).as_posix())


def _outside(folder: Path, path: Path) -> InvalidKey:
    return InvalidKey(
        f"{path} is outside of the workspace {folder}.",
        hint="Use a path inside it, or make a workspace there: nbvc init",
    )


def _explain(error: OSError, path: Path) -> NbvcError:
    fault = fault_of_system(error)
    if fault is Fault.IN_THE_WAY:
        return AlreadyExists(
            f"{path} cannot be written: something else of that name is in the way.",
            hint="Move that away first.",
        )
    if error.errno == errno.ENAMETOOLONG:
        return InvalidKey(f"{path.name[:40]}... is too long a name for a file here.")
    if fault is Fault.FULL:
        return NbvcError(
            f"{path.name} could not be written: the disk that holds {path.parent} is full.",
            hint="Nothing was changed. Make room, then run the command again.",
        )
    if fault is Fault.DENIED:
        return AccessDenied(
            f"{path.parent} may not be written to ({error.strerror}).",
            hint=f"ls -ld {typed(str(path.parent))}",
        )
    return NbvcError(f"{path} could not be written: {error.strerror or error}.")
