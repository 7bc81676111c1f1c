"""Bring the whole history of notebooks from one store to another.

The source is only read, so it need not be prepared, nor belong to who moves it. Numbers, digests,
times, authors, messages, tags and names stay; version IDs are given by the target, and with them
the hash chain is made anew. Versions that another tool wrote come along: those newer than every
recorded one are recorded in the target, in the order of storage, as the next save in the source
would have done; older ones stay without a record, between the same neighbours.

It can be stopped at any point and run again, also after further saves in the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing

from nbvc.errors import InvalidInput
from nbvc.model import Area, NotebookKey
from nbvc.repository.backend import Backend
from nbvc.repository.core import Repository
from nbvc.repository.parallel import Parallel
from nbvc.repository.state_transfer import check_states, copy_current, copy_states
from nbvc.repository.states import read_state
from nbvc.repository.traffic import Progress, Stopped, Traffic
from nbvc.repository.transfer import Family, Route, Transfer, entries_of
from nbvc.values import dataclass

__all__ = ["MigrationReport", "Progress", "migrate"]

NOTEBOOKS_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """What a migration did, or would do.

    Attributes:
        notebooks: Notebooks, each counted once however often it was renamed.
        versions_copied: Versions that were written, in both areas.
        versions_present: Versions that the target had already.
        published_copies: How many of both are of the published area.
        bytes_copied: Notebook bytes that were written.
    """

    notebooks: int
    versions_copied: int
    versions_present: int
    published_copies: int
    bytes_copied: int


def migrate(
    source: Repository,
    target: Repository,
    *,
    prefix: str,
    progress: Callable[[Progress], None] | None = None,
    dry_run: bool = False,
) -> MigrationReport:
    """Copy the whole history of every notebook whose key begins with *prefix*.

    Idempotent, and resumable after a crash at any point: no version and no record is written twice.
    When it returns, every copied record was read again and compared with the source. Every byte is
    compared with its recorded digest before it is sent. Keys outside of *prefix* under which such a
    notebook lived earlier come along. Objects without a notebook's name do not.

    At most 8 notebooks at once, and 256 MiB of them in memory.

    Args:
        source: Only read.
        target: Prepared by the caller. Nobody else should write to these keys meanwhile.
        prefix: Plain text; end it with a slash to mean a folder.
        progress: Told of every version, never by two threads at once.
        dry_run: Only compare and count.

    Raises:
        StoreNotFound: The target was never prepared.
        InvalidInput: Both are the same store.
        AlreadyExists: The target has another history under one of the keys; nothing was written
            to that notebook.
        IntegrityError: Something in the source is damaged; mend it and run it again to go on.
        Conflict: Somebody else writes to one of the notebooks in the target.
    """
    if source.store.url == target.store.url:
        raise InvalidInput(f"{source.store.url} is where the history is already.")
    if not dry_run:
        target.require_prepared()
    route = Route(source=source.backend, target=target.backend)
    local = all(each.store.url.startswith("file:") for each in (source, target))
    with closing(Parallel(1 if local else NOTEBOOKS_AT_ONCE)) as pool:
        versions = _count_versions(route.source, prefix)
        families = _find_families(route.source, versions, pool)
        traffic = Traffic(versions_total=versions.total(), progress=progress)
        notebooks = _bring_all(route, families, traffic, pool, dry_run=dry_run)
    return MigrationReport(
        notebooks=notebooks,
        versions_copied=traffic.versions_copied,
        versions_present=traffic.versions_present,
        published_copies=traffic.published_copies,
        bytes_copied=traffic.bytes_copied,
    )


def _bring_all(
    route: Route,
    families: list[tuple[NotebookKey, ...]],
    traffic: Traffic,
    pool: Parallel,
    *,
    dry_run: bool,
) -> int:
    """Bring over all notebooks; return how many. The first error ends it all, and is raised."""

    def bring(keys: tuple[NotebookKey, ...]) -> int:
        with traffic:
            return _bring(route, keys, traffic, dry_run=dry_run)

    try:
        return sum(pool.map(bring, families))
    except Stopped:
        if traffic.first_error is not None:
            raise traffic.first_error from None
        raise
    finally:
        traffic.stop()


def _bring(route: Route, keys: tuple[NotebookKey, ...], traffic: Traffic, *, dry_run: bool) -> int:
    """Bring over one notebook with all its names; return how many notebooks that is."""
    family = Family(keys=keys)
    areas = [
        [Transfer(route, area, key, family, traffic) for key in keys]
        for area in (Area.WORKSPACE, Area.PUBLISHED)
    ]
    for transfers in areas:
        _look(route, transfers)
    for transfer in (transfer for transfers in areas for transfer in transfers):
        traffic.count_present(transfer.area, transfer.key, transfer.present)
        if dry_run:
            for step in transfer.remaining():
                traffic.count_copied(transfer.area, transfer.key, step.size_bytes)
    if not dry_run:
        for transfers in areas:
            _write(route, transfers)
    return sum(transfer.state is None or transfer.state.moved_to is None for transfer in areas[0])


def _look(route: Route, transfers: Iterable[Transfer]) -> None:
    transfers = list(transfers)
    for transfer, index in _in_order(transfers):
        transfer.compare(index)
    for transfer in transfers:
        transfer.plan()
        check_states(route, transfer.area, transfer.key)


def _write(route: Route, transfers: Iterable[Transfer]) -> None:
    transfers = list(transfers)
    for transfer, index in _in_order(transfers):
        transfer.copy(index)
    for transfer in transfers:
        transfer.verify()
        copy_states(route, transfer.area, transfer.key)
        copy_current(route, transfer)


def _in_order(transfers: Iterable[Transfer]) -> list[tuple[Transfer, int]]:
    """Return the stays so that each comes after those that it continues: by their first numbers."""
    stays = [(transfer, index) for transfer in transfers for index in range(len(transfer.stays))]
    return sorted(stays, key=lambda each: each[0].stays[each[1]].first)


def _count_versions(backend: Backend, prefix: str) -> Counter[NotebookKey]:
    """Return the keys that begin with *prefix* and how many versions each has, in both areas."""
    versions: Counter[NotebookKey] = Counter()
    for area in Area:
        for entry in backend.store.list_versions(f"{backend.layout.prefix(area)}/{prefix}"):
            key = backend.layout.notebook_key(area, entry.key)
            if key is not None:
                versions[key] += not entry.is_delete_marker
    return versions


def _find_families(
    backend: Backend, versions: Counter[NotebookKey], pool: Parallel
) -> list[tuple[NotebookKey, ...]]:
    """Group the keys that share a history; add earlier names, and their *versions*.

    1 or 2 requests for each key.
    """
    family = {key: {key} for key in versions}
    read: set[NotebookKey] = set()
    while unread := sorted(family.keys() - read):
        earlier = pool.map(lambda key: _earlier_names(backend, key), unread)
        for key, names in zip(unread, earlier, strict=True):
            for name in names:
                if name not in family:
                    versions[name] = _count_exactly(backend, name)
                    family[name] = {name}
                united = family[key] | family[name]
                family.update(dict.fromkeys(united, united))
        read.update(unread)
    distinct = {id(names): tuple(sorted(names)) for names in family.values()}
    return sorted(distinct.values())


def _earlier_names(backend: Backend, key: NotebookKey) -> list[NotebookKey]:
    state = read_state(backend, Area.WORKSPACE, key)
    return [segment.key for segment in state.segments] if state else []


def _count_exactly(backend: Backend, key: NotebookKey) -> int:
    return sum(
        not entry.is_delete_marker
        for area in Area
        for entry in entries_of(backend.store, backend.layout.data_key(area, key))
    )
