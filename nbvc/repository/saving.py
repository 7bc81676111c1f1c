"""Record a version: the notebook object first, its record second.

A crash in between leaves an unindexed version, which readers show and the next save adopts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from nbvc.errors import PreconditionFailed, VersionNotFound
from nbvc.manifest.metadata import Provenance, from_metadata, to_metadata
from nbvc.manifest.records import RecordFile
from nbvc.model import Area, Digest, NotebookKey, Record, VersionId
from nbvc.repository.acts import Act, Draft, Known
from nbvc.repository.adopting import ADOPTION_LIMIT, LOOKBACK, catch_up
from nbvc.repository.backend import Backend
from nbvc.repository.records import Manifest, RecordMaker
from nbvc.repository.stays import find_recorded, read_down
from nbvc.stores.base import NOTEBOOK_TYPE, Create, Overwrite, PutMode, Replace, Stored
from nbvc.stores.landing import find_write
from nbvc.values import dataclass

_FindEqual = Callable[[int], Known | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A notebook that is stored and has no record of its writer's yet.

    Attributes:
        stored: What the store said.
        before: A number that was claimed before it was stored; 0 for none.
        alone: Whether, as far as is known, nothing but that lies before it.
    """

    stored: Stored
    before: int
    alone: bool


def save(backend: Backend, key: NotebookKey, draft: Draft, act: Act, known: Known | None) -> Known:
    """Store *draft* as a new version of *key* and claim its number.

    Durable when this returns. 2 requests where *known* is the newest version, 3 where the notebook
    is new; more where others wrote meanwhile: their unindexed versions are adopted first.

    Returns:
        The newest version now. Where it has these very bytes already, and *known* is not it, that
        one, whoever stored it: nothing is stored then. It gets its record where it has none, as
        after a save that was cut off between its two writes, and is repeated.

    Raises:
        OutcomeUnknown: No clear reply came, and none could be had; the version may be stored.
        VersioningOff: The store keeps no versions; nothing is acknowledged.
    """
    put = partial(_put, backend, key, draft, act)
    find = partial(_find_equal, backend, key, draft, act)
    if known is not None:
        written = _put_after(backend, put, find, known)
    else:
        written = _put_unknowing(backend, key, put, find)
    if isinstance(written, Known):
        return written
    return _record(backend, key, draft, act, known, written)


def resume(
    backend: Backend, key: NotebookKey, draft: Draft, act: Act, known: Known | None, *, before: int
) -> Known:
    """Finish a save that was begun earlier, perhaps by a process that is gone.

    What of it has reached the store is found by its write ID, so it becomes one version however
    often it is resumed. Durable when this returns. 2 requests more than :func:`save`, and one for
    each version without a record that others stored since.

    Args:
        backend: The store to work on.
        key: The notebook.
        draft: What was to be saved.
        act: Whose write ID the save has.
        known: The newest version that is known now.
        before: A number that was claimed before the save began; 0 for none.

    Raises:
        OutcomeUnknown: As for :func:`save`; to be resumed again.
        VersioningOff: The store keeps no versions; nothing is acknowledged.
    """
    landed = _find_landed(backend, key, act, before)
    if isinstance(landed, Known):
        return landed
    if landed is None:
        return save(backend, key, draft, act, known)
    written = _Written(stored=landed, before=before, alone=False)
    return _record(backend, key, draft, act, known, written)


def _find_landed(
    backend: Backend, key: NotebookKey, act: Act, before: int
) -> Known | Stored | None:
    """Return the version that carries the write ID of *act*, if there is one.

    ``Known`` where it has its record, ``Stored`` where it has none yet.
    """
    manifest = Manifest(backend, Area.WORKSPACE, key)
    data_key = backend.layout.data_key(Area.WORKSPACE, key)
    newest = manifest.newest()
    oldest = before - LOOKBACK + 1
    records = list(read_down(backend, key, newest, oldest, elsewhere=False)) if newest else []
    for record in records:
        if record.write_id == act.write_id:
            return Known(
                file=manifest.file(record.number), etag=_etag(backend, data_key, record.version_id)
            )
    return find_write(
        backend.store,
        data_key,
        act.write_id,
        limit=ADOPTION_LIMIT,
        known={record.version_id for record in records},
        until=records[-1].version_id if records and records[-1].number <= before else None,
    )


def _etag(backend: Backend, data_key: str, version_id: VersionId) -> str:
    """Return the ETag of a version; for one that is gone by now, one that nothing has."""
    try:
        return backend.store.head(data_key, version_id).etag
    except VersionNotFound:
        return '"gone"'


