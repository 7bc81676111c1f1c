"""Examine one notebook key in one area: what its index says against what the store has.

Nothing is written. What looks wrong is looked at a second time before it is reported, so that
nobody is alarmed by others who save at this moment.

The record files are examined in :mod:`nbvc.repository.examining_records`, the states in
:mod:`nbvc.repository.examining_states`, the versions in :mod:`nbvc.repository.examining_versions`;
here they are put together, with the links between them: tags, and earlier names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Self

from nbvc.errors import IntegrityError, InvalidKey, StoreMisconfigured
from nbvc.manifest.records import decode, follows, record_hash
from nbvc.manifest.states import State
from nbvc.model import MAX_NUMBER, Area, NotebookKey, Record, VersionId
from nbvc.repository.backend import Backend
from nbvc.repository.examining_packs import ExaminedPacks, PackExaminer
from nbvc.repository.examining_records import ExaminedRecords, RecordExaminer
from nbvc.repository.examining_states import ExaminedStates, StateExaminer
from nbvc.repository.examining_versions import ExaminedVersions, VersionExaminer
from nbvc.repository.findings import Finding, Kind, Severity
from nbvc.repository.index_objects import group, look_again, read
from nbvc.repository.sequence import newest_number
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How much was examined.

    Attributes:
        versions: Versions that the store lists, packed or not.
        records: Good records.
        files_spared: Record files that the listing verified, so that they were not read.
        sizes_only: Whether it did so by their sizes alone, for the store's ETags are no hashes.
    """

    versions: int = 0
    records: int = 0
    files_spared: int = 0
    sizes_only: bool = False

    @classmethod
    def of(cls, versions: int, records: int, files_spared: int, etag_kind: str | None) -> Self:
        """Return the tally; the ETags are hashes of that kind, or ``None``."""
        return cls(
            versions=versions,
            records=records,
            files_spared=files_spared,
            sizes_only=files_spared > 0 and etag_kind is None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What there is of one notebook key in one area, and what is wrong with it.

    Of a long history that was swept, because nothing is wrong with it, only the newest version and
    few records are here; see :mod:`nbvc.repository.sweeping`.

    Attributes:
        area: The area.
        key: The notebook key.
        tally: How much that is.
        listed: The versions that the store has, packed or not, newest first, without delete
            markers.
        removed: Whether the newest thing that is listed is a delete marker.
        hidden: Versions upon which a delete marker lies: the last ones before a removal or rename.
        records: The record files, and the good records by number.
        states: The states.
        packs: The packs.
        versions: The versions without a record, and the records without a version.
        dangling: Names of the tags at numbers that no record has.
        findings: All that is wrong or odd, in words.
    """

    area: Area
    key: NotebookKey
    tally: Tally = Tally()
    listed: tuple[VersionEntry, ...] = ()
    removed: bool = False
    hidden: tuple[VersionId, ...] = ()
    records: ExaminedRecords = field(default_factory=ExaminedRecords)
    states: ExaminedStates = field(default_factory=ExaminedStates)
    packs: ExaminedPacks = field(default_factory=ExaminedPacks)
    versions: ExaminedVersions = field(default_factory=ExaminedVersions)
    dangling: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def state(self) -> State | None:
        """The newest state that can be read."""
        return self.states.newest_good


def examine_key(
    backend: Backend, area: Area, key: NotebookKey, *, now: datetime, thorough: bool = False
) -> Examination:
    """List what the store has of *key* and examine it; see :func:`examine`."""
    data_key, prefix = backend.layout.data_key(area, key), backend.layout.index(area, key)
    index = backend.parallel.start(lambda: list(backend.store.list_versions(prefix)))
    listed = list(entries_of(backend.store, data_key))
    return examine(backend, area, key, listed, index(), now=now, thorough=thorough)


def examine(
    backend: Backend,
    area: Area,
    key: NotebookKey,
    listed: Iterable[VersionEntry],
    indexed: Iterable[VersionEntry],
    *,
    now: datetime,
    thorough: bool = False,
) -> Examination:
    """Compare the index of *key* with the store's listing of its versions.

    Reads the record files that carry the most copies (about 40 for 100,000 versions), the newest
    states, and whatever the listing shows to be odd; no notebook bytes. Nothing is written, and
    nothing in the store makes it fail but a store that cannot be read at all.

    Args:
        backend: The store to read; its cache is not used.
        area: Workspace or published.
        key: The notebook key.
        listed: What the store lists under its data key: versions and delete markers, newest first.
        indexed: The same for all keys of its index.
        now: The present time, for which versions may be in the making.
        thorough: Read every record file and state, and what each unindexed version says of itself.
    """
    listed, indexed = list(listed), list(indexed)
    layout = backend.layout
    files = group(layout.records(area, key), indexed)
    states = group(layout.states(area, key), indexed)
    said = StateExaminer(backend, area, key, states, thorough=thorough).examine()
    packs = PackExaminer(backend, area, key, indexed, said.newest_good, now=now).examine(listed)
    versions = [entry for entry in packs.listed if not entry.is_delete_marker]
    ids = frozenset(entry.version_id for entry in versions)
    found = RecordExaminer(backend, area, key, files, listed=ids, thorough=thorough).examine()
    joined = VersionExaminer(
        backend, area, key, versions, found, now=now, thorough=thorough
    ).examine(said.newest_good)
    links = Links(backend, area, key, found, said)
    dangling = links.dangling_tags()
    findings = (
        *found.findings,
        *said.findings,
        *packs.findings,
        *joined.findings,
        *map(links.dangling, dangling),
        *links.broken(),
    )
    return Examination(
        area=area,
        key=key,
        tally=Tally.of(len(versions), len(found.records), found.files_spared, found.etag_kind),
        listed=tuple(versions),
        removed=bool(listed) and listed[0].is_delete_marker,
        hidden=tuple(_hidden(listed)),
        records=found,
        states=said,
        packs=packs,
        versions=joined,
        dangling=dangling,
        findings=findings,
    )


def _hidden(listed: Iterable[VersionEntry]) -> Iterator[VersionId]:
    for newer, older in pairwise(listed):
        if newer.is_delete_marker and not older.is_delete_marker:
            yield older.version_id


class Links:
    """What the states of a notebook say of versions: tags, and the names before this one."""

    def __init__(
        self,
        backend: Backend,
        area: Area,
        key: NotebookKey,
        records: ExaminedRecords,
        states: ExaminedStates,
    ) -> None:
        self._backend = backend
        self._area, self._key = area, key
        self._prefix = backend.layout.records(area, key)
        self._records, self._states = records, states
        state = states.newest_good
        self._tags = state.tags if state is not None else {}
        self._segments = state.segments if state is not None else ()

    def dangling_tags(self) -> tuple[str, ...]:
        """Return the tags at numbers that no record has."""
        return tuple(name for name in sorted(self._tags) if not self._has_record(self._tags[name]))

    def dangling(self, name: str) -> Finding:
        """Return in words that a tag points nowhere."""
        number = self._tags[name]
        return Finding(
            kind=Kind.DANGLING_TAG,
            message=f"The tag {name} of {self._key} is at v{number}, which has no record.",
            area=self._area,
            key=self._key,
            number=number,
            object_key=self._backend.layout.states(self._area, self._key),
        )

    def _has_record(self, number: int) -> bool:
        if number in self._records.records:
            return True
        if any(segment.first <= number <= segment.last for segment in self._segments):
            return True
        if not 1 <= number < MAX_NUMBER or number in self._records.objects:
            return False
        item = look_again(self._backend, self._prefix, number)
        return item.readable(self._backend) is not None

    def broken(self) -> Iterator[Finding]:
        """Follow the hash chain from the first record under this name to the name before."""
        before = {segment.last: segment.key for segment in self._segments}
        for number in sorted(set(self._records.firsts.values())):
            record = self._records.records.get(number)
            if number == 1 or record is None:
                continue
            if number - 1 in before and self._can_be_named(before[number - 1]):
                yield from self._broken_link(before[number - 1], record)
            elif not any(kind.severity is Severity.ERROR for kind in self._states.faults.values()):
                yield Finding(
                    kind=Kind.MISSING_STATE,
                    message=f"The history of {self._key} goes on with v{number}, "
                    "and no state says under which name the versions before it lie.",
                    area=self._area,
                    key=self._key,
                    object_key=self._backend.layout.states(self._area, self._key),
                )

    def _can_be_named(self, key: NotebookKey) -> bool:
        try:
            self._backend.layout.records(self._area, key)
        except InvalidKey:
            return False
        return True

    def _broken_link(self, key: NotebookKey, first: Record) -> Iterator[Finding]:
        """Compare *first* with the record before it, which lies under the name *key*.

        What is wrong with that record alone, the examination of that name says.
        """
        prefix, number = self._backend.layout.records(self._area, key), first.number - 1
        item = look_again(self._backend, prefix, number)
        finding = partial(
            Finding,
            area=self._area,
            key=key,
            number=number,
            object_key=item.key,
            expected=first.prev,
        )
        entry = item.readable(self._backend)
        if entry is None:
            # Unless there are later ones, nothing under that name tells that it ever was.
            if not item.versions and (newest_number(self._backend, prefix) or 0) < number:
                message = f"The record of v{number} of {key} is missing: {self._key} continues it."
                yield finding(kind=Kind.MISSING_RECORD, message=message)
            return
        data = read(self._backend, entry).data
        try:
            older = None if data is None else decode(data, what=f"record v{number}").record
        except (IntegrityError, StoreMisconfigured):
            return
        if older is not None and not follows(first, older):
            message = (
                f"The record of v{number} of {key} was altered, or that of v{first.number} "
                f"of {self._key}, which continues it."
            )
            yield finding(kind=Kind.ALTERED_RECORD, message=message, actual=record_hash(older))
