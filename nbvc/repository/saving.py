"""Record a version: the notebook object first, its record second.

A crash in between leaves an unindexed version, which readers show and the next save adopts.
"""

from __future__ import annotations

from dataclasses import replace

from nbvc.errors import PreconditionFailed
from nbvc.manifest.metadata import Provenance, to_metadata
from nbvc.manifest.records import RecordFile
from nbvc.model import Area, Digest, NotebookKey, Record, VersionId
from nbvc.repository.acts import Act, Draft, Known
from nbvc.repository.adopting import catch_up
from nbvc.repository.backend import Backend
from nbvc.repository.records import Manifest, RecordMaker
from nbvc.stores.base import Create, Overwrite, PutMode, Replace, Stored

CONTENT_TYPE = "application/x-ipynb+json"


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
    data_key = backend.layout.data_key(Area.WORKSPACE, key)
    provenance = Provenance(
        digest=draft.digest,
        write_id=act.write_id,
        saved_at=act.now,
        author=act.author,
        message=act.message,
        parent=draft.parent,
    )

    def put(mode: PutMode) -> Stored:
        return backend.store.put(
            data_key,
            draft.data,
            mode=mode,
            metadata=to_metadata(provenance),
            content_type=CONTENT_TYPE,
        )

    manifest = Manifest(backend, Area.WORKSPACE, key)
    number_later = backend.parallel.start(manifest.newest_number) if known is None else None
    before = known.file.record.number if known else 0
    mode = _mode(backend, known)
    if number_later is not None and not isinstance(mode, Create):
        before = number_later() or 0
    try:
        stored = put(mode)
        alone = known is not None or isinstance(mode, Create)
    except PreconditionFailed:
        if known is None:
            newest = manifest.newest()
            present = _present(backend, key, draft.digest, newest)
            if present is not None:
                return present
            before = newest.record.number if newest else 0
        stored = put(Overwrite())
        alone = False
    # A key without an object may have a manifest: a removed notebook's, or a renamed one's, whose
    # first number is not 1.
    alone = alone and (number_later is None or number_later() is None)
    make = record_maker(draft, act, stored.version_id)
    file = manifest.claim_next(known.file if known else None, make) if alone else None
    if file is None:
        head, start = catch_up(backend, key, stored, before, act)
        # Somebody may have made the record already: for who was stopped in between, it may be long
        # ago, and many records may have come since.
        file = manifest.find_version(head, before + 1, stored.version_id) if head else None
        make = record_maker(_with_parent(draft, head), act, stored.version_id)
        file = file or manifest.append(head, make, start)
    return Known(file=file, etag=stored.etag)


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


def _mode(backend: Backend, known: Known | None) -> PutMode:
    capabilities = backend.capabilities
    if known is not None:
        return Replace(known.etag) if capabilities.conditional_replace else Overwrite()
    return Create() if capabilities.conditional_create else Overwrite()


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
