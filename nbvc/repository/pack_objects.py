"""The objects that packs are, and the versions that they stand for: write them, remove them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta

from nbvc.errors import (
    AccessDenied,
    Conflict,
    IntegrityError,
    PreconditionFailed,
    StoreMisconfigured,
    VersionNotFound,
)
from nbvc.manifest.metadata import DIGEST
from nbvc.manifest.packs import Packed, PackFile
from nbvc.manifest.runs import Numbers, Runs, subtract
from nbvc.manifest.states import Pack, State
from nbvc.model import Area, NotebookKey, VersionId
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.packed_store import packs_of
from nbvc.repository.packs import PackPlace, Packs
from nbvc.repository.sequence import newest_entry
from nbvc.repository.states import read_newest, read_state
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import WRITE_ID, Create, Overwrite

PACK_TYPE = "application/zstd"

UNUSED_AFTER = timedelta(days=7)
"""Age from which a pack that no state names is nobody's: longer than any packing takes. Who makes
one never takes over an older one: the write ID of the act is part of what its name is made of."""


def put_pack(
    backend: Backend, packs: Packs, key: NotebookKey, file: PackFile, act: Act
) -> PackPlace:
    """Store a pack, and return where. Durable; idempotent, for its name is made of its bytes."""
    place = packs.place(Area.WORKSPACE, key, file.pack)
    with suppress(PreconditionFailed):  # it was stored a moment ago, and the reply was lost
        backend.store.put(
            place.object_key,
            file.data,
            mode=Create() if backend.capabilities.conditional_create else Overwrite(),
            metadata={WRITE_ID: act.write_id, DIGEST: file.pack.digest},
            content_type=PACK_TYPE,
        )
    return place


def filled_packs(state: State | None) -> tuple[Pack, ...]:
    """Return the packs that hold the bytes of versions, by a state; none where there is none."""
    return state.filled_packs if state is not None else ()


def overtaken(key: NotebookKey) -> Conflict:
    """Return the error for who finds the packs of a notebook changed by somebody else."""
    return Conflict(f"Somebody else packs {key}.", hint="Run the command again.")


@contextmanager
def packs_in_use(backend: Backend, key: NotebookKey, packs: Collection[Pack]) -> Iterator[None]:
    """Read *packs*, all of which a state named.

    Raises:
        Conflict: One is gone, for no state names it any more.
    """
    try:
        yield
    except VersionNotFound as error:
        state = read_state(backend, Area.WORKSPACE, key)
        if state is None or not set(packs) <= set(state.packs):
            raise overtaken(key) from error
        raise


def remove_versions(
    backend: Backend, data_key: str, version_ids: Iterable[VersionId]
) -> set[VersionId]:
    """Delete versions for good; return those that stay, for they are locked."""

    def remove(version_id: VersionId) -> VersionId | None:
        try:
            backend.store.delete_version(data_key, version_id)
        except AccessDenied:
            return version_id
        return None

    return {stays for stays in backend.parallel.map(remove, version_ids) if stays is not None}


def _remove(backend: Backend, object_key: str) -> None:
    """Delete a pack that no state names any more. Idempotent."""
    with suppress(AccessDenied):  # locked by a rule of the bucket: it is in nobody's way
        for entry in list(entries_of(backend.store, object_key)):
            backend.store.delete_version(object_key, entry.version_id)


def remove_packs(backend: Backend, key: NotebookKey, packs: Iterable[Pack]) -> None:
    """Delete packs that no state names any more. Idempotent."""
    for pack in packs:
        _remove(backend, backend.layout.pack_key(Area.WORKSPACE, key, pack.digest))


def remove_unused(backend: Backend, key: NotebookKey) -> int:
    """Delete packs that no state names, and that nobody can be making; return how many.

    Also a young one that holds what somebody has let go of: nobody will name that any more. One
    that has the only copy of a version stays, for a repair to name.

    1 request where there are no packs, else 2 or 3, and a few for each that no state names.
    """
    listed = list(backend.store.list_keys(backend.layout.packs(Area.WORKSPACE, key)))
    newest = newest_entry(backend, backend.layout.states(Area.WORKSPACE, key)) if listed else None
    if newest is None:
        return 0
    state = read_newest(backend, Area.WORKSPACE, key, newest)
    named = {backend.layout.pack_key(Area.WORKSPACE, key, pack.digest) for pack in state.packs}
    unnamed = [entry for entry in listed if entry.key not in named]
    if not unnamed:
        return 0
    # By the store's clock alone: it is at least as late there as when it got the newest of these.
    latest = max(newest.modified_at, *(entry.modified_at for entry in listed))
    packs, data_key = packs_of(backend), backend.layout.data_key(Area.WORKSPACE, key)
    elsewhere = {entry.version_id for entry in entries_of(backend.store, data_key)}
    for _, table in packs.tables(Area.WORKSPACE, key, state):
        elsewhere |= {packed.version_id for packed in table.versions}
    forgotten = Numbers(state.forgotten)
    unused = []
    for entry in unnamed:
        held = _held(packs, backend, key, entry.key)
        is_old = entry.modified_at < latest - UNUSED_AFTER
        is_let_go = any(packed.number in forgotten for packed in held)
        lost = [p for p in held if p.number not in forgotten and p.version_id not in elsewhere]
        if held and not lost and (is_old or is_let_go):
            unused.append(entry.key)
    for object_key in unused:
        _remove(backend, object_key)
    return len(unused)


def _held(packs: Packs, backend: Backend, key: NotebookKey, object_key: str) -> Sequence[Packed]:
    """Return what a pack holds that no state names; nothing, where that cannot be read."""
    for entry in entries_of(backend.store, object_key, limit=1):
        with suppress(VersionNotFound, IntegrityError, StoreMisconfigured):
            return packs.discover(Area.WORKSPACE, key, entry)[1].versions
    return ()


def overlaps(one: Pack, other: Pack) -> bool:
    """Return whether two packs are named for the same version."""
    return any(
        first <= other_last and other_first <= last
        for first, last in one.numbers
        for other_first, other_last in other.numbers
    )


def without_numbers(packs: Iterable[Pack], numbers: Runs) -> Iterator[Pack]:
    """Yield *packs* as they are named once *numbers* are found elsewhere, or nowhere."""
    for pack in packs:
        left = tuple(subtract(pack.numbers, numbers))
        if left:
            yield replace(pack, numbers=left)
