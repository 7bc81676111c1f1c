"""Find and read the versions of notebooks that lie in packs."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from nbvc.errors import IntegrityError, StoreMisconfigured, VersionNotFound
from nbvc.manifest.packs import (
    MAX_PACK_BYTES,
    TRAILER_BYTES,
    Packed,
    Table,
    decode_table,
    decompress,
    read_trailer,
    table_range,
)
from nbvc.manifest.runs import Numbers, runs_of
from nbvc.manifest.states import Pack, State
from nbvc.model import Area, Digest, NotebookKey, VersionId
from nbvc.repository.backend import Backend
from nbvc.repository.states import read_state
from nbvc.stores.base import Blob, Head, VersionEntry
from nbvc.values import dataclass

MAX_TABLES_KEPT = 64
MAX_FRAMES_KEPT = 2
"""Unpacked frames in memory: whoever reads one version often reads its neighbours too."""

MAX_FRAMES_AT_ONCE = 2
"""Frames that are unpacked at the same time, of 64 MiB each at the most."""

MAX_PACK_OBJECT_BYTES = 2 * MAX_PACK_BYTES
"""What is larger is no pack: frames are counted before their table."""

_K = TypeVar("_K")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackPlace:
    """A pack in a store.

    Attributes:
        area: The area of its notebook.
        key: Its notebook.
        pack: How the state names it.
        object_key: Where it lies.
    """

    area: Area
    key: NotebookKey
    pack: Pack
    object_key: str

    @property
    def what(self) -> str:
        """How to name it in an error."""
        return f"pack {self.pack.digest.short} of {self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A version, and the pack by which it is found."""

    place: PackPlace
    packed: Packed