def _record(
    backend: Backend,
    key: NotebookKey,
    draft: Draft,
    act: Act,
    known: Known | None,
    written: _Written,
) -> Known:
    """Claim a number for a version that is stored, after those of others that lack one."""
    manifest = Manifest(backend, Area.WORKSPACE, key)
    stored = written.stored
    file = None
    if written.alone:
        make = record_maker(draft, act, stored.version_id)
        file = manifest.claim_next(known.file if known else None, make)
    if file is None:
        head, start = catch_up(backend, key, stored, written.before, act)
        # Somebody may have made the record already: for who was stopped in between, it may be long
        # ago, and many records may have come since.
        make = record_maker(_with_parent(backend, key, draft, head), act, stored.version_id)
        after = written.before + 1
        file = manifest.find_version(head, after, make(after, None)) if head else None
        file = file or manifest.append(head, make, start)
    return Known(file=file, etag=stored.etag)


def _put(backend: Backend, key: NotebookKey, draft: Draft, act: Act, mode: PutMode) -> Stored:
    provenance = Provenance(
        digest=draft.digest,
        write_id=act.write_id,
        saved_at=act.now,
        author=act.author,
        message=act.message,
        parent=draft.parent,
    )
    return backend.store.put(
        backend.layout.data_key(Area.WORKSPACE, key),
        draft.data,
        mode=mode,
        metadata=to_metadata(provenance),
        content_type=NOTEBOOK_TYPE,
        **backend.locking(Area.WORKSPACE),
    )


def _put_after(
    backend: Backend, put: Callable[[PutMode], Stored], find: _FindEqual, known: Known
) -> _Written | Known:
    """Write the notebook on top of the newest version that the caller knows."""
    before = known.file.record.number
    if not backend.capabilities.conditional_replace:
        return _Written(stored=put(Overwrite()), before=before, alone=True)
    try:
        return _Written(stored=put(Replace(known.etag)), before=before, alone=True)
    except PreconditionFailed:
        equal = find(before)
        return equal or _Written(stored=put(Overwrite()), before=before, alone=False)


def _put_unknowing(
    backend: Backend, key: NotebookKey, put: Callable[[PutMode], Stored], find: _FindEqual
) -> _Written | Known:
    """Write a notebook of which the caller knows no version."""
    if backend.capabilities.conditional_create:
        # A key without an object may have an index: a removed notebook's, or a renamed one's, whose
        # first number is not 1.
        prefix = backend.layout.index(Area.WORKSPACE, key)
        indexed_later = backend.parallel.start(
            lambda: any(True for _ in backend.store.list_keys(prefix, limit=1))
        )
        try:
            stored = put(Create())
            return _Written(stored=stored, before=0, alone=not indexed_later())
        except PreconditionFailed:
            pass
    before = Manifest(backend, Area.WORKSPACE, key).newest_number() or 0
    return find(before) or _Written(stored=put(Overwrite()), before=before, alone=False)


def _with_parent(
    backend: Backend, key: NotebookKey, draft: Draft, head: RecordFile | None
) -> Draft:
    """Return *draft* with the number of its parent, if that was adopted just now.

    No request where the parent is known, or is among the newest records.
    """
    if draft.parent is not None or draft.parent_version_id is None or head is None:
        return draft
    parent = find_recorded(backend, key, head, lambda r: r.version_id == draft.parent_version_id)
    return replace(draft, parent=parent.number) if parent else draft


def record_maker(draft: Draft, act: Act, version_id: VersionId) -> RecordMaker:
    """Return the function that makes the record of *draft* once its number is known."""

    def make(number: int, prev: Digest | None) -> Record:
        return Record(
            number=number,
            digest=draft.digest,
            version_id=version_id,
            size_bytes=len(draft.data),
            saved_at=act.now,
            author=act.author,
            message=act.message,
            parent=draft.parent,
            write_id=act.write_id,
            changes=draft.changes,
            source=draft.source,
            run=draft.run,
            prev=prev,
        )

    return make


def _find_equal(
    backend: Backend, key: NotebookKey, draft: Draft, act: Act, before: int
) -> Known | None:
    """Return the newest version, if these very bytes are it: nothing need be stored then.

    A version that has no record yet gets it, after those of others that lack one. 1 request where
    the newest version has other bytes and says so.

    Args:
        backend: The store to work on.
        key: The notebook.
        draft: What is to be saved.
        act: Who saves.
        before: A number that was claimed before.
    """
    try:
        head = backend.store.head(backend.layout.data_key(Area.WORKSPACE, key))
    except VersionNotFound:
        return None
    if head.size_bytes != len(draft.data):
        return None
    said = from_metadata(head.metadata)
    if said.digest not in {None, draft.digest}:
        return None
    current = said.again or head.version_id
    newest = Manifest(backend, Area.WORKSPACE, key).newest()
    finished = newest is None or newest.record.version_id != current
    if finished and said.digest is not None:
        newest, _ = catch_up(backend, key, None, before, act)
    if newest is None or newest.record.version_id != current:
        return None
    if newest.record.digest != draft.digest:
        return None
    return Known(file=newest, etag=head.etag, finished=finished)
