"""The outbox: versions that the store has not acknowledged yet, kept durably in the workspace.

::

    .nbvc/outbox/0000000007-<write ID>.new      a version that was never sent
    .nbvc/outbox/0000000006-<write ID>.sent     one that was: it may be in the store
    .nbvc/outbox/0000000005-<write ID>.damaged  one whose bytes the disk has damaged
    .nbvc/outbox/0000000008-<write ID>.saved    what an editor did: see nbvc.workspace.captures
    .nbvc/outbox/failure.json                   why the last delivery stopped
    .nbvc/outbox/lock                           held by who delivers

A file is one version: a sealed JSON document in the first line says what it is, and the exact bytes
of the notebook follow. So ``tail -n +2`` brings them back without nbvc. Two that were saved at once
may have one place; the write ID keeps their names apart, whichever of them is sent first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nbvc.durable import sync_folder
from nbvc.errors import Conflict, IntegrityError, NbvcError, StoreUnavailable
from nbvc.manifest.executions import run_from_document, run_to_document
from nbvc.manifest.sealing import FORMAT, MALFORMED, format_time, parse_time, seal, unseal
from nbvc.mapped import read_mapped
from nbvc.model import Changes, Data, Digest, NotebookKey, Run, VersionId, WriteId
from nbvc.text import typed
from nbvc.values import dataclass
from nbvc.workspace.files import create_file, explained, make_folder, sweep, write_file
from nbvc.workspace.owning import Owner

FOLDER = "outbox"
MAX_HEADER_BYTES = 64 * 1024
NEW, _SENT, _DAMAGED = ".new", ".sent", ".damaged"
_FAILURE = "failure.json"
_LOCK = "lock"
_MAX_PLACE = 9_999_999_999
_PLACE_DIGITS = 10
_QUEUED = r"(?s)[0-9]{10}(-.*)?\.(new|sent)"
"""The name of a file in the queue; one without a write ID counts as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a version could not be delivered.

    Attributes:
        kind: Kind of the error.
        message: Its message.
        at: When it occurred; UTC.
    """

    kind: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A version that waits in the outbox.

    Attributes:
        place: Its place in the queue; the lowest goes first.
        sent: Whether it was sent before, so that the store may have it.
        store: The setting ``store`` that it was saved for.
        key: Notebook key.
        path: Path of the notebook, relative to the workspace.
        digest: SHA-256 of its bytes.
        size_bytes: Length of its bytes.
        author: Who saved it.
        message: What they said.
        saved_at: When; UTC.
        write_id: Write ID of the save.
        before: A number that was claimed before it was saved; 0 for none.
        parent: Number of the version that the working copy was based on.
        parent_version_id: Its version ID.
        parent_write_id: Its write ID, where it waited in the outbox itself.
        origin: The notebook that it is a copy of, where it begins a history as one.
        changes: What changed against it, where known.
        run: For the result of a run, how it was made.
        reason: Why it was not stored at once; ``None`` where that was not tried.
        own: Whether the present user put it there, so that every command may deliver it.
        file: The file that holds it.
    """

    place: int = 0
    sent: bool = False
    store: str
    key: NotebookKey
    path: str
    digest: Digest
    size_bytes: int
    author: str
    message: str
    saved_at: datetime
    write_id: WriteId
    before: int
    parent: int | None = None
    parent_version_id: VersionId | None = None
    parent_write_id: WriteId | None = None
    origin: NotebookKey | None = None
    changes: Changes | None = None
    run: Run | None = None
    reason: Failure | None = None
    own: bool = False
    file: Path = Path()


