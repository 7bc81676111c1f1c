"""What may change about a notebook: its tags, its name, and whether it is removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nbvc.errors import AlreadyExists, InvalidInput, NotebookNotFound, VersionNotFound
from nbvc.manifest.metadata import Provenance, from_metadata, to_metadata
from nbvc.manifest.records import RecordFile, record_hash
from nbvc.manifest.states import MAX_SEGMENTS, MAX_TAGS, Segment, State
from nbvc.model import Area, Changes, Digest, NotebookKey, Record, Source, Version
from nbvc.refs import check_tag
from nbvc.repository.acts import Act, Known
from nbvc.repository.backend import Backend
from nbvc.repository.history import History
from nbvc.repository.reading import read
from nbvc.repository.records import Manifest, Start
from nbvc.repository.resolving import no_bytes, no_notebook
from nbvc.repository.states import change_by, read_state
from nbvc.stores.base import NOTEBOOK_TYPE, Metadata, Overwrite, Stored
from nbvc.text import typed

_NO_CHANGES = Changes(cells_added=0, cells_removed=0, cells_changed=0, outputs_only=False)


def read_tags(backend: Backend, key: NotebookKey) -> Mapping[str, int]:
    """Return the tags of a notebook: name to number. 1 or 2 requests."""
    state = read_state(backend, Area.WORKSPACE, key)
    return dict(state.tags) if state else {}


def set_tag(
    backend: Backend, key: NotebookKey, name: str, number: int, act: Act, *, move: bool
) -> int | None:
    """Give version *number* the tag *name*; return the number that had it before.

    Atomic. Idempotent.

    Raises:
        InvalidRef: *name* cannot be a tag.
        VersionNotFound: Somebody has let go of that version.
        AlreadyExists: Another version has the tag, and *move* is False.
        InvalidInput: The notebook has 1,000 tags already.
    """
    check_tag(name)
    before: list[int | None] = [None]

    def change(state: State) -> State | None:
        before[0] = state.tags.get(name)
        if before[0] == number:
            return None
        if state.is_forgotten(number):
            raise VersionNotFound(
                f"v{number} of {key} was deleted with nbvc forget.",
                hint=f"nbvc log {typed(key.rpartition('/')[2])} shows which versions were kept.",
            )
        if before[0] is not None and not move:
            here = typed(f"{key.rpartition('/')[2]}@v{number}")
            raise AlreadyExists(
                f"The tag {name} is at v{before[0]} of {key}.",
                hint=f"Move it with: nbvc tag --force {here} {typed(name)}",
            )
        if name not in state.tags and len(state.tags) >= MAX_TAGS:
            raise InvalidInput(f"{key} has {MAX_TAGS} tags, which is the most a notebook can have.")
        return replace(state, tags={**state.tags, name: number})

    change_by(backend, key, change, act, "tag")
    return before[0]


def delete_tag(backend: Backend, key: NotebookKey, name: str, act: Act) -> int:
    """Take the tag *name* away; return the number that had it. Atomic.

    Raises:
        VersionNotFound: There is no such tag.
    """
    before: list[int] = []

    def change(state: State) -> State:
        if name not in state.tags:
            here = typed(key.rpartition("/")[2])
            raise VersionNotFound(f"{key} has no tag {name}.", hint=f"nbvc tag {here} lists them.")
        before[:] = [state.tags[name]]
        return replace(state, tags={n: v for n, v in state.tags.items() if n != name})

    change_by(backend, key, change, act, "untag")
    return before[0]


def remove(backend: Backend, key: NotebookKey, act: Act) -> None:
    """Hide a notebook behind a delete marker; all its versions stay and can be checked out.

    Idempotent: what is removed already stays so.

    Raises:
        NotebookNotFound: There is no such notebook.
    """
    history = History(backend, Area.WORKSPACE, key, limit=1)
    if not history.exists:
        raise no_notebook(key, Area.WORKSPACE)
    change_by(
        backend,
        key,
        lambda state: None if state.removed else replace(state, removed=True),
        act,
        "remove",
    )
    if not history.removed:
        backend.store.delete(backend.layout.data_key(Area.WORKSPACE, key))


def rename(backend: Backend, old: NotebookKey, new: NotebookKey, act: Act) -> Known:
    """Give a notebook another name; its numbers, tags and versions follow.

    The copy comes first (inside the store, unless it must be locked), then the link to the old
    name, its record, and last the marker on the old name: after a crash, the same call picks up
    where it stopped. Idempotent.

    Returns:
        The newest version under the new name: a record that says where it came from.

    Raises:
        NotebookNotFound: There is no notebook *old*.
        AlreadyExists: *new* has a history of its own.
        VersionNotFound: The store has lost the newest version.
    """
    history = History(backend, Area.WORKSPACE, old, limit=1)
    newest = _newest_to_rename(old, new, history)
    segments = _segments(old, history, newest)
    stored = _copy_once(backend, new, newest, segments, act)
    _link(backend, new, segments, history.state, act, done=history.removed)
    before = Manifest(backend, Area.WORKSPACE, old).file(segments[-1].last).record
    file = _record_once(backend, old, new, before, stored, act)
    change_by(
        backend,
        old,
        lambda state: None if state.moved_to == new else replace(state, moved_to=new),
        act,
        "moved",
    )
    if not history.removed:
        backend.store.delete(backend.layout.data_key(Area.WORKSPACE, old))
    return Known(file=file, etag=stored.etag)


def _newest_to_rename(old: NotebookKey, new: NotebookKey, history: History) -> Version:
    newest = next(history.versions(), None)
    moved_to = history.state.moved_to if history.state else None
    if newest is None or (history.removed and moved_to is None):
        raise no_notebook(old, Area.WORKSPACE)
    if history.removed and moved_to != new:
        raise NotebookNotFound(f"{old} was renamed to {moved_to}.")
    if newest.number is None or newest.key != old:
        raise InvalidInput(
            f"The latest version of {old} has no record yet, so it cannot be renamed.",
            hint=f"Save it once more first: nbvc save {typed(old.rpartition('/')[2])}",
        )
    return newest


def _segments(old: NotebookKey, history: History, newest: Version) -> tuple[Segment, ...]:
    earlier = history.state.segments if history.state else ()
    first = history.newest.first if history.newest else 1
    segments = (*earlier, Segment(key=old, first=first, last=newest.number or first))
    if len(segments) > MAX_SEGMENTS:
        raise InvalidInput(f"{old} was renamed {MAX_SEGMENTS} times, which is the most.")
    return segments


def _copy_once(
    backend: Backend,
    new: NotebookKey,
    newest: Version,
    segments: tuple[Segment, ...],
    act: Act,
) -> Stored:
    """Copy the newest version to the new name, or find the copy that a cut-off rename left there.

    Raises:
        AlreadyExists: *new* has a history of its own.
        VersionNotFound: The store has lost the newest version.
    """
    target = backend.layout.data_key(Area.WORKSPACE, new)
    there = History(backend, Area.WORKSPACE, new, limit=1)
    if there.exists and not there.removed:
        head = backend.store.head(target)
        if from_metadata(head.metadata).source_version_id == newest.version_id and head.version_id:
            return Stored(version_id=head.version_id, etag=head.etag)
    if there.exists and not _returns(there, new, segments):
        raise AlreadyExists(
            f"{new} has versions of its own{' (it was removed)' if there.removed else ''}.",
            hint="Choose another name: a history is never mixed into another one.",
        )
    provenance = Provenance(
        digest=newest.digest,
        write_id=act.write_id,
        saved_at=act.now,
        author=act.author,
        message=act.message,
        parent=newest.number,
        source_number=newest.number,
        source_version_id=newest.version_id,
    )
    return _copy(backend, newest, target, to_metadata(provenance))


def _returns(there: History, new: NotebookKey, segments: tuple[Segment, ...]) -> bool:
    """Return whether all that *there* has is of the notebook that is to get that name back.

    Somebody may have saved under the name since: those versions have numbers of their own.
    """
    left = max((segment.last for segment in segments if segment.key == new), default=0)
    newest = there.newest.record.number if there.newest else 0
    return there.state is not None and there.state.moved_to is not None and 0 < newest <= left


def _copy(backend: Backend, newest: Version, target: str, metadata: Metadata) -> Stored:
    """Copy a version inside the store, or upload it, where it must be locked.

    A copy inside the store would not be locked everywhere (design note 0010).
    """
    if backend.lock is not None:
        return backend.store.put(
            target,
            read(backend, newest),
            mode=Overwrite(),
            metadata=metadata,
            content_type=NOTEBOOK_TYPE,
            **backend.locking(Area.WORKSPACE),
        )
    source = backend.layout.data_key(Area.WORKSPACE, newest.key)
    try:
        return backend.store.copy(source, newest.version_id, target, metadata=metadata)
    except VersionNotFound as error:
        raise no_bytes(backend, newest) from error


def _link(
    backend: Backend,
    new: NotebookKey,
    segments: tuple[Segment, ...],
    before: State | None,
    act: Act,
    *,
    done: bool,
) -> None:
    """Make *new* continue the history of its earlier names, with all that is known of it.

    Args:
        backend: The store to work on.
        new: The new name.
        segments: Where the versions under earlier names lie.
        before: The state under the old name.
        act: Who renames.
        done: Whether the rename had come to its end before: what was said under the new name since
            counts.
    """
    tags = dict(before.tags) if before else {}
    gone, forgotten = (before.gone, before.forgotten) if before else ((), ())
    shared = before.shared if before else ()

    def change(state: State) -> State | None:
        is_linked = state.segments == segments and state.moved_to is None
        # Between a rename that was cut off and this one, tags may be given under both names.
        both = {**tags, **state.tags} if done else {**state.tags, **tags}
        linked = replace(
            state,
            segments=segments,
            tags=both if is_linked else tags,
            moved_to=None,
            removed=False,
            gone=gone,
            forgotten=forgotten,
            shared=shared,
        )
        return None if linked == state else linked

    change_by(backend, new, change, act, "rename")


def _record_once(
    backend: Backend,
    old: NotebookKey,
    new: NotebookKey,
    before: Record,
    stored: Stored,
    act: Act,
) -> RecordFile:
    """Record the copy under the new name, or find the record that a cut-off rename made."""
    source = Source(
        area=Area.WORKSPACE, key=old, number=before.number, version_id=before.version_id
    )

    def make(number: int, prev: Digest | None) -> Record:
        return Record(
            number=number,
            digest=before.digest,
            version_id=stored.version_id,
            size_bytes=before.size_bytes,
            saved_at=act.now,
            author=act.author,
            message=act.message,
            parent=before.number,
            write_id=act.write_id,
            changes=_NO_CHANGES,
            source=source,
            prev=prev,
        )

    target = Manifest(backend, Area.WORKSPACE, new)
    start = Start(first=before.number + 1, prev=record_hash(before))
    newest = target.newest()
    head = newest if newest and newest.first == start.first else None
    found = target.find_version(head, start.first, make(start.first, None)) if head else None
    return found or target.append(head, make, start)
