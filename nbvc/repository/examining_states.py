"""Examine the states of one notebook: the newest one holds, earlier ones are its audit trail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from nbvc.errors import IntegrityError, StoreMisconfigured
from nbvc.manifest.layout import entry_key
from nbvc.manifest.states import State, decode
from nbvc.model import Area, Digest, NotebookKey
from nbvc.repository.backend import Backend
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.index_objects import Content, IndexObject, look_again, read, without
from nbvc.values import dataclass

QUICK_STATES = 64
"""The newest states, which are always read; all of them where every byte is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedStates:
    """What the states of one notebook key say.

    Attributes:
        states: The good ones that were read, by number, also from an older stored version.
        digests: SHA-256 of the bytes of each of them: what the next state names as ``prev``.
        objects: The states that the store lists, by number, with all their stored versions.
        faults: What is wrong, by number.
        findings: The same, in words.
    """

    states: Mapping[int, State] = field(default_factory=dict)
    digests: Mapping[int, Digest] = field(default_factory=dict)
    objects: Mapping[int, IndexObject] = field(default_factory=dict)
    faults: Mapping[int, Kind] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def newest_good(self) -> State | None:
        """The newest state that can be read; it holds, unless a newer one is damaged."""
        return self.states[max(self.states)] if self.states else None

    @property
    def newest(self) -> int | None:
        """The highest number that has a state, or had one of which something is still listed."""
        return max(self.objects, default=None)


class StateExaminer:
    """Examines the states of one notebook key.

    Args:
        backend: The store to read.
        area: Its area.
        key: Its notebook.
        objects: Its states by number.
        thorough: Read all of them, not only the newest.
    """

    def __init__(
        self,
        backend: Backend,
        area: Area,
        key: NotebookKey,
        objects: Mapping[int, IndexObject],
        *,
        thorough: bool,
    ) -> None:
        self._backend = backend
        self._area, self._key = area, key
        self._prefix = backend.layout.states(area, key)
        self._objects = objects
        self._thorough = thorough
        self._states: dict[int, State] = {}
        self._digests: dict[int, Digest] = {}
        self._actual: dict[int, Digest] = {}
        self._faults: dict[int, tuple[Kind, str]] = {}

    def examine(self) -> ExaminedStates:
        """Return what the states say, and what is wrong with them."""
        numbers = sorted(self._objects, reverse=True)
        for start in range(0, len(numbers), QUICK_STATES):
            some = numbers[start : start + QUICK_STATES]
            for number, read_ in zip(
                some, self._backend.parallel.map(self._look, some), strict=True
            ):
                self._take(number, read_)
            if self._states and not self._thorough:
                break
        self._follow_chain()
        findings = [self._finding(n, kind, text) for n, (kind, text) in self._faults.items()]
        findings += self._missing()
        findings.sort(key=lambda finding: finding.number or 0)
        return ExaminedStates(
            states=self._states,
            digests=self._digests,
            objects=self._objects,
            faults={f.number: f.kind for f in findings if f.number is not None},
            findings=tuple(findings),
        )

    def _look(self, number: int) -> _Read:
        """Read a state with all its stored versions; once more before anything is said of it."""
        found = self._read(number, self._objects[number])
        if found.fault is None:
            return found
        return self._read(number, look_again(self._backend, self._prefix, number))

    def _read(self, number: int, item: IndexObject) -> _Read:
        good: list[tuple[State, Digest]] = []
        actual: Digest | None = None
        fault: tuple[Kind, str] | None = None
        readable = item.readable(self._backend)
        if readable is None:
            fault = Kind.MISSING_STATE, f"The {self._what(number)} was deleted."
        for entry in item.stored:
            content = read(self._backend, entry)
            digest = None if content.data is None else Digest.of(content.data)
            state, problem = self._decode(number, content)
            if state is not None and digest is not None:
                good.append((state, digest))
            if entry == readable:
                actual = digest
                fault = problem
        if fault is None and actual != good[0][1]:
            fault = Kind.DAMAGED_STATE, f"The {self._what(number)} was written over."
        return _Read(good=good[0] if good else None, actual=actual, fault=fault)

    def _decode(
        self, number: int, content: Content
    ) -> tuple[State | None, tuple[Kind, str] | None]:
        """Return the state, or what is wrong with it."""
        what = self._what(number)
        if content.data is None:
            return None, (Kind.DAMAGED_STATE, f"The {what} cannot be read: {content.problem}")
        try:
            state = decode(content.data, what=what)
        except StoreMisconfigured as error:
            return None, (Kind.NEWER_FORMAT, error.message)
        except IntegrityError as error:
            return None, (Kind.DAMAGED_STATE, error.message)
        if state.number != number:
            message = f"The {what} holds state {state.number}: it was moved or exchanged."
            return None, (Kind.DAMAGED_STATE, message)
        return state, None

    def _take(self, number: int, found: _Read) -> None:
        if found.good is not None:
            self._states[number], self._digests[number] = found.good
        if found.actual is not None:
            self._actual[number] = found.actual
        if found.fault is not None:
            self._faults[number] = found.fault

    def _follow_chain(self) -> None:
        """Compare each state with the hash that the next one names."""
        for number, state in self._states.items():
            before = self._digests.get(number - 1)
            if state.prev is not None and before is not None and state.prev != before:
                message = f"The {self._what(number - 1)} was altered: the next one says otherwise."
                self._faults.setdefault(number - 1, (Kind.DAMAGED_STATE, message))

    def _missing(self) -> Iterator[Finding]:
        for start, end in without(1, max(self._objects, default=0), self._objects):
            if look_again(self._backend, self._prefix, end).versions:
                continue
            message = f"The {self._what(start)} is missing."
            if end > start:
                message = f"The states {start} to {end} of {self._key} are missing."
            yield self._finding(end, Kind.MISSING_STATE, message)

    def _finding(self, number: int, kind: Kind, message: str) -> Finding:
        replaced = any(good > number and good not in self._faults for good in self._states)
        following = self._states.get(number + 1)
        return Finding(
            kind=Kind.SUPERSEDED_DAMAGE if replaced else kind,
            message=message,
            area=self._area,
            key=self._key,
            number=number,
            object_key=entry_key(self._prefix, number),
            expected=following.prev if following else self._digests.get(number),
            actual=self._actual.get(number),
        )

    def _what(self, number: int) -> str:
        return f"state {number} of {self._key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What was read of one number: the state that was claimed, what readers get, what is wrong."""

    good: tuple[State, Digest] | None
    actual: Digest | None
    fault: tuple[Kind, str] | None
