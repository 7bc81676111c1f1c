"""Do to a store what S3 tools, disks and strangers do: write over, delete and exchange objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nbvc.manifest import records, states
from nbvc.manifest.layout import Layout, entry_key
from nbvc.manifest.records import RecordFile
from nbvc.manifest.states import State
from nbvc.model import Area, NotebookKey, Record
from nbvc.stores.base import Overwrite, Store, VersionEntry
from tests.repository.support import KEY


def record_key(number: int, key: NotebookKey = KEY, area: Area = Area.WORKSPACE) -> str:
    """Return the key of a record file."""
    return entry_key(Layout().records(area, key), number)


def state_key(number: int, key: NotebookKey = KEY, area: Area = Area.WORKSPACE) -> str:
    """Return the key of a state."""
    return entry_key(Layout().states(area, key), number)


def data_key(key: NotebookKey = KEY, area: Area = Area.WORKSPACE) -> str:
    """Return the key of a notebook."""
    return Layout().data_key(area, key)


def entries(store: Store, key: str) -> list[VersionEntry]:
    """Return the versions and markers of one key, newest first."""
    return [entry for entry in store.list_versions(key) if entry.key == key]


def overwrite(store: Store, key: str, data: bytes) -> None:
    """Write over an object as an S3 tool does: the older version stays stored."""
    store.put(key, data, mode=Overwrite(), metadata={}, content_type="application/json")


def purge(store: Store, key: str) -> None:
    """Delete an object for good, with all its versions."""
    for entry in entries(store, key):
        store.delete_version(key, entry.version_id)


def rewrite(store: Store, key: str, data: bytes) -> None:
    """Put *data* in the place of an object, with nothing left of what was there."""
    purge(store, key)
    overwrite(store, key, data)


def alter_record(
    store: Store, number: int, change: Callable[[Record], Record], key: NotebookKey = KEY
) -> bytes:
    """Return the file of a record with the record changed and the file sealed again."""
    file = read_record(store, number, key)
    return records.encode(replace(file, record=change(file.record)))


def read_record(store: Store, number: int, key: NotebookKey = KEY) -> RecordFile:
    """Return the file of a record as it is stored."""
    return records.parse(store.get(record_key(number, key)).data, what="record")


def read_state(store: Store, number: int, key: NotebookKey = KEY) -> State:
    """Return a state as it is stored."""
    return states.decode(store.get(state_key(number, key)).data, what="state")


def drop_record(store: Store, number: int, key: NotebookKey = KEY) -> None:
    """Delete a record file for good."""
    purge(store, record_key(number, key))
