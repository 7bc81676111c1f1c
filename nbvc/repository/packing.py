"""Move cold versions of a notebook into packs, and none of them out of reach.

The order of things keeps every version readable at any moment, whoever dies when: the pack is
written, read back and compared with the records; a new state names it; only then are the plain
versions deleted. What a run that was cut off has left undone, the next one does.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from nbvc.errors import IntegrityError, VersionNotFound
from nbvc.manifest.packs import MAX_VERSION_BYTES, Loaded, Packed, Packer, PackFile
from nbvc.manifest.runs import Numbers
from nbvc.manifest.states import State
from nbvc.model import Area, Digest, NotebookKey, Version, VersionId
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.current import find_current
from nbvc.repository.history import History
from nbvc.repository.pack_objects import (
    filled_packs,
    overlaps,
    put_pack,
    remove_unused,
    remove_versions,
    without_numbers,
)
from nbvc.repository.packs import PackPlace, Packs, not_packed
from nbvc.repository.records import Manifest
from nbvc.repository.states import change_by, read_state
from nbvc.repository.traffic import Traffic, read_ahead
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import Blob
from nbvc.values import dataclass

AT_ONCE = 2
"""Notebooks that are packed at the same time: each has a frame and a pack in memory."""

DEFAULT_OLDER_THAN = timedelta(days=30)
DEFAULT_KEEP_NEWEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRules:
    """Which versions are cold. Tagged and published ones and the newest one never are.

    Attributes:
        older_than: Age from which a version is cold.
        keep_newest: How many of the newest versions stay plain, whatever their age.
        now: The present time, in UTC.
    """

    older_than: timedelta = DEFAULT_OLDER_THAN
    keep_newest: int = DEFAULT_KEEP_NEWEST
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """What may be packed of one notebook under one of its names.

    Attributes:
        key: The name that holds the bytes.
        versions: The versions, oldest first.
        unfinished: Versions that an earlier run packed, and was cut off before it removed the plain
            ones.
    """

    key: NotebookKey
    versions: tuple[Version, ...] = ()
    unfinished: tuple[Version, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """What was packed, or would be.

    Attributes:
        key: The notebook.
        versions: Versions that lie in a pack now and did not before.
        plain_bytes: Their length, as it was.
        packed_bytes: Length of the new packs; 0 where nothing was done.
        locked: Versions that stay plain, or stay plain as well, for they are locked.
        skipped: Versions that stay plain, for they are too large, or damaged.
        finished: Versions that an earlier run had packed, and of which the plain ones are removed
            now.
    """

    key: NotebookKey
    versions: int = 0
    plain_bytes: int = 0
    packed_bytes: int = 0
    locked: int = 0
    skipped: int = 0
    finished: int = 0


def find_cold(backend: Backend, key: NotebookKey, rules: PackRules) -> list[Cold]:
    """Return what may be packed of *key*, under each of its names. Nothing is written.

    1 request for a notebook with so few versions that all of them stay.

    Raises:
        IntegrityError: Its index is damaged.
    """
    if (Manifest(backend, Area.WORKSPACE, key).newest_number() or 0) <= max(rules.keep_newest, 1):
        return []
    history = History(backend, Area.WORKSPACE, key)
    names: list[tuple[NotebookKey, Version]] = []
    recorded = 0
    for version in history.versions():
        if version.number is None:
            continue
        recorded += 1
        is_named = bool(version.tags) or version.published
        is_warm = recorded <= max(rules.keep_newest, 1)
        is_young = version.saved_at > rules.now - rules.older_than
        if not (is_named or is_warm or is_young or version.missing):
            names.append((version.key, version))
    names.reverse()
    return [
        found
        for name, versions in groupby(names, key=lambda pair: pair[0])
        if (found := _cold(backend, name, [version for _, version in versions])) is not None
    ]


def _cold(backend: Backend, key: NotebookKey, versions: Sequence[Version]) -> Cold | None:
    state = read_state(backend, Area.WORKSPACE, key)
    packs = state.packs if state is not None else ()
    packed = Numbers(run for pack in filled_packs(state) for run in pack.numbers)
    again = Numbers(run for pack in packs if pack.is_plain for run in pack.numbers)
    data_key = backend.layout.data_key(Area.WORKSPACE, key)
    listed = list(entries_of(backend.store, data_key))
    # What a plain read of the notebook's own key gives stays plain, whatever its number.
    current = find_current(backend, data_key) if listed else None
    plain = {entry.version_id for entry in listed} - {current}
    found = Cold(
        key=key,
        versions=tuple(
            v
            for v in versions
            if v.number not in packed and (v.version_id in plain or v.number in again)
        ),
        unfinished=tuple(v for v in versions if v.number in packed and v.version_id in plain),
    )
    return found if found.versions or found.unfinished else None


class Packing:
    """Packs what is cold of one notebook under one name.

    Args:
        backend: The store, in which packed versions can be read.
        packs: Reads packs.
        cold: What to pack.
        act: Who packs.
    """

    def __init__(self, backend: Backend, packs: Packs, cold: Cold, act: Act) -> None:
        self._backend, self._packs = backend, packs
        self._cold, self._act = cold, act
        self._data_key = backend.layout.data_key(Area.WORKSPACE, cold.key)
        self._digests = {v.number: v.digest for v in (*cold.versions, *cold.unfinished)}
        self._small = [v for v in cold.versions if v.size_bytes <= MAX_VERSION_BYTES]
        self._report = PackReport(key=cold.key)

    def preview(self) -> PackReport:
        """Return what :meth:`run` would do, but for the length of the packs."""
        return PackReport(
            key=self._cold.key,
            versions=len(self._small),
            plain_bytes=sum(version.size_bytes for version in self._small),
            skipped=len(self._cold.versions) - len(self._small),
            finished=len(self._cold.unfinished),
        )

    def run(self) -> PackReport:
        """Pack, and return what was done.

        Durable step by step, and idempotent: a version is deleted only after a state that names its
        verified pack was claimed.

        Raises:
            IntegrityError: A pack is not in the store as it was written; nothing was deleted.
        """
        self._finish()
        with closing(self._loaded()) as loaded:
            for file in Packer(Area.WORKSPACE, self._cold.key, self._act.write_id).pack(loaded):
                self._keep(file)
        remove_unused(self._backend, self._cold.key)
        return self._report

    def _loaded(self) -> Generator[Loaded, None, None]:
        """Yield the versions that can be packed, with their bytes."""
        self._count(skipped=len(self._cold.versions) - len(self._small))
        traffic = Traffic(versions_total=len(self._small), progress=None)
        for version, blob in read_ahead(
            self._small,
            self._read,
            size_of=lambda version: version.size_bytes,
            parallel=self._backend.parallel,
            traffic=traffic,
        ):
            digest = None if blob is None else Digest.of(blob.data)
            if blob is None or digest is None or digest != version.digest:
                self._count(skipped=1)  # damaged or gone: check says so, and repair knows how
            elif blob.is_locked(self._act.now):
                self._count(locked=1)
            elif version.number is not None:
                packed = Packed(
                    number=version.number,
                    digest=digest,
                    version_id=version.version_id,
                    size_bytes=len(blob.data),
                    modified_at=blob.modified_at,
                    etag=blob.etag,
                    metadata=blob.metadata,
                )
                yield packed, blob.data

    def _read(self, version: Version) -> Blob | None:
        try:
            return self._backend.store.get(self._data_key, version.version_id)
        except (VersionNotFound, IntegrityError):
            return None

    def _keep(self, file: PackFile) -> None:
        """Store a pack, verify it, name it in a new state, and remove what it holds."""
        place = put_pack(self._backend, self._packs, self._cold.key, file, self._act)
        try:
            verified = self._verified(place)
        except VersionNotFound:
            if _is_let_go(file, read_state(self._backend, Area.WORKSPACE, self._cold.key)):
                return  # and so somebody has removed it
            raise
        numbers = Numbers(file.pack.numbers)
        again: list[VersionId] = []

        def change(state: State) -> State | None:
            if any(overlaps(pack, file.pack) for pack in state.filled_packs):
                return None  # somebody else packs at this moment
            if _is_let_go(file, state):
                return None  # and whoever lets go of them may be deleting them by now
            plain = self._packs.plain_again(Area.WORKSPACE, self._cold.key, state)
            again[:] = [plain_as for packed, plain_as in plain if packed.number in numbers]
            others = without_numbers(state.packs, file.pack.numbers)
            return replace(state, packs=(*others, file.pack))

        claimed = change_by(self._backend, self._cold.key, change, self._act, "pack")
        if claimed is None or file.pack not in claimed.packs:
            return
        removed = [*verified, *again]
        locked = len(remove_versions(self._backend, self._data_key, removed))
        self._count(
            versions=len(file.table.versions),
            plain_bytes=sum(packed.size_bytes for packed in file.table.versions),
            packed_bytes=file.pack.size_bytes,
            locked=locked,
        )

    def _finish(self) -> None:
        """Remove the plain versions of what an earlier run has packed, once that is verified."""
        if not self._cold.unfinished:
            return
        state = read_state(self._backend, Area.WORKSPACE, self._cold.key)
        for pack in filled_packs(state):
            numbers = Numbers(pack.numbers)
            versions = [v for v in self._cold.unfinished if v.number in numbers]
            free = {v.version_id for v in versions if not self._is_locked(v)}
            if free:
                place = self._packs.place(Area.WORKSPACE, self._cold.key, pack)
                done = free & self._verified(place)
                locked = len(remove_versions(self._backend, self._data_key, done))
                self._count(finished=len(done) - locked)
            self._count(locked=len(versions) - len(free))

    def _is_locked(self, version: Version) -> bool:
        try:
            head = self._backend.store.head(self._data_key, version.version_id)
        except VersionNotFound:
            return False
        return head.is_locked(self._act.now)

    def _verified(self, place: PackPlace) -> set[VersionId]:
        """Read a pack from the store, and return what in it is what the records say, to the byte.

        Raises:
            IntegrityError: Something is not.
        """
        verified: set[VersionId] = set()
        for packed in self._packs.verify(place):
            if self._digests.get(packed.number, packed.digest) != packed.digest:
                raise not_packed(place, packed.number)
            verified.add(packed.version_id)
        return verified

    def _count(self, **counts: int) -> None:
        more = {name: getattr(self._report, name) + n for name, n in counts.items()}
        self._report = replace(self._report, **more)


def _is_let_go(file: PackFile, state: State | None) -> bool:
    """Return whether somebody has let go of a version in a pack since."""
    versions = file.table.versions
    return state is not None and any(state.is_forgotten(packed.number) for packed in versions)
