"""Join the good records of one notebook key with the versions that the store lists.

A record may lack its version, and a version its record; either may be about to come, for others
save at this moment, so each is looked at again before it counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from itertools import islice

from nbvc.errors import IntegrityError, StoreMisconfigured, VersionNotFound
from nbvc.manifest.metadata import Provenance, from_metadata
from nbvc.manifest.records import decode, plan_reads
from nbvc.manifest.runs import Numbers
from nbvc.manifest.states import State
from nbvc.model import Area, NotebookKey, Record, VersionId, WriteId
from nbvc.repository.adopting import SETTLING_PAUSES_SECONDS
from nbvc.repository.backend import Backend
from nbvc.repository.examining_records import ExaminedRecords
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.index_objects import look_again, read
from nbvc.repository.repeats import adoption_id
from nbvc.repository.sequence import newest_number
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass

NULL = VersionId("null")
"""Version ID of what a store keeps without versioning."""

YOUNG = timedelta(minutes=10)
"""Age, by the store's clock against ours, up to which a version may lack its record because its
writer is still at work: a minute for the writer, and the rest for clocks that differ."""

MAX_ASKED_ONE_BY_ONE = 64
"""Versions that a listing lacks and that are asked for by ID; for more, it is listed anew."""

MAX_LATER_FILES = 256
"""Record files that are read of what was recorded while the notebook was examined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedVersions:
    """What the versions of one notebook key are, by its records.

    Attributes:
        unindexed: Versions that no good record names, in the order of storage, oldest first;
            without repeats, and without those that are stored without versioning.
        repeats: Versions that a client wrote twice, with the number of the record of the other one;
            ``None`` where that has no record either.
        provenances: What the objects of both say of themselves, where they were asked.
        missing: Numbers of good records whose versions the store does not have.
        gone: Those of them of which a repair has said so.
        findings: The same, in words.
    """

    unindexed: tuple[VersionEntry, ...] = ()
    repeats: Mapping[VersionId, int | None] = field(default_factory=dict)
    provenances: Mapping[VersionId, Provenance] = field(default_factory=dict)
    missing: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()


