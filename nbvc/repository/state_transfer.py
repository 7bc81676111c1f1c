"""What may change about a notebook, on its way to another store: its states and its marker.

States name no version IDs, so they are copied byte for byte, and their hash chain stays whole.
"""

from __future__ import annotations

from functools import partial

from nbvc.errors import AlreadyExists, IntegrityError
from nbvc.manifest.states import decode
from nbvc.model import Area, NotebookKey
from nbvc.repository import sequence
from nbvc.repository.backend import Backend
from nbvc.repository.states import newest_state_number
from nbvc.repository.transfer import Route, entries_of
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
    if ours is None or ours != _read_state(route.target, area, key, number):
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
    for number, data in zip(numbers, route.source.parallel.map(read, numbers), strict=True):
        write_id = decode(data, what=_what(key, number)).write_id
        if sequence.claim(route.target, prefix, number, data, write_id):
            continue
        if _read_state(route.target, area, key, number) != data:
            raise _taken(route, key)


def copy_marker(route: Route, area: Area, key: NotebookKey) -> None:
    """Hide the notebook in the target if it is hidden in the source, and show it if it is not.

    2 requests; 1 more where something is to be done.
    """
    ours = _latest(route.source, area, key)
    theirs = _latest(route.target, area, key)
    if ours is None or theirs is None or ours.is_delete_marker == theirs.is_delete_marker:
        return
    data_key = route.target.layout.data_key(area, key)
    if ours.is_delete_marker:
        route.target.store.delete(data_key)
    else:
        route.target.store.delete_version(data_key, theirs.version_id)


def _latest(backend: Backend, area: Area, key: NotebookKey) -> VersionEntry | None:
    data_key = backend.layout.data_key(area, key)
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