class Outbox:
    """The versions that wait in one workspace. Safe for several threads and processes.

    What :meth:`add` returned survives the death of the process and a loss of power. Nothing leaves
    but by :meth:`remove`.

    Args:
        folder: Where it is; made when first needed, readable by the user alone.
        owner: The user; ``None`` for one who only looks.
    """

    def __init__(self, folder: Path, owner: Owner | None = None) -> None:
        self.folder = folder
        self._owner = owner
        self._keys: dict[str, NotebookKey] = {}
        self._is_tidy = False

    def add(self, version: Waiting, data: Data, *, sent: bool) -> Waiting:
        """Put *version* at the end of the queue, durably.

        Args:
            version: What waits; its place and file are given here.
            data: Its bytes.
            sent: Whether it may have reached the store.

        Returns:
            The version with its place. It is not its user's own where no key could be kept: then
            only a push delivers it.

        Raises:
            NbvcError: The disk is full, or fails.
            AccessDenied: The folder may not be written.
        """
        make_folder(self.folder, private=True)
        self.tidy(version.saved_at)
        version = replace(version, own=True)
        head = self._seal(version) + b"\n"
        place = self.next_place()
        # Others may take the same place at once: the write ID keeps their files apart.
        file = self.file_of(place, version.write_id, _SENT if sent else NEW)
        create_file(file, data, head=head, token=version.write_id, private=True)
        own = self._owner is not None and self._owner.has_key
        return replace(version, place=place, sent=sent, file=file, own=own)

    def next_place(self) -> int:
        """Return the place behind all that is in the folder.

        Raises:
            Conflict: There is none left.
        """
        names = (name for name in self.names() if name[:_PLACE_DIGITS].isdecimal())
        place = 1 + max((int(name[:_PLACE_DIGITS]) for name in names), default=0)
        if place > _MAX_PLACE:
            raise Conflict(f"There is no place left in {self.folder}.", hint="nbvc push")
        return place

    def file_of(self, place: int, write_id: WriteId, suffix: str) -> Path:
        """Return the file of what has this place and was put there by this act."""
        return self.folder / f"{place:0{_PLACE_DIGITS}d}-{write_id}{suffix}"

    def tidy(self, now: datetime) -> None:
        """Remove what was left by who could not come to the end of a write here. Never fails.

        Once is enough, however many notebooks a command saves.
        """
        if self._is_tidy:
            return
        sweep(self.folder, now)
        if self._owner is not None:
            self._owner.tidy(now)
        self._is_tidy = True

    def waiting(self, *, store: str | None = None, key: NotebookKey | None = None) -> list[Waiting]:
        """Return the versions that wait, in the order of delivery; damaged ones are left out.

        Args:
            store: Only for this store.
            key: Only of this notebook.
        """
        found = (self._read_header(name) for name in self._ordered(key))
        return [
            version
            for version in found
            if isinstance(version, Waiting)
            and store in {None, version.store}
            and key in {None, version.key}
        ]

    def damaged(self) -> list[Path]:
        """Return the files that cannot be read as what they were written as."""
        unreadable = [
            self.folder / name
            for name in self._ordered()
            if isinstance(self._read_header(name), IntegrityError)
        ]
        with explained(self.folder):
            return sorted([*self.folder.glob(f"*{_DAMAGED}"), *unreadable])

    def is_empty(self) -> bool:
        """Return whether nothing waits. Reads one folder, and no file."""
        return not self._names()

    def read(self, version: Waiting) -> Data:
        """Return the bytes of *version*, verified; large ones stay on disk.

        Raises:
            IntegrityError: They are not the ones that were saved.
        """
        with explained(version.file):
            with version.file.open("rb") as opened:
                start = len(opened.readline(MAX_HEADER_BYTES))
            data = read_mapped(version.file, start=start)
        if Digest.of(data) != version.digest:
            raise IntegrityError(
                f"A waiting version of {version.path} is damaged on this disk: {version.file}.",
                hint=f"tail -n +2 {typed(str(version.file))} shows what is left of it.",
            )
        return data

    def mark_sent(self, version: Waiting) -> Waiting:
        """Note, durably, that the store may have *version* from now on. Idempotent."""
        if version.sent:
            return version
        file = version.file.with_suffix(_SENT)
        with explained(version.file):
            version.file.rename(file)
            sync_folder(self.folder)
        return replace(version, sent=True, file=file)

    def set_aside(self, file: Path) -> None:
        """Take a file whose bytes are damaged out of the queue, and keep what is left of it.

        Otherwise it would hold up those behind it for ever. Idempotent.
        """
        with explained(file), suppress(FileNotFoundError):
            file.rename(file.with_suffix(_DAMAGED))

    def readdress(self, version: Waiting, store: str) -> Waiting:
        """Send *version* to another store than the one it was saved for. Idempotent."""
        return self._rewrite(replace(version, store=store))

    def rebase(self, version: Waiting, parent: int) -> Waiting:
        """Note, durably, which number the version has that *version* is based on. Idempotent."""
        return self._rewrite(replace(version, parent=parent, parent_write_id=None))

    def remove(self, version: Waiting) -> None:
        """Take *version*, which the store has acknowledged, out of the queue. Idempotent."""
        with explained(version.file):
            version.file.unlink(missing_ok=True)

    @property
    def failure(self) -> Failure | None:
        """Why the last delivery stopped; ``None`` where it did not, or nothing is known."""
        with suppress(OSError, IntegrityError, *MALFORMED):
            data = (self.folder / _FAILURE).read_bytes()
            return _failure(unseal(data, what="note of the last delivery"))
        return None

    def note_failure(self, failure: Failure | None, *, token: str) -> None:
        """Remember why a delivery stopped, or with ``None`` that it went well."""
        file = self.folder / _FAILURE
        if failure is None:
            with suppress(OSError):
                file.unlink(missing_ok=True)
            return
        document = {"format": FORMAT, **_from_failure(failure)}
        with suppress(NbvcError):  # it is worth less than what is being delivered
            write_file(file, seal(document), token=token)

    @contextmanager
    def held(self, wait_seconds: float, name: str = _LOCK) -> Iterator[bool]:
        """Become the only one who delivers, if nobody else is, for the length of the block.

        The system lets go of it when the process dies.

        Args:
            wait_seconds: How long to wait for another one to end.
            name: Of the lock; another one for other work than deliveries.

        Yields:
            Whether that came true.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / name, timeout=wait_seconds)
        with explained(self.folder / name):
            try:
                lock.acquire()
            except Timeout:
                alone = False
            else:
                alone = True
        try:
            yield alone
        finally:
            if alone:
                lock.release()

    def _rewrite(self, version: Waiting) -> Waiting:
        """Say of a version what *version* says, in place of what was said before."""
        data = self.read(version)
        head = self._seal(version) + b"\n"
        write_file(version.file, data, head=head, token=version.write_id)
        return version

    def _seal(self, version: Waiting) -> bytes:
        return self.seal(to_document(version), own=version.own)

    def seal(self, document: dict[str, Any], *, own: bool) -> bytes:
        """Return *document* as the first line of a file; signed, where it is the user's *own*."""
        if self._owner is not None and own:
            document = self._owner.sign(document)
        return seal(document)

    def is_own(self, document: Mapping[str, Any]) -> bool:
        """Tell whether the present user put a file there, from its first line."""
        return self._owner is not None and self._owner.made(document)

    def _read_header(self, name: str) -> Waiting | IntegrityError | None:
        """Return what a file says of itself; ``None`` where it is gone since it was listed."""
        file, what = self.folder / name, f"waiting version {name}"
        try:
            line = first_line(file)
        except OSError as error:
            return IntegrityError(f"The {what} cannot be read: {error.strerror}.")
        if line is None:
            return None
        try:
            document = unseal(line, what=what)
            version = _from_document(document, int(name[:_PLACE_DIGITS]), file)
            self._keys[name] = version.key
            return replace(version, own=self.is_own(document))
        except IntegrityError as error:
            return error
        except (NbvcError, *MALFORMED) as error:
            return IntegrityError(f"The {what} cannot be read: {error!r}.")

    def _ordered(self, key: NotebookKey | None = None) -> list[str]:
        """Return the names of the files in the queue, in order.

        With *key*, without those that are known to be of another notebook: a command that saves a
        thousand of them asks of each, and reads no file a thousand times.
        """
        # Two may share a place; then the one that was sent is the older one.
        return sorted(
            (name for name in self._names() if key is None or self._keys.get(name, key) == key),
            key=lambda name: (name[:_PLACE_DIGITS], not name.endswith(_SENT), name),
        )

    def _names(self) -> list[str]:
        """Return the names of the files in the queue."""
        return [name for name in self.names() if re.fullmatch(_QUEUED, name)]

    def names(self) -> list[str]:
        """Return the names of all files in the folder."""
        with explained(self.folder):
            try:
                return os.listdir(self.folder)  # noqa: PTH208 - a path for each takes longer
            except FileNotFoundError:
                return []


