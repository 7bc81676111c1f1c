"""The history of a notebook as readers see it: its manifest joined with the store's own listing.

The listing is the truth, the manifest its index: a version that no record names is still shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import islice

from nbvc.errors import IntegrityError, VersionNotFound
from nbvc.manifest.metadata import Provenance, from_metadata
from nbvc.manifest.records import RecordFile, plan_reads
from nbvc.manifest.runs import Numbers
from nbvc.manifest.states import State
from nbvc.model import Area, NotebookKey, Record, Version, VersionId, WriteId
from nbvc.repository.backend import Backend
from nbvc.repository.joining import LOOKAHEAD, Join
from nbvc.repository.packed_store import known_otherwise
from nbvc.repository.records import Manifest
from nbvc.repository.repeats import Repeats, adoption_id
from nbvc.repository.sequence import Newest, newest_entry
from nbvc.repository.states import read_newest, read_state
from nbvc.stores.base import VersionEntry

MAX_LOOKED_INTO = 64
"""Unindexed versions whose metadata one reading fetches, a request each; later ones show less."""

FIRST_PAGE = 20
_PAGE = 1_000


class History:
    """One notebook in one area, opened for reading.

    What its first page needs (newest records, state, published mark, listing) is fetched when it is
    opened, in two round trips at most: 4 requests with a warm cache, 7 without.

    Args:
        backend: The store to work on.
        area: Workspace or published.
        key: The notebook.
        limit: How many versions the caller wants at most; ``None`` means all of them.
    """

    def __init__(
        self, backend: Backend, area: Area, key: NotebookKey, *, limit: int | None = None
    ) -> None:
        self._backend = backend
        self._area = area
        self._key = key
        self._limit = limit
        self._manifest = Manifest(backend, area, key)
        start = backend.parallel.start
        count = _PAGE if limit is None else min(limit + LOOKAHEAD, _PAGE)
        listing = start(lambda: list(self._own_entries(count)))
        newest_state = start(lambda: newest_entry(backend, backend.layout.states(area, key)))
        published = start(self._read_published)
        newest = self._manifest.newest_entry()
        files = [start(read) for read in self._first_reads(newest)]
        self.state = self._read_state(newest_state())
        self.files = [found for file in files if (found := file()) is not None]
        self._published = published()
        self._listing = listing()
        self._listing_is_whole = len(self._listing) < count
        self._listing_is_enough = self._listing_is_whole or (limit is not None and limit < count)
        in_hand = (record for file in self.files for record in file)
        packs = self.state.packs if self.state else ()
        self._packed = Numbers(run for pack in packs for run in pack.numbers)
        self._forgotten = Numbers(self.state.forgotten if self.state else ())
        self._repeats = Repeats(self._manifest, self.newest, in_hand, let_go=self._forgotten)

    @property
    def newest(self) -> RecordFile | None:
        """The file of the newest record, ``None`` where there is no record."""
        return self.files[0] if self.files else None

    @property
    def exists(self) -> bool:
        """Whether the store holds or held anything under this key."""
        return bool(self.newest or self._listing or (self.state and self.state.segments))

    @property
    def removed(self) -> bool:
        """Whether the newest thing that the store lists under the key is a delete marker."""
        return bool(self._listing) and self._listing[0].is_delete_marker

    def versions(self) -> Iterator[Version]:
        """Yield the versions, at most as many as the limit, newest first, as a stream.

        Those that somebody has let go of are left out; of what lies under an earlier name, the
        state of that name says so too, for it may have been done under yet another one.
        """
        let_go = cache(self._let_go_under)
        kept = (v for v in self._versions() if v.number not in let_go(v.key))
        return islice(kept, self._limit)

    def own_versions(self) -> Iterator[Version]:
        """Yield the versions like :meth:`versions`, without those of another notebook.

        That one had this name before it was renamed, and has them in its own history; here they can
        still be named, and those that have a tag here are this notebook's too.
        """
        others = Numbers(self.state.shared if self.state else ())
        return (v for v in self.versions() if v.tags or v.number not in others)

    def _let_go_under(self, key: NotebookKey) -> Numbers:
        if key == self._key:
            return self._forgotten
        state = read_state(self._backend, self._area, key)
        own = self.state.forgotten if self.state else ()
        return Numbers([*own, *(state.forgotten if state else ())])

    def _versions(self) -> Iterator[Version]:
        looked_into = 0
        above = (self.newest.record.number if self.newest else 0) + 1
        for run in _runs(self._joined()):
            if run[0].indexed or looked_into >= MAX_LOOKED_INTO:
                above = run[0].number or above
                yield from run
                continue
            looked_into += len(run)
            provenances = self._backend.parallel.map(self._look_into, run)
            found = list(zip(run, provenances, strict=True))
            for version, provenance in _first_of_each_write(found):
                recorded = self._repeats.find(provenance, above)
                if recorded is None:
                    yield enrich(version, provenance)
                elif recorded.size_bytes != version.size_bytes:
                    yield version  # another tool wrote other bytes, and kept the metadata

    def _joined(self) -> Iterator[Version]:
        def confirm() -> set[VersionId]:
            return {entry.version_id for entry in self._own_entries(_PAGE)}

        return iter(
            Join(
                self._records(),
                self._entries(),
                whole=self._listing_is_whole or not self._listing_is_enough,
                listed_elsewhere=self._is_elsewhere,
                confirm=confirm,
            )
        )

    def _is_elsewhere(self, version: Version) -> bool:
        """Return whether the listing need not have a recorded version."""
        return (
            not self._is_own(version)
            or version.number in self._packed
            or version.number in self._forgotten
        )

    def _is_own(self, version: Version) -> bool:
        """Return whether a recorded version is listed with those of the present stay."""
        segments = self.state.segments if self.state else ()
        begin = segments[-1].last + 1 if segments else 1
        return version.key == self._key and (version.number or 0) >= begin

    def _records(self) -> Iterator[Version]:
        tags: dict[int, list[str]] = {}
        for name, number in sorted((self.state.tags if self.state else {}).items()):
            tags.setdefault(number, []).append(name)
        for key, record in self._walk():
            yield version_of(
                self._area,
                key,
                record,
                tags=tuple(tags.get(record.number, ())),
                published=self._is_published(record.version_id),
                missing=self.state is not None and self.state.is_gone(record.number),
            )

    def _walk(self) -> Iterator[tuple[NotebookKey, Record]]:
        """Yield each record with the key that holds its bytes, through earlier names."""
        segments = self.state.segments if self.state else ()
        newest = max(
            self.newest.record.number if self.newest else 0, segments[-1].last if segments else 0
        )
        wanted = newest if self._limit is None else self._limit + LOOKAHEAD
        oldest = max(newest - wanted + 1, 1)
        yield from self._span(newest, oldest)
        # Only asked for where the store has lost the versions of many records in a row.
        yield from self._span(oldest - 1, 1)

    def _span(self, top: int, oldest: int) -> Iterator[tuple[NotebookKey, Record]]:
        """Yield the records from number *top* down to *oldest*, each with its key."""
        own = self.newest
        if own is not None and top >= own.first and not self._is_of_earlier_stay(own):
            down_to = max(own.first, oldest)
            start = own if top == own.record.number else self._manifest.file(top)
            in_hand = [f for f in self.files[1:] if down_to <= f.record.number < top]
            for record in self._manifest.back_from(start, down_to, in_hand):
                yield self._key, record
            if oldest < own.first:
                check_link(self._key, own, self.state)
        for segment in reversed(self.state.segments if self.state else ()):
            last, first = min(segment.last, top), max(segment.first, oldest)
            if first <= last:
                manifest = Manifest(self._backend, self._area, segment.key)
                for record in manifest.back_from(manifest.file(last), first):
                    yield segment.key, record

    def _is_of_earlier_stay(self, newest: RecordFile) -> bool:
        """Return whether a rename back to this name was cut off before it made its record."""
        segments = self.state.segments if self.state else ()
        return bool(segments) and newest.record.number <= segments[-1].last

    def _entries(self) -> Iterator[Version]:
        earlier = self._versions_of_earlier_stay() | self._versions_made_plain_again()
        for entry in self._listing if self._listing_is_enough else self._own_entries(None):
            if not entry.is_delete_marker and entry.version_id not in earlier:
                yield unindexed(
                    self._area, self._key, entry, published=self._is_published(entry.version_id)
                )

    def _versions_of_earlier_stay(self) -> frozenset[VersionId]:
        """Return what lies under this key from before it was renamed away and back again."""
        return frozenset(
            record.version_id
            for segment in (self.state.segments if self.state else ())
            if segment.key == self._key
            for record in self._manifest.back_from(self._manifest.file(segment.last), segment.first)
        )

    def _versions_made_plain_again(self) -> frozenset[VersionId]:
        """Return what is listed of packed versions under other version IDs than they are known by.

        No request, unless there are such.
        """
        return known_otherwise(self._backend, self._area, self._key, self.state)

    def _is_published(self, version_id: VersionId) -> bool:
        return self._published is not None and self._published.source_version_id == version_id

    def _look_into(self, version: Version) -> Provenance:
        return read_provenance(self._backend, version)

    def _first_reads(self, newest: Newest | None) -> Iterator[Callable[[], RecordFile | None]]:
        """Yield what reads the files that hold the first page."""
        if newest is None:
            return
        wanted = (self._limit or FIRST_PAGE) + LOOKAHEAD
        yield partial(self._manifest.find, newest.number, etag=newest.etag)
        numbers = plan_reads(newest.number, max(1, newest.number - wanted + 1))
        for number in islice(numbers, 1, 16):
            yield partial(self._manifest.find, number)

    def _read_state(self, newest: Newest | None) -> State | None:
        if newest is None:
            return None
        return read_newest(self._backend, self._area, self._key, newest)

    def _read_published(self) -> Provenance | None:
        if self._area is Area.PUBLISHED:
            return None
        return read_published(self._backend, self._key)

    def _own_entries(self, limit: int | None) -> Iterator[VersionEntry]:
        data_key = self._backend.layout.data_key(self._area, self._key)
        for entry in self._backend.store.list_versions(data_key, limit=limit):
            if entry.key != data_key:
                return
            yield entry


def find_record(
    backend: Backend, area: Area, key: NotebookKey, number: int
) -> tuple[NotebookKey, Record] | None:
    """Return record *number* and the key that holds its bytes. 1 request; more after a rename.

    Raises:
        IntegrityError: It is damaged or missing, below records that are there.
    """
    manifest = Manifest(backend, area, key)
    file = manifest.find(number)
    if file is not None:
        return key, file.record
    state = read_state(backend, area, key)
    for segment in state.segments if state else ():
        if segment.first <= number <= segment.last:
            return segment.key, Manifest(backend, area, segment.key).file(number).record
    newest = manifest.newest()
    if newest is not None and number < newest.first:
        check_link(key, newest, state)
    elif newest is not None and number < newest.record.number:
        return key, manifest.file(number).record  # it says that it is missing
    return None


def check_link(key: NotebookKey, own: RecordFile, state: State | None) -> None:
    """Check that a state says under which name the versions before those of *own* lie.

    Raises:
        IntegrityError: None does, so that they would be left out in silence.
    """
    lasts = {segment.last for segment in (state.segments if state else ())}
    if own.first > 1 and own.first - 1 not in lasts:
        raise IntegrityError(
            f"The versions of {key} before v{own.first} lie under an earlier name, "
            "and the state that says under which is missing.",
            hint="nbvc check says what is lost; nbvc repair may find it.",
        )


def version_of(
    area: Area,
    key: NotebookKey,
    record: Record,
    *,
    tags: tuple[str, ...] = (),
    published: bool = False,
    missing: bool = False,
) -> Version:
    """Return *record* as a version."""
    return Version(
        key=key,
        area=area,
        number=record.number,
        digest=record.digest,
        version_id=record.version_id,
        size_bytes=record.size_bytes,
        saved_at=record.saved_at,
        author=record.author,
        message=record.message,
        parent=record.parent,
        changes=record.changes,
        source=record.source,
        run=record.run,
        tags=tags,
        published=published,
        missing=missing,
    )


def unindexed(
    area: Area, key: NotebookKey, entry: VersionEntry, *, published: bool = False
) -> Version:
    """Return a listed version that no record names."""
    return Version(
        key=key,
        area=area,
        number=None,
        digest=None,
        version_id=entry.version_id,
        size_bytes=entry.size_bytes,
        saved_at=entry.modified_at,
        published=published,
    )


def read_provenance(backend: Backend, version: Version) -> Provenance:
    """Return what the object of *version* says of itself. 1 request."""
    try:
        data_key = backend.layout.data_key(version.area, version.key)
        return from_metadata(backend.store.head(data_key, version.version_id).metadata)
    except VersionNotFound:  # expired between the listing and now
        return Provenance()


def read_published(backend: Backend, key: NotebookKey) -> Provenance | None:
    """Return what the published copy of *key* says of itself, or ``None``. 1 request."""
    try:
        head = backend.store.head(backend.layout.data_key(Area.PUBLISHED, key))
    except VersionNotFound:
        return None
    return from_metadata(head.metadata)


def enrich(version: Version, provenance: Provenance) -> Version:
    """Return an unindexed *version* with what its object says of itself."""
    return replace(
        version,
        digest=provenance.digest,
        saved_at=provenance.saved_at or version.saved_at,
        author=provenance.author,
        message=provenance.message,
        parent=provenance.parent,
    )


def _first_of_each_write(
    found: Sequence[tuple[Version, Provenance]],
) -> Iterator[tuple[Version, Provenance]]:
    """Yield what *found* has, but of several versions of one write only the oldest.

    A write that was sent again, and cut off before it was recorded, may have landed several times;
    the next save records the oldest of them (see ``adopting.adoptions``). A copy of another tool's
    version that an unpacking put on top names the write ID that the other one will get.

    Args:
        found: Versions without a record, newest first, and what their objects say.
    """

    def write(version: Version, said: Provenance) -> tuple[WriteId, int]:
        return said.write_id or adoption_id(version.version_id), version.size_bytes

    oldest = {write(version, said): version for version, said in found}
    for version, said in found:
        if oldest[write(version, said)] is version:
            yield version, said


def _runs(versions: Iterator[Version]) -> Iterator[list[Version]]:
    """Group unindexed neighbours, so that they can be looked into at once."""
    run: list[Version] = []
    for version in versions:
        if run and (version.indexed or len(run) == LOOKAHEAD):
            yield run
            run = []
        if version.indexed:
            yield [version]
        else:
            run.append(version)
    if run:
        yield run
