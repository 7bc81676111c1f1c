"""Examine the record files of one manifest: each must be, byte for byte, what its records make it.

What a file must hold is determined by the records, so most files need not be read: the listing has
their size, and an ETag that is a hash of their bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from functools import partial

from nbvc.errors import IntegrityError, StoreMisconfigured
from nbvc.manifest.layout import entry_key
from nbvc.manifest.records import parse
from nbvc.manifest.runs import merged
from nbvc.model import Area, Digest, NotebookKey, Record, VersionId
from nbvc.repository.backend import Backend
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.index_objects import IndexObject, look_again, read, without
from nbvc.repository.record_evidence import Evidence, Seen
from nbvc.values import dataclass

MAX_MISSING_NAMED = 100
"""Missing records of one gap that are named one by one; a longer gap is one finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedRecords:
    """What the record files of one notebook key hold.

    Attributes:
        records: The good records by number: from their own files, from copies in later ones, or
            from an older stored version of a file.
        firsts: For each of them, the first number of its run: more than 1 after a rename.
        objects: The record files by number, with all their stored versions.
        faults: What is wrong, by number of the file that is missing, damaged or altered.
        lost: Runs of numbers, each from first to last, of whose records nothing good is left.
        findings: The same, in words.
        files_spared: Files that the listing verified, so that they were not read.
        etag_kind: The hash that the store's ETags are (``md5``, ``sha256``); ``None`` where they
            are none, so that sizes had to do, and where no file was read.
    """

    records: Mapping[int, Record] = field(default_factory=dict)
    firsts: Mapping[int, int] = field(default_factory=dict)
    objects: Mapping[int, IndexObject] = field(default_factory=dict)
    faults: Mapping[int, Kind] = field(default_factory=dict)
    lost: tuple[tuple[int, int], ...] = ()
    findings: tuple[Finding, ...] = ()
    files_spared: int = 0
    etag_kind: str | None = None

    @property
    def newest(self) -> int | None:
        """The highest number that has a file, or had one of which something is still listed."""
        return max(self.objects, default=None)