def first_line(file: Path) -> bytes | None:
    """Return what a file of the outbox says of itself; ``None`` where it is gone.

    A disk that fails is asked a second time: what it then has is neither damaged nor overtaken.

    Raises:
        OSError: It cannot be read.
    """
    try:
        return _first_line(file)
    except OSError:
        return _first_line(file)


def _first_line(file: Path) -> bytes | None:
    try:
        with file.open("rb") as opened:
            return opened.readline(MAX_HEADER_BYTES).rstrip(b"\n")
    except FileNotFoundError:
        return None


def failure_of(error: NbvcError, now: datetime) -> Failure:
    """Return *error* as a note."""
    return Failure(kind=error.kind, message=error.message, at=now)


def busy() -> StoreUnavailable:
    """Return the error for an outbox that another process is delivering."""
    return StoreUnavailable(
        "Another process delivers what waits in the outbox just now.",
        hint="nbvc status shows what is left.",
    )


def to_document(version: Waiting) -> dict[str, Any]:
    """Return what the first line of its file says of *version*."""
    return {
        "format": FORMAT,
        "store": version.store,
        "key": version.key,
        "path": version.path,
        "digest": version.digest,
        "size_bytes": version.size_bytes,
        "author": version.author,
        "message": version.message,
        "saved_at": format_time(version.saved_at),
        "write_id": version.write_id,
        "before": version.before,
        "parent": version.parent,
        "parent_version_id": version.parent_version_id,
        "parent_write_id": version.parent_write_id,
        "origin": version.origin,
        "changes": asdict(version.changes) if version.changes else None,
        "run": run_to_document(version.run) if version.run else None,
        "reason": _from_failure(version.reason) if version.reason else None,
    }


