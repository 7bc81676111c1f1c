"""Survey a store, or a part of it: examine every notebook that it lists, one after the other.

What :mod:`nbvc.repository.checking` reports and :mod:`nbvc.repository.repairing` mends is found
here. Nothing is written, and memory does not grow with the number of notebooks; nor, for who only
wants to know what is wrong, with the versions of a draft of which nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime

from nbvc.errors import IntegrityError, NotebookNotFound
from nbvc.manifest.layout import Layout
from nbvc.model import Area, NotebookKey, Source
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination, examine, examine_key
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.lock_check import unlocked
from nbvc.repository.published_copies import differing, sources_of
from nbvc.repository.resolving import no_notebook
from nbvc.repository.scanning import Scanned, scan, scan_one
from nbvc.repository.sweeping import sweep
from nbvc.values import dataclass

BOTH = (Area.WORKSPACE, Area.PUBLISHED)

_TOLD_TWICE = frozenset({Kind.MISSING_RECORD, Kind.ALTERED_RECORD})
"""Kinds that a notebook also tells of the last record under the name before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What part of a store is meant.

    Attributes:
        areas: The areas.
        prefix: Beginning of the notebook keys; plain text, with a slash at its end for a folder.
        key: The only notebook, instead of *prefix*.
        named: Whether a person named it, so that there must be a notebook.
        now: The present time, in UTC.
    """

    areas: tuple[Area, ...] = BOTH
    prefix: str = ""
    key: NotebookKey | None = None
    named: bool = False
    now: datetime

    def covers(self, key: NotebookKey) -> bool:
        """Return whether the workspace area of *key* is part of it."""
        if Area.WORKSPACE not in self.areas:
            return False
        return key == self.key if self.key is not None else key.startswith(self.prefix)


def nothing_there(scope: Scope, layout: Layout) -> NotebookNotFound:
    """Return the error for a part of a store that a person named, and that has no notebook."""
    area = scope.areas[0]
    if scope.key is not None:
        return no_notebook(scope.key, area)
    where = scope.prefix or layout.prefix(area)
    return NotebookNotFound(
        f"The store has no notebook below {where}.", hint="nbvc ls lists those that it has."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """One notebook key, in the areas where it is.

    Attributes:
        key: The notebook key.
        examinations: What there is of it, by area.
        findings: All that is wrong or odd about it.
    """

    key: NotebookKey
    examinations: Mapping[Area, Examination] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


class Survey:
    """A survey under way: iterate over it, once.

    Args:
        backend: The store to read; its cache is not used.
        scope: What part of it.
        thorough: Read every record file and state, whatever the listing says of it.
        sweeping: Sweep through long histories, so that the examinations of the sound ones hold
            hardly anything; see :mod:`nbvc.repository.sweeping`.
    """

    def __init__(
        self, backend: Backend, scope: Scope, *, thorough: bool, sweeping: bool = False
    ) -> None:
        self._backend = backend
        self._scope = scope
        self._thorough = thorough
        self._sweeping = sweeping
        self._is_empty = True
        self._failures: list[Finding] = []
        self._elsewhere: set[NotebookKey] = set()
        self._told: set[tuple[Kind, Area | None, NotebookKey | None, int | None]] = set()

    def __iter__(self) -> Iterator[Surveyed]:
        """Yield each notebook, those last that hold earlier parts of others.

        Raises:
            NotebookNotFound: A person named a part of the store in which there is none.
        """
        scope, parallel = self._scope, self._backend.parallel
        if scope.key is not None:
            yield self._seen(self._examine(self._scan_one(scope.areas, scope.key)))
        else:
            scanned = scan(
                self._backend,
                scope.areas,
                scope.prefix,
                failed=self._note_failed,
                cut=self._sweeping,
            )
            yield from map(self._seen, parallel.map(self._examine, scanned))
        # What was renamed lies partly under names that may be elsewhere; those name no more.
        for key in sorted(self._elsewhere):
            yield self._seen(self._examine(self._scan_one((Area.WORKSPACE,), key)))
        if scope.named and self._is_empty:
            raise nothing_there(scope, self._backend.layout)

    def again(self, surveyed: Surveyed) -> Surveyed:
        """Return what there is of a notebook now, in the same areas."""
        areas = tuple(surveyed.examinations) or BOTH
        return self._examine(self._scan_one(areas, surveyed.key))

    def take_failures(self) -> list[Finding]:
        """Return what could not be listed since this was asked last."""
        failures, self._failures = self._failures, []
        return failures

    def _scan_one(self, areas: tuple[Area, ...], key: NotebookKey) -> Scanned:
        return scan_one(self._backend, areas, key, cut=self._sweeping)

    def _examine(self, scanned: Scanned) -> Surveyed:
        examinations: dict[Area, Examination] = {}
        findings: list[Finding] = []
        try:
            # What is published first: its sources are to be kept of a sweep through the drafts.
            for area in sorted(scanned.listings, key=lambda area: area is Area.WORKSPACE):
                published = examinations.get(Area.PUBLISHED)
                sources = sources_of(published) if published is not None else ()
                examinations[area] = self._examination(scanned, area, sources)
            for area in scanned.listings:
                findings += examinations[area].findings
                findings += unlocked(self._backend, examinations[area], self._scope.now)
            if Area.PUBLISHED in examinations:
                source = examinations.get(Area.WORKSPACE)
                findings += differing(self._backend, examinations[Area.PUBLISHED], source)
        except IntegrityError as error:
            findings.append(
                Finding(
                    kind=Kind.DAMAGED_STORE,
                    message=f"{scanned.key} cannot be examined: {error.message}",
                    key=scanned.key,
                )
            )
        return Surveyed(key=scanned.key, examinations=examinations, findings=tuple(findings))

    def _examination(self, scanned: Scanned, area: Area, sources: Iterable[Source]) -> Examination:
        backend, key, listing = self._backend, scanned.key, scanned.listings[area]
        if not listing.is_cut:
            return examine(
                backend,
                area,
                key,
                listing.versions,
                listing.index,
                now=self._scope.now,
                thorough=self._thorough,
            )
        swept = sweep(backend, area, key, sources=sources)
        return swept or examine_key(backend, area, key, now=self._scope.now)

    def _seen(self, surveyed: Surveyed) -> Surveyed:
        """Take note of a notebook, and leave out what another one has told already."""
        self._is_empty = self._is_empty and not surveyed.examinations
        for examination in surveyed.examinations.values():
            state = examination.state
            self._elsewhere.update(
                segment.key
                for segment in (state.segments if state is not None else ())
                if not self._scope.covers(segment.key)
            )
        news = tuple(filter(self._is_news, surveyed.findings))
        return Surveyed(key=surveyed.key, examinations=surveyed.examinations, findings=news)

    def _is_news(self, finding: Finding) -> bool:
        """Return whether a finding was not told yet, as of a record that two names answer for."""
        if finding.kind not in _TOLD_TWICE:
            return True
        name = (finding.kind, finding.area, finding.key, finding.number)
        if name in self._told:
            return False
        self._told.add(name)
        return True

    def _note_failed(self, area: Area, prefix: str, error: IntegrityError) -> None:
        self._failures.append(
            Finding(
                kind=Kind.DAMAGED_STORE,
                message=f"What lies below {prefix} cannot be listed to its end: {error.message}",
                area=area,
            )
        )
