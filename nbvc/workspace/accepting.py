"""Take what an editor saved, and make versions that wait of it. None of it needs a store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nbvc.errors import IntegrityError, InvalidNotebook, NbvcError
from nbvc.model import Data, Digest, NotebookKey, below
from nbvc.notebook import Outline, compare, read_outline
from nbvc.repository import Act, Draft
from nbvc.workspace.captures import Capture, What
from nbvc.workspace.files import digest_file, stamp
from nbvc.workspace.index import Entry
from nbvc.workspace.queueing import based_on_waiting, waiting_version, without_lost_base

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.outbox import Waiting

_OTHERS_SECONDS = 10.0
"""How long to wait for another process that accepts; it needs no store for that."""


def capture(
    workspace: Workspace,
    path: str,
    *,
    author: str | None = None,
    copy_of: str | None = None,
    message: str = "",
) -> Capture:
    """Take the present bytes of a notebook as a version, at the cost of one copy of the file.

    For an editor, in the moment after it has saved. Each call becomes a version, in order, unless
    the bytes are those of the one before. It survives the death of the process when this returns.

    Args:
        workspace: Where the notebook is.
        path: The notebook, relative to the workspace.
        author: Who saved it; by default the session's author.
        copy_of: The notebook that it was copied from just now, relative to the workspace.
        message: What to say about it.

    Raises:
        InvalidKey: The path cannot be a notebook's.
        NbvcError: The disk is full, or fails; or the file may not be read.
    """
    workspace.key_of(path)
    return _add(workspace, What.SAVED, path, origin=copy_of, author=author, message=message)


def capture_found(workspace: Workspace, path: str, *, author: str | None = None) -> Capture:
    """Take the bytes that a notebook has as a version, if it is a notebook and no version has them.

    For who opens a notebook that may have been changed since it was saved. Otherwise like
    :func:`capture`; what somebody is writing just now becomes no version.
    """
    workspace.key_of(path)
    return _add(workspace, What.FOUND, path, author=author)


def capture_changed(workspace: Workspace) -> None:
    """Take the bytes of every known notebook whose file was changed since it was saved.

    Known are also those of which all is still captured: an editor may have been killed between the
    next save and its capture. Files that cannot be read are left out.
    """
    captured = (found.path for found in workspace.captures.pending() if not found.is_note)
    for path in {*workspace.index.paths(), *captured}:
        with suppress(NbvcError):
            entry, file = workspace.index.get(path), workspace.folder / path
            present = stamp(file)
            if present is None or present == entry.stamp:
                continue
            if entry.base is None or digest_file(file, shown=path) != entry.base.digest:
                capture_found(workspace, path)


def note_move(workspace: Workspace, old: str, new: str, *, author: str | None = None) -> Capture:
    """Note that a notebook, or a folder, was given another name; its history is to follow."""
    return _add(workspace, What.MOVED, new, origin=old, author=author)


def note_removal(workspace: Workspace, path: str, *, author: str | None = None) -> Capture:
    """Note that a notebook, or a folder, was removed; its versions stay in the store."""
    return _add(workspace, What.REMOVED, path, author=author)


def accept(workspace: Workspace, *, everything: bool = False) -> None:
    """Make versions that wait of what was captured. Needs no store. Idempotent.

    What is behind a move or a removal that was not done yet is left for later.

    Args:
        workspace: Whose captures.
        everything: Also those that the present user did not put there.

    Raises:
        NbvcError: The disk is full, or fails.
    """
    if workspace.captures.is_empty():
        return
    with workspace.captures.held(_OTHERS_SECONDS) as alone:
        if not alone:
            return
        left: list[Capture] = []
        for found in workspace.captures.pending():
            must_wait = found.is_note or not (found.own or everything)
            if must_wait or any(found.collides(other) for other in left):
                left.append(found)
            else:
                _accept(workspace, found)


def _add(
    workspace: Workspace,
    what: What,
    path: str,
    *,
    origin: str | None = None,
    author: str | None,
    message: str = "",
) -> Capture:
    session = workspace.session
    found = Capture(
        what=what,
        store=workspace.store_setting,
        namespace=workspace.namespace,
        path=path,
        origin=origin,
        author=author or session.author,
        message=message,
        at=session.environment.now(),
        write_id=session.environment.new_write_id(),
    )
    source = None if found.is_note else workspace.folder / path
    return workspace.captures.add(found, source)


def _accept(workspace: Workspace, found: Capture) -> None:
    """Turn *found* into a version that waits, or drop it where nothing has changed."""
    is_here = (found.store, found.namespace) == (workspace.store_setting, workspace.namespace)
    entry = workspace.index.get(found.path) if is_here else Entry(path=found.path)
    if entry.base is not None and entry.base.write_id == found.write_id:
        workspace.captures.finish(found)  # cut off just before
        return
    if is_here:
        entry, _ = without_lost_base(workspace, entry)
    data = workspace.captures.read(found)
    digest = Digest.of(data)
    if _is_known(entry, digest, found.what) or _is_recorded(entry, found):
        workspace.captures.remove(found)
        return
    try:
        outline = _outline(workspace, found, data, digest)
    except IntegrityError:
        workspace.captures.set_aside(found)
        return
    except InvalidNotebook:
        workspace.captures.remove(found)  # somebody was writing it, or it is none
        return
    waiting = _waiting(workspace, found, entry, data, digest, outline)
    # One file all the time, under one name or the other, so that a crash leaves one version.
    workspace.captures.complete(found, waiting, data)
    if is_here:
        workspace.index.put(based_on_waiting(entry, waiting, outline))
    workspace.captures.finish(found)


def _is_known(entry: Entry, digest: Digest, what: What) -> bool:
    """Return whether the newest version, as far as is known here, has these bytes.

    What was only found may also be of an older one, which was checked out.
    """
    base, newest = entry.base, entry.known.file.record if entry.known else None
    if base is None:
        return newest is not None and newest.digest == digest
    waits = base.write_id is not None
    is_newest = waits or newest is None or newest.version_id == base.version_id
    return base.digest == digest and (is_newest or what is What.FOUND)


def _is_recorded(entry: Entry, found: Capture) -> bool:
    """Return whether it was accepted and delivered, by a process that died right after that."""
    return entry.known is not None and any(
        record.write_id == found.write_id for record in entry.known.file
    )


def _outline(workspace: Workspace, found: Capture, data: Data, digest: Digest) -> Outline | None:
    """Return the cells; ``None`` for bytes that the user saved and that are no notebook.

    Raises:
        InvalidNotebook: They were only found, and are no notebook.
        IntegrityError: They are no notebook, and not what is in the file now: a loss of power has
            probably taken them.
    """
    try:
        return read_outline(data, name=found.path)
    except InvalidNotebook as error:
        if found.what is What.FOUND:
            raise
        with suppress(NbvcError):
            if digest_file(workspace.folder / found.path, shown=found.path) == digest:
                return None
        raise IntegrityError(f"The bytes saved of {found.path} are damaged.") from error


def _waiting(
    workspace: Workspace,
    found: Capture,
    entry: Entry,
    data: Data,
    digest: Digest,
    outline: Outline | None,
) -> Waiting:
    base = entry.base
    changes = None
    if outline is not None and (base is None or base.outline is not None):
        changes = compare(base.outline if base else None, outline)
    draft = Draft(
        data=data,
        digest=digest,
        parent=base.number if base else None,
        parent_version_id=base.version_id if base else None,
        changes=changes,
    )
    act = Act(author=found.author, message=found.message, now=found.at, write_id=found.write_id)
    begins = base is None and entry.known is None
    origin = NotebookKey(below(found.namespace, found.origin)) if found.origin and begins else None
    return replace(
        waiting_version(workspace, entry, draft, act),
        store=found.store,
        key=NotebookKey(below(found.namespace, found.path)),
        origin=origin,
        own=True,
    )
