"""Record a version: the notebook object first, its record second.

A crash in between leaves an unindexed version, which readers show and the next save adopts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from nbvc.errors import (
    AccessDenied,
    IntegrityError,
    NotFound,
    PreconditionFailed,
    StoreError,
)
from nbvc.manifest.metadata import Provenance, from_metadata, to_metadata
from nbvc.manifest.records import MAX_AUTHOR_LENGTH, MAX_MESSAGE_LENGTH, RecordFile, record_hash
from nbvc.manifest.states import State
from nbvc.model import (
    Area,
    Changes,
    Digest,
    NotebookKey,
    Record,
    Source,
    VersionId,
    WriteId,
)
from nbvc.repository.backend import Backend
from nbvc.repository.records import FROM_ONE, Manifest, RecordMaker, Start
from nbvc.repository.states import change_state, read_state
from nbvc.stores.base import Create, Overwrite, PutMode, Replace, Stored, VersionEntry

CONTENT_TYPE = "application/x-ipynb+json"
ADOPTION_LIMIT = 1_000
"""Unindexed versions that one save adopts at most, the newest ones."""

IN_FLIGHT_SECONDS = 60
"""How long a version with a write ID may lack its record because its writer is still at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who does something, when and why.

    Attributes:
        author: Name of a person; longer than 200 characters is cut.
        message: What they say about it; longer than 2,000 characters is cut.
        now: The moment, in UTC.
        write_id: Random token of this one act.
    """

    author: str
    message: str
    now: datetime
    write_id: WriteId

    def __post_init__(self) -> None:
        """Cut what is longer than a record may hold."""
        object.__setattr__(self, "author", self.author[:MAX_AUTHOR_LENGTH])
        object.__setattr__(self, "message", self.message[:MAX_MESSAGE_LENGTH])


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A version before it is stored.

    Attributes:
        data: Exact bytes of the notebook.
        digest: Their SHA-256.
        parent: Number of the version that the working copy is based on, where it is known.
        parent_version_id: Its version ID, for one that may get its number in this very save.
        changes: What changed against it, where known.
        source: Where the bytes came from, for a copy.
    """

    data: bytes
    digest: Digest
    parent: int | None
    parent_version_id: VersionId | None = None
    changes: Changes | None
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a workspace remembers of the newest version it has seen.

    Attributes:
        file: File of the newest record.
        etag: ETag of the notebook object of that version; a write on top of it notices any version
            that came in between, at no cost.
    """

    file: RecordFile
    etag: str


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
    mode = _mode(backend, known)
    try:
        stored = put(mode)
        alone = known is not None or isinstance(mode, Create)
    except PreconditionFailed:
        present = _present(backend, key, draft.digest) if known is None else None
        if present is not None:
            return present
        stored = put(Overwrite())
        alone = False
    # A key without an object may have a manifest: a removed notebook's, or a renamed one's, whose
    # first number is not 1.
    alone = alone and (number_later is None or number_later() is None)
    make = record_maker(draft, act, stored.version_id)
    file = manifest.claim_next(known.file if known else None, make) if alone else None
    if file is None:
        head, start = _catch_up(backend, key, stored, act)
        file = _adopted_meanwhile(manifest, head, stored, known)
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


def _adopted_meanwhile(
    manifest: Manifest, head: RecordFile | None, mine: Stored, known: Known | None
) -> RecordFile | None:
    """Return the file of the record that somebody else made for my version, ``None`` for none.

    Happens to who is slow between the notebook and its record, or whose clock is wrong.
    """
    if head is None:
        return None
    # Without a known version: those in hand. More than 15 cannot follow within two round trips.
    oldest = known.file.record.number + 1 if known else head.record.number - len(head.recent)
    return manifest.find_version(head, oldest, mine.version_id)


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


def _present(backend: Backend, key: NotebookKey, digest: Digest) -> Known | None:
    """Return the newest version, if these very bytes are it: nothing need be stored then."""
    newest = Manifest(backend, Area.WORKSPACE, key).newest()
    if newest is None or newest.record.digest != digest:
        return None
    head = backend.store.head(backend.layout.data_key(Area.WORKSPACE, key))
    if head.version_id != newest.record.version_id:
        return None
    return Known(file=newest, etag=head.etag)


def _catch_up(
    backend: Backend, key: NotebookKey, mine: Stored, act: Act
) -> tuple[RecordFile | None, Start]:
    """Read what others did, adopt what they left without a record, and return the newest record.

    Also returns where this manifest begins, for a notebook that was renamed and has no record of
    its own yet.
    """
    manifest = Manifest(backend, Area.WORKSPACE, key)
    state_later = backend.parallel.start(lambda: read_state(backend, Area.WORKSPACE, key))
    listing_later = backend.parallel.start(lambda: _listing(backend, key))
    newest = manifest.newest()
    state = state_later()
    start = _start(backend, state)
    # A rename back to this name that was cut off leaves only records of the earlier stay.
    head = newest if newest is not None and newest.record.number >= start.first else None
    if state is not None and (state.removed or state.moved_to):
        _restore(backend, key, act)
    entries = _unindexed(listing_later(), newest, mine)
    for make in backend.parallel.map(partial(_adoption, backend, key, act), entries):
        if make is not None:
            head = manifest.append(head, make, start)
    return head, start


def _start(backend: Backend, state: State | None) -> Start:
    if state is None or not state.segments:
        return FROM_ONE
    last = state.segments[-1]
    before = Manifest(backend, Area.WORKSPACE, last.key).file(last.last)
    return Start(first=last.last + 1, prev=record_hash(before.record))


def _restore(backend: Backend, key: NotebookKey, act: Act) -> None:
    """Say that a removed or renamed notebook lives under its old name again."""
    change_state(
        backend,
        Area.WORKSPACE,
        key,
        lambda state: (
            replace(state, removed=False, moved_to=None)
            if state.removed or state.moved_to
            else None
        ),
        action="restore",
        author=act.author,
        now=act.now,
        write_id=act.write_id,
    )


def _listing(backend: Backend, key: NotebookKey) -> list[VersionEntry]:
    data_key = backend.layout.data_key(Area.WORKSPACE, key)
    listed = backend.store.list_versions(data_key, limit=ADOPTION_LIMIT)
    return [entry for entry in listed if entry.key == data_key and not entry.is_delete_marker]


def _unindexed(
    listing: list[VersionEntry], newest: RecordFile | None, mine: Stored
) -> list[VersionEntry]:
    """Return the versions between the newest indexed one and mine, oldest first.

    What is newer than mine belongs to writers who come after me.
    """
    indexed = {record.version_id for record in newest} if newest else set()
    ids = [entry.version_id for entry in listing]
    start = ids.index(mine.version_id) + 1 if mine.version_id in ids else 0
    found: list[VersionEntry] = []
    for entry in islice(listing, start, None):
        if entry.version_id in indexed:
            break
        found.append(entry)
    return found[::-1]


def _adoption(
    backend: Backend, key: NotebookKey, act: Act, entry: VersionEntry
) -> RecordMaker | None:
    """Return what makes a record for a version that has none, or ``None`` to leave it alone.

    A young version with a write ID is left: its writer is about to claim its number. One that
    cannot be read is left too, for it must not keep anybody from saving.
    """
    data_key = backend.layout.data_key(Area.WORKSPACE, key)
    try:
        provenance = from_metadata(backend.store.head(data_key, entry.version_id).metadata)
        young = act.now - entry.modified_at < timedelta(seconds=IN_FLIGHT_SECONDS)
        if provenance.write_id is not None and young:
            return None
        digest = Digest.of(backend.store.get(data_key, entry.version_id).data)
    except (NotFound, AccessDenied, StoreError, IntegrityError):
        return None

    def make(number: int, prev: Digest | None) -> Record:
        return Record(
            number=number,
            digest=digest,
            version_id=entry.version_id,
            size_bytes=entry.size_bytes,
            saved_at=provenance.saved_at or entry.modified_at,
            author=provenance.author,
            message=provenance.message or "",
            parent=provenance.parent,
            write_id=provenance.write_id or adoption_id(entry.version_id),
            prev=prev,
        )

    return make


def adoption_id(version_id: VersionId) -> WriteId:
    """Return the write ID under which a version of another tool is recorded: always the same."""
    return WriteId("adopted-" + hashlib.sha256(version_id.encode()).hexdigest()[:22])