class Packs:
    """Reads packs, and remembers what it may. Safe for several threads.

    Args:
        backend: The store to read, without packs.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._unpacking = threading.Semaphore(MAX_FRAMES_AT_ONCE)
        self._known: dict[tuple[Area, NotebookKey], dict[VersionId, Located]] = {}
        self._discovered: dict[tuple[Area, NotebookKey], dict[VersionId, Located]] = {}
        self._tables: OrderedDict[Digest, Table] = OrderedDict()
        self._frames: OrderedDict[tuple[Digest, int], bytes] = OrderedDict()

    def known(self, area: Area, key: NotebookKey, version_id: VersionId) -> Located | None:
        """Return where a version lies, if that was found out before. No request."""
        return self._known.get((area, key), {}).get(version_id)

    def remember(self, area: Area, key: NotebookKey, pack: Pack, table: Table) -> None:
        """Let versions be found by a pack that no state names: a repair has discovered it."""
        place = self.place(area, key, pack)
        found = {v.version_id: Located(place=place, packed=v) for v in table.versions}
        self._discovered.setdefault((area, key), {}).update(found)

    def find(self, area: Area, key: NotebookKey, version_id: VersionId) -> Located | None:
        """Return where a version lies by the newest state; ``None`` where no pack has it.

        1 or 2 requests, and 1 more for each pack that was not met before.

        Raises:
            IntegrityError: The table of a pack is damaged.
        """
        located = dict(self._discovered.get((area, key), {}))
        located |= {
            packed.version_id: Located(place=place, packed=packed)
            for place, table in self._present_tables(area, key)
            for packed in table.versions
        }
        self._known[area, key] = located
        return located.get(version_id)

    def _present_tables(self, area: Area, key: NotebookKey) -> Sequence[tuple[PackPlace, Table]]:
        """Return the packs that the newest state names, as far as the store has them.

        Where one is gone, what was in it was packed anew or made plain again, as a newer state
        says: were the older one believed, a version that is there would count as lost.
        """
        state = self._newest_state(area, key)
        while state is not None:
            found = list(self.tables(area, key, state))
            if len(found) == len(state.packs):
                return found
            newest = self._newest_state(area, key)
            if newest is None or newest.number <= state.number:
                return found
            state = newest
        return ()

    def _newest_state(self, area: Area, key: NotebookKey) -> State | None:
        try:
            return read_state(self._backend, area, key)
        except (IntegrityError, StoreMisconfigured):  # nobody can say where anything lies
            return None

    def tables(
        self, area: Area, key: NotebookKey, state: State
    ) -> Iterator[tuple[PackPlace, Table]]:
        """Yield the packs that *state* names, with what lies where; those that are lost are not.

        Raises:
            IntegrityError: One is damaged.
        """

        def read(pack: Pack) -> tuple[PackPlace, Table] | None:
            place = self.place(area, key, pack)
            try:
                return place, self.named_table(place)
            except VersionNotFound:
                return None

        found = self._backend.parallel.map(read, state.packs)
        return (each for each in found if each is not None)

    def merged(
        self,
        area: Area,
        key: NotebookKey,
        tables: Iterable[Table],
        listed: Sequence[VersionEntry],
    ) -> list[VersionEntry]:
        """Return a listing as it would be if nothing had ever been packed.

        Args:
            area: The area of the notebook.
            key: The notebook.
            tables: What its packs hold.
            listed: What the store lists of it, newest first, delete markers too.
        """
        packed = {version.version_id: version for table in tables for version in table.versions}
        plain = {entry.version_id for entry in listed}
        again = {v.plain_as for v in packed.values() if v.plain_as is not None}
        there = {None, *plain}
        data_key = self._backend.layout.data_key(area, key)
        absent = deque(
            _entry(data_key, version)
            for version in sorted(packed.values(), key=lambda v: v.number, reverse=True)
            if version.version_id not in plain and version.plain_as in there
        )
        whole: list[VersionEntry] = []
        for entry in listed:
            if entry.version_id in again:
                continue
            while absent and absent[0].modified_at > entry.modified_at:
                whole.append(absent.popleft())
            whole.append(entry)
        return [*whole, *absent]

    def with_packed(
        self, area: Area, key: NotebookKey, state: State | None, listed: Iterable[VersionEntry]
    ) -> list[VersionEntry]:
        """Return a listing as it would be if nothing had ever been packed; see :meth:`merged`.

        Raises:
            IntegrityError: The table of a pack is damaged.
        """
        if state is None or not state.packs:
            return list(listed)
        tables = [table for _, table in self.tables(area, key, state)]
        return self.merged(area, key, tables, list(listed))

    def discover(self, area: Area, key: NotebookKey, entry: VersionEntry) -> tuple[Pack, Table]:
        """Return what an object is that lies where packs do: how a state would name it. 1 request.

        Raises:
            IntegrityError: It is no pack of this notebook.
        """
        what, size = f"pack {entry.key}", entry.size_bytes
        if size > MAX_PACK_OBJECT_BYTES:
            raise IntegrityError(f"The {what} is too large for a pack.")
        data = self._backend.store.get(entry.key, entry.version_id).data
        table_bytes = read_trailer(bytes(data[-TRAILER_BYTES:]), size, what=what)
        pack = Pack(digest=Digest.of(data), size_bytes=size, table_bytes=table_bytes, numbers=())
        place = self.place(area, key, pack)
        start, stop = table_range(size, table_bytes)
        table = self._decode(place, bytes(data[start:stop]))
        named = replace(
            pack,
            numbers=runs_of(packed.number for packed in table.versions),
            is_plain=not table.frames,
        )
        return named, table

    def place(self, area: Area, key: NotebookKey, pack: Pack) -> PackPlace:
        """Return where *pack* lies. No request."""
        object_key = self._backend.layout.pack_key(area, key, pack.digest)
        return PackPlace(area=area, key=key, pack=pack, object_key=object_key)

    def table(self, place: PackPlace) -> Table:
        """Return what lies where in a pack. 1 request; none when cached.

        Raises:
            VersionNotFound: The store does not have the pack any more.
            IntegrityError: It is damaged.
        """
        pack = place.pack
        kept = self._remembered(self._tables, pack.digest)
        if kept is not None:
            return kept
        name = f"{place.object_key}#{pack.digest}#table"
        table = self._kept_table(place, name)
        if table is None:
            data = self._read(place, *table_range(pack.size_bytes, pack.table_bytes))
            table = self._decode(place, data)
            self._backend.keep(name, data)
        return self._remember(self._tables, pack.digest, table, MAX_TABLES_KEPT)

    def _kept_table(self, place: PackPlace, name: str) -> Table | None:
        """Return what the cache has; where that is damaged, the store is asked."""
        data = self._backend.kept(name)
        if data is not None:
            with suppress(IntegrityError):
                return self._decode(place, data)
        return None

    def named_table(self, place: PackPlace) -> Table:
        """Return what lies where of the versions for which the state still names a pack."""
        table, numbers = self.table(place), Numbers(place.pack.numbers)
        kept = tuple(version for version in table.versions if version.number in numbers)
        return replace(table, versions=kept)

    def plain_again(
        self, area: Area, key: NotebookKey, state: State | None
    ) -> Iterator[tuple[Packed, VersionId]]:
        """Yield what was packed and is plain again, with its present version ID.

        No request, unless there is such.

        Raises:
            IntegrityError: The table that names it is damaged.
        """
        plain = tuple(pack for pack in (state.packs if state else ()) if pack.is_plain)
        if state is None or not plain:
            return
        for _, table in self.tables(area, key, replace(state, packs=plain)):
            for packed in table.versions:
                if packed.plain_as is not None:
                    yield packed, packed.plain_as

    def verify(self, place: PackPlace) -> Iterator[Packed]:
        """Read a pack past all caches; yield each version in it whose bytes are what was packed.

        1 request, as much memory as the pack and one frame of it.

        Raises:
            VersionNotFound: The store does not have it.
            IntegrityError: It is damaged.
        """
        data = self._backend.store.get(place.object_key).data
        if Digest.of(data) != place.pack.digest:
            raise IntegrityError(f"The {place.what} is damaged: it is not what was written.")
        start, stop = table_range(len(data), place.pack.table_bytes)
        table = self._decode(place, bytes(data[start:stop]))
        for index, frame in enumerate(table.frames):
            packed = bytes(data[frame.offset : frame.offset + frame.size_bytes])
            plain = memoryview(decompress(packed, frame.plain_bytes, what=place.what))
            for version in table.versions:
                if version.frame != index or version.plain_as is not None:
                    continue
                end = version.start + version.size_bytes
                if Digest.of(plain[version.start : end]) != version.digest:
                    raise not_packed(place, version.number)
                yield version

    def head(self, located: Located) -> Head:
        """Return what was known of a packed version without its bytes."""
        packed = located.packed
        return Head(
            key=self._backend.layout.data_key(located.place.area, located.place.key),
            version_id=packed.version_id,
            etag=packed.etag,
            size_bytes=packed.size_bytes,
            modified_at=packed.modified_at,
            metadata=packed.metadata,
        )

    def read(self, located: Located) -> Blob:
        """Return a version with its bytes, verified. 1 request; none where its neighbour was read.

        Raises:
            VersionNotFound: The store does not have the pack any more.
            IntegrityError: The bytes are not those that were packed.
        """
        packed, head = located.packed, self.head(located)
        if packed.plain_as is not None:
            data = self._backend.store.get(head.key, packed.plain_as).data
        else:
            plain = self._frame(located.place, packed.frame)
            data = plain[packed.start : packed.start + packed.size_bytes]
        actual = Digest.of(data)
        if actual != packed.digest:
            raise IntegrityError(
                f"v{packed.number} in the {located.place.what} is damaged: its digest is "
                f"{actual.short}, packed was {packed.digest.short}.",
                actual=actual,
            )
        return Blob(
            key=head.key,
            version_id=head.version_id,
            etag=head.etag,
            size_bytes=head.size_bytes,
            modified_at=head.modified_at,
            metadata=head.metadata,
            data=data,
        )

    def _frame(self, place: PackPlace, index: int) -> bytes:
        name = (place.pack.digest, index)
        kept = self._remembered(self._frames, name)
        if kept is not None:
            return kept
        with self._unpacking:
            kept = self._remembered(self._frames, name)
            if kept is not None:
                return kept
            frame = self.table(place).frames[index]
            data = self._read(place, frame.offset, frame.offset + frame.size_bytes)
            plain = decompress(data, frame.plain_bytes, what=place.what)
            return self._remember(self._frames, name, plain, MAX_FRAMES_KEPT)

    def _read(self, place: PackPlace, start: int, stop: int) -> bytes:
        return self._backend.store.get_range(place.object_key, None, start, stop)

    def _decode(self, place: PackPlace, data: bytes) -> Table:
        table = decode_table(data, what=place.what, size_bytes=place.pack.size_bytes)
        if (table.area, table.key) != (place.area, place.key):
            raise IntegrityError(f"The {place.what} is of {table.key}: it was moved.")
        return table

    def _remembered(self, kept: OrderedDict[_K, _T], name: _K) -> _T | None:
        with self._lock:
            found = kept.get(name)
            if found is not None:
                kept.move_to_end(name)
            return found

    def _remember(self, kept: OrderedDict[_K, _T], name: _K, value: _T, limit: int) -> _T:
        with self._lock:
            kept[name] = value
            while len(kept) > limit:
                kept.popitem(last=False)
        return value


def not_packed(place: PackPlace, number: int) -> IntegrityError:
    """Return the error for a pack that does not hold what it should."""
    return IntegrityError(
        f"v{number} in the {place.what} is not what was packed.",
        hint="Nothing was deleted. Run the command again.",
    )


def _entry(data_key: str, packed: Packed) -> VersionEntry:
    return VersionEntry(
        key=data_key,
        version_id=packed.version_id,
        is_latest=False,
        is_delete_marker=False,
        size_bytes=packed.size_bytes,
        etag=packed.etag,
        modified_at=packed.modified_at,
    )
