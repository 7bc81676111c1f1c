"""Adopt what others left without a record, before one's own record is claimed.

A version without a record is a foreign tool's, or a save's that died between its two writes, or one
of a writer who is at work at this very moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from itertools import dropwhile, islice, takewhile

from nbvc.errors import AccessDenied, IntegrityError, NotFound, StoreError
from nbvc.manifest.metadata import Provenance, from_metadata
from nbvc.manifest.records import RecordFile, record_hash
from nbvc.manifest.runs import Numbers, merged
from nbvc.manifest.states import State
from nbvc.model import Area, Digest, NotebookKey, Record, VersionId
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.packed_store import known_otherwise
from nbvc.repository.records import FROM_ONE, Manifest, RecordMaker, Start
from nbvc.repository.repeats import Repeats, adoption_id
from nbvc.repository.states import change_by, read_state
from nbvc.stores.base import Stored, VersionEntry
from nbvc.values import dataclass

ADOPTION_LIMIT = 1_000
"""Unindexed versions that one save adopts at most, the newest ones."""

FIRST_LOOK = 64
"""Versions that a save lists at first: more than writers can be at work at once."""

IN_FLIGHT_SECONDS = 60
"""Age, by the store's clock, up to which a version may lack its record because its writer is still
at work: a save waits a moment for it before it makes the record itself."""

LOOKBACK = 32
"""Records before one's own version in which an older listed one is looked for: more than writers
can be at work at once, each with a version stored and its record not yet claimed."""

SETTLING_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4)


def catch_up(
    backend: Backend, key: NotebookKey, mine: Stored | None, before: int, act: Act
) -> tuple[RecordFile | None, Start]:
    """Read what others did, adopt what they left without a record, and return the newest record.

    Also returns where this manifest begins, for a notebook that was renamed and has no record of
    its own yet.

    Args:
        backend: The store to work on.
        key: The notebook.
        mine: The version that the caller has stored; ``None`` where all are somebody else's.
        before: A number that was claimed before that; 0 for none. Records after it are looked
            through, however many: a caller may have been stopped since.
        act: The caller's act.
    """
    manifest = Manifest(backend, Area.WORKSPACE, key)
    state_later = cache(backend.parallel.start(lambda: read_state(backend, Area.WORKSPACE, key)))
    known = cache(lambda: known_otherwise(backend, Area.WORKSPACE, key, state_later()))
    look = partial(_look, backend, manifest, key, mine, before, known)
    seen = _settled(backend, look)
    newest = seen.newest
    state = state_later()
    start = _start(backend, state)
    # A rename back to this name that was cut off leaves only records of the earlier stay.
    head = newest if newest is not None and newest.record.number >= start.first else None
    if state is not None and (state.removed or state.moved_to):
        _restore(backend, key, newest.record.number if newest else start.first - 1, act)
    after = newest.record.number + 1 if newest else 1
    let_go = Numbers(state.forgotten if state is not None else ())
    repeats = Repeats(manifest, newest, seen.indexed, let_go=let_go)
    for make in adoptions(backend, Area.WORKSPACE, key, seen.entries, repeats, after, mine=act):
        # While one was being recorded, the writer of the next one may have come through.
        if head is None or not manifest.find_version(head, after, make(after, None)):
            head = manifest.append(head, make, start)
    return head, start


def adoptions(
    backend: Backend,
    area: Area,
    key: NotebookKey,
    entries: Iterable[VersionEntry],
    repeats: Repeats,
    number: int,
    *,
    mine: Act,
) -> Iterator[RecordMaker]:
    """Yield what makes a record for each of *entries*, in their order; 2 requests each.

    Left out are those that cannot be read, for they must not keep anybody from saving, and those
    that repeat a recorded write, or one another, or *mine*.

    Args:
        backend: The store to work on.
        area: Workspace or published.
        key: The notebook.
        entries: Versions that no record names, oldest first.
        repeats: Tells the repeats.
        number: Where the entries stand among the records.
        mine: Who asks; a version of this very act is not for adoption.
    """
    data_key = backend.layout.data_key(area, key)

    def read(entry: VersionEntry) -> tuple[VersionEntry, Provenance, Digest] | None:
        try:
            blob = backend.store.get(data_key, entry.version_id)
        except (NotFound, AccessDenied, StoreError, IntegrityError):
            return None
        return entry, from_metadata(blob.metadata), Digest.of(blob.data)

    for found in backend.parallel.map(read, entries):
        if found is None:
            continue
        entry, said, digest = found
        recorded = repeats.find(said, number)
        if said.write_id == mine.write_id or (recorded and recorded.digest == digest):
            continue
        if recorded is not None:
            said = Provenance()  # another tool wrote other bytes, and kept the metadata
        elif said.digest not in {None, digest}:
            continue  # damaged
        make = rebuilder(entry, said, digest)
        repeats.add(make(number, None))
        yield make


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one look at a notebook found.

    Attributes:
        newest: The newest record.
        indexed: The records that were read, newest first.
        entries: The versions to be recorded before one's own, oldest first.
        has_young: Whether the writer of one of them may still be at work.
    """

    newest: RecordFile | None
    indexed: Sequence[Record] = ()
    entries: Sequence[VersionEntry] = ()
    has_young: bool = False


