"""Large bytes that stay on disk: mapped into memory, and read from there as they are used.

What is mapped takes no memory of the process's own. The system keeps as much of it as it has room
for, and takes that back when something else needs the room.

A mapped file must not be cut short while it is in use, for that ends the process. So only files
that nobody changes in place are mapped: a temporary file of ours, or one that is only ever replaced
as a whole. And they are read once before, so that what the disk has lost is an error as usual.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from nbvc.durable import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nbvc.model import Data

LARGE_BYTES = 8 * 1024 * 1024
"""Larger bytes are mapped, smaller ones read: there is no point in a file for them."""

CHUNK_BYTES = 1024 * 1024


class CannotSpool(Exception):
    """The disk has no room, or no such folder: whoever asked does without."""


def read_mapped(path: Path, *, start: int = 0) -> Data:
    """Return the bytes of a file from *start* on; large ones mapped.

    Args:
        path: A file that is never changed in place; it may be removed, or replaced.
        start: How many bytes at its beginning to leave out.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        file.seek(start)
        if size_bytes - start <= LARGE_BYTES:
            return file.read()
        for _ in chunks_of(file):
            pass
        return _map(file)[start:]


def spool(folder: Path | None, chunks: Iterable[bytes]) -> memoryview:
    """Put bytes into a temporary file without a name, and return them mapped.

    The file is gone when the last view of it is, or when the process dies.

    Args:
        folder: Where; made where it is missing, for the user alone.
        chunks: The bytes, in pieces; what they raise is passed on.

    Raises:
        CannotSpool: The bytes cannot be kept there.
    """
    if folder is None:
        raise CannotSpool
    import tempfile  # it takes longer to import than a short command has to spare

    try:
        make_folder(folder, mode=0o700)
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
    except OSError as error:
        raise CannotSpool from error
    try:
        for chunk in chunks:
            _write(file, chunk)
        return _map(file)
    finally:
        with suppress(OSError):  # a full disk would be told once more
            file.close()


def _write(file: IO[bytes], chunk: bytes) -> None:
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:
        raise CannotSpool from error


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what is left of a file in pieces."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _map(file: IO[bytes]) -> memoryview:
    if os.fstat(file.fileno()).st_size == 0:  # which cannot be mapped
        return memoryview(b"")
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
