"""Walk a store notebook by notebook: all that it lists of each, in both areas, as a stream.

Two listings for each area, of the notebooks and of their index, are read side by side, so that
memory grows with one notebook and never with their number; not even so where listings are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice

from nbvc.errors import IntegrityError, InvalidKey
from nbvc.model import Area, NotebookKey
from nbvc.repository.backend import Backend
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass

Group = tuple[NotebookKey, list[VersionEntry]]

LONG = 2_000
"""Entries from which on the listing of a draft may be cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a store lists of one notebook key in one area.

    Attributes:
        versions: Versions and delete markers of the notebook, newest first.
        index: The same of all keys of its index.
        is_cut: Whether only the beginning of one of them is here.
    """

    versions: Sequence[VersionEntry] = ()
    index: Sequence[VersionEntry] = ()
    is_cut: bool = False


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
    cut: bool = False,
) -> Iterator[Scanned]:
    """Yield each notebook key that begins with *prefix*, once, with all that is listed of it.

    Args:
        backend: The store to list.
        areas: The areas to list.
        prefix: Plain text; end it with a slash to mean a folder.
        failed: Told of a listing that cannot be read to its end, with its prefix; the others go on.
        cut: Whether to hold only the beginning of what is listed of a draft with a long history.
    """
    streams = []
    for area in areas:
        most = _most(area, cut=cut)
        data_prefix = f"{backend.layout.prefix(area)}/{prefix}"
        index_prefix = f"{backend.layout.index_prefix(area)}{prefix}"
        versions = _guarded(_versions(backend, area, data_prefix, most), area, data_prefix, failed)
        index = _guarded(_index(backend, area, index_prefix, most), area, index_prefix, failed)
        streams += [(area, True, versions), (area, False, index)]
    yield from _merged(streams, cut=cut)


def scan_one(
    backend: Backend, areas: tuple[Area, ...], key: NotebookKey, *, cut: bool = False
) -> Scanned:
    """Return all that is listed of one notebook key; with *cut* like :func:`scan`."""
    listings = {}
    for area in areas:
        data_key, prefix = backend.layout.data_key(area, key), backend.layout.index(area, key)
        most = _most(area, cut=cut)
        versions = list(islice(entries_of(backend.store, data_key), most))
        index = list(islice(backend.store.list_versions(prefix), most))
        if versions or index:
            listings[area] = _listing(versions, index, most)
    return Scanned(key=key, listings=listings)


def _most(area: Area, *, cut: bool) -> int | None:
    return LONG if cut and area is Area.WORKSPACE else None


def _listing(
    versions: Sequence[VersionEntry], index: Sequence[VersionEntry], most: int | None
) -> Listing:
    is_cut = most is not None and most in {len(versions), len(index)}
    return Listing(versions=versions, index=index, is_cut=is_cut)


def _versions(backend: Backend, area: Area, prefix: str, most: int | None) -> Iterator[Group]:
    groups = groupby(backend.store.list_versions(prefix), key=lambda entry: entry.key)
    return _as_indexed(
        (key, list(islice(entries, most)))
        for data_key, entries in groups
        if (key := backend.layout.notebook_key(area, data_key)) is not None
        and _is_short(backend, area, key)
    )


def _index(backend: Backend, area: Area, prefix: str, most: int | None) -> Iterator[Group]:
    described = backend.layout.described_key
    groups = groupby(
        backend.store.list_versions(prefix), key=lambda entry: described(area, entry.key)
    )
    return (
        (key, list(islice(entries, most)))
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


def _merged(streams: list[tuple[Area, bool, Iterator[Group]]], *, cut: bool) -> Iterator[Scanned]:
    heads = [next(groups, None) for _, _, groups in streams]
    while waiting := [head[0] for head in heads if head is not None]:
        key = min(waiting, key=_order)
        found: dict[Area, dict[bool, list[VersionEntry]]] = {}
        for number, (area, is_data, groups) in enumerate(streams):
            head = heads[number]
            if head is None or head[0] != key:
                continue
            found.setdefault(area, {True: [], False: []})[is_data] = head[1]
            heads[number] = next(groups, None)
        yield Scanned(
            key=key,
            listings={
                area: _listing(both[True], both[False], _most(area, cut=cut))
                for area, both in found.items()
            },
        )
