"""What may change about a notebook, on its way to another store: its states, and what is shown.

States name no version IDs, so they are copied byte for byte, and their hash chain stays whole. Only
packs stay behind: what was packed arrives plain, so the states that named them say so no more, and
from there on the chain is made anew.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from nbvc.errors import AlreadyExists, IntegrityError
from nbvc.manifest.states import State, decode, encode
from nbvc.model import Area, Digest, NotebookKey
from nbvc.repository import sequence
from nbvc.repository.backend import Backend
from nbvc.repository.current import find_current, put_on_top
from nbvc.repository.states import newest_state_number
from nbvc.repository.transfer import Route, Transfer, entries_of
from nbvc.stores.base import VersionEntry


def check_states(route: Route, area: Area, key: NotebookKey) -> None:
    """Check that what the target has of the states of *key* is how they begin in the source.

    Looks at the newest of the target only: it names the hash of the one before it. 2 to 4 requests.

    Raises:
        AlreadyExists: It is not.
    """
    number = newest_state_number(route.target, area, key)
    if number is None:
        return
    ours = _find_state(route.source, area, key, number)
    if ours is None or not _agree(ours, _read_state(route.target, area, key, number)):
        raise _taken(route, key)


def copy_states(route: Route, area: Area, key: NotebookKey) -> None:
    """Copy the states that the target does not have yet. 2 requests for each, and 2 more.

    Raises:
        AlreadyExists: Somebody else changes the notebook in the target.
    """
    newest = newest_state_number(route.source, area, key) or 0
    there = newest_state_number(route.target, area, key) or 0
    numbers = range(there + 1, newest + 1)
    read = partial(_read_state, route.source, area, key)
    prefix = route.target.layout.states(area, key)
    before = Digest.of(_read_state(route.target, area, key, there)) if there and numbers else None
    for number, theirs in zip(numbers, route.source.parallel.map(read, numbers), strict=True):
        state, data = _without_packs(theirs, before)
        before = Digest.of(data)
        if sequence.claim(route.target, prefix, number, data, state.write_id):
            continue
        if _read_state(route.target, area, key, number) != data:
            raise _taken(route, key)


def copy_current(route: Route, transfer: Transfer) -> None:
    """Show under the key in the target what is shown in the source: the same version, or none.

    The version with the newest number was written last in the target, and need not have been so in
    the source. 2 requests; more where something is to be done.
    """
    ours, theirs = _latest(route.source, transfer), _latest(route.target, transfer)
    if ours is None or theirs is None:
        return
    data_key = route.target.layout.data_key(transfer.area, transfer.key)
    if ours.is_delete_marker:
        if not theirs.is_delete_marker:
            route.target.store.delete(data_key)
        return
    if theirs.is_delete_marker:
        route.target.store.delete_version(data_key, theirs.version_id)
    wanted = transfer.arrived(ours.version_id)
    if wanted is None or wanted[0] != theirs.version_id:
        _put_current_on_top(route, transfer)


def _put_current_on_top(route: Route, transfer: Transfer) -> None:
    """Put on top in the target what is current in the source, unless it is current there too."""
    ours, theirs = (
        find_current(backend, backend.layout.data_key(transfer.area, transfer.key))
        for backend in (route.source, route.target)
    )
    wanted = transfer.arrived(ours) if ours is not None else None
    if wanted is not None and wanted[0] != theirs:
        version_id, number = wanted
        data_key = route.target.layout.data_key(transfer.area, transfer.key)
        put_on_top(route.target, data_key, version_id, number=number)


def _without_packs(data: bytes, before: Digest | None) -> tuple[State, bytes]:
    """Return a state as it is to be in the target, where the one before it has this digest."""
    state = decode(data, what="state")
    if not state.packs and state.prev == before:
        return state, data
    state = replace(state, packs=(), prev=before)
    return state, encode(state)


def _agree(ours: bytes, theirs: bytes) -> bool:
    """Return whether a state of the target says what that of the source does, packs apart."""
    if ours == theirs:
        return True
    one, other = decode(ours, what="state"), decode(theirs, what="state")
    return replace(one, packs=(), prev=None) == replace(other, prev=None)


def _latest(backend: Backend, transfer: Transfer) -> VersionEntry | None:
    data_key = backend.layout.data_key(transfer.area, transfer.key)
    return next(entries_of(backend.store, data_key, limit=1), None)


def _read_state(backend: Backend, area: Area, key: NotebookKey, number: int) -> bytes:
    data = _find_state(backend, area, key, number)
    if data is None:
        raise IntegrityError(f"The {_what(key, number)} is missing from {backend.store.url}.")
    return data


def _find_state(backend: Backend, area: Area, key: NotebookKey, number: int) -> bytes | None:
    def check(data: bytes) -> bytes:
        decode(data, what=_what(key, number))
        return data

    return sequence.read_entry(backend, backend.layout.states(area, key), number, check)


def _what(key: NotebookKey, number: int) -> str:
    return f"state {number} of {key}"


def _taken(route: Route, key: NotebookKey) -> AlreadyExists:
    return AlreadyExists(
        f"The tags, name or removal of {key} were changed in {route.target.store.url}.",
        hint="Histories are never mixed. Choose another store.",
    )
