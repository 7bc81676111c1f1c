"""Mend the states of one notebook key: put back what was claimed, or claim one that holds instead.

States are an audit trail: none is taken away, and what a repair changes it says in a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from nbvc.errors import IntegrityError, StoreMisconfigured
from nbvc.manifest.layout import entry_key
from nbvc.manifest.runs import Numbers, merged
from nbvc.manifest.states import MAX_SEGMENTS, Segment, State, encode
from nbvc.model import Area, Digest, NotebookKey
from nbvc.repository import sequence
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.mendings import Mending, MendingKind, Step
from nbvc.repository.placing import put_in_place
from nbvc.repository.records import Manifest
from nbvc.repository.repairing_packs import PackPlan, with_packs
from nbvc.repository.repairing_records import RecordPlan
from nbvc.repository.states import read_state
from nbvc.values import dataclass

STATE_FAULTS = frozenset({Kind.DAMAGED_STATE, Kind.MISSING_STATE})

_ALWAYS = frozenset(
    {
        Kind.DAMAGED_STATE,
        Kind.DANGLING_TAG,
        Kind.MISSING_VERSION,
        Kind.MISSING_PACK,
        Kind.UNLISTED_PACK,
    }
)
"""What can always be mended, if only by saying what is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePlan:
    """What is to be done about the states of one notebook key.

    Attributes:
        steps: In this order, after those of the records.
        covered: The findings that are mended by them.
    """

    steps: tuple[Step, ...] = ()
    covered: frozenset[Finding] = frozenset()


