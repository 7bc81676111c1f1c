"""Make a record again of which nothing is left, from its version: its bytes and its metadata.

Mostly the very record comes out, and the hash that the next one names proves it. Where it does not
(a message longer than metadata can hold), the new record says which hash it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from nbvc.errors import IntegrityError, InvalidNotebook, NotFound, StoreMisconfigured
from nbvc.manifest.metadata import Provenance, from_metadata
from nbvc.manifest.records import record_hash
from nbvc.model import (
    Area,
    Changes,
    Data,
    Digest,
    NotebookKey,
    Record,
    Source,
    VersionId,
    WriteId,
)
from nbvc.notebook import Outline, compare, read_outline
from nbvc.repository.adopting import rebuilder
from nbvc.repository.backend import Backend
from nbvc.repository.history import find_record
from nbvc.repository.records import RecordMaker
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass

MAX_OUTLINES = 8
"""Outlines of versions that are kept in memory: most notebooks are based on the one before."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_CHANGES = Changes(cells_added=0, cells_removed=0, cells_changed=0, outputs_only=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadVersion:
    """A version as it was read; without bytes where the store cannot give them."""

    entry: VersionEntry
    said: Provenance
    data: Data | None

    @property
    def digest(self) -> Digest:
        """What was saved: what the object says of itself, so that damage shows."""
        return self.said.digest or Digest.of(b"" if self.data is None else self.data)