class VersionExaminer:
    """Joins the records of one notebook key with the store's listing.

    Args:
        backend: The store to read.
        area: Its area.
        key: Its notebook.
        versions: What the store lists, newest first, without delete markers.
        records: Its examined records.
        now: The present time.
        thorough: Ask every version without a record what it says of itself.
    """

    def __init__(
        self,
        backend: Backend,
        area: Area,
        key: NotebookKey,
        versions: Sequence[VersionEntry],
        records: ExaminedRecords,
        *,
        now: datetime,
        thorough: bool,
    ) -> None:
        self._backend = backend
        self._area, self._key = area, key
        self._data_key = backend.layout.data_key(area, key)
        self._versions = {entry.version_id: entry for entry in versions}
        self._records = records
        self._young_after = now - YOUNG
        self._thorough = thorough
        self._later: set[VersionId] = set()
        self._later_number = 0
        self._provenances: dict[VersionId, Provenance] = {}
        self._findings: list[Finding] = []

    def examine(self, state: State | None) -> ExaminedVersions:
        """Return what the versions are, and what is wrong with them.

        Args:
            state: The state that holds: it may say which versions are gone.
        """
        forgotten = Numbers(state.forgotten if state is not None else ())
        missing = tuple(number for number in self._missing() if number not in forgotten)
        gone = tuple(number for number in missing if state is not None and state.is_gone(number))
        self._report_missing(missing, gone)
        self._report_forgotten(forgotten)
        self._report_different()
        unindexed, repeats = self._unindexed(frozenset(missing))
        self._report_unrecorded(unindexed, repeats, forgotten)
        self._report_null()
        return ExaminedVersions(
            unindexed=tuple(unindexed),
            repeats=repeats,
            provenances=self._provenances,
            missing=missing,
            gone=gone,
            findings=tuple(self._findings),
        )

    # Records without a version

    def _missing(self) -> tuple[int, ...]:
        """Return the numbers of the records whose versions the store does not have."""
        absent = [
            record
            for record in self._records.records.values()
            if record.version_id not in self._versions
        ]
        if len(absent) > MAX_ASKED_ONE_BY_ONE:
            now = {e.version_id for e in entries_of(self._backend.store, self._data_key)}
            return tuple(sorted(r.number for r in absent if r.version_id not in now))
        exist = self._backend.parallel.map(self._exists, absent)
        return tuple(sorted(r.number for r, there in zip(absent, exist, strict=True) if not there))

    def _exists(self, record: Record) -> bool:
        try:
            self._backend.store.head(self._data_key, record.version_id)
        except VersionNotFound:
            return False
        except IntegrityError:  # it is there, and the store cannot read it
            return True
        return True

    def _report_missing(self, missing: tuple[int, ...], gone: tuple[int, ...]) -> None:
        acknowledged = set(gone)
        for number in missing:
            record = self._records.records[number]
            if number in acknowledged:
                kind, what = Kind.GONE, "is gone, as a repair has noted."
            else:
                kind, what = (
                    Kind.MISSING_VERSION,
                    "is not in the store: it expired by a rule of the bucket, or was deleted.",
                )
            self._find(
                kind,
                f"v{number} of {self._key} {what}",
                number=number,
                version_id=record.version_id,
                expected=record.digest,
            )

    def _report_forgotten(self, forgotten: Numbers) -> None:
        for number, record in sorted(self._records.records.items()):
            if number in forgotten and record.version_id in self._versions:
                self._report_left(number, record.version_id)

    def _report_left(self, number: int | None, version_id: VersionId, what: str = "") -> None:
        self._find(
            Kind.FORGOTTEN_VERSION,
            f"{what}v{number} of {self._key} was let go of, and is in the store still.",
            number=number,
            version_id=version_id,
        )

    def _report_different(self) -> None:
        for number, record in sorted(self._records.records.items()):
            entry = self._versions.get(record.version_id)
            if entry is None:
                continue
            expected: str = record.digest
            actual = entry.etag.strip('"').lower()
            if entry.size_bytes != record.size_bytes:
                kind, what = Kind.SIZE_DIFFERS, f"{entry.size_bytes} bytes, not {record.size_bytes}"
                expected, actual = str(record.size_bytes), str(entry.size_bytes)
            elif self._records.etag_kind == "sha256" and actual != expected:
                kind, what = Kind.DAMAGED_BYTES, "other bytes than were saved"
            else:
                continue
            self._find(
                kind,
                f"v{number} of {self._key} has {what}.",
                number=number,
                version_id=record.version_id,
                expected=expected,
                actual=actual,
            )

    # Versions without a record

    def _unindexed(
        self, missing: frozenset[int]
    ) -> tuple[list[VersionEntry], dict[VersionId, int | None]]:
        """Return the versions that no record names, oldest first, and which of them are repeats."""
        recorded = {record.version_id for record in self._records.records.values()}
        bare = [e for e in reversed(self._versions.values()) if e.version_id not in recorded]
        bare = [entry for entry in bare if entry.version_id != NULL]
        if not bare:
            return [], {}
        self._look_for_later_records()
        bare = [entry for entry in bare if entry.version_id not in self._later]
        bare, repeats = self._without_repeats(self._look_into(bare), missing)
        return self._settled(bare), repeats

    def _look_into(self, entries: Sequence[VersionEntry]) -> list[VersionEntry]:
        """Ask versions what they say of themselves; leave out those that are gone by now.

        Where there is no record at all, nothing can be a repeat of one, and only those are asked
        whose writer may be at work: a bucket of another tool's costs no request a version.
        """
        ask = bool(self._records.records) or self._thorough
        asked = [entry for entry in entries if ask or self._is_young(entry)]
        answers = self._backend.parallel.map(self._provenance, asked)
        vanished = set()
        for entry, provenance in zip(asked, answers, strict=True):
            if provenance is None:
                vanished.add(entry.version_id)
            else:
                self._provenances[entry.version_id] = provenance
        return [entry for entry in entries if entry.version_id not in vanished]

    def _provenance(self, entry: VersionEntry) -> Provenance | None:
        try:
            head = self._backend.store.head(self._data_key, entry.version_id)
        except VersionNotFound:
            return None
        except IntegrityError:
            return Provenance()
        return from_metadata(head.metadata)

    def _without_repeats(
        self, entries: Sequence[VersionEntry], missing: frozenset[int]
    ) -> tuple[list[VersionEntry], dict[VersionId, int | None]]:
        # Where the recorded version is missing, another one of the same write is all that is left.
        written: dict[tuple[WriteId, int], int | None] = {
            (record.write_id, record.size_bytes): number
            for number, record in self._records.records.items()
            if number not in missing
        }
        once, repeats = [], {}
        for entry in entries:
            provenance = self._provenances.get(entry.version_id, Provenance())
            # Of another size it is no repeat, whatever it says: another tool copied the metadata.
            write_id = provenance.write_id or adoption_id(entry.version_id)
            write = (write_id, entry.size_bytes)
            if write in written:
                repeats[entry.version_id] = written[write]
            else:
                written[write] = None
                once.append(entry)
        return once, repeats

    def _settled(self, entries: list[VersionEntry]) -> list[VersionEntry]:
        """Wait a moment for the records of versions whose writers may be at work."""
        for pause in SETTLING_PAUSES_SECONDS:
            if not any(map(self._is_in_the_making, entries)):
                break
            self._backend.sleep(pause)
            self._look_for_later_records()
            entries = [entry for entry in entries if entry.version_id not in self._later]
        return entries

    def _is_in_the_making(self, entry: VersionEntry) -> bool:
        known = self._provenances.get(entry.version_id)
        return self._is_young(entry) and known is not None and known.write_id is not None

    def _is_young(self, entry: VersionEntry) -> bool:
        return entry.modified_at > self._young_after

    def _look_for_later_records(self) -> None:
        """Read what was recorded since the index was listed."""
        prefix = self._backend.layout.records(self._area, self._key)
        newest = newest_number(self._backend, prefix) or 0
        known = max(self._records.newest or 0, self._later_number)
        if newest <= known:
            return
        for number in islice(plan_reads(newest, known + 1), MAX_LATER_FILES):
            item = look_again(self._backend, prefix, number)
            entry = item.readable(self._backend)
            data = read(self._backend, entry).data if entry is not None else None
            if data is None:
                continue
            try:
                self._later.update(r.version_id for r in decode(data, what=f"record v{number}"))
            except (IntegrityError, StoreMisconfigured):
                continue  # the next check says so
        self._later_number = newest

    def _report_unrecorded(
        self,
        unindexed: Sequence[VersionEntry],
        repeats: Mapping[VersionId, int | None],
        forgotten: Numbers,
    ) -> None:
        for entry in unindexed:
            self._find(
                Kind.UNINDEXED_VERSION,
                f"The version {entry.version_id} of {self._key} has no record.",
                version_id=entry.version_id,
            )
        for version_id, number in repeats.items():
            if self._provenances[version_id].again:  # what was current was put on top once more
                if number in forgotten:
                    self._report_left(number, version_id, "A copy of ")
                continue
            other = f"v{number}" if number is not None else "another version"
            self._find(
                Kind.REPEATED_VERSION,
                f"The version {version_id} of {self._key} is {other}, stored twice.",
                number=number,
                version_id=version_id,
            )

    def _report_null(self) -> None:
        entry = self._versions.get(NULL)
        if entry is None:
            return
        number: int | None = None
        if next(iter(self._versions)) == NULL:
            kind = Kind.NULL_VERSION
            what = "is the latest one: a later write without versioning would replace it."
        elif (number := self._number_of_same_write(entry)) is not None:
            # It waited, and was stored with versioning later.
            kind, what = Kind.REPEATED_VERSION, f"is v{number}, stored twice."
        else:
            kind, what = Kind.OLD_NULL_VERSION, "is from before versioning was on."
        self._find(
            kind, f"The version {NULL} of {self._key} {what}", number=number, version_id=NULL
        )

    def _number_of_same_write(self, entry: VersionEntry) -> int | None:
        """Return the number of the record of the same save, if its own version is there."""
        provenance = self._provenance(entry)
        if provenance is None or provenance.write_id is None:
            return None
        write = (provenance.write_id, entry.size_bytes)
        for number, record in self._records.records.items():
            is_there = record.version_id != NULL and record.version_id in self._versions
            if is_there and (record.write_id, record.size_bytes) == write:
                return number
        return None

    def _find(
        self,
        kind: Kind,
        message: str,
        *,
        number: int | None = None,
        version_id: VersionId | None = None,
        expected: str | None = None,
        actual: str | None = None,
    ) -> None:
        self._findings.append(
            Finding(
                kind=kind,
                message=message,
                area=self._area,
                key=self._key,
                number=number,
                version_id=version_id,
                object_key=self._data_key,
                expected=expected,
                actual=actual,
            )
        )
