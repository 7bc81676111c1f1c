"""One notebook key, in one area, on its way from one store to another.

First everything is looked at (``compare``, ``plan``), then versions are written (``copy``), and
last the target is read again (``verify``). Nothing is kept about how far it came: a second run
finds that out from what the target holds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import field, replace
from datetime import datetime
from itertools import chain, islice, takewhile

from nbvc.errors import AlreadyExists, Conflict, IntegrityError, VersionNotFound
from nbvc.manifest.metadata import Provenance, from_metadata, to_metadata
from nbvc.manifest.records import record_hash
from nbvc.model import Area, Data, Digest, NotebookKey, Record, Source, VersionId, WriteId
from nbvc.repository.backend import Backend
from nbvc.repository.packed_store import packs_of
from nbvc.repository.records import Manifest
from nbvc.repository.repeats import adoption_id
from nbvc.repository.states import read_state
from nbvc.repository.stays import Appender, Stay, agrees, find_stays, provenance_of, read_up
from nbvc.repository.traffic import Traffic, read_ahead
from nbvc.stores.base import NOTEBOOK_TYPE, Blob, Overwrite, Store, VersionEntry
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """From where to where."""

    source: Backend
    target: Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The names of one notebook, and what its version IDs of the source became in the target.

    Attributes:
        keys: The names.
        ids: Version IDs of the source, and what they became.
        gone: Numbers, from first to last, of which a repair has said that their bytes are lost, or
            that somebody has let go of.
    """

    keys: tuple[NotebookKey, ...]
    ids: dict[tuple[Area, NotebookKey, VersionId], VersionId] = field(default_factory=dict)
    gone: dict[Area, list[tuple[int, int]]] = field(default_factory=dict)

    def is_gone(self, area: Area, number: int) -> bool:
        """Return whether it is known that the bytes of *number* are not there any more."""
        return any(first <= number <= last for first, last in self.gone.get(area, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One version to bring over.

    Attributes:
        version_id: Its version ID in the source.
        size_bytes: Length of the notebook.
        saved_at: When, by its record or else by the source's clock.
        number: The number to claim for it; ``None`` for one that stays without a record.
        record: Its record in the source, where it has one.
    """

    version_id: VersionId
    size_bytes: int
    saved_at: datetime
    number: int | None = None
    record: Record | None = None


class Transfer:
    """One key in one area.

    Versions that no record names come along too. Those newer than every recorded one get a record,
    after the others, as the next save would give them; older ones stay without, in their place.
    Of a version that is lost, and of which a repair has said so, the record comes along.

    Args:
        route: From where to where.
        area: Workspace or published.
        key: The notebook key.
        family: Shared by all names and areas of one notebook.
        traffic: Shared by the whole migration.
    """

    def __init__(
        self, route: Route, area: Area, key: NotebookKey, family: Family, traffic: Traffic
    ) -> None:
        self.area, self.key = area, key
        self._route, self._family, self._traffic = route, family, traffic
        self._source_key = route.source.layout.data_key(area, key)
        self._target_key = route.target.layout.data_key(area, key)
        self._source = Manifest(route.source, area, key)
        self._target = Manifest(route.target, area, key)
        self.state = read_state(route.source, area, key)
        if self.state is not None:
            family.gone.setdefault(area, []).extend([*self.state.gone, *self.state.forgotten])
        self.stays = find_stays(self._source, key, self.state)
        self._appenders = [Appender(self._target, stay.first) for stay in self.stays]
        newest = self._target.newest_number()
        self._has_records = newest is not None
        self._newest = self.stays[0].first - 1 if newest is None else newest
        self._there = self._list_target()
        self._numbers: dict[VersionId, int] = {}
        self._sizes: set[int] = set()
        self._lost: set[int] = set()
        self._arrived: dict[VersionId, WriteId] = {}
        self._between: dict[int, list[Step]] = {}
        self._unrecorded: list[Step] = []
        self._landed: deque[VersionId] = deque()
        self._drafts: list[Record] = []

    # Look

    def compare(self, index: int) -> None:
        """Read one stay in the source, and compare it with as much of it as the target has.

        Raises:
            AlreadyExists: The target has another history under this key.
            IntegrityError: A record is damaged, or the target lost the bytes of one.
        """
        stay = self.stays[index]
        last = min(stay.last, self._newest)
        if last >= stay.first and self._target.file(last).first != stay.first:
            raise self._taken()
        copies = read_up(self._target, stay.first, last)
        for record in read_up(self._source, stay.first, stay.last):
            self._numbers[record.version_id] = record.number
            self._sizes.add(record.size_bytes)
            copy = next(copies, None)
            if copy is not None:
                if not agrees(copy, self._translated(record)):
                    raise self._taken()
                self._arrive(record.version_id, copy, index)

    def plan(self) -> None:
        """Find the versions without a record, here and there, once all stays were compared.

        Raises:
            AlreadyExists: The target has another history under this key.
        """
        self._find_unrecorded()
        last = self.stays[-1].last
        copies = read_up(self._target, last + 1, self._newest)
        for step, copy in zip(self._unrecorded, copies, strict=False):
            if (copy.write_id, copy.size_bytes) != (self._write_id(step), step.size_bytes):
                raise self._taken()
            self._arrive(step.version_id, copy, -1)
        if self._has_records and not any(
            stay.first <= self._newest <= self._end(index) for index, stay in enumerate(self.stays)
        ):
            raise self._taken()
        self._find_landed()

    def remaining(self) -> Iterator[Step]:
        """Yield the versions that the target does not have, in the order of writing."""
        return islice(self._all_steps(), len(self._landed), None)

    @property
    def present(self) -> int:
        """How many versions the target had already."""
        between = sum(len(steps) for at, steps in self._between.items() if at < self._newest)
        return len(self._arrived) + between + len(self._landed)

    def arrived(self, version_id: VersionId) -> tuple[VersionId, int | None] | None:
        """Return what a version of the source became, and its number there, once it was copied."""
        new = self._family.ids.get((self.area, self.key, version_id))
        return None if new is None else (new, self._numbers.get(version_id))

    # Write

    def copy(self, index: int) -> None:
        """Bring over what is missing of one stay: each notebook first, its record second.

        Raises:
            IntegrityError: The source does not have the bytes that were recorded.
            Conflict: Somebody else writes to this key in the target.
            Stopped: The migration was stopped.
        """
        before = self._hash_before(self.stays[index])
        for step, blob in self._loaded(self._steps(index)):
            if blob is None:
                if step.record is not None:
                    self._record(index, self._translated(step.record), before, written=False)
                continue
            draft = self._draft(step, blob)
            landed = self._landed.popleft() if self._landed else None
            version_id = landed or self._put(draft, blob.data)
            self._family.ids[self.area, self.key, step.version_id] = version_id
            if step.number is not None:
                self._record(
                    index, replace(draft, version_id=version_id), before, written=not landed
                )
                if step.record is None:
                    self._drafts.append(draft)
            if landed is None:
                self._traffic.count_copied(self.area, self.key, step.size_bytes)

    def verify(self) -> None:
        """Read the records that this run made, and compare each with the source and the listing.

        Raises:
            IntegrityError: Something is not as it was written.
        """
        self._there = self._list_target()
        for index, stay in enumerate(self.stays):
            begin = max(self._newest, stay.first - 1) + 1
            records = map(self._translated, read_up(self._source, begin, stay.last))
            drafts = self._drafts if index == len(self.stays) - 1 else ()
            copies = read_up(self._target, begin, self._end(index))
            for copy, original in zip(copies, chain(records, drafts), strict=True):
                is_there = self._is_stored(copy) or copy.number in self._lost
                if not (is_there and agrees(copy, original)):
                    raise self._damaged(copy)

    # The steps, in the order of writing

    def _all_steps(self) -> Iterator[Step]:
        """Yield the steps that write a notebook; of a lost one, only the record is written."""
        steps = chain.from_iterable(map(self._steps, range(len(self.stays))))
        return (step for step in steps if step.number not in self._lost)

    def _steps(self, index: int) -> Iterator[Step]:
        stay = self.stays[index]
        done = max(self._newest, stay.first - 1)
        if done <= stay.last:
            yield from self._between.get(done, ())
        for record in read_up(self._source, done + 1, stay.last):
            yield Step(
                version_id=record.version_id,
                size_bytes=record.size_bytes,
                saved_at=record.saved_at,
                number=record.number,
                record=record,
            )
            yield from self._between.get(record.number, ())
        if index == len(self.stays) - 1:
            yield from self._unrecorded[max(done - stay.last, 0) :]

    def _end(self, index: int) -> int:
        """Return the last number of a stay in the target."""
        is_last = index == len(self.stays) - 1
        return self.stays[index].last + (len(self._unrecorded) if is_last else 0)

    def _find_unrecorded(self) -> None:
        waiting: list[VersionEntry] = []
        listed: set[int] = set()
        met = False
        plain = list(entries_of(self._route.source.store, self._source_key))
        if self.state is not None and (self.state.packs or self.state.forgotten):
            sizes = Counter(entry.size_bytes for entry in plain if not entry.is_delete_marker)
            self._sizes |= {size for size, entries in sizes.items() if entries > 1}
        packs = packs_of(self._route.source)
        for entry in packs.with_packed(self.area, self.key, self.state, plain):
            number = self._numbers.get(entry.version_id)
            if number is not None:
                self._place(waiting, number if met else None)
                waiting, met = [], True
                listed.add(number)
            elif not entry.is_delete_marker and not self._is_ours(entry):
                waiting.append(entry)
        self._place(waiting, self.stays[0].first - 1 if met else None)
        absent = set(self._numbers.values()) - listed
        self._lost = {number for number in absent if self._family.is_gone(self.area, number)}

    def _is_ours(self, entry: VersionEntry) -> bool:
        """Return whether an unpacking wrote an entry once more, that is there already."""
        if entry.size_bytes not in self._sizes:
            return False
        head = self._route.source.store.head(self._source_key, entry.version_id)
        said = from_metadata(head.metadata)
        return said.again is not None or said.number is not None

    def _place(self, entries: list[VersionEntry], number: int | None) -> None:
        """Keep *entries*, newest first, which stand above record *number*, or above all records."""
        steps = [
            Step(version_id=e.version_id, size_bytes=e.size_bytes, saved_at=e.modified_at)
            for e in reversed(entries)
        ]
        if number is not None:
            self._between[number] = steps
            return
        numbers = range(self.stays[-1].last + 1, self.stays[-1].last + 1 + len(steps))
        self._unrecorded = [
            replace(step, number=number) for step, number in zip(steps, numbers, strict=True)
        ]

    # What the target has

    def _list_target(self) -> dict[VersionId, int]:
        """Return version IDs and sizes, newest first."""
        target = self._route.target
        listed = list(entries_of(target.store, self._target_key))
        if listed:
            state = read_state(target, self.area, self.key)
            listed = packs_of(target).with_packed(self.area, self.key, state, listed)
        return {
            entry.version_id: entry.size_bytes for entry in listed if not entry.is_delete_marker
        }

    def _arrive(self, version_id: VersionId, copy: Record, index: int) -> None:
        if self._is_stored(copy):
            self._family.ids[self.area, self.key, version_id] = copy.version_id
            self._arrived[copy.version_id] = copy.write_id
        elif not self._family.is_gone(self.area, copy.number):
            raise self._damaged(copy)
        self._appenders[index].skip(copy)

    def _is_stored(self, copy: Record) -> bool:
        return self._there.get(copy.version_id) == copy.size_bytes

    def _find_landed(self) -> None:
        """Find the versions that an earlier run wrote, and was cut off before it recorded them.

        Their write IDs tell. One that repeats the write ID of a recorded version was written twice,
        by a client below us or by two runs at once: the same bytes, and nothing to be done.
        """
        above = takewhile(lambda version_id: version_id not in self._arrived, self._there)
        known = set(self._arrived.values())
        steps = self._all_steps()
        step = next(steps, None)
        for version_id in reversed(list(above)):
            head = self._route.target.store.head(self._target_key, version_id)
            write_id = from_metadata(head.metadata).write_id
            if write_id is not None and step is not None and write_id == self._write_id(step):
                self._landed.append(version_id)
                known.add(write_id)
                step = next(steps, None)
            elif write_id not in known:
                raise self._taken()

    # One version

    def _write_id(self, step: Step) -> WriteId:
        if step.record is not None:
            return step.record.write_id
        head = self._route.source.store.head(self._source_key, step.version_id)
        return from_metadata(head.metadata).write_id or adoption_id(step.version_id)

    def _loaded(self, steps: Iterable[Step]) -> Iterator[tuple[Step, Blob | None]]:
        return read_ahead(
            steps,
            self._read,
            size_of=lambda step: step.size_bytes,
            parallel=self._route.source.parallel,
            traffic=self._traffic,
        )

    def _read(self, step: Step) -> Blob | None:
        """Read a version and compare it with its record; a second time before giving up.

        ``None`` for a lost one.
        """
        if step.number in self._lost:
            return None
        name = f"v{step.number}" if step.record else f"The version {step.version_id}"
        why = "its digest is not the one that was recorded"
        for _ in range(2):
            try:
                blob = self._route.source.store.get(self._source_key, step.version_id)
            except (IntegrityError, VersionNotFound) as error:
                why = error.message
                continue
            if step.record is None or Digest.of(blob.data) == step.record.digest:
                return blob
        raise IntegrityError(
            f"{name} of {self.key} is damaged in {self._route.source.store.url}: {why}",
            hint="Nothing was changed there. Mend it, and run the command again to go on.",
        )

    def _draft(self, step: Step, blob: Blob) -> Record:
        """Return the record of a version, but for its version ID and its link to the one before."""
        if step.record is not None:
            return self._translated(step.record)
        known = from_metadata(blob.metadata)
        return Record(
            number=step.number or 0,
            digest=Digest.of(blob.data),
            version_id=step.version_id,
            size_bytes=len(blob.data),
            saved_at=known.saved_at or step.saved_at,
            author=known.author,
            message=known.message or "",
            parent=known.parent,
            write_id=known.write_id or adoption_id(step.version_id),
            source=self._source_of(known),
        )

    def _put(self, draft: Record, data: Data) -> VersionId:
        stored = self._route.target.store.put(
            self._target_key,
            data,
            mode=Overwrite(),
            metadata=to_metadata(provenance_of(self._as_its_object_says(draft))),
            content_type=NOTEBOOK_TYPE,
            **self._route.target.locking(self.area),
        )
        return stored.version_id

    def _as_its_object_says(self, draft: Record) -> Record:
        """Return *draft* without the origin of a copy: only of renames do the objects say theirs.

        By that, a lost link between two names is found again.
        """
        is_rename = any(stay.before and stay.first == draft.number for stay in self.stays)
        is_copy = self.area is Area.WORKSPACE and not is_rename
        return replace(draft, source=None) if is_copy else draft

    def _record(self, index: int, record: Record, before: Digest | None, *, written: bool) -> None:
        try:
            self._appenders[index].append(record, before)
        except Conflict as error:
            if written:  # or what another run wrote would be hidden below it
                self._route.target.store.delete_version(self._target_key, record.version_id)
            raise Conflict(
                f"Somebody else writes to {self.key} in {self._route.target.store.url}.",
                hint="Run the command again once they are done: it goes on where it stopped.",
            ) from error

    def _translated(self, record: Record) -> Record:
        """Return *record* with the target's version ID for its source, if that came along."""
        source = record.source
        if source is None:
            return record
        new = self._family.ids.get((source.area, source.key, source.version_id))
        return replace(record, source=replace(source, version_id=new)) if new else record

    def _source_of(self, known: Provenance) -> Source | None:
        """Return where an unrecorded version was taken from, by what its object says."""
        if known.source_version_id is None:
            return None
        there = VersionId(known.source_version_id)
        area, number = Area.WORKSPACE, known.source_number
        for key in self._family.keys:
            new = self._family.ids.get((area, key, there))
            if new is not None:
                return Source(area=area, key=key, number=number, version_id=new)
        if self.area is Area.WORKSPACE:  # a copy from elsewhere, which its object does not name
            return None
        return Source(area=area, key=self.key, number=number, version_id=there)

    def _hash_before(self, stay: Stay) -> Digest | None:
        if stay.before is None:
            return None
        manifest = Manifest(self._route.target, self.area, stay.before)
        return record_hash(manifest.file(stay.first - 1).record)

    # Errors

    def _taken(self) -> AlreadyExists:
        return AlreadyExists(
            f"{self._route.target.store.url} has another history of {self.key}.",
            hint="Histories are never mixed: nothing was written to it. Choose another store.",
        )

    def _damaged(self, copy: Record) -> IntegrityError:
        return IntegrityError(
            f"v{copy.number} of {self.key} is not in {self._route.target.store.url} as it was "
            "written there."
        )


def entries_of(store: Store, data_key: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
    """Yield the versions and delete markers of one key, newest first, as a stream."""
    listing = store.list_versions(data_key, limit=limit)
    return takewhile(lambda entry: entry.key == data_key, listing)
