"""Checkout: write a version's bytes over a file, and never lose what was there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbvc.errors import (
    AlreadyExists,
    InvalidNotebook,
    NotebookNotFound,
    UnsavedChanges,
    VersionNotFound,
)
from nbvc.model import Data, Digest, Version
from nbvc.notebook import Outline, read_outline
from nbvc.refs import Name, Selector
from nbvc.text import typed
from nbvc.workspace.accepting import accept
from nbvc.workspace.files import (
    Stamp,
    create_file,
    digest_file,
    make_folder,
    stamp,
    sweep,
    write_file,
)
from nbvc.workspace.index import Base, Entry
from nbvc.workspace.results import CheckoutResult, SaveResult
from nbvc.workspace.saving import save_one, stamped

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace


def checkout(
    workspace: Workspace,
    path: str,
    version: Version,
    *,
    output: str | Path | None,
    force: bool,
) -> CheckoutResult:
    """Write *version* over the notebook at *path*; see :meth:`nbvc.Workspace.checkout`."""
    data = workspace.repository.view(version)
    if output is not None:
        target = workspace.session.environment.cwd / output
        environment = workspace.session.environment
        make_folder(target.parent)
        sweep(target.parent, environment.now())
        create_file(target, data, token=environment.new_write_id())
        return CheckoutResult(path=target, version=version)
    before = stamp(workspace.folder / path)
    rescued: SaveResult | None = None
    if not is_safe_to_replace(workspace, path):
        if not force:
            raise unsaved(path, version)
        act = workspace.session.act(f"before checkout of {version.name}")
        rescued = save_one(workspace, path, act, allow_invalid=True)
    put_in_place(workspace, path, version, data, before)
    return CheckoutResult(path=workspace.folder / path, version=version, rescued=rescued)


def put_in_place(
    workspace: Workspace, path: str, version: Version, data: Data, before: Stamp | None
) -> None:
    """Write *data* to the notebook at *path*, and remember that it is based on *version*.

    Raises:
        UnsavedChanges: The file has not the stamp *before* any more; it was left as it is.
    """
    file = workspace.folder / path
    make_folder(file.parent)
    environment = workspace.session.environment
    token = environment.new_write_id()
    written = write_file(file, data, token=token, expected=before, check=True)
    base, now = base_of(version, data), environment.now()
    # A delivery in another thread may change what is remembered at the same time.
    workspace.index.change(
        path, lambda entry: stamped(entry.based_on(base), written, base.digest, now)
    )


def base_of(version: Version, data: Data, *, etag: str | None = None) -> Base:
    """Return what a working copy with the bytes of *version* is based on."""
    outline: Outline | None
    try:
        outline = read_outline(data)
    except InvalidNotebook:
        outline = None
    return Base(
        number=version.number,
        digest=Digest.of(data),
        version_id=version.version_id,
        etag=etag,
        outline=outline,
    )


def is_safe_to_replace(workspace: Workspace, path: str) -> bool:
    """Whether some version holds the bytes of the file, or there is no file.

    Raises:
        AlreadyExists: A folder, or something else that is no file, has this name.
    """
    file = workspace.folder / path
    if stamp(file) is None:
        if os.path.lexists(file):
            raise AlreadyExists(
                f"{path} is no file; it was left as it is.", hint="Move that away first."
            )
        return True
    accept(workspace)  # what an editor saved just now is held by the outbox
    entry = workspace.index.get(path)
    digest = digest_file(file, shown=path)
    waiting = workspace.outbox.waiting(key=workspace.key_of(path))
    if digest in _remembered(entry) or digest in {version.digest for version in waiting}:
        return True
    selector = Selector(base=Name(text=digest), back=0, text=digest)
    try:
        found = workspace.repository.resolve(workspace.key_of(path), selector)
    except (NotebookNotFound, VersionNotFound):
        return False
    return not found.missing


def unsaved(path: str, version: Version | None = None) -> UnsavedChanges:
    """Return the error for a file whose bytes no version holds."""
    save = f"nbvc save {typed(path)}"
    force = f", or nbvc checkout --force {typed(f'{path}@{version.name}')}" if version else ""
    return UnsavedChanges(f"{path} has changes that no version holds.", hint=save + force)


def _remembered(entry: Entry) -> set[Digest]:
    known = {record.digest for record in entry.known.file} if entry.known else set()
    return known | ({entry.base.digest} if entry.base and entry.base.version_id else set())
