"""Repair a store, or a part of it: mend what a check finds, as far as it can be mended.

A dry run unless told to apply. No version of a notebook is ever deleted or written over; what lay
in the place of a record or a state is kept beside it. Every step can be made again without harm, so
a repair that was cut off is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from nbvc.errors import IntegrityError, NotFound, PreconditionFailed
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination
from nbvc.repository.findings import Finding, Kind, Severity
from nbvc.repository.mendings import Mending, Step
from nbvc.repository.repairing_nulls import null_steps
from nbvc.repository.repairing_packs import PackRepair
from nbvc.repository.repairing_records import RecordRepair
from nbvc.repository.repairing_renames import RenameFinder
from nbvc.repository.repairing_settings import SettingsRepair
from nbvc.repository.repairing_states import StateRepair
from nbvc.repository.surveying import Scope, Survey, Surveyed
from nbvc.values import dataclass

MAX_ROUNDS = 4
"""How often one notebook is examined and mended: a mended record may show that a tag is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """How much was looked at and mended.

    Attributes:
        applied: Whether anything was to be written.
        notebooks: Notebook keys, each counted once for both areas.
        mended: Things that were mended, or would be.
        remaining: What is wrong still, or would be: lost, damaged, or not to be verified.
    """

    applied: bool
    notebooks: int = 0
    mended: int = 0
    remaining: tuple[Finding, ...] = ()


class Repair:
    """A repair under way: iterate over it for what is mended, then ask for the report.

    Args:
        backend: The store.
        scope: What part of it.
        act: Who repairs.
        apply: Whether to write anything.
        progress: Told how many notebooks were looked at, and 0, now and then.
    """

    def __init__(
        self,
        backend: Backend,
        scope: Scope,
        act: Act,
        *,
        apply: bool,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._backend = backend
        self._act = act
        self._apply = apply
        self._progress = progress
        self._survey = Survey(backend, scope, thorough=True)
        self._report = RepairReport(applied=apply)
        self._renames = RenameFinder(backend, act)
        self._unmended: list[Surveyed] = []

    @property
    def report(self) -> RepairReport:
        """What was counted so far; all of it once the iteration has come to an end."""
        return self._report

    def __iter__(self) -> Iterator[Mending]:
        """Yield what is mended, as it is mended; once.

        Raises:
            AccessDenied: The credential may not write what has to be written.
            NotebookNotFound: A person named a part of the store in which there is none.
        """
        for mending in self._mendings():
            self._report = replace(self._report, mended=self._report.mended + 1)
            yield mending

    def _mendings(self) -> Iterator[Mending]:
        settings = SettingsRepair(self._backend, self._act)
        yield from self._done(settings.steps())
        remaining = settings.remaining() if self._apply else []
        renamed: list[Surveyed] = []
        for surveyed in self._survey:
            self._renames.note(surveyed)
            if self._renames.is_copy(surveyed):
                renamed.append(surveyed)
            else:
                yield from self._mend(surveyed)
            remaining += self._survey.take_failures()
            notebooks = self._report.notebooks + bool(surveyed.examinations)
            self._report = replace(self._report, notebooks=notebooks)
            if self._progress is not None:
                self._progress(notebooks, 0)
        yield from self._mend_renamed(renamed)
        # Some can be mended only after what lies under another name was.
        unmended, self._unmended = self._unmended, []
        for surveyed in unmended:
            if self._apply:
                yield from self._mend(self._survey.again(surveyed))
            else:
                self._unmended.append(surveyed)
        remaining += [f for surveyed in self._unmended for f in surveyed.findings]
        self._report = replace(self._report, remaining=tuple(remaining))

    def _mend_renamed(self, renamed: list[Surveyed]) -> Iterator[Mending]:
        """Mend what was renamed and has lost its index, each after the names before it."""
        waiting = {surveyed.key: surveyed for surveyed in renamed}
        while waiting:
            ready = [s for s in waiting.values() if self._renames.source(s) not in waiting]
            for surveyed in ready or [*waiting.values()]:
                del waiting[surveyed.key]
                step = self._renames.step(surveyed)
                linked = list(self._done([step] if step is not None else []))
                yield from linked
                if self._apply:
                    yield from self._mend(self._survey.again(surveyed))
                elif not linked:
                    yield from self._mend(surveyed)

    def _mend(self, surveyed: Surveyed) -> Iterator[Mending]:
        told: set[Mending] = set()
        is_done = True
        for _ in range(MAX_ROUNDS):
            steps, covered = self._plan(surveyed)
            if not self._apply:
                yield from self._done(steps)
                findings = tuple(f for f in surveyed.findings if f not in covered)
                self._note(replace(surveyed, findings=findings))
                return
            mended = list(self._done(steps))
            is_done = len(mended) == sum(len(step.mendings) for step in steps)
            yield from (mending for mending in mended if mending not in told)
            if not mended or told.issuperset(mended):
                break
            told.update(mended)
            surveyed = self._survey.again(surveyed)
        self._note(surveyed, is_done=is_done)

    def _plan(self, surveyed: Surveyed) -> tuple[list[Step], frozenset[Finding]]:
        steps: list[Step] = []
        covered: frozenset[Finding] = frozenset()
        if any(finding.kind is Kind.NEWER_FORMAT for finding in surveyed.findings):
            return steps, covered  # what cannot be judged is not touched
        for examination in surveyed.examinations.values():
            found, sees_to = self._plan_for(examination)
            steps += found
            covered |= sees_to
        return steps, covered

    def _plan_for(self, examination: Examination) -> tuple[list[Step], frozenset[Finding]]:
        records = RecordRepair(self._backend, examination, self._act).plan()
        packs = PackRepair(self._backend, examination, self._act).plan()
        states = StateRepair(self._backend, examination, self._act, records, packs).plan()
        nulls, null_findings = null_steps(self._backend, examination, self._act)
        steps = [*packs.steps, *records.steps, *nulls, *states.steps]
        return steps, records.covered | states.covered | null_findings

    def _done(self, steps: Iterator[Step] | list[Step]) -> Iterator[Mending]:
        for step in steps:
            if not self._apply or self._run(step):
                yield from step.mendings

    def _run(self, step: Step) -> bool:
        """Do one step; what keeps it from being done stays a finding."""
        try:
            return step.run()
        except (IntegrityError, NotFound, PreconditionFailed):
            return False

    def _note(self, surveyed: Surveyed, *, is_done: bool = True) -> None:
        """Keep a notebook of which something is wrong still, or could not be done yet."""
        errors = tuple(f for f in surveyed.findings if f.severity is Severity.ERROR)
        if errors or not is_done:
            self._unmended.append(replace(surveyed, findings=errors))