def _from_document(document: dict[str, Any], place: int, file: Path) -> Waiting:
    changes, reason = document["changes"], document["reason"]
    origin = document.get("origin")  # releases before Jupyter's did not write it
    run = document.get("run")
    return Waiting(
        place=place,
        sent=file.suffix == _SENT,
        store=str(document["store"]),
        key=NotebookKey(document["key"]),
        path=str(document["path"]),
        digest=Digest(document["digest"]),
        size_bytes=int(document["size_bytes"]),
        author=str(document["author"]),
        message=str(document["message"]),
        saved_at=parse_time(document["saved_at"]),
        write_id=WriteId(document["write_id"]),
        before=int(document["before"]),
        parent=document["parent"],
        parent_version_id=document["parent_version_id"],
        parent_write_id=document["parent_write_id"],
        origin=NotebookKey(origin) if origin else None,
        changes=Changes(**changes) if changes else None,
        run=run_from_document(run) if run else None,
        reason=_failure(reason) if reason else None,
        file=file,
    )


def _from_failure(failure: Failure) -> dict[str, str]:
    return {"kind": failure.kind, "message": failure.message, "at": format_time(failure.at)}


def _failure(document: dict[str, Any]) -> Failure:
    return Failure(
        kind=str(document["kind"]),
        message=str(document["message"]),
        at=parse_time(document["at"]),
    )
