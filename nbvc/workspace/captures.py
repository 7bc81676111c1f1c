"""What an editor did to notebooks, kept in the outbox until there is time to look at it.

::

    .nbvc/outbox/0000000008-<write ID>.saved    the bytes of a file, as they were right after a save
    .nbvc/outbox/0000000011-<write ID>.found    the same, where nobody said that it was saved
    .nbvc/outbox/0000000009-<write ID>.moved    a file or a folder got another name
    .nbvc/outbox/0000000010-<write ID>.removed  a file or a folder was removed

An editor that saves a notebook must not wait. So its bytes are copied here, neither read nor
hashed, nor forced to the disk: they survive the death of the process at once, and a loss of power
as soon as somebody has accepted them (:mod:`nbvc.workspace.accepting`). The file is laid out as one
of a waiting version, and has a place in the same order.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from nbvc import durable
from nbvc.errors import Conflict, NbvcError
from nbvc.manifest.sealing import FORMAT, MALFORMED, format_time, parse_time, unseal
from nbvc.mapped import read_mapped
from nbvc.model import Data, WriteId, below
from nbvc.text import counted
from nbvc.values import dataclass
from nbvc.workspace.files import explained, make_folder, write_file
from nbvc.workspace.outbox import (
    MAX_HEADER_BYTES,
    NEW,
    Outbox,
    Waiting,
    first_line,
    to_document,
)

_NAME = r"(?s)([0-9]{10})-(.+)\.(saved|found|moved|removed)"
_LOCK = "accepting.lock"
_TEMPORARY = ".nbvc-{}.tmp"
_TRIES = 3


class What(StrEnum):
    """What was done."""

    SAVED = "saved"
    FOUND = "found"
    """Nobody said that it was saved: an edit from outside, or a checkpoint that was restored."""
    MOVED = "moved"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Something that an editor did.

    Attributes:
        what: What was done.
        store: The setting ``store`` at that time.
        namespace: The namespace at that time.
        path: The notebook or folder, relative to the workspace; after a move, its new path.
        origin: What a moved file or folder was called before, or what a saved one is a copy of.
        author: Who did it.
        message: What to say about it.
        at: When; UTC.
        write_id: Random token of this one act.
        place: Its place in the queue.
        own: Whether the present user put it there.
        file: The file that holds it.
    """

    what: What
    store: str
    namespace: str
    path: str
    origin: str | None = None
    author: str
    message: str = ""
    at: datetime
    write_id: WriteId
    place: int = 0
    own: bool = False
    file: Path = Path()

    @property
    def is_note(self) -> bool:
        """Whether it holds no bytes, and is something to be done in the store."""
        return self.what in {What.MOVED, What.REMOVED}

    @property
    def places(self) -> list[str]:
        """The keys of the notebooks or folders that it is about."""
        paths = [self.path, self.origin] if self.is_note and self.origin else [self.path]
        return [below(self.namespace, path) for path in paths]

    def touches(self, store: str, key: str) -> bool:
        """Return whether it must keep its order with what is done to *key*, or below it."""
        return store == self.store and any(_overlap(key, place) for place in self.places)

    def collides(self, other: Capture) -> bool:
        """Return whether this and *other* must keep their order."""
        return any(self.touches(other.store, place) for place in other.places)


