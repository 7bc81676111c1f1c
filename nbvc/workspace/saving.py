"""Save: which files changed, what changed in them, and what is remembered afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nbvc import looking
from nbvc.errors import (
    AccessDenied,
    InvalidNotebook,
    NbvcError,
    NotebookNotFound,
    StoreError,
)
from nbvc.model import Area, Data, Digest
from nbvc.notebook import Outline, compare, read_outline
from nbvc.repository import Act, Draft, Known
from nbvc.repository.records import Manifest
from nbvc.repository.stays import find_recorded
from nbvc.workspace.choosing import near_paths
from nbvc.workspace.deferring import Obstacles, behind, defer, reach_store
from nbvc.workspace.files import FileRefused, Stamp, find_notebooks, read_file, stamp
from nbvc.workspace.index import Base, Entry
from nbvc.workspace.queueing import without_lost_base
from nbvc.workspace.results import SaveResult, SomeFailed

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace

_RACY_NS = 2_000_000_000
"""A file written to within two seconds of being read may change again without a new stamp."""


def save(
    workspace: Workspace,
    paths: Sequence[str | Path] | None,
    *,
    message: str,
    allow_invalid: bool,
    require_store: bool = False,
) -> list[SaveResult]:
    """Save notebooks; see :meth:`nbvc.Workspace.save`."""
    chosen, refused = expand(workspace, paths)
    obstacles = reach_store(workspace)
    stopped = obstacles.stopped
    attempt = partial(_try, workspace, obstacles, message=message, allow_invalid=allow_invalid)
    if stopped:
        results = [attempt(item) for item in chosen.items()]
    else:
        results = list(workspace.repository.backend.parallel.map(attempt, chosen.items()))
    results += refused
    failed = [
        result
        for result in results
        if result.error and (require_store or not (result.waiting and result.error.deferrable))
    ]
    same = all(result.error in stopped for result in results)
    if failed and failed[0].error and not failed[0].waiting and (len(results) == 1 or same):
        raise failed[0].error
    if failed:
        raise SomeFailed(results, failed)
    return results


def expand(
    workspace: Workspace, paths: Sequence[str | Path] | None
) -> tuple[dict[str, bool], list[SaveResult]]:
    """Return the notebooks that *paths* name, folders taken apart, relative to the workspace.

    Each with whether it was named itself, rather than a folder of it. And what became of the
    folders that may not be read: nobody knows whether something was to be saved there.

    Raises:
        NotebookNotFound: One of them does not exist.
    """
    refused: list[tuple[PurePosixPath, FileRefused]] = []
    if paths is None:
        paths = [workspace.folder]
    chosen: dict[str, bool] = {}
    for path in paths:
        absolute = (workspace.session.environment.cwd / path).absolute()
        if looking.is_folder(absolute):
            below = absolute.resolve()
            if below != workspace.folder:
                workspace.relative(below / "any.ipynb")
            now = workspace.session.environment.now()
            for found in find_notebooks(workspace.folder, below, refused, now=now):
                chosen.setdefault(str(found), False)
            continue
        relative = workspace.relative(path)
        if not looking.exists(absolute):
            near = near_paths(relative, workspace.notebooks())
            raise NotebookNotFound(
                f"There is no file {path}.", hint=f"Did you mean {near[0]}?" if near else None
            )
        chosen[relative] = True
    unread = [SaveResult(path=str(path), saved=False, error=error) for path, error in refused]
    return chosen, unread


def save_one(
    workspace: Workspace,
    path: str,
    act: Act,
    *,
    named: bool = True,
    allow_invalid: bool = False,
    stopped: NbvcError | None = None,
) -> SaveResult:
    """Save the notebook at *path*, relative to the workspace; into the outbox if it must be.

    Args:
        workspace: Where it is.
        path: The notebook.
        act: Who saves it, when and why.
        named: Whether the user named this very notebook. Only then an older version that was
            checked out becomes the newest again.
        allow_invalid: Also store what is no valid notebook.
        stopped: Why the store need not be tried.
    """
    entry, queued = without_lost_base(workspace, workspace.index.get(path))
    if queued and stopped is None:
        stopped = behind(path)
    present = stamp(workspace.folder / path)
    if present is not None and present == entry.stamp:
        unchanged = _unchanged(entry, stopped, named=named)
        if unchanged is not None and (unchanged.number is not None or unchanged.waiting):
            return unchanged
    data, read_at = read_file(workspace.folder / path, shown=path, room=workspace.room)
    digest = Digest.of(data)
    entry = stamped(entry, read_at, digest, act.now)
    if stopped is None:
        entry, stopped = _numbered(workspace, entry)
    unchanged = _unchanged(entry, stopped, named=named)
    if unchanged is not None:
        workspace.index.put(entry)
        return unchanged
    outline = _outline(data, path, allow_invalid=allow_invalid)
    before = entry.base.outline if entry.base else None
    changes = None
    if outline is not None and (entry.base is None or before is not None):
        changes = compare(before, outline)
    draft = Draft(
        data=data,
        digest=digest,
        parent=entry.base.number if entry.base else None,
        parent_version_id=entry.base.version_id if entry.base else None,
        changes=changes,
    )
    if stopped is not None:
        return defer(workspace, entry, draft, act, outline, stopped, sent=False)
    return _store(workspace, entry, draft, act, outline)


def _store(
    workspace: Workspace, entry: Entry, draft: Draft, act: Act, outline: Outline | None
) -> SaveResult:
    """Store *draft*; keep it in the outbox where the store cannot take it now."""
    key = workspace.key_of(entry.path)
    if entry.known and not workspace.repository.backend.capabilities.conditional_replace:
        # The store will not say that there is more than what is known, should this one be cut off
        # before it has a record: so the next save is to look.
        workspace.index.put(replace(entry, known=None))
    try:
        known = workspace.repository.save(key, draft, act, entry.known)
    except NbvcError as error:
        if not error.deferrable:
            raise
        return defer(workspace, entry, draft, act, outline, error, sent=True)
    workspace.index.put(rebased(entry, known, outline))
    record = known.file.record
    return SaveResult(
        path=entry.path,
        saved=record.write_id == act.write_id or (known.finished and record.author == act.author),
        number=record.number,
        digest=draft.digest,
        version_id=record.version_id,
        parent=record.parent,
        changes=record.changes,
    )


def _numbered(workspace: Workspace, entry: Entry) -> tuple[Entry, NbvcError | None]:
    """Return *entry* with the number of its base; as it is, and why, where that cannot be asked."""
    try:
        return with_number(workspace, entry), None
    except NbvcError as error:
        if not error.deferrable:
            raise
        return entry, error


def with_number(workspace: Workspace, entry: Entry) -> Entry:
    """Return *entry* with the number of its base, which a clone does not ask for."""
    base = entry.base
    if base is None or base.number is not None or base.version_id is None:
        return entry
    if not workspace.repository.prepared:
        return entry
    backend, key = workspace.repository.backend, workspace.key_of(entry.path)
    newest = Manifest(backend, Area.WORKSPACE, key).newest()
    if newest is None:
        return entry
    if newest.record.version_id == base.version_id:
        known = Known(file=newest, etag=base.etag) if base.etag else entry.known
        return replace(entry, base=replace(base, number=newest.record.number), known=known)
    found = find_recorded(backend, key, newest, lambda r: r.version_id == base.version_id)
    return replace(entry, base=replace(base, number=found.number)) if found else entry


def stamped(entry: Entry, read_at: Stamp, digest: Digest, now: datetime) -> Entry:
    """Return *entry* with the digest of its file, and the stamp, if it can be relied on."""
    written_ns = max(read_at.mtime_ns, read_at.ctime_ns)
    settled = now.timestamp() * 1e9 - written_ns > _RACY_NS
    return replace(entry, stamp=read_at if settled else None, file_digest=digest)


def rebased(entry: Entry, known: Known, outline: Outline | None) -> Entry:
    """Return *entry* based on the newest version."""
    record = known.file.record
    base = Base(
        number=record.number,
        digest=record.digest,
        version_id=record.version_id,
        etag=known.etag,
        outline=outline,
    )
    return replace(entry, base=base, known=known)


def _try(
    workspace: Workspace,
    obstacles: Obstacles,
    chosen: tuple[str, bool],
    *,
    message: str,
    allow_invalid: bool,
) -> SaveResult:
    """Save one of several notebooks; what stops one of them need not stop the others.

    What would be the same for all the others, as a store that is not reached, is added to the
    *obstacles*, and the store is not tried for them.
    """
    path, named = chosen
    stopped = obstacles.stopped[0] if obstacles.stopped else None
    try:
        error = obstacles.errors.get(workspace.key_of(path))
        if error is not None or (stopped is not None and not stopped.deferrable):
            return SaveResult(path=path, saved=False, error=error or stopped)
        act = workspace.session.act(message)
        result = save_one(
            workspace, path, act, named=named, allow_invalid=allow_invalid, stopped=stopped
        )
    except NbvcError as failure:
        if isinstance(failure, StoreError | AccessDenied) and not isinstance(failure, FileRefused):
            obstacles.stopped.append(failure)
        return SaveResult(path=path, saved=False, error=failure)
    if result.waiting and result.error is not None:
        obstacles.stopped.append(result.error)
    return result


def _unchanged(entry: Entry, stopped: NbvcError | None, *, named: bool) -> SaveResult | None:
    """Return what to say of a file that is unchanged, ``None`` for one that is to be saved."""
    base, newest = entry.base, entry.known.file.record if entry.known else None
    if base is not None and base.write_id is not None:
        if base.digest != entry.file_digest:
            return None
        return SaveResult(
            path=entry.path, saved=False, digest=base.digest, waiting=True, error=stopped
        )
    if newest is not None and newest.digest == entry.file_digest:
        return SaveResult(
            path=entry.path,
            saved=False,
            number=newest.number,
            digest=newest.digest,
            version_id=newest.version_id,
            parent=newest.parent,
            changes=newest.changes,
        )
    if base is None or base.digest != entry.file_digest:
        return None
    if named and (newest is None or newest.version_id != base.version_id):
        return None  # not the newest, as far as is known here: the store says whether it is
    return SaveResult(
        path=entry.path,
        saved=False,
        number=base.number,
        digest=base.digest,
        version_id=base.version_id,
    )


def _outline(data: Data, path: str, *, allow_invalid: bool) -> Outline | None:
    try:
        return read_outline(data, name=path)
    except InvalidNotebook:
        if allow_invalid:
            return None
        raise
