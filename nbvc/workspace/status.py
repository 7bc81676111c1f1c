"""Status: each notebook against what is remembered of it, and against the store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nbvc.errors import InvalidKey, NbvcError
from nbvc.model import Area
from nbvc.repository.records import Manifest
from nbvc.workspace.accepting import accept
from nbvc.workspace.files import FileRefused, digest_file, find_notebooks, stamp
from nbvc.workspace.results import NotebookStatus, Status

if TYPE_CHECKING:
    from nbvc.repository import Repository
    from nbvc.workspace.core import Workspace


def status(workspace: Workspace) -> Status:
    """Return where the workspace stands; see :meth:`nbvc.Workspace.status`."""
    unreachable: NbvcError | None = None
    repository: Repository | None = None
    with suppress(NbvcError):  # what is captured stays so; the disk shows its fault elsewhere
        accept(workspace)
    try:
        repository = workspace.repository  # delivers what waits, if it can
    except NbvcError as error:
        unreachable = error
    queue = workspace.outbox.waiting()
    refused: list[tuple[PurePosixPath, FileRefused]] = []
    present = map(str, find_notebooks(workspace.folder, None, refused))
    paths = sorted({*present, *workspace.index.paths()})
    notebooks = [_local(workspace, path) for path in paths]
    if repository is not None:
        try:
            latest = repository.backend.parallel.map(partial(_with_latest, workspace), notebooks)
            notebooks = list(latest)
        except NbvcError as error:
            unreachable = error
    notebooks += [NotebookStatus(path=f"{path}/", state="unreadable") for path, _ in refused]
    return Status(
        folder=workspace.folder,
        store=workspace.store_url,
        namespace=workspace.namespace,
        notebooks=tuple(notebooks),
        unreachable=unreachable,
        waiting=tuple(queue),
        captured=workspace.captures.count(),
        damaged=tuple(workspace.outbox.damaged()),
        failure=workspace.outbox.failure if queue else None,
    )


def _local(workspace: Workspace, path: str) -> NotebookStatus:
    try:
        workspace.key_of(path)
    except InvalidKey:
        return NotebookStatus(path=path, state="invalid")
    entry = workspace.index.get(path)
    base = entry.base
    found = NotebookStatus(
        path=path,
        state="new",
        number=base.number if base else None,
        digest=base.digest if base else None,
    )
    try:
        present = stamp(workspace.folder / path)
    except NbvcError:
        return replace(found, state="unreadable")
    if present is None:
        return replace(found, state="missing")
    if base is None:
        return found
    if present == entry.stamp and entry.file_digest is not None:
        digest = entry.file_digest
    else:
        try:
            digest = digest_file(workspace.folder / path, shown=path)
        except NbvcError:
            return replace(found, state="unreadable")
    if digest != base.digest:
        return replace(found, state="changed")
    return replace(found, state="waiting" if base.write_id else "unchanged")


def _with_latest(workspace: Workspace, found: NotebookStatus) -> NotebookStatus:
    if found.state == "invalid":
        return found
    if found.digest is not None and found.number is None and found.state != "waiting":
        from nbvc.workspace.saving import with_number

        entry = with_number(workspace, workspace.index.get(found.path))
        workspace.index.put(entry)
        found = replace(found, number=entry.base.number if entry.base else None)
    manifest = Manifest(workspace.repository.backend, Area.WORKSPACE, workspace.key_of(found.path))
    latest = manifest.newest_number()
    behind = latest is not None and (found.number is None or latest > found.number)
    return replace(found, latest=latest, behind=behind)
