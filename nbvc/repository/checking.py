"""Check a store, or a part of it: every notebook's index against its versions, and their bytes.

Nothing is written. Findings come as a stream, notebook by notebook. Memory does not grow with the
number of notebooks, nor with the versions of one in which nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination
from nbvc.repository.findings import Finding, Severity
from nbvc.repository.settings_check import check_settings
from nbvc.repository.surveying import Scope, Survey, Surveyed
from nbvc.repository.verifying import Reading, Verifier, is_drawn
from nbvc.values import dataclass


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
class CheckOptions(Scope):
    """What to check, and how closely.

    Attributes:
        read_data: Read every record file, and the bytes of versions.
        sample: Which share of the versions to read, above 0 up to 1.
        seed: Decides which ones; the same seed chooses the same ones.
    """

    read_data: bool = False
    sample: float = 1.0
    seed: str = ""


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
        thorough = options.read_data and options.sample >= 1
        self._survey = Survey(backend, options, thorough=thorough, sweeping=not options.read_data)
        self._verifier = Verifier(backend)

    @property
    def report(self) -> CheckReport:
        """What was counted so far; all of it once the findings have come to an end."""
        return self._report

    def __iter__(self) -> Iterator[Finding]:
        """Yield the findings, as they come; once."""
        for finding in self._findings():
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
            yield from self._survey.take_failures()
            if self._progress is not None:
                report = self._report
                done = report.versions_read if self._options.read_data else report.versions
                self._progress(done, report.bytes_read)
        yield from self._survey.take_failures()

    def _steps(self) -> Iterator[Surveyed | Reading]:
        """Yield each notebook once it was examined, then each of its versions that was read."""
        notebooks = map(self._counted, self._survey)
        if not self._options.read_data:
            yield from notebooks
            return

        def work() -> Iterator[Surveyed | Reading]:
            for notebook in notebooks:
                yield notebook
                for examination in notebook.examinations.values():
                    yield from self._readings(examination)

        yield from self._backend.parallel.map(self._do, work())

    def _do(self, step: Surveyed | Reading) -> Surveyed | Reading:
        return self._verifier.verify(step) if isinstance(step, Reading) else step

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

    def _counted(self, notebook: Surveyed) -> Surveyed:
        tallies = [examination.tally for examination in notebook.examinations.values()]
        self._count(
            notebooks=int(bool(tallies)),
            versions=sum(tally.versions for tally in tallies),
            records=sum(tally.records for tally in tallies),
            files_spared=sum(tally.files_spared for tally in tallies),
        )
        if any(tally.sizes_only for tally in tallies):
            self._report = replace(self._report, sizes_only=True)
        return notebook

    def _count(self, **counts: int) -> None:
        more = {name: getattr(self._report, name) + number for name, number in counts.items()}
        self._report = replace(self._report, **more)
