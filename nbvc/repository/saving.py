"""Record a version: the notebook object first, its record second.

A crash in between leaves an unindexed version, which readers show and the next save adopts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from nbvc.errors import PreconditionFailed, VersionNotFound
from nbvc.manifest.metadata import Provenance, to_metadata
from nbvc.manifest.records import RecordFile
from nbvc.model import Area, Digest, NotebookKey, Record, VersionId
from nbvc.repository.acts import Act, Draft, Known
from nbvc.repository.adopting import ADOPTION_LIMIT, LOOKBACK, catch_up
from nbvc.repository.backend import Backend
from nbvc.repository.records import Manifest, RecordMaker
from nbvc.stores.base import Create, Overwrite, PutMode, Replace, Stored
from nbvc.stores.landing import find_write

CONTENT_TYPE = "application/x-ipynb+json"


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
        The newest version now. Where *known* is ``None`` and the newest version has these very
        bytes already, that one: nothing is stored then.

    Raises:
        OutcomeUnknown: No clear reply came, and none could be had; the version may be stored.
        VersioningOff: The store keeps no versions; nothing is acknowledged.
    """
    put = partial(_put, backend, key, draft, act)
    if known is not None:
        written = _put_after(backend, put, known)
    else:
        manifest = Manifest(backend, Area.WORKSPACE, key)
        found = _put_unknowing(backend, put, manifest, key, draft.digest)
        if isinstance(found, Known):
            return found
        written = found
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
    records: list[Record] = []
    if newest is not None:
        oldest = max(newest.first, min(before, newest.record.number) - LOOKBACK + 1)
        records = list(manifest.back_from(newest, oldest))
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
        if head is not None:
            file = manifest.find_version(head, written.before + 1, stored.version_id, act.write_id)
        make = record_maker(_with_parent(draft, head), act, stored.version_id)
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
        content_type=CONTENT_TYPE,
        **backend.locking(Area.WORKSPACE),
    )


def _put_after(backend: Backend, put: Callable[[PutMode], Stored], known: Known) -> _Written:
    """Write the notebook on top of the newest version that the caller knows."""
    before = known.file.record.number
    if not backend.capabilities.conditional_replace:
        return _Written(stored=put(Overwrite()), before=before, alone=True)
    try:
        return _Written(stored=put(Replace(known.etag)), before=before, alone=True)
    except PreconditionFailed:
        return _Written(stored=put(Overwrite()), before=before, alone=False)


def _put_unknowing(
    backend: Backend,
    put: Callable[[PutMode], Stored],
    manifest: Manifest,
    key: NotebookKey,
    digest: Digest,
) -> _Written | Known:
    """Write a notebook of which the caller knows no version, unless the newest has its bytes."""
    number_later = backend.parallel.start(manifest.newest_number)
    if not backend.capabilities.conditional_create:
        before = number_later() or 0
        return _Written(stored=put(Overwrite()), before=before, alone=False)
    try:
        stored = put(Create())
    except PreconditionFailed:
        newest = manifest.newest()
        present = _present(backend, key, digest, newest)
        before = newest.record.number if newest else 0
        return present or _Written(stored=put(Overwrite()), before=before, alone=False)
    # A key without an object may have a manifest: a removed notebook's, or a renamed one's, whose
    # first number is not 1.
    return _Written(stored=stored, before=0, alone=number_later() is None)


def _with_parent(draft: Draft, head: RecordFile | None) -> Draft:
    """Return *draft* with the number of its parent, if that was adopted just now."""
    if draft.parent is not None or head is None:
        return draft
    numbers = {record.version_id: record.number for record in head}
    if draft.parent_version_id not in numbers:
        return draft
    return replace(draft, parent=numbers[draft.parent_version_id])


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
            prev=prev,
        )

    return make


def _present(
    backend: Backend, key: NotebookKey, digest: Digest, newest: RecordFile | None
) -> Known | None:
    """Return the newest version, if these very bytes are it: nothing need be stored then."""
    if newest is None or newest.record.digest != digest:
        return None
    head = backend.store.head(backend.layout.data_key(Area.WORKSPACE, key))
    if head.version_id != newest.record.version_id:
        return None
    return Known(file=newest, etag=head.etag)