class RecordExaminer:
    """Examines one manifest.

    Args:
        backend: The store to read.
        area: Its area.
        key: Its notebook.
        objects: Its record files by number.
        listed: Version IDs that the store lists of the notebook.
        thorough: Read every file, whatever the listing says of it.
    """

    def __init__(
        self,
        backend: Backend,
        area: Area,
        key: NotebookKey,
        objects: Mapping[int, IndexObject],
        *,
        listed: Collection[VersionId],
        thorough: bool,
    ) -> None:
        self._backend = backend
        self._area, self._key = area, key
        self._prefix = backend.layout.records(area, key)
        self._objects = dict(objects)
        self._thorough = thorough
        self._evidence = Evidence(backend, objects, listed)
        self._findings: list[Finding] = []
        self._spared = 0

    def examine(self) -> ExaminedRecords:
        """Return what the files hold, and what is wrong with them."""
        doubtful = [number for number in sorted(self._objects) if not self._is_verified(number)]
        for faults in self._backend.parallel.map(self._faults_of, doubtful):
            self._findings += faults
        lost = [*self._gaps(), *((n, n) for n in doubtful if n not in self._evidence.records)]
        self._findings += self._rebuilt()
        self._findings.sort(key=lambda finding: finding.number or 0)
        return ExaminedRecords(
            records=self._evidence.records,
            firsts=self._evidence.firsts,
            objects=self._objects,
            faults={
                finding.number: finding.kind
                for finding in self._findings
                if finding.number is not None and finding.kind is not Kind.REBUILT_RECORD
            },
            lost=tuple(sorted(lost)),
            findings=tuple(self._findings),
            files_spared=self._spared,
            etag_kind=self._evidence.etags.kind,
        )

    # Files that are listed

    def _is_verified(self, number: int) -> bool:
        """Return whether what was read, or the listing, shows that the file is as it must be."""
        expected = self._evidence.expected(number)
        entry = self._objects[number].readable(self._backend)
        if expected is None or entry is None:
            return False
        seen = self._evidence.seen.get(number)
        if seen is not None:
            return seen.digest == Digest.of(expected)
        if self._thorough or not self._evidence.etags.fits(entry, expected):
            return False
        self._spared += 1
        return True

    def _faults_of(self, number: int) -> list[Finding]:
        """Read a doubtful file, and once more before anything is said of it."""
        fault = self._fault(number, self._objects[number])
        if fault is not None:
            fresh = look_again(self._backend, self._prefix, number)
            fault = self._fault(number, fresh)
        return [fault] if fault is not None else []

    def _fault(self, number: int, item: IndexObject) -> Finding | None:
        entry = item.readable(self._backend)
        if entry is None:
            return self._missing(number)
        content = read(self._backend, entry)
        expected = self._evidence.expected(number)
        expected_digest = None if expected is None else Digest.of(expected)
        finding = partial(
            Finding,
            area=self._area,
            key=self._key,
            number=number,
            object_key=item.key,
            expected=expected_digest,
            actual=Seen.of(content).digest,
        )
        name = f"The record of v{number} of {self._key}"
        if content.data is None:
            return finding(
                kind=Kind.DAMAGED_RECORD, message=f"{name} cannot be read: {content.problem}"
            )
        if content.data == expected:
            return None
        try:
            file = parse(content.data, what=f"record of v{number} of {self._key}")
        except StoreMisconfigured as error:
            return finding(kind=Kind.NEWER_FORMAT, message=error.message)
        except IntegrityError as error:
            return finding(kind=Kind.DAMAGED_RECORD, message=error.message)
        why = self._difference(number, file.record, tuple(file.recent))
        return finding(kind=Kind.ALTERED_RECORD, message=f"{name} {why}") if why else None

    def _difference(self, number: int, record: Record, copies: tuple[Record, ...]) -> str | None:
        """Return in what a readable file differs from the good records."""
        good = self._evidence.records
        if record.number != number:
            return f"holds v{record.number}: it was moved or exchanged."
        if number not in good and number + 1 not in good:
            return "is another notebook's: it does not continue the record before it."
        if number not in good:
            return "was altered: its hash is not the one that the next record names."
        if record != good[number]:
            return "was altered: later records, or its first stored version, say otherwise."
        if self._evidence.expected(number) is not None:
            return "was altered: its copies of earlier records are not what those records are."
        if any(good.get(copy.number, copy) != copy for copy in copies):
            return "was altered: it holds copies that differ from earlier records."
        return None

    # Files that are not listed

    def _gaps(self) -> Iterator[tuple[int, int]]:
        """Find the numbers without a file below one that has some; yield what is lost of them."""
        for first, last in self._spans():
            for start, end in without(first, last, self._objects):
                yield from self._gap(start, end)

    def _gap(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        named = range(start, min(end, start + MAX_MISSING_NAMED - 1) + 1)
        if len(named) < end - start + 1:
            message = f"The records of v{start} to v{end} of {self._key} are missing."
            self._findings.append(self._missing_finding(end, message))
            yield start, end
            return
        for number in named:  # before others do so at once
            self._evidence.find(number)
        found = self._backend.parallel.map(self._faults_of_missing, named)
        for number, faults in zip(named, found, strict=True):
            self._findings += faults
            if faults and self._evidence.find(number) is None:
                yield number, number

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yield the runs of numbers that the good records say there are, without overlaps."""
        return merged({(first, number) for number, first in self._evidence.firsts.items()})

    def _faults_of_missing(self, number: int) -> list[Finding]:
        fresh = look_again(self._backend, self._prefix, number)
        if fresh.readable(self._backend) is not None:
            return []
        return [self._missing(number)]

    def _missing(self, number: int) -> Finding:
        item = self._objects.get(number)
        if item is not None and item.stored:
            more = "deleted; an older version of it is still stored"
        elif self._evidence.find(number) is not None:
            more = "missing; a later record has a copy of it"
        else:
            more = "missing, and nothing in the store has a copy of it"
        message = f"The record of v{number} of {self._key} is {more}."
        return self._missing_finding(number, message)

    def _missing_finding(self, number: int, message: str) -> Finding:
        expected = self._evidence.expected(number)
        return Finding(
            kind=Kind.MISSING_RECORD,
            message=message,
            area=self._area,
            key=self._key,
            number=number,
            object_key=entry_key(self._prefix, number),
            expected=None if expected is None else Digest.of(expected),
        )

    def _rebuilt(self) -> Iterator[Finding]:
        for number, record in self._evidence.records.items():
            if record.stands_for is not None:
                yield Finding(
                    kind=Kind.REBUILT_RECORD,
                    message=f"The record of v{number} of {self._key} was rebuilt by a repair.",
                    area=self._area,
                    key=self._key,
                    number=number,
                    version_id=record.version_id,
                    object_key=entry_key(self._prefix, number),
                )