class StateRepair:
    """Plans what is to be done about the states of one notebook key.

    Args:
        backend: The store.
        examination: What was found.
        act: Who repairs.
        records: What is done about its records.
        packs: What is done about its packs.
    """

    def __init__(
        self,
        backend: Backend,
        examination: Examination,
        act: Act,
        records: RecordPlan,
        packs: PackPlan,
    ) -> None:
        self._backend = backend
        self._found = examination
        self._act = act
        self._records, self._packs = records, packs
        self._area, self._key = examination.area, examination.key
        self._prefix = backend.layout.states(self._area, self._key)

    def plan(self) -> StatePlan:
        """Return what is to be done."""
        restored = [n for n in sorted(self._faults()) if self._is_good(n)]
        steps = [self._restore(number) for number in restored]
        before = self._found.state or self._unknown()
        is_lost = self._is_newest_lost(restored)
        after = self._linked(before)
        if is_lost:
            hidden = self._found.removed and after.moved_to is None
            after = replace(after, removed=hidden)
        mendings: list[Mending] = []
        if is_lost or after != before:
            tags = ", ".join(f"{name} v{at}" for name, at in sorted(after.tags.items())) or "none"
            message = f"A new state of {self._key} holds instead of one that is lost; tags: {tags}."
            mendings.append(self._mending(MendingKind.REPLACED_STATE, message))
        after = self._without_dangling_tags(after, mendings)
        after = self._with_packs(after, mendings)
        after = self._with_gone(after, mendings)
        if mendings:
            steps.append(Step(mendings=tuple(mendings), run=partial(self._claim, after)))
        return StatePlan(steps=tuple(steps), covered=frozenset(self._covered(after)))

    def _covered(self, after: State) -> Iterator[Finding]:
        starts = {segment.last + 1 for segment in after.segments}
        firsts = {first for first in self._found.records.firsts.values() if first > 1}
        for finding in self._found.findings:
            is_missing = finding.kind is Kind.MISSING_STATE
            if finding.kind is Kind.DAMAGED_PACK:
                if finding.expected not in self._packs.hopeless:
                    yield finding
            elif finding.kind in _ALWAYS or (is_missing and (finding.number or firsts <= starts)):
                yield finding

    def _faults(self) -> Iterable[int]:
        """Return the numbers of the states whose damage no later one makes up for."""
        return (n for n, kind in self._found.states.faults.items() if kind in STATE_FAULTS)

    def _is_good(self, number: int) -> bool:
        """Return whether a state can be put back: the next one does not say that it was altered."""
        states, digests = self._found.states.states, self._found.states.digests
        after = states.get(number + 1)
        if number not in states:
            return False
        return after is None or after.prev in {None, digests[number]}

    def _is_newest_lost(self, restored: Iterable[int]) -> bool:
        """Return whether the newest state is lost, so that readers can get none."""
        newest = self._found.states.newest
        faulty = set(self._faults()) - set(restored)
        return newest is not None and any(number >= newest for number in faulty)

    # What should hold

    def _linked(self, base: State) -> State:
        """Return what is known of the notebook, with the names before this one."""
        first = self._first_of_newest_run()
        if first <= 1 or any(segment.last == first - 1 for segment in base.segments):
            return base
        segments = self._find_segments(first)
        if not segments:
            return base
        tags = base.tags or self._tags_of(segments[-1].key)
        return replace(base, segments=segments, tags=tags)

    def _unknown(self) -> State:
        """Return a state of which nothing is known but what the store lists."""
        return State(
            number=0,
            write_id=self._act.write_id,
            saved_at=self._act.now,
            author=self._act.author,
            action="repair",
            removed=self._found.removed,
        )

    def _first_of_newest_run(self) -> int:
        firsts = self._found.records.firsts
        return firsts[max(firsts)] if firsts else 1

    def _find_segments(self, first: int) -> tuple[Segment, ...]:
        """Follow the records that renames made, back to v1; empty where they do not lead there."""
        segments: list[Segment] = []
        key = self._key
        try:
            while first > 1 and len(segments) < MAX_SEGMENTS:
                source = Manifest(self._backend, self._area, key).file(first).record.source
                if source is None or source.number != first - 1:
                    return ()
                key = source.key
                last = first - 1
                first = Manifest(self._backend, self._area, key).file(last).first
                segments.append(Segment(key=key, first=first, last=last))
        except (IntegrityError, StoreMisconfigured):
            return ()
        return tuple(reversed(segments)) if first == 1 else ()

    def _tags_of(self, key: NotebookKey) -> dict[str, int]:
        try:
            state = read_state(self._backend, Area.WORKSPACE, key)
        except (IntegrityError, StoreMisconfigured):
            return {}
        return dict(state.tags) if state is not None else {}

    def _without_dangling_tags(self, state: State, mendings: list[Mending]) -> State:
        numbers = self._records.numbers
        tags = dict(state.tags)
        for name in self._found.dangling:
            number = tags.get(name)
            if number is None or number in numbers:
                continue
            del tags[name]
            message = f"The tag {name} of {self._key} is taken away: no version is v{number}."
            mendings.append(self._mending(MendingKind.DROPPED_TAG, message, number))
        return replace(state, tags=tags)

    def _with_packs(self, state: State, mendings: list[Mending]) -> State:
        for pack in self._packs.lost:
            message = f"The pack {pack.digest.short} of {self._key} is lost, and named no more."
            mendings.append(self._mending(MendingKind.DROPPED_PACK, message))
        for pack in self._packs.unlisted:
            message = f"The pack {pack.digest.short} of {self._key} is named by a state again."
            mendings.append(self._mending(MendingKind.NAMED_PACK, message))
        return with_packs(state, self._packs)

    def _with_gone(self, state: State, mendings: list[Mending]) -> State:
        found_again = Numbers(run for pack in self._packs.restored for run in pack.numbers)
        lost = [n for n in self._found.versions.missing if n not in found_again]
        for first, last in merged((n, n) for n in lost if not state.is_gone(n)):
            names = f"v{first}" if first == last else f"v{first} to v{last}"
            verb = "is" if first == last else "are"
            message = f"{names} of {self._key} {verb} marked as gone: the store lost the bytes."
            mendings.append(self._mending(MendingKind.NOTED_GONE, message, first))
        gone = merged([*state.gone, *((number, number) for number in lost)])
        return replace(state, gone=tuple(gone))

    # Steps

    def _restore(self, number: int) -> Step:
        def run() -> bool:
            data = encode(self._found.states.states[number])
            if Digest.of(data) != self._found.states.digests[number]:
                return False
            key = entry_key(self._prefix, number)
            return put_in_place(self._backend, key, data, self._act.write_id)

        message = f"The state {number} of {self._key} is put back as it was."
        return Step(mendings=(self._mending(MendingKind.RESTORED_STATE, message, number),), run=run)

    def _claim(self, after: State) -> bool:
        number = (self._found.states.newest or 0) + 1
        prev = self._found.states.digests.get(number - 1)
        state = replace(
            after,
            number=number,
            write_id=self._act.write_id,
            saved_at=self._act.now,
            author=self._act.author,
            action="repair",
            prev=prev,
        )
        return sequence.claim(
            self._backend, self._prefix, number, encode(state), self._act.write_id
        )

    def _mending(self, kind: MendingKind, message: str, number: int | None = None) -> Mending:
        return Mending(
            kind=kind,
            message=message,
            area=self._area,
            key=self._key,
            number=number,
            object_key=self._prefix,
        )
