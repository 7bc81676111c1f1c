"""Publish: promote a version to the published area inside the store, and take it back."""

from __future__ import annotations

from dataclasses import replace

from nbvc.errors import NotebookNotFound, VersionNotFound
from nbvc.manifest.metadata import Provenance, to_metadata
from nbvc.manifest.records import RecordFile
from nbvc.model import Area, Digest, NotebookKey, Record, Source, Version
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.records import Manifest
from nbvc.repository.resolving import no_bytes
from nbvc.repository.states import change_state
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A version as the published area holds it.

    Attributes:
        key: Notebook key, the same in both areas.
        source: The version that was promoted.
        file: File of the newest record of the published area.
    """

    key: NotebookKey
    source: Version
    file: RecordFile


def publish(
    backend: Backend, version: Version, key: NotebookKey, act: Act, known: RecordFile | None
) -> Publication:
    """Copy *version* to the published area, inside the store, and record it there.

    Durable when this returns. No notebook bytes travel, unless the version has no known digest.
    2 requests where *known* is the newest published record, or where there is none yet.

    Raises:
        VersionNotFound: The version is gone.
        OutcomeUnknown: No clear reply came, and none could be had.
    """
    try:
        return _publish(backend, version, key, act, known)
    except VersionNotFound as error:
        raise no_bytes(backend, version) from error


def _publish(
    backend: Backend, version: Version, key: NotebookKey, act: Act, known: RecordFile | None
) -> Publication:
    digest = version.digest or _digest(backend, version)
    provenance = Provenance(
        digest=digest,
        write_id=act.write_id,
        saved_at=act.now,
        author=act.author,
        message=act.message,
        source_number=version.number,
        source_version_id=version.version_id,
    )
    stored = backend.store.copy(
        backend.layout.data_key(version.area, version.key),
        version.version_id,
        backend.layout.data_key(Area.PUBLISHED, key),
        metadata=to_metadata(provenance),
    )

    def make(number: int, prev: Digest | None) -> Record:
        return Record(
            number=number,
            digest=digest,
            version_id=stored.version_id,
            size_bytes=version.size_bytes,
            saved_at=act.now,
            author=act.author,
            message=act.message,
            parent=None,
            write_id=act.write_id,
            source=Source(
                area=version.area,
                key=version.key,
                number=version.number,
                version_id=version.version_id,
            ),
            prev=prev,
        )

    manifest = Manifest(backend, Area.PUBLISHED, key)
    if known is None and not backend.capabilities.conditional_create:
        known = manifest.newest()
    return Publication(key=key, source=version, file=manifest.append(known, make))


def unpublish(backend: Backend, key: NotebookKey, act: Act) -> None:
    """Hide the published copy behind a delete marker; its versions and their manifest stay.

    Raises:
        NotebookNotFound: It is not published.
    """
    data_key = backend.layout.data_key(Area.PUBLISHED, key)
    try:
        backend.store.head(data_key)
    except VersionNotFound:
        raise NotebookNotFound(
            f"{key} is not published.", hint="nbvc ls --published lists what is."
        ) from None
    change_state(
        backend,
        Area.PUBLISHED,
        key,
        lambda state: replace(state, removed=True),
        action="unpublish",
        author=act.author,
        now=act.now,
        write_id=act.write_id,
    )
    backend.store.delete(data_key)


def _digest(backend: Backend, version: Version) -> Digest:
    data_key = backend.layout.data_key(version.area, version.key)
    return Digest.of(backend.store.get(data_key, version.version_id).data)