class Rebuilder:
    """Makes records of one notebook key again.

    Args:
        backend: The store to read.
        area: Its area.
        key: Its notebook.
        records: The records that are known, by number; grows meanwhile.
    """

    def __init__(
        self, backend: Backend, area: Area, key: NotebookKey, records: Mapping[int, Record]
    ) -> None:
        self._backend = backend
        self._area, self._key = area, key
        self._data_key = backend.layout.data_key(area, key)
        self._records = records
        self._outlines: dict[VersionId, Outline | None] = {}

    def rebuild(
        self,
        number: int,
        prev: Digest | None,
        candidates: Sequence[VersionEntry],
        target: Digest | None,
    ) -> Record:
        """Return the record of *number*.

        Args:
            number: Its number.
            prev: Hash of the record before it.
            candidates: The versions that may be its own, the most likely first.
            target: The hash that the next record names; ``None`` where there is none.
        """
        first: Record | None = None
        for entry in candidates:
            for record in self._forms(number, prev, self.read(entry)):
                if target in {None, record_hash(record)}:
                    return record
                first = first or record
        record = first or self.lost(number, prev)
        return record if target is None else replace(record, stands_for=target)

    def adopter(self, read: ReadVersion, target: Digest | None) -> RecordMaker | None:
        """Return what makes the record of a version that has none, and gets the next number.

        ``None`` where its bytes cannot be read, or are not those that were saved.

        Args:
            read: The version.
            target: The hash that the record after it names, where there is one already.
        """
        if read.data is None:
            return None
        if read.said.digest not in {None, Digest.of(read.data)}:
            recorded = {record.write_id for record in self._records.values()}
            if read.said.write_id not in recorded:
                return None  # damaged
            read = replace(read, said=Provenance())  # another tool's, which kept the metadata

        def make(number: int, prev: Digest | None) -> Record:
            forms = list(self._forms(number, prev, read))
            exact = next((form for form in forms if record_hash(form) == target), None)
            if exact is not None or target is None:
                return exact or forms[0]
            return replace(forms[0], stands_for=target)

        return make

    def _forms(self, number: int, prev: Digest | None, read: ReadVersion) -> Iterator[Record]:
        """Yield the records that may have been made for a version, the most likely first."""
        record = rebuilder(read.entry, read.said, read.digest)(number, prev)
        if self._area is Area.PUBLISHED:
            yield replace(record, parent=None, source=self._source(read.said))
        elif read.said.source_number is not None:  # the copy that a rename makes
            yield replace(record, changes=_NO_CHANGES, source=self._renamed_from(read.said))
        elif read.said.write_id and read.data is not None and record.parent == read.said.parent:
            yield replace(record, changes=self._changes(record, read.data))
        yield record

    def read(self, entry: VersionEntry) -> ReadVersion:
        """Read a version, as far as the store can give it. 1 request."""
        try:
            blob = self._backend.store.get(self._data_key, entry.version_id)
        except (NotFound, IntegrityError):
            return ReadVersion(entry=entry, said=self._head(entry), data=None)
        return ReadVersion(entry=entry, said=from_metadata(blob.metadata), data=blob.data)

    def _head(self, entry: VersionEntry) -> Provenance:
        try:
            return from_metadata(
                self._backend.store.head(self._data_key, entry.version_id).metadata
            )
        except (NotFound, IntegrityError):
            return Provenance()

    def lost(self, number: int, prev: Digest | None) -> Record:
        """Return the record of a number of which nothing is left, at the time of the one before.

        Its version ID is one that no store gives.
        """
        before = self._records.get(number - 1)
        saved_at = before.saved_at if before is not None else _EPOCH
        return Record(
            number=number,
            digest=Digest.of(b""),
            version_id=VersionId(f"lost-{number}"),
            size_bytes=0,
            saved_at=saved_at,
            author=None,
            message="(lost: neither the record nor the version is left)",
            parent=None,
            write_id=WriteId(f"lost-{number}"),
            prev=prev,
        )

    # What a record says beyond the metadata of its version

    def _changes(self, record: Record, data: Data) -> Changes | None:
        """Return what the version changed, as its save found out."""
        outline = self._outline(record.version_id, data)
        if outline is None:
            return None
        if record.parent is None:
            return compare(None, outline)
        before = self._parent_outline(record.parent)
        return compare(before, outline) if before is not None else None

    def _parent_outline(self, number: int) -> Outline | None:
        record, key = self._records.get(number), self._key
        try:
            if record is None:
                found = find_record(self._backend, self._area, self._key, number)
                if found is None:
                    return None
                key, record = found
            if record.version_id in self._outlines:
                return self._outlines[record.version_id]
            data_key = self._backend.layout.data_key(self._area, key)
            data = self._backend.store.get(data_key, record.version_id).data
        except (NotFound, IntegrityError, StoreMisconfigured):
            return None
        return self._outline(record.version_id, data)

    def _outline(self, version_id: VersionId, data: Data) -> Outline | None:
        if version_id not in self._outlines:
            try:
                outline = read_outline(data)
            except InvalidNotebook:
                outline = None
            while len(self._outlines) >= MAX_OUTLINES:
                del self._outlines[next(iter(self._outlines))]
            self._outlines[version_id] = outline
        return self._outlines[version_id]

    def _source(self, said: Provenance) -> Source | None:
        """Return the version that a published copy was made of, if it can still be found."""
        if said.source_version_id is None:
            return None
        version_id, number = VersionId(said.source_version_id), said.source_number
        try:
            found = (
                find_record(self._backend, Area.WORKSPACE, self._key, number) if number else None
            )
        except (IntegrityError, StoreMisconfigured):
            found = None
        if found is not None and found[1].version_id == version_id:
            return Source(area=Area.WORKSPACE, key=found[0], number=number, version_id=version_id)
        return Source(area=Area.WORKSPACE, key=self._key, number=None, version_id=version_id)

    def _renamed_from(self, said: Provenance) -> Source | None:
        """Return the version, under the name before, that a rename copied."""
        number = said.source_number
        if number is None or said.source_version_id is None:
            return None
        try:
            found = find_record(self._backend, Area.WORKSPACE, self._key, number)
        except (IntegrityError, StoreMisconfigured):
            return None
        if found is None or found[1].version_id != said.source_version_id:
            return None
        return Source(
            area=Area.WORKSPACE, key=found[0], number=number, version_id=found[1].version_id
        )
