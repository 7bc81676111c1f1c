"""List the notebooks of a store as a stream: a page of keys at a time, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import chain, islice

from nbvc.manifest.records import RecordFile
from nbvc.model import NOTEBOOK_SUFFIX, Area, Digest, NotebookKey, VersionId
from nbvc.repository.backend import Backend
from nbvc.repository.records import Manifest
from nbvc.repository.states import read_state
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One notebook of a listing.

    Attributes:
        key: Its key.
        area: Where it was listed.
        size_bytes: Size of the current object.
        saved_at: When the current object was written: by the record, else by the store's clock.
        number: Number of the newest record; ``None`` where there is none.
        digest: Digest of that record.
        version_id: Version ID of that record.
        author: Author of that record.
        message: Message of that record.
        source_number: For a published notebook, the number of the version that was promoted.
        removed: Whether it is hidden behind a delete marker.
    """

    key: NotebookKey
    area: Area
    size_bytes: int
    saved_at: datetime
    number: int | None = None
    digest: Digest | None = None
    version_id: VersionId | None = None
    author: str | None = None
    message: str | None = None
    source_number: int | None = None
    removed: bool = False


def list_notebooks(
    backend: Backend,
    area: Area,
    prefix: str,
    *,
    with_versions: bool = True,
    after: str = "",
    limit: int | None = None,
) -> Iterator[Listed]:
    """Yield the notebooks whose keys begin with *prefix*, in key order, as a stream.

    Args:
        backend: The store to work on.
        area: Workspace or published.
        prefix: Plain text; end it with a slash to mean a folder.
        with_versions: Whether to read each notebook's newest record (2 requests for each, 1 where
            cached, several at once); without it, one request lists 1,000 notebooks.
        after: Begin behind this key; those before it cost no more than their part of the listing.
        limit: How many notebooks at most.
    """
    root = f"{backend.layout.prefix(area)}/"
    entries: Iterator[Listed] = (
        Listed(key=key, area=area, size_bytes=entry.size_bytes, saved_at=entry.modified_at)
        for entry in backend.store.list_keys(root + prefix)
        if entry.key.endswith(NOTEBOOK_SUFFIX)
        and (key := backend.layout.notebook_key(area, entry.key)) is not None
        and key > after
    )
    entries = islice(entries, limit)
    if not with_versions:
        yield from entries
        return
    yield from backend.parallel.map(partial(_with_newest, backend), entries)


def list_removed(backend: Backend, prefix: str) -> Iterator[Listed]:
    """Yield the notebooks that were removed (and not renamed), in key order, as a stream.

    One request lists 1,000 versions; each removed notebook costs up to 4 more.
    """
    area = Area.WORKSPACE
    root = f"{backend.layout.prefix(area)}/"
    entries = (
        Listed(key=key, area=area, size_bytes=0, saved_at=entry.modified_at, removed=True)
        for entry in backend.store.list_versions(root + prefix)
        if entry.is_delete_marker
        and entry.is_latest
        and (key := backend.layout.notebook_key(area, entry.key)) is not None
    )
    found = backend.parallel.map(partial(_unless_renamed, backend), entries)
    yield from chain.from_iterable(found)


def _with_newest(backend: Backend, listed: Listed) -> Listed:
    newest = Manifest(backend, listed.area, listed.key).newest()
    return _describe(listed, newest) if newest else listed


def _unless_renamed(backend: Backend, listed: Listed) -> list[Listed]:
    state = read_state(backend, listed.area, listed.key)
    if state is not None and state.moved_to is not None:
        return []
    return [_with_newest(backend, listed)]


def _describe(listed: Listed, newest: RecordFile) -> Listed:
    record = newest.record
    return Listed(
        key=listed.key,
        area=listed.area,
        size_bytes=record.size_bytes,
        saved_at=record.saved_at,
        number=record.number,
        digest=record.digest,
        version_id=record.version_id,
        author=record.author,
        message=record.message,
        source_number=(
            record.source.number if record.source and listed.area is Area.PUBLISHED else None
        ),
        removed=listed.removed,
    )
