"""Adopt what others left without a record, before one's own record is claimed.

A version without a record is a foreign tool's, or a save's that died between its two writes, or one
of a writer who is at work at this very moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import takewhile

from nbvc.errors import AccessDenied, IntegrityError, NotFound, StoreError
from nbvc.manifest.metadata import from_metadata
from nbvc.manifest.records import RecordFile, record_hash
from nbvc.manifest.states import State
from nbvc.model import Area, Digest, NotebookKey, Record, VersionId, WriteId
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.records import FROM_ONE, Manifest, RecordMaker, Start
from nbvc.repository.states import change_state, read_state
from nbvc.stores.base import Stored, VersionEntry

ADOPTION_LIMIT = 1_000
"""Unindexed versions that one save adopts at most, the newest ones."""

IN_FLIGHT_SECONDS = 60
"""Age, by the store's clock, up to which a version may lack its record because its writer is still
at work: a save waits a moment for it before it makes the record itself."""

LOOKBACK = 32
"""Records before one's own version in which an older listed one is looked for: more than writers
can be at work at once, each with a version stored and its record not yet claimed."""

SETTLING_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4)


def catch_up(
    backend: Backend, key: NotebookKey, mine: Stored, before: int, act: Act
) -> tuple[RecordFile | None, Start]:
    """Read what others did, adopt what they left without a record, and return the newest record.

    Also returns where this manifest begins, for a notebook that was renamed and has no record of
    its own yet.

    Args:
        backend: The store to work on.
        key: The notebook.
        mine: The version that the caller has stored.
        before: A number that was claimed before that; 0 for none. Records after it are looked
            through, however many: a caller may have been stopped since.
        act: The caller's act.
    """
    manifest = Manifest(backend, Area.WORKSPACE, key)
    state_later = backend.parallel.start(lambda: read_state(backend, Area.WORKSPACE, key))
    look = partial(_look, backend, manifest, key, mine, before)
    newest, entries = _settled(backend, look)
    state = state_later()
    start = _start(backend, state)
    # A rename back to this name that was cut off leaves only records of the earlier stay.
    head = newest if newest is not None and newest.record.number >= start.first else None
    if state is not None and (state.removed or state.moved_to):
        _restore(backend, key, act)
    seen = newest.record.number if newest else 0
    makers = backend.parallel.map(partial(_adoption, backend, key), entries)
    for entry, make in zip(entries, makers, strict=True):
        # While one was being recorded, the writer of the next one may have come through.
        recorded = head is not None and manifest.find_version(head, seen + 1, entry.version_id)
        if make is not None and not recorded:
            head = manifest.append(head, make, start)
    return head, start


def adoption_id(version_id: VersionId) -> WriteId:
    """Return the write ID under which a version of another tool is recorded: always the same."""
    return WriteId("adopted-" + hashlib.sha256(version_id.encode()).hexdigest()[:22])


def _settled(
    backend: Backend,
    look: Callable[[], tuple[RecordFile | None, list[tuple[VersionEntry, bool]]]],
) -> tuple[RecordFile | None, list[VersionEntry]]:
    """Return the newest record and the versions without one, after a wait for writers at work.

    A writer who is adopted all the same loses nothing but what only it knows: its list of changes.
    """
    newest, entries = look()
    for pause in SETTLING_PAUSES_SECONDS:
        if not any(young for _, young in entries):
            break
        backend.sleep(pause)
        newest, entries = look()
    return newest, [entry for entry, _ in entries]


def _look(
    backend: Backend, manifest: Manifest, key: NotebookKey, mine: Stored, before: int
) -> tuple[RecordFile | None, list[tuple[VersionEntry, bool]]]:
    """Return the newest record, and the versions without one, each with whether it is young.

    The listing comes first: what it holds and a record names by then is found in the manifest.
    """
    listing = _listing(backend, key)
    newest = manifest.newest()
    indexed: Iterable[Record] = ()
    if newest is not None:
        oldest = max(newest.first, min(before, newest.record.number) - LOOKBACK + 1)
        indexed = manifest.back_from(newest, oldest)
    entries = _unindexed(listing, {record.version_id for record in indexed}, mine)
    if not entries:
        return newest, []
    after = max(entry.modified_at for entry in listing) - timedelta(seconds=IN_FLIGHT_SECONDS)
    return newest, [(entry, entry.modified_at > after) for entry in entries]


def _listing(backend: Backend, key: NotebookKey) -> list[VersionEntry]:
    data_key = backend.layout.data_key(Area.WORKSPACE, key)
    listed = backend.store.list_versions(data_key, limit=ADOPTION_LIMIT)
    return [entry for entry in listed if entry.key == data_key and not entry.is_delete_marker]


def _unindexed(
    listing: list[VersionEntry], indexed: set[VersionId], mine: Stored
) -> list[VersionEntry]:
    """Return the versions between the newest indexed one and mine, oldest first.

    What is newer than mine belongs to writers who come after me; so does all of a listing that
    does not reach back to mine.
    """
    ids = [entry.version_id for entry in listing]
    if mine.version_id not in ids:
        return []
    start = ids.index(mine.version_id) + 1
    older = takewhile(lambda entry: entry.version_id not in indexed, listing[start:])
    return list(older)[::-1]


def _adoption(backend: Backend, key: NotebookKey, entry: VersionEntry) -> RecordMaker | None:
    """Return what makes a record for a version that has none.

    ``None`` for one that cannot be read: it must not keep anybody from saving.
    """
    data_key = backend.layout.data_key(Area.WORKSPACE, key)
    try:
        provenance = from_metadata(backend.store.head(data_key, entry.version_id).metadata)
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
