"""Compare published versions with the versions that they were copied from, record by record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nbvc.errors import IntegrityError, InvalidKey, StoreMisconfigured
from nbvc.manifest.layout import entry_key
from nbvc.manifest.records import parse
from nbvc.model import MAX_NUMBER, Area, NotebookKey, Record, Source, VersionId
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.index_objects import look_again, read


def differing(
    backend: Backend, published: Examination, source: Examination | None
) -> Iterator[Finding]:
    """Yield the published versions whose digest is not that of their source.

    Whether a source is there at all, and its record good, the examination of the source says. That
    an older publication than the newest record's is the current one is no finding: two who publish
    at once may claim their numbers in another order than that of their copies, and readers go by
    the current object.

    Args:
        backend: The store to read; only sources under other keys cost requests.
        published: The examined notebook of the published area.
        source: The examined notebook of the same key in the workspace area, where it is at hand.
    """
    sources = _Sources(backend, source)
    for number, record in sorted(published.records.records.items(), reverse=True):
        original = sources.find(record.source) if record.source is not None else None
        if record.source is None or original is None or original.digest == record.digest:
            continue
        name = f"v{original.number} of {record.source.key}"
        yield Finding(
            kind=Kind.PUBLISHED_DIFFERS,
            message=f"The publication {number} of {published.key} is not {name}, its source.",
            area=Area.PUBLISHED,
            key=published.key,
            number=number,
            version_id=record.version_id,
            object_key=backend.layout.data_key(Area.PUBLISHED, published.key),
            expected=original.digest,
            actual=record.digest,
        )


def sources_of(published: Examination) -> Iterator[Source]:
    """Yield what the versions of the published area say that they were copied from."""
    for record in published.records.records.values():
        if record.source is not None:
            yield record.source


class _Sources:
    """Finds the records of sources: among the examined ones, else in the store."""

    def __init__(self, backend: Backend, examined: Examination | None) -> None:
        self._backend = backend
        self._key = examined.key if examined is not None else None
        self._examined: Mapping[int, Record] = examined.records.records if examined else {}
        self._by_id: dict[VersionId, Record] = {
            record.version_id: record for record in self._examined.values()
        }
        self._read: dict[tuple[Area, NotebookKey, int], Record | None] = {}

    def find(self, source: Source) -> Record | None:
        """Return the record of *source*; ``None`` where there is no good one."""
        if source.key == self._key and source.area is Area.WORKSPACE:
            found = self._by_id.get(source.version_id)
            if found is not None or source.number is None:
                return found
            return self._examined.get(source.number)
        if source.number is None or not 1 <= source.number < MAX_NUMBER:
            return None
        place = (source.area, source.key, source.number)
        if place not in self._read:
            self._load(*place)
        return self._read[place]

    def _load(self, area: Area, key: NotebookKey, number: int) -> None:
        """Read a record file, and keep its copies: sources often lie close together."""
        self._read[area, key, number] = None
        try:
            prefix = self._backend.layout.records(area, key)
        except InvalidKey:
            return
        entry = look_again(self._backend, prefix, number).readable(self._backend)
        data = None if entry is None else read(self._backend, entry).data
        if data is None:
            return
        try:
            file = parse(data, what=entry_key(prefix, number))
        except (IntegrityError, StoreMisconfigured):
            return
        for record in file:
            self._read.setdefault((area, key, record.number), record)
        if file.record.number == number:
            self._read[area, key, number] = file.record