class Captures:
    """What was captured in one workspace. Safe for several threads and processes.

    Args:
        outbox: In whose folder it lies.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def add(self, capture: Capture, source: Path | None = None) -> Capture:
        """Keep *capture*, at the end of the queue; with the bytes of the file *source*.

        It survives the death of the process when this returns. Neither a disk nor a store is
        waited for.

        Raises:
            Conflict: *source* is being written to all the time.
            NbvcError: The disk is full, or fails.
            AccessDenied: The folder may not be written, or *source* not be read.
        """
        make_folder(self._outbox.folder, private=True)
        head = self._outbox.seal(_to_document(capture), own=True) + b"\n"
        place = self._outbox.next_place()
        file = self._outbox.file_of(place, capture.write_id, f".{capture.what}")
        temporary = file.with_name(_TEMPORARY.format(capture.write_id))
        with explained(file), durable.created(temporary, mode=0o600) as opened:
            opened.write(head)
            opened.flush()
            if source is not None:
                with explained(source):
                    _copy_settled(source, opened.fileno(), start=len(head))
            temporary.rename(file)
        return replace(capture, place=place, file=file, own=True)

    def is_empty(self) -> bool:
        """Return whether there is nothing. Reads one folder, and no file."""
        return not self.count()

    def count(self) -> int:
        """Return how much there is. Reads one folder, and no file."""
        return sum(re.fullmatch(_NAME, name) is not None for name in self._outbox.names())

    def summary(self) -> str | None:
        """Return what to tell of what lies here; ``None`` where nothing does."""
        count = self.count()
        verb = "waits" if count == 1 else "wait"
        return f"{counted(count, 'save')} from Jupyter {verb} to be looked at." if count else None

    def pending(self) -> list[Capture]:
        """Return what was captured, in order; what cannot be read is set aside."""
        names = sorted(name for name in self._outbox.names() if re.fullmatch(_NAME, name))
        return [capture for name in names if (capture := self._read_header(name)) is not None]

    def read(self, capture: Capture) -> Data:
        """Return the bytes of a saved file; large ones stay on disk."""
        with explained(capture.file):
            with capture.file.open("rb") as opened:
                start = len(opened.readline(MAX_HEADER_BYTES))
            return read_mapped(capture.file, start=start)

    def complete(self, capture: Capture, version: Waiting, data: Data) -> None:
        """Say in its file all that is said of a waiting version, durably. Idempotent."""
        document = {**_to_document(capture), **to_document(version)}
        self._rewrite(capture, self._outbox.seal(document, own=True), data)

    def finish(self, capture: Capture) -> None:
        """Move the file of a completed *capture* among those of the waiting versions. Atomic."""
        with explained(capture.file), suppress(FileNotFoundError):
            capture.file.rename(capture.file.with_suffix(NEW))
            durable.sync_folder(self._outbox.folder)

    def set_aside(self, capture: Capture) -> None:
        """Take *capture*, whose bytes are damaged, out of the queue, and keep what is left."""
        self._outbox.set_aside(capture.file)

    def remove(self, capture: Capture) -> None:
        """Take *capture* out of the queue. Idempotent."""
        with explained(capture.file):
            capture.file.unlink(missing_ok=True)

    def readdress(self, capture: Capture, store: str) -> None:
        """Mean the same notebooks in another store. Idempotent."""
        data = b"" if capture.is_note else self.read(capture)
        document = _to_document(replace(capture, store=store))
        self._rewrite(capture, self._outbox.seal(document, own=capture.own), data)

    @contextmanager
    def held(self, wait_seconds: float) -> Iterator[bool]:
        """Become the only one who accepts what was captured; see :meth:`Outbox.held`."""
        with self._outbox.held(wait_seconds, _LOCK) as alone:
            yield alone

    def _rewrite(self, capture: Capture, head: bytes, data: Data) -> None:
        write_file(capture.file, data, head=head + b"\n", token=capture.write_id)

    def _read_header(self, name: str) -> Capture | None:
        """Return what a file says of itself; ``None`` where it is gone, or damaged.

        Raises:
            NbvcError: The disk fails. Nothing behind it may come before it.
        """
        file = self._outbox.folder / name
        try:
            line = first_line(file)
        except OSError as error:
            raise NbvcError(
                f"{file} cannot be read: {error.strerror}.", hint="Check the disk."
            ) from error
        if line is None:
            return None
        try:
            document = unseal(line, what=f"capture {name}")
            capture = _from_document(document)
        except (NbvcError, *MALFORMED):
            self._outbox.set_aside(file)
            return None
        place = int(name.partition("-")[0])
        return replace(capture, place=place, file=file, own=self._outbox.is_own(document))


def _copy_settled(source: Path, target: int, *, start: int) -> None:
    """Copy a file that nobody writes to meanwhile behind the first *start* bytes of *target*."""
    with source.open("rb") as opened:
        for _ in range(_TRIES):
            before = os.fstat(opened.fileno())
            opened.seek(0)
            os.ftruncate(target, start)
            os.lseek(target, start, os.SEEK_SET)
            _copy(opened.fileno(), target)
            after = os.fstat(opened.fileno())
            if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                return
    raise Conflict(f"{source} is being written to all the time.", hint="Save it once more.")


def _copy(source: int, target: int) -> None:
    """Copy what is left of a file; inside the system, where that is possible."""
    with suppress(OSError, AttributeError):  # an old system, or two kinds of disks
        while os.copy_file_range(source, target, 1 << 30):
            pass
        return
    with (
        os.fdopen(os.dup(source), "rb", buffering=0) as reader,
        os.fdopen(os.dup(target), "wb", buffering=0) as writer,
    ):
        shutil.copyfileobj(reader, writer, 1 << 20)


def _overlap(key: str, other: str) -> bool:
    return key == other or key.startswith(f"{other}/") or other.startswith(f"{key}/")


def _to_document(capture: Capture) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "what": capture.what,
        "store": capture.store,
        "namespace": capture.namespace,
        "path": capture.path,
        "of": capture.origin,
        "author": capture.author,
        "message": capture.message,
        "saved_at": format_time(capture.at),
        "write_id": capture.write_id,
    }


def _from_document(document: Mapping[str, Any]) -> Capture:
    origin = document["of"]
    return Capture(
        what=What(document["what"]),
        store=str(document["store"]),
        namespace=str(document["namespace"]),
        path=str(document["path"]),
        origin=str(origin) if origin is not None else None,
        author=str(document["author"]),
        message=str(document["message"]),
        at=parse_time(document["saved_at"]),
        write_id=WriteId(document["write_id"]),
    )
