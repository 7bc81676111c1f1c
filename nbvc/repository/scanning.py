"""Walk a store notebook by notebook: all that it lists of each, in both areas, as a stream.

Two listings for each area, of the notebooks and of their index, are read side by side, so that
memory grows with one notebook and never with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from itertools import groupby

from nbvc.errors import IntegrityError, InvalidKey
from nbvc.model import Area, NotebookKey
from nbvc.repository.backend import Backend
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass

Group = tuple[NotebookKey, list[VersionEntry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a store lists of one notebook key in one area.

    Attributes:
        versions: Versions and delete markers of the notebook, newest first.
        index: The same of all keys of its index.
    """

    versions: list[VersionEntry] = field(default_factory=list)
    index: list[VersionEntry] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a store lists of one notebook key in the areas where it is.

    Attributes:
        key: The notebook key.
        listings: By area.
    """

    key: NotebookKey
    listings: dict[Area, Listing]


def scan(
    backend: Backend,
    areas: tuple[Area, ...],
    prefix: str,
    *,
    failed: Callable[[Area, str, IntegrityError], None],
) -> Iterator[Scanned]:
    """Yield each notebook key that begins with *prefix*, once, with all that is listed of it.

    Args:
        backend: The store to list.
        areas: The areas to list.
        prefix: Plain text; end it with a slash to mean a folder.
        failed: Told of a listing that cannot be read to its end, with its prefix; the others go on.
    """
    streams = []
    for area in areas:
        data_prefix = f"{backend.layout.prefix(area)}/{prefix}"
        index_prefix = f"{backend.layout.index_prefix(area)}{prefix}"
        versions = _guarded(_versions(backend, area, data_prefix), area, data_prefix, failed)
        index = _guarded(_index(backend, area, index_prefix), area, index_prefix, failed)
        streams += [(area, True, versions), (area, False, index)]
    yield from _merged(streams)


def scan_one(backend: Backend, areas: tuple[Area, ...], key: NotebookKey) -> Scanned:
    """Return all that is listed of one notebook key."""
    listings = {}
    for area in areas:
        data_key, prefix = backend.layout.data_key(area, key), backend.layout.index(area, key)
        listing = Listing(
            versions=list(entries_of(backend.store, data_key)),
            index=list(backend.store.list_versions(prefix)),
        )
        if listing.versions or listing.index:
            listings[area] = listing
    return Scanned(key=key, listings=listings)


def _versions(backend: Backend, area: Area, prefix: str) -> Iterator[Group]:
    groups = groupby(backend.store.list_versions(prefix), key=lambda entry: entry.key)
    return _as_indexed(
        (key, list(entries))
        for data_key, entries in groups
        if (key := backend.layout.notebook_key(area, data_key)) is not None
        and _is_short(backend, area, key)
    )


def _index(backend: Backend, area: Area, prefix: str) -> Iterator[Group]:
    described = backend.layout.described_key
    groups = groupby(
        backend.store.list_versions(prefix), key=lambda entry: described(area, entry.key)
    )
    return (
        (key, list(entries))
        for key, entries in groups
        if key is not None and _is_short(backend, area, key)
    )


def _is_short(backend: Backend, area: Area, key: NotebookKey) -> bool:
    """Return whether nbvc could ever have saved under this key."""
    try:
        backend.layout.data_key(area, key)
    except InvalidKey:
        return False
    return True


def _order(key: NotebookKey) -> str:
    """Return what the index is sorted by: ``a.ipynb-old.ipynb/`` comes before ``a.ipynb/``."""
    return f"{key}/"


def _as_indexed(groups: Iterator[Group]) -> Iterator[Group]:
    """Bring keys, which come in their own order, into the order of the index.

    A key waits for those that it is the beginning of; memory grows with their nesting only.
    """
    held: list[Group] = []
    for group in groups:
        while held and not (
            group[0].startswith(held[-1][0]) and _order(group[0]) < _order(held[-1][0])
        ):
            yield held.pop()
        held.append(group)
    while held:
        yield held.pop()


def _guarded(
    groups: Iterator[Group],
    area: Area,
    prefix: str,
    failed: Callable[[Area, str, IntegrityError], None],
) -> Iterator[Group]:
    try:
        yield from groups
    except IntegrityError as error:
        failed(area, prefix, error)


def _merged(streams: list[tuple[Area, bool, Iterator[Group]]]) -> Iterator[Scanned]:
    heads = [next(groups, None) for _, _, groups in streams]
    while waiting := [head[0] for head in heads if head is not None]:
        key = min(waiting, key=_order)
        listings: dict[Area, Listing] = {}
        for number, (area, is_data, groups) in enumerate(streams):
            head = heads[number]
            if head is None or head[0] != key:
                continue
            listing = listings.setdefault(area, Listing())
            (listing.versions if is_data else listing.index).extend(head[1])
            heads[number] = next(groups, None)
        yield Scanned(key=key, listings=listings)
