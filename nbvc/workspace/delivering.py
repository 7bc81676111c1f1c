"""Deliver what waits in the outbox: in order, each version exactly once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from nbvc.errors import AccessDenied, IntegrityError, NbvcError, NotFound, StoreError
from nbvc.model import Area, Data, NotebookKey, Record, Source
from nbvc.repository import Act, Draft, Known
from nbvc.repository.records import Manifest
from nbvc.repository.stays import find_recorded
from nbvc.values import dataclass
from nbvc.workspace.accepting import accept
from nbvc.workspace.following import is_held_up, notes, settle
from nbvc.workspace.index import Base, Entry
from nbvc.workspace.outbox import Outbox, Waiting, busy, failure_of

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace

MAX_ROUNDS = 1_000
"""How often a delivery looks whether more was added meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A version that had waited, and is in the store now.

    Attributes:
        waited: What waited.
        record: Its record; for bytes that were the latest version already, that one's.
    """

    waited: Waiting
    record: Record

    @property
    def is_merged(self) -> bool:
        """Whether somebody else's save of the same bytes stands for it."""
        return self.record.write_id != self.waited.write_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a delivery did.

    Attributes:
        delivered: The versions that were delivered, in order within each notebook.
        waiting: Those that still wait, for this store or another one.
        errors: Why, for each notebook that was stopped by an error of its own.
        stopped: What stopped the delivery as a whole, as a store that is not reached.
    """

    delivered: tuple[Delivered, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    errors: dict[NotebookKey, NbvcError] = field(default_factory=dict)
    stopped: NbvcError | None = None

    @property
    def error(self) -> NbvcError | None:
        """The error to show where there is room for one."""
        return self.stopped or next(iter(self.errors.values()), None)


def deliver(
    workspace: Workspace, *, wait_seconds: float = 0.0, everything: bool = False
) -> Delivery:
    """Deliver what waits for the workspace's store; what fails stays where it is.

    The versions of one notebook go in order, several notebooks at once. A version counts as
    delivered when its record is in the store. Safe in any number of processes: one delivers, and
    whatever a process that died had sent is found in the store by its write ID.

    Args:
        workspace: Whose outbox.
        wait_seconds: How long to wait while another process delivers.
        everything: Also deliver what the present user did not put there. Only who asked for a
            delivery can want that: the folder may have come from a stranger, with its outbox.
    """
    try:
        with workspace.outbox.held(wait_seconds) as alone:
            if not alone:
                return _leave(workspace, busy())
            return _deliver_alone(workspace, everything=everything)
    except NbvcError as error:  # of this disk: not even the queue can be read
        return Delivery(stopped=error)


def _deliver_alone(workspace: Workspace, *, everything: bool) -> Delivery:
    round_ = _Round(workspace, everything=everything)
    workspace.outbox.tidy(workspace.session.environment.now())
    try:
        accept(workspace, everything=everything)
        workspace.connect()
        round_.deliver_all()
    except NbvcError as error:
        round_.stopped = error
    delivery = replace(
        _leave(workspace, round_.stopped),
        delivered=tuple(round_.delivered),
        errors=round_.errors,
    )
    environment = workspace.session.environment
    failure = failure_of(delivery.error, environment.now()) if delivery.error else None
    workspace.outbox.note_failure(failure, token=environment.new_write_id())
    return delivery


def _leave(workspace: Workspace, stopped: NbvcError | None) -> Delivery:
    return Delivery(waiting=tuple(workspace.outbox.waiting()), stopped=stopped)


class _Round:
    """One delivery under way."""

    def __init__(self, workspace: Workspace, *, everything: bool) -> None:
        self.delivered: list[Delivered] = []
        self.errors: dict[NotebookKey, NbvcError] = {}
        self.stopped: NbvcError | None = None
        self._workspace = workspace
        self._everything = everything
        self._lock = threading.Lock()

    def deliver_all(self) -> None:
        """Deliver until nothing is left that can be; others may add more meanwhile."""
        for _ in range(MAX_ROUNDS):
            accept(self._workspace, everything=self._everything)
            waiting = self._workspace.outbox.waiting(store=self._workspace.store_setting)
            left = self._deliverable(waiting)
            if self.stopped is not None:
                return
            if left:
                self._deliver_together(left)
            elif not settle(self._workspace, waiting, everything=self._everything):
                return

    def _deliverable(self, waiting: list[Waiting]) -> list[Waiting]:
        """Return what of *waiting* can be delivered now: of each notebook the first ones."""
        pending = notes(self._workspace)
        firsts = {version.key: version.place for version in reversed(waiting)}
        blocked = set(self.errors)
        found = []
        for version in waiting if self._everything else _own(waiting):
            # What it is a copy of goes first, so that it can name that version.
            origin = None if version.origin in self.errors else version.origin
            awaits_origin = origin is not None and firsts.get(origin, version.place) < version.place
            if awaits_origin or is_held_up(version, pending):
                blocked.add(version.key)
            if version.key not in blocked:
                found.append(version)
        return found

    def _deliver_together(self, left: list[Waiting]) -> None:
        """Deliver the versions of each notebook in order, several notebooks at once."""
        queues = [list(group) for _, group in groupby(sorted(left, key=_by_key), key=_by_key)]
        parallel = self._workspace.connect().backend.parallel
        for _ in parallel.map(self._deliver_queue, queues):
            pass

    def _deliver_queue(self, queue: Iterable[Waiting]) -> None:
        for version in queue:
            if self.stopped is not None:
                return
            try:
                data = self._workspace.outbox.read(version)
            except IntegrityError:
                self._workspace.outbox.set_aside(version.file)
                continue
            try:
                delivered = _deliver_one(self._workspace, version, data)
            except NbvcError as error:
                with self._lock:
                    self._take_note(version, error)
                return
            with self._lock:
                self.delivered.append(delivered)
            if delivered.is_merged:
                return  # those behind it say otherwise now, and are read again

    def _take_note(self, version: Waiting, error: NbvcError) -> None:
        if isinstance(error, StoreError | AccessDenied | NotFound):
            self.stopped = self.stopped or error
        else:
            self.errors[version.key] = error


def _own(waiting: Iterable[Waiting]) -> Iterator[Waiting]:
    """Yield the user's own versions, for each notebook up to the first of somebody else's."""
    blocked: set[NotebookKey] = set()
    for version in waiting:
        if not version.own:
            blocked.add(version.key)
        elif version.key not in blocked:
            yield version


def _by_key(version: Waiting) -> NotebookKey:
    return version.key


def _deliver_one(workspace: Workspace, version: Waiting, data: Data) -> Delivered:
    outbox, repository = workspace.outbox, workspace.connect()
    # The result of a run is no file here.
    is_here = version.run is None and workspace.key_of(version.path) == version.key
    known = workspace.index.get(version.path).known if is_here else None
    act = Act(
        author=version.author,
        message=version.message,
        now=version.saved_at,
        write_id=version.write_id,
    )
    draft = Draft(
        data=data,
        digest=version.digest,
        parent=_parent(workspace, version, known),
        parent_version_id=version.parent_version_id,
        changes=version.changes,
        source=_source(workspace, version),
        run=version.run,
    )
    if version.sent:
        saved = repository.resume(version.key, draft, act, known, before=version.before)
    elif known is not None and known.file.record.digest == version.digest:
        saved = known  # two processes saved the same bytes
    else:
        version = outbox.mark_sent(version)
        saved = repository.save(version.key, draft, act, known)
    if is_here:
        workspace.index.change(version.path, lambda entry: _settled(entry, version, saved))
    delivered = Delivered(waited=version, record=saved.file.record)
    if delivered.is_merged:
        _rebase_those_behind(outbox, delivered)
    outbox.remove(version)
    return delivered


def _rebase_those_behind(outbox: Outbox, delivered: Delivered) -> None:
    """Note what stands for *delivered* now, for whatever is based on it and waits as well.

    No record will have its write ID.
    """
    merged = delivered.waited
    for version in outbox.waiting(store=merged.store, key=merged.key):
        if version.parent_write_id == merged.write_id:
            with suppress(IntegrityError):  # it is set aside when its turn comes
                outbox.rebase(version, delivered.record.number)


def _parent(workspace: Workspace, version: Waiting, known: Known | None) -> int | None:
    """Return the number of the version's parent, which it may have been given since the save.

    The parent may have waited in the outbox as well, or be one that had no number then.
    """
    if version.parent is not None or not (version.parent_write_id or version.parent_version_id):
        return version.parent

    def is_parent(record: Record) -> bool:
        by_write = record.write_id == version.parent_write_id
        return by_write or record.version_id == version.parent_version_id

    found = next(filter(is_parent, known.file if known else ()), None)
    if found is None:
        backend = workspace.connect().backend
        newest = Manifest(backend, Area.WORKSPACE, version.key).newest()
        found = find_recorded(backend, version.key, newest, is_parent) if newest else None
    return found.number if found else None


def _source(workspace: Workspace, version: Waiting) -> Source | None:
    """Return the version that a copy was made of: the one with its bytes, else the newest."""
    if version.origin is None:
        return None
    newest = Manifest(workspace.connect().backend, Area.WORKSPACE, version.origin).newest()
    if newest is None:
        return None
    found = next((r for r in newest if r.digest == version.digest), newest.record)
    return Source(
        area=Area.WORKSPACE, key=version.origin, number=found.number, version_id=found.version_id
    )


def _settled(entry: Entry, version: Waiting, saved: Known) -> Entry:
    """Return *entry* knowing the delivered version, and based on it if it was already."""
    record, base = saved.file.record, entry.base
    if base is not None and base.write_id == version.write_id:
        base = Base(
            number=record.number,
            digest=record.digest,
            version_id=record.version_id,
            etag=saved.etag,
            outline=base.outline,
        )
    known = entry.known
    if known is None or known.file.record.number <= record.number:
        known = saved
    return replace(entry, base=base, known=known)