def _settled(backend: Backend, look: Callable[[], _Seen]) -> _Seen:
    """Return what there is after a wait for writers at work.

    A writer who is adopted all the same loses nothing but what only it knows: its list of changes.
    """
    seen = look()
    for pause in SETTLING_PAUSES_SECONDS:
        if not seen.has_young:
            break
        backend.sleep(pause)
        seen = look()
    return seen


def _look(
    backend: Backend,
    manifest: Manifest,
    key: NotebookKey,
    mine: Stored | None,
    before: int,
    known: Callable[[], Collection[VersionId]],
) -> _Seen:
    """Return the newest record, and the versions without one.

    Nearly always a few entries of the listing reach from *mine* to a version with a record.
    """
    for limit in (FIRST_LOOK, ADOPTION_LIMIT):
        seen, is_enough = _look_at(backend, manifest, key, mine, before, known, limit)
        if is_enough:
            break
    return seen


def _look_at(
    backend: Backend,
    manifest: Manifest,
    key: NotebookKey,
    mine: Stored | None,
    before: int,
    known: Callable[[], Collection[VersionId]],
    limit: int,
) -> tuple[_Seen, bool]:
    """Look at so many entries; return also whether more of them would tell no more.

    The listing comes first: what it holds and a record names by then is found in the manifest.
    """
    data_key = backend.layout.data_key(Area.WORKSPACE, key)
    listed = backend.store.list_versions(data_key, limit=limit)
    own = [entry for entry in listed if entry.key == data_key]
    listing = [entry for entry in own if not entry.is_delete_marker]
    newest = manifest.newest()
    indexed: list[Record] = []
    if newest is not None:
        oldest = max(newest.first, min(before, newest.record.number) - LOOKBACK + 1)
        indexed = list(manifest.back_from(newest, oldest))
    below = _below(listing, mine)
    recorded = {record.version_id for record in indexed}
    bare = list(takewhile(lambda entry: entry.version_id not in recorded, below))[::-1]
    entries = [entry for entry in bare if entry.version_id not in known()] if bare else bare
    is_enough = len(bare) < len(below) or len(own) < limit
    if not entries:
        return _Seen(newest=newest), is_enough
    after = max(entry.modified_at for entry in listing) - timedelta(seconds=IN_FLIGHT_SECONDS)
    has_young = any(entry.modified_at > after for entry in entries)
    return _Seen(newest=newest, indexed=indexed, entries=entries, has_young=has_young), is_enough


def _below(listing: list[VersionEntry], mine: Stored | None) -> list[VersionEntry]:
    """Return the versions that were stored before mine, newest first.

    What is newer than mine belongs to writers who come after me; so does all of a listing that
    does not reach back to mine.
    """
    if mine is None:
        return listing
    others = dropwhile(lambda entry: entry.version_id != mine.version_id, listing)
    return list(islice(others, 1, None))


def rebuilder(entry: VersionEntry, said: Provenance, digest: Digest) -> RecordMaker:
    """Return what makes a record for a version from the listing and what its object says."""

    def make(number: int, prev: Digest | None) -> Record:
        # What a rename that was cut off has copied here names a version of the other notebook.
        parent = said.parent if said.parent is not None and said.parent < number else None
        return Record(
            number=number,
            digest=digest,
            version_id=entry.version_id,
            size_bytes=entry.size_bytes,
            saved_at=said.saved_at or entry.modified_at,
            author=said.author,
            message=said.message or "",
            parent=parent,
            write_id=said.write_id or adoption_id(entry.version_id),
            prev=prev,
        )

    return make


def _start(backend: Backend, state: State | None) -> Start:
    if state is None or not state.segments:
        return FROM_ONE
    last = state.segments[-1]
    before = Manifest(backend, Area.WORKSPACE, last.key).file(last.last)
    return Start(first=last.last + 1, prev=record_hash(before.record))


def _restore(backend: Backend, key: NotebookKey, newest: int, act: Act) -> None:
    """Say that a removed or renamed notebook lives under its old name again.

    Args:
        backend: The store to work on.
        key: The notebook.
        newest: Its newest number: a notebook that it was renamed to has all versions up to that.
        act: Who saves.
    """

    def change(state: State) -> State | None:
        if not state.removed and state.moved_to is None:
            return None
        more = [(1, newest)] if state.moved_to is not None and newest else []
        shared = tuple(merged([*state.shared, *more]))
        return replace(state, removed=False, moved_to=None, shared=shared)

    change_by(backend, key, change, act, "restore")
