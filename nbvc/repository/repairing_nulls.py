"""Give a version ID to a latest version that was stored without versioning."""

from __future__ import annotations

from functools import partial

from nbvc.errors import PreconditionFailed
from nbvc.manifest.metadata import Provenance, from_metadata, to_metadata
from nbvc.model import Digest
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination
from nbvc.repository.examining_versions import NULL
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.mendings import Mending, MendingKind, Step
from nbvc.stores.base import NOTEBOOK_TYPE, Blob, Metadata, Replace, VersionEntry


def null_steps(
    backend: Backend, examination: Examination, act: Act
) -> tuple[list[Step], frozenset[Finding]]:
    """Return how to keep the latest version safe, and the findings that this mends.

    Nothing where the store has no conditional writes: the bytes are put once more, and must not
    come to lie above what somebody saves meanwhile.
    """
    covered = frozenset(f for f in examination.findings if f.kind is Kind.NULL_VERSION)
    able = backend.capabilities.conditional_replace
    if not covered or examination.removed or not able:
        return [], frozenset()
    entry = examination.listed[0]
    mending = Mending(
        kind=MendingKind.NUMBERED_NULL,
        message=f"The latest version of {examination.key} is stored again, with a version ID.",
        area=examination.area,
        key=examination.key,
        version_id=NULL,
        object_key=entry.key,
    )
    run = partial(_store_again, backend, examination, entry, act)
    return [Step(mendings=(mending,), run=run)], covered


def _store_again(backend: Backend, examination: Examination, entry: VersionEntry, act: Act) -> bool:
    blob = backend.store.get(entry.key, NULL)
    metadata = _metadata(examination, entry, blob, act)
    try:
        backend.store.put(
            entry.key,
            blob.data,
            mode=Replace(entry.etag),
            metadata=metadata,
            content_type=NOTEBOOK_TYPE,
            **backend.locking(examination.area),
        )
    except PreconditionFailed:  # somebody saved meanwhile
        return False
    return True


def _metadata(examination: Examination, entry: VersionEntry, blob: Blob, act: Act) -> Metadata:
    """Return what the new version says of itself: what the save said that wrote the bytes, if any.

    That save may wait in an outbox: by its write ID it finds its version here. A write ID that a
    record has already is another tool's copy.
    """
    digest, said = Digest.of(blob.data), from_metadata(blob.metadata)
    recorded = {record.write_id for record in examination.records.records.values()}
    if said.digest == digest and said.write_id is not None and said.write_id not in recorded:
        return blob.metadata
    return to_metadata(Provenance(digest=digest, write_id=act.write_id, saved_at=entry.modified_at))
