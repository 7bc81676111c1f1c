"""Mend the records of one notebook key: put back, make again, adopt.

Numbers that people know stay what they are. A record of which a good copy is left comes back as it
was; one of which nothing is left is made again from its version.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from nbvc.errors import IntegrityError, StoreMisconfigured, VersionNotFound
from nbvc.manifest.layout import entry_key
from nbvc.manifest.metadata import Provenance, from_metadata
from nbvc.manifest.records import RecordFile, assemble, carried, encode_copy, record_hash
from nbvc.manifest.states import Segment
from nbvc.model import Digest, VersionId
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.index_objects import between
from nbvc.repository.mendings import Mending, MendingKind, Step
from nbvc.repository.placing import put_in_place
from nbvc.repository.rebuilding import ReadVersion, Rebuilder
from nbvc.repository.records import FROM_ONE, Manifest, RecordMaker, Start
from nbvc.repository.renumbering import MAX_EMPTY, Numbering, Renumbering
from nbvc.repository.states import read_state
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass

RECORD_FAULTS = frozenset({Kind.DAMAGED_RECORD, Kind.MISSING_RECORD, Kind.ALTERED_RECORD})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlan:
    """What is to be done about the records of one notebook key.

    Attributes:
        steps: In this order.
        covered: The findings that are mended by them.
        numbers: Numbers that have a record afterwards.
    """

    steps: tuple[Step, ...] = ()
    covered: frozenset[Finding] = frozenset()
    numbers: frozenset[int] = frozenset()


class RecordRepair:
    """Plans what is to be done about the records of one notebook key.

    Args:
        backend: The store.
        examination: What was found.
        act: Who repairs.
    """

    def __init__(self, backend: Backend, examination: Examination, act: Act) -> None:
        self._backend = backend
        self._found = examination
        self._act = act
        self._area, self._key = examination.area, examination.key
        self._prefix = backend.layout.records(self._area, self._key)
        self._manifest = Manifest(backend, self._area, self._key)
        self._records = dict(examination.records.records)
        self._rebuilder = Rebuilder(backend, self._area, self._key, self._records)
        self._lost = list(examination.records.lost)
        self._firsts = dict(examination.records.firsts)
        self._unindexed = list(examination.versions.unindexed)
        self._rebuilt: set[VersionId] = set()
        self._head: RecordFile | None = None
        self._later: set[object] = set()

    def plan(self) -> RecordPlan:
        """Return what is to be done."""
        self._doubt_the_last_before_a_rename()
        self._add_what_is_missing_below()
        numbering = self._numbering()
        refused = {n for first, last in numbering.refused for n in (first, last)}
        lost = sorted(numbering.lost)
        faulty = {n for n in self._found.records.faults if n in self._records}
        steps = []
        for number in sorted({*faulty, *lost}):
            if number in self._records:
                steps.append(self._restore(number))
            else:
                steps.append(self._rebuild(number, list(numbering.lost[number])))
        steps += self._additions(numbering)
        added = {number for number, _ in numbering.added}
        return RecordPlan(
            steps=tuple(steps),
            covered=frozenset(f for f in self._found.findings if self._is_mended(f, refused)),
            numbers=frozenset({*self._found.records.records, *lost, *added}),
        )

    def _is_mended(self, finding: Finding, refused: set[int]) -> bool:
        if finding.key != self._key:
            return finding.kind in RECORD_FAULTS  # the repair of that name sees to it
        if finding.kind in RECORD_FAULTS:
            return finding.number not in refused
        return finding.kind is Kind.UNINDEXED_VERSION

    # What is lost

    def _doubt_the_last_before_a_rename(self) -> None:
        """Take the last record under this name for lost if the name after it says otherwise.

        No record under this name follows it, so nothing else would show that it was altered.
        """
        last = max(self._records, default=0)
        target = self._linked_hash(last)
        if target is None:
            return
        record = self._records[last]
        if target not in {record_hash(record), record.stands_for}:
            del self._records[last]
            self._lost.append((last, last))
            named = {record.version_id, *(entry.version_id for entry in self._unindexed)}
            self._unindexed = [e for e in reversed(self._found.listed) if e.version_id in named]

    def _add_what_is_missing_below(self) -> None:
        """Take numbers below a lost one for lost, too, where nothing at all is left of them.

        A good record says from which number on there must be records; where none is left above the
        gap, nothing but what lies at a later number shows that they were there.
        """
        tops: dict[int, int] = {}
        for _, last in self._lost:
            first = self._first(last)
            tops[first] = max(last, tops.get(first, 0))
        known = [*((number, number) for number in self._records), *self._lost]
        for first, last in tops.items():
            self._lost += between(first, last, known)
        self._lost.sort()

    def _linked_hash(self, number: int) -> Digest | None:
        """Return the hash of record *number* by the first record under the name after this one."""
        state = self._found.state
        if state is None or state.moved_to is None or number < 1:
            return None
        try:
            file = Manifest(self._backend, self._area, state.moved_to).find(number + 1)
        except (IntegrityError, StoreMisconfigured):
            return None
        return file.record.prev if file is not None and file.first == number + 1 else None

    def _numbering(self) -> Numbering:
        state = self._found.state
        known_to = max((state.tags.values() if state else ()), default=0)
        known_to = max([known_to, *(last for _, last in (state.gone if state else ()))])
        newest = max([self._found.records.newest or 0, *self._records])
        next_number = max(newest + 1, self._start_of_stay())
        found = Renumbering(
            self._found.listed, self._records, self._unindexed, self._provenances()
        ).find(self._lost, next_number, known_to)
        next_number = max([next_number, *(number + 1 for number, _ in found.added)])
        rest = range(next_number, self._last_before_rename() + 1)
        if len(rest) > MAX_EMPTY:
            return found
        return replace(found, added=[*found.added, *((number, None) for number in rest)])

    def _last_before_rename(self) -> int:
        """Return the last number under this name by the name after it; 0 where there is none."""
        state = self._found.state
        if state is None or state.moved_to is None:
            return 0
        try:
            after = read_state(self._backend, self._area, state.moved_to)
        except (IntegrityError, StoreMisconfigured):
            return 0
        segments = after.segments if after is not None else ()
        return max((s.last for s in segments if s.key == self._key), default=0)

    def _provenances(self) -> dict[VersionId, Provenance]:
        known = dict(self._found.versions.provenances)
        unknown = [e for e in self._unindexed if e.version_id not in known]
        answers = self._backend.parallel.map(self._ask, unknown)
        known.update(zip((entry.version_id for entry in unknown), answers, strict=True))
        return known

    def _ask(self, entry: VersionEntry) -> Provenance:
        try:
            return from_metadata(self._backend.store.head(entry.key, entry.version_id).metadata)
        except (VersionNotFound, IntegrityError):
            return Provenance()

    # Steps

    def _restore(self, number: int) -> Step:
        message = f"The record of v{number} of {self._key} is put back as it was."
        return Step(
            mendings=(self._mending(MendingKind.RESTORED_RECORD, message, number),),
            run=partial(self._put, number),
        )

    def _rebuild(self, number: int, candidates: list[VersionEntry]) -> Step:
        if candidates:
            kind = MendingKind.REBUILT_RECORD
            message = f"The record of v{number} of {self._key} is made again from its version."
        else:
            kind = MendingKind.LOST_RECORD
            message = (
                f"v{number} of {self._key} gets a record that says that it is lost: "
                "neither its record nor its version is left."
            )

        def run() -> bool:
            after = self._records.get(number + 1)
            target = after.prev if after is not None else self._linked_hash(number)
            record = self._rebuilder.rebuild(number, self._hash_before(number), candidates, target)
            self._records[number] = record
            self._rebuilt.add(record.version_id)
            return self._put(number)

        return Step(
            mendings=(self._mending(kind, message, number, next(iter(candidates), None)),),
            run=run,
        )

    def _put(self, number: int) -> bool:
        first = self._first(number)
        carries = range(number - 1, number - 1 - carried(number, first), -1)
        if any(copy not in self._records for copy in carries):
            return False
        copies = (encode_copy(self._records[copy]) for copy in carries)
        data = assemble(self._records[number], copies, first=first)
        key = entry_key(self._prefix, number)
        return put_in_place(self._backend, key, data, self._act.write_id)

    def _additions(self, numbering: Numbering) -> Iterator[Step]:
        entries = [entry for _, entry in numbering.added if entry is not None]
        # Begun with the first step that is run; a few are read ahead.
        reads = self._backend.parallel.map(self._rebuilder.read, entries)
        for number, entry in numbering.added:
            if entry is None:
                yield self._add_empty(number)
            else:
                yield self._add(number, entry, reads)

    def _add(self, number: int, entry: VersionEntry, reads: Iterator[ReadVersion]) -> Step:
        message = f"The version {entry.version_id} of {self._key} becomes v{number}."

        def run() -> bool:
            read = next(reads)
            if entry.version_id in self._rebuilt:
                return False  # it was the one of a lost record
            make = self._rebuilder.adopter(read, self._linked_hash(number))
            return make is not None and self._append(make)

        return Step(
            mendings=(self._mending(MendingKind.ADOPTED_VERSION, message, number, entry),), run=run
        )

    def _add_empty(self, number: int) -> Step:
        message = (
            f"v{number} of {self._key} gets a record that says that it is lost: "
            "neither its record nor its version is left."
        )

        def run() -> bool:
            newest = self._manifest.newest_number()
            if newest is not None and newest >= number:
                return False  # somebody else has claimed it meanwhile
            target = self._linked_hash(number)
            return self._append(
                lambda number, prev: replace(self._rebuilder.lost(number, prev), stands_for=target)
            )

        return Step(mendings=(self._mending(MendingKind.LOST_RECORD, message, number),), run=run)

    def _append(self, make: RecordMaker) -> bool:
        """Claim the next number, unless the version has got one meanwhile."""
        start = self._start()
        if self._head is None:
            self._look_for_later_records(start)
        after = self._head.record.number + 1 if self._head is not None else start.first
        wanted = make(after, None)
        if {wanted.version_id, (wanted.write_id, wanted.digest)} & self._later:
            return False
        self._head = self._manifest.append(self._head, make, start)
        self._records.setdefault(self._head.record.number, self._head.record)
        return True

    def _look_for_later_records(self, start: Start) -> None:
        """Read what others recorded since this was examined, and where to go on."""
        head = self._manifest.newest()
        if head is None or head.record.number < start.first:
            return  # of an earlier stay under this name
        self._head = head
        oldest = max((self._found.records.newest or 0) + 1, start.first)
        for record in self._manifest.back_from(head, max(oldest, head.first)):
            if record.number >= oldest:
                self._later |= {record.version_id, (record.write_id, record.digest)}

    # Where records lie

    def _first(self, number: int) -> int:
        """Return the first number of the run that a record belongs to."""
        if number in self._firsts:
            return self._firsts[number]
        above = sorted(n for n in self._firsts if n > number and self._firsts[n] <= number)
        if above:
            return self._firsts[above[0]]
        below = [n for n in self._firsts if n < number]
        start = self._start_of_stay()
        if number >= start and not any(n >= start for n in below):
            return start
        return self._firsts[max(below)] if below else start

    def _segment_before(self, number: int) -> Segment | None:
        state = self._found.state
        segments = state.segments if state is not None else ()
        return next((s for s in segments if s.last == number), None)

    def _hash_before(self, number: int) -> Digest | None:
        """Return the hash of the record before, which may lie under an earlier name."""
        before = self._records.get(number - 1)
        if before is not None and self._first(number) < number:
            return record_hash(before)
        segment = self._segment_before(number - 1)
        if segment is None:
            return None
        manifest = Manifest(self._backend, self._area, segment.key)
        return record_hash(manifest.file(segment.last).record)

    def _start_of_stay(self) -> int:
        state = self._found.state
        return state.segments[-1].last + 1 if state is not None and state.segments else 1

    def _start(self) -> Start:
        first = self._start_of_stay()
        return FROM_ONE if first == 1 else Start(first=first, prev=self._hash_before(first))

    def _mending(
        self, kind: MendingKind, message: str, number: int, entry: VersionEntry | None = None
    ) -> Mending:
        return Mending(
            kind=kind,
            message=message,
            area=self._area,
            key=self._key,
            number=number,
            version_id=entry.version_id if entry is not None else None,
            object_key=entry_key(self._prefix, number),
        )
