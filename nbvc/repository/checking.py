"""Check a store, or a part of it: every notebook's index against its versions, and their bytes.

Nothing is written. Findings come as a stream, notebook by notebook, and memory does not grow with
the number of notebooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from nbvc.errors import (
    IntegrityError,
    NotebookNotFound,
)
from nbvc.model import Area, NotebookKey
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination, examine
from nbvc.repository.findings import Finding, Kind, Severity
from nbvc.repository.lock_check import unlocked
from nbvc.repository.published_copies import differing
from nbvc.repository.resolving import no_notebook
from nbvc.repository.scanning import Scanned, scan, scan_one
from nbvc.repository.settings_check import check_settings
from nbvc.repository.verifying import Reading, Verifier, is_drawn

BOTH = (Area.WORKSPACE, Area.PUBLISHED)

_TOLD_TWICE = frozenset({Kind.MISSING_RECORD, Kind.ALTERED_RECORD})
"""Kinds that a notebook also tells of the last record under the name before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """How much was checked, and how much was found.

    Attributes:
        notebooks: Notebook keys, each counted once for both areas.
        versions: Versions that the store lists of them.
        records: Good records.
        errors: Findings by which something is lost, damaged, or cannot be verified.
        notes: Other findings.
        versions_read: Versions whose every byte was compared with its digest.
        bytes_read: Length of those.
        files_spared: Record files that were verified by the store's listing, without being read.
        sizes_only: Whether some of those were verified by their sizes alone, for the ETags of the
            store are no hashes.
    """

    notebooks: int = 0
    versions: int = 0
    records: int = 0
    errors: int = 0
    notes: int = 0
    versions_read: int = 0
    bytes_read: int = 0
    files_spared: int = 0
    sizes_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What to check.

    Attributes:
        areas: The areas.
        prefix: Beginning of the notebook keys; plain text, with a slash at its end for a folder.
        key: The only notebook to check, instead of *prefix*.
        named: Whether a person named it, so that there must be a notebook.
        read_data: Read every record file, and the bytes of versions.
        sample: Which share of the versions to read, above 0 up to 1.
        seed: Decides which ones; the same seed chooses the same ones.
        now: The present time, in UTC.
    """

    areas: tuple[Area, ...] = BOTH
    prefix: str = ""
    key: NotebookKey | None = None
    named: bool = False
    read_data: bool = False
    sample: float = 1.0
    seed: str = ""
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notebook:
    """One examined notebook key, in the areas where it is."""

    key: NotebookKey
    examinations: tuple[Examination, ...]
    findings: tuple[Finding, ...]


class Check:
    """A check under way: iterate over it for the findings, then ask for the report.

    Args:
        backend: The store to read; its cache is not used.
        options: What to check.
        progress: Told how many versions were checked and bytes read so far, now and then.
    """

    def __init__(
        self,
        backend: Backend,
        options: CheckOptions,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._backend = backend
        self._options = options
        self._progress = progress
        self._report = CheckReport()
        self._pending: list[Finding] = []
        self._elsewhere: set[NotebookKey] = set()
        self._told: set[tuple[Kind, Area | None, NotebookKey | None, int | None]] = set()
        self._verifier = Verifier(backend)

    @property
    def report(self) -> CheckReport:
        """What was counted so far; all of it once the findings have come to an end."""
        return self._report

    def __iter__(self) -> Iterator[Finding]:
        """Yield the findings, as they come; once."""
        for finding in self._findings():
            if self._is_news(finding):
                error = finding.severity is Severity.ERROR
                self._count(errors=int(error), notes=int(not error))
                yield finding

    def _findings(self) -> Iterator[Finding]:
        yield from check_settings(self._backend)
        for step in self._steps():
            if isinstance(step, Reading):
                self._count(versions_read=1, bytes_read=step.size_bytes or 0)
                if step.finding is not None:
                    yield step.finding
            else:
                yield from step.findings
            yield from self._take_pending()
            if self._progress is not None:
                report = self._report
                done = report.versions_read if self._options.read_data else report.versions
                self._progress(done, report.bytes_read)
        yield from self._take_pending()
        if self._options.named and not self._report.notebooks:
            raise self._nothing()

    def _nothing(self) -> NotebookNotFound:
        area = self._options.areas[0]
        if self._options.key is not None:
            return no_notebook(self._options.key, area)
        where = self._options.prefix or self._backend.layout.prefix(area)
        return NotebookNotFound(
            f"The store has no notebook below {where}.", hint="nbvc ls lists those that it has."
        )

    def _steps(self) -> Iterator[_Notebook | Reading]:
        """Yield each notebook once it was examined, then each of its versions that was read."""
        if not self._options.read_data:
            yield from self._notebooks()
            return

        def work() -> Iterator[_Notebook | Reading]:
            for notebook in self._notebooks():
                yield notebook
                for examination in notebook.examinations:
                    yield from self._readings(examination)

        yield from self._backend.parallel.map(self._do, work())

    def _do(self, step: _Notebook | Reading) -> _Notebook | Reading:
        return self._verifier.verify(step) if isinstance(step, Reading) else step

    # Notebooks

    def _notebooks(self) -> Iterator[_Notebook]:
        options, parallel = self._options, self._backend.parallel
        if options.key is not None:
            yield self._counted(self._examine(scan_one(self._backend, options.areas, options.key)))
        else:
            scanned = scan(self._backend, options.areas, options.prefix, failed=self._note_failed)
            yield from map(self._counted, parallel.map(self._examine, scanned))
        # What was renamed lies partly under names that may be elsewhere; those name no more.
        for key in sorted(self._elsewhere):
            yield self._counted(self._examine(scan_one(self._backend, (Area.WORKSPACE,), key)))

    def _examine(self, scanned: Scanned) -> _Notebook:
        examinations: dict[Area, Examination] = {}
        findings: list[Finding] = []
        try:
            for area, listing in scanned.listings.items():
                examination = examine(
                    self._backend,
                    area,
                    scanned.key,
                    listing.versions,
                    listing.index,
                    now=self._options.now,
                    thorough=self._options.read_data and self._options.sample >= 1,
                )
                examinations[area] = examination
                findings += examination.findings
                findings += unlocked(self._backend, examination, self._options.now)
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
        return _Notebook(
            key=scanned.key,
            examinations=tuple(examinations.values()),
            findings=tuple(findings),
        )

    def _counted(self, notebook: _Notebook) -> _Notebook:
        found = notebook.examinations
        self._count(
            notebooks=int(bool(found)),
            versions=sum(len(each.listed) for each in found),
            records=sum(len(each.records.records) for each in found),
            files_spared=sum(each.records.files_spared for each in found),
        )
        if any(each.records.files_spared and each.records.etag_kind is None for each in found):
            self._report = replace(self._report, sizes_only=True)
        for examination in found:
            state = examination.state
            self._elsewhere.update(
                segment.key
                for segment in (state.segments if state is not None else ())
                if not self._is_covered(segment.key)
            )
        return notebook

    def _is_covered(self, key: NotebookKey) -> bool:
        if Area.WORKSPACE not in self._options.areas:
            return False
        if self._options.key is not None:
            return key == self._options.key
        return key.startswith(self._options.prefix)

    def _note_failed(self, area: Area, prefix: str, error: IntegrityError) -> None:
        self._pending.append(
            Finding(
                kind=Kind.DAMAGED_STORE,
                message=f"What lies below {prefix} cannot be listed to its end: {error.message}",
                area=area,
            )
        )

    # Bytes

    def _readings(self, examination: Examination) -> Iterator[Reading]:
        """Yield the versions whose bytes are to be read."""
        records = {record.version_id: record for record in examination.records.records.values()}
        for entry in examination.listed:
            if is_drawn(entry, sample=self._options.sample, seed=self._options.seed):
                yield Reading(
                    area=examination.area,
                    key=examination.key,
                    entry=entry,
                    record=records.get(entry.version_id),
                )

    # Counts

    def _take_pending(self) -> list[Finding]:
        pending, self._pending = self._pending, []
        return pending

    def _is_news(self, finding: Finding) -> bool:
        """Return whether a finding was not told yet, as of a record that two names answer for."""
        if finding.kind not in _TOLD_TWICE:
            return True
        name = (finding.kind, finding.area, finding.key, finding.number)
        if name in self._told:
            return False
        self._told.add(name)
        return True

    def _count(self, **counts: int) -> None:
        more = {name: getattr(self._report, name) + number for name, number in counts.items()}
        self._report = replace(self._report, **more)
