"""Tags, renames and removals from a workspace: in the store, and on disk."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from nbvc.errors import AlreadyExists, Conflict, InvalidInput, NotebookNotFound
from nbvc.model import Area, Version
from nbvc.refs import Selector, check_tag
from nbvc.repository.history import version_of
from nbvc.workspace.checkout import is_safe_to_replace, unsaved
from nbvc.workspace.files import are_one_file, make_folder, move_file, remove_file, stamp

if TYPE_CHECKING:
    from nbvc.repository import Act, Known
    from nbvc.workspace.core import Workspace


def tag(
    workspace: Workspace,
    name: str,
    path: str,
    version: str | Selector,
    *,
    move: bool,
    author: str | None = None,
) -> Version:
    """Name a version of the notebook at *path*; see :meth:`nbvc.Workspace.tag`."""
    check_tag(name)
    found = workspace.resolve(workspace.folder / path, version)
    if found.number is None:
        raise InvalidInput(
            f"{found.name} of {path} has no number yet, so it cannot have a tag.",
            hint=f"Save {path} once more: that gives it one.",
        )
    key = workspace.key_of(path)
    act = workspace.session.act(author=author)
    workspace.repository.set_tag(key, name, found.number, act, move=move)
    return found


def rename(workspace: Workspace, old: str, new: str) -> Version:
    """Rename a notebook in the store and on disk; see :meth:`nbvc.Workspace.rename`.

    The file is renamed last, so that a rename that was cut off can be run again.
    """
    source, target = workspace.folder / old, workspace.folder / new
    there = stamp(source) is not None
    if there and os.path.lexists(target) and not are_one_file(source, target):
        raise AlreadyExists(f"{new} exists; nothing was changed.", hint="Choose another name.")
    if not there and stamp(target) is None:
        raise NotebookNotFound(f"There is no file {old}.", hint="nbvc status lists what is here.")
    require_delivered(workspace, old)
    require_delivered(workspace, new)
    act = workspace.session.act(f"renamed from {old}")
    known = workspace.repository.rename(workspace.key_of(old), workspace.key_of(new), act)
    if stamp(source) is not None:
        make_folder(target.parent)
        move_file(source, target)
    _remember_move(workspace, old, new, known)
    return version_of(Area.WORKSPACE, workspace.key_of(new), known.file.record)


def follow_move(workspace: Workspace, old: str, new: str, act: Act) -> None:
    """Give a notebook whose file was moved already its new name in the store. Idempotent.

    Raises:
        NotebookNotFound: It has no version.
        AlreadyExists: There is a history of the new name.
    """
    known = workspace.connect().rename(workspace.key_of(old), workspace.key_of(new), act)
    _remember_move(workspace, old, new, known)


def _remember_move(workspace: Workspace, old: str, new: str, known: Known) -> None:
    entry, record = workspace.index.get(old), known.file.record
    base = entry.base
    if base is not None and base.digest == record.digest:
        base = replace(base, number=record.number, version_id=record.version_id, etag=known.etag)
    workspace.index.put(replace(entry, path=new, base=base, known=known, published=None))
    workspace.index.forget(old)


def remove(workspace: Workspace, path: str, *, keep_file: bool) -> None:
    """Remove a notebook from the store's listing and from disk."""
    file = workspace.folder / path
    before = stamp(file)
    if not keep_file and not is_safe_to_replace(workspace, path):
        raise unsaved(path)
    require_delivered(workspace, path)
    workspace.repository.remove(workspace.key_of(path), workspace.session.act())
    workspace.index.forget(path)
    if not keep_file and before is not None:
        remove_file(file, before)


def waits(workspace: Workspace, path: str) -> bool:
    """Return whether something of the notebook is on its way to the store."""
    key, store = workspace.key_of(path), workspace.store_setting
    captured = any(found.touches(store, key) for found in workspace.captures.pending())
    return captured or bool(workspace.outbox.waiting(store=store, key=key))


def require_delivered(workspace: Workspace, path: str) -> None:
    """Check that no version of the notebook waits.

    Delivered later, it would bring the notebook back, or go into the history of another one.

    Raises:
        Conflict: One does.
    """
    if workspace.repository and waits(workspace, path):  # delivers what it can
        raise Conflict(
            f"A version of {path} waits in the outbox; nothing was changed.",
            hint="Deliver it first: nbvc push",
        )
