"""Sweep through a long history in which nothing is wrong, and hold only a part of it at a time.

An examination holds all that is listed of a notebook, and all its records: 2 kB for each version.
Here both listings are read side by side, newest first, and each record is let go of once its file
is verified and its version has come along. Whatever is not as it must be in a sound history ends
the sweep: :mod:`nbvc.repository.examining` then says what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, islice

from nbvc.errors import IntegrityError, VersionNotFound
from nbvc.manifest.layout import entry_key, entry_number
from nbvc.manifest.records import (
    assemble,
    carried,
    decode_copy,
    encode_copy,
    plan_reads,
    take_apart,
)
from nbvc.manifest.runs import Numbers
from nbvc.model import Area, Digest, NotebookKey, Record, Source, VersionId
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination, Links, Tally
from nbvc.repository.examining_records import ExaminedRecords
from nbvc.repository.examining_states import ExaminedStates, StateExaminer
from nbvc.repository.examining_versions import NULL
from nbvc.repository.index_objects import group
from nbvc.repository.record_evidence import Etags
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import Blob, VersionEntry

MAX_APART = 4_096
"""How many versions may be stored between a version and where its record says that it belongs."""


def sweep(
    backend: Backend, area: Area, key: NotebookKey, *, sources: Iterable[Source]
) -> Examination | None:
    """Compare the index of *key* with the store's listing of its versions, as ``examine`` does.

    One more request for each 1,000 versions than an examination of what was listed already, and at
    most 20 MB, whatever the number of versions.

    Args:
        backend: The store to read; its cache is not used.
        area: Workspace or published.
        key: The notebook key.
        sources: Where published versions were copied from, whose records the caller needs.

    Returns:
        The examination, which holds the newest version, and the records of the sources, tags and of
        the first version; ``None`` where anything is wrong or odd, and where there are packs.
    """
    try:
        return _Sweep(backend, area, key, sources).examination()
    except (_Odd, IntegrityError, VersionNotFound):
        return None


class _Odd(Exception):
    """Something is not as it must be in a sound history."""


class _Sweep:
    """One sweep."""

    def __init__(
        self, backend: Backend, area: Area, key: NotebookKey, sources: Iterable[Source]
    ) -> None:
        self._backend = backend
        self._area, self._key = area, key
        self._data_key = backend.layout.data_key(area, key)
        self._states = self._sound_states()
        state = self._states.newest_good
        self._forgotten = Numbers(state.forgotten if state is not None else ())
        self._files = _Files(backend, backend.layout.records(area, key))
        wanted = [source for source in sources if source.key == key and source.area is area]
        self._wanted_ids = {source.version_id for source in wanted}
        self._wanted = {source.number for source in wanted}
        self._wanted |= set(state.tags.values() if state is not None else ())
        self._kept: dict[int, Record] = {}
        self._ahead: dict[VersionId, Record] = {}
        self._behind: dict[VersionId, VersionEntry] = {}
        self._versions = 0
        self._newest: VersionEntry | None = None

    def examination(self) -> Examination:
        """Return what there is, all of which is sound."""
        self._join()
        files, records = self._files, self._kept
        found = ExaminedRecords(records=records, firsts=dict.fromkeys(records, files.first))
        links = Links(self._backend, self._area, self._key, found, self._states)
        if links.dangling_tags() or any(links.broken()):
            raise _Odd
        return Examination(
            area=self._area,
            key=self._key,
            tally=Tally.of(self._versions, files.count, files.spared, files.etags.kind),
            listed=(self._newest,) if self._newest is not None else (),
            records=found,
            states=self._states,
        )

    def _sound_states(self) -> ExaminedStates:
        """Return the states; there may be no packs, which hold versions that are not listed."""
        store, layout = self._backend.store, self._backend.layout
        prefix = layout.states(self._area, self._key)
        objects = group(prefix, store.list_versions(prefix))
        found = StateExaminer(self._backend, self._area, self._key, objects, thorough=False)
        states = found.examine()
        packs = store.list_versions(layout.packs(self._area, self._key), limit=1)
        if states.findings or any(True for _ in packs):
            raise _Odd
        if states.newest_good is not None and states.newest_good.packs:
            raise _Odd
        return states

    def _join(self) -> None:
        """Let the records and the versions, both newest first, find each other."""
        records = self._files.verified()
        versions = entries_of(self._backend.store, self._data_key)
        record, entry = next(records, None), next(versions, None)
        self._newest = entry
        while record is not None or entry is not None:
            if record is not None and len(self._ahead) <= len(self._behind):
                self._take_record(record)
                record = next(records, None)
            elif entry is not None:
                self._take_version(entry)
                entry = next(versions, None)
            else:
                raise _Odd
        if self._ahead or self._behind:
            raise _Odd

    def _take_record(self, record: Record) -> None:
        is_wanted = record.number in self._wanted or record.version_id in self._wanted_ids
        is_newest = self._newest is not None and record.version_id == self._newest.version_id
        if is_wanted or is_newest or record.number == self._files.first:
            self._kept[record.number] = record
        if record.number in self._forgotten:
            return
        entry = self._behind.pop(record.version_id, None)
        if entry is not None:
            self._compare(record, entry)
        elif record.version_id in self._ahead or len(self._ahead) >= MAX_APART:
            raise _Odd
        else:
            self._ahead[record.version_id] = record

    def _take_version(self, entry: VersionEntry) -> None:
        if entry.is_delete_marker or entry.version_id == NULL:
            raise _Odd
        self._versions += 1
        record = self._ahead.pop(entry.version_id, None)
        if record is not None:
            self._compare(record, entry)
        elif len(self._behind) >= MAX_APART:
            raise _Odd
        else:
            self._behind[entry.version_id] = entry

    def _compare(self, record: Record, entry: VersionEntry) -> None:
        has_digest = self._files.etags.kind == "sha256"
        if entry.size_bytes != record.size_bytes:
            raise _Odd
        if has_digest and entry.etag.strip('"').lower() != record.digest:
            raise _Odd


class _Files:
    """The record files of one manifest, each verified by what it must hold, newest first.

    Holds the records between the one at hand and the end of the file that carries it: twice 4,096
    of 500 bytes at the most.

    Args:
        backend: The store to read.
        prefix: Of the records.

    Attributes:
        first: The first number of the manifest; 0 where there is none.
        count: How many records were verified.
        spared: How many files the listing verified.
        etags: What the ETags of the store are worth.
    """

    def __init__(self, backend: Backend, prefix: str) -> None:
        self.first = 0
        self.count = 0
        self.spared = 0
        self.etags = Etags()
        self._backend = backend
        self._prefix = prefix
        self._copies: dict[int, bytes] = {}
        self._lowest = 0
        self._read: dict[int, Blob] = {}
        self._plan: Iterator[int] = iter(())

    def verified(self) -> Iterator[Record]:
        """Yield the records.

        Raises:
            _Odd: A file is not as the records make it, or not the only one of its number.
        """
        following: int | None = None
        listing = self._backend.store.list_versions(self._prefix)
        for key, entries in groupby(listing, key=lambda entry: entry.key):
            number = entry_number(self._prefix, key)
            entry, *more = entries
            if number is None or more or entry.is_delete_marker:
                raise _Odd
            if following is None:
                self._start(number)
            elif number != following:
                raise _Odd
            yield self._verify(number, entry)
            following = number - 1
        if following is not None and following != self.first - 1:
            raise _Odd

    def _start(self, newest: int) -> None:
        self._lowest = newest + 1
        self._learn(newest)
        self._plan = islice(plan_reads(newest, self.first), 1, None)

    def _verify(self, number: int, entry: VersionEntry) -> Record:
        """Return the record of *number*, whose file is listed as *entry*."""
        oldest = number - carried(number, self.first)
        while self._lowest > oldest:
            self._learn(next(self._plan, 0))
        record = decode_copy(self._copies.pop(number), what=f"record v{number}")
        is_first = number == self.first
        if record.number != number or record.stands_for is not None:
            raise _Odd
        if not is_first and record.prev != Digest.of(self._copies[number - 1]):
            raise _Odd
        if not self._is_as_read(number, entry):
            copies = (self._copies[older] for older in range(number - 1, oldest - 1, -1))
            if not self.etags.fits(entry, assemble(record, copies, first=self.first)):
                raise _Odd
            self.spared += 1
        self.count += 1
        return record

    def _is_as_read(self, number: int, entry: VersionEntry) -> bool:
        """Return whether the file was read, in which case it must be what is listed."""
        read = self._read.pop(number, None)
        if read is not None and (read.version_id, read.etag) != (entry.version_id, entry.etag):
            raise _Odd
        return read is not None

    def _learn(self, number: int) -> None:
        """Read a file, which must go on where the records that are known end."""
        if number < 1:
            raise _Odd
        blob = self._backend.store.get(entry_key(self._prefix, number))
        data = bytes(blob.data)
        file = take_apart(data, what=f"record v{number}")
        self.first = self.first or file.first
        if (file.record.number, file.first) != (number, self.first):
            raise _Odd
        if len(file.copies) != carried(number, self.first):
            raise _Odd
        self.etags.learn(blob, data)
        self._read[number] = replace(blob, data=b"")
        for older, copy in enumerate((encode_copy(file.record), *file.copies)):
            if number - older >= self._lowest:
                if self._copies.get(number - older) != copy:
                    raise _Odd
            elif number - older == self._lowest - 1:
                self._copies[number - older] = copy
                self._lowest -= 1
            else:
                raise _Odd
