"""Do in the store what an editor did to files: moves and removals.

That needs the store, so whatever was done to the same notebooks afterwards waits behind it, in
order.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nbvc import looking
from nbvc.errors import Conflict, InvalidInput, NotFound
from nbvc.model import NOTEBOOK_SUFFIX
from nbvc.repository import Act
from nbvc.workspace.accepting import capture
from nbvc.workspace.captures import Capture, What
from nbvc.workspace.files import find_notebooks
from nbvc.workspace.naming import follow_move

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.outbox import Waiting


def notes(workspace: Workspace) -> list[Capture]:
    """Return the moves and removals of the present store that are still to be done, in order."""
    return [
        found
        for found in workspace.captures.pending()
        if found.is_note and found.store == workspace.store_setting
    ]


def is_held_up(version: Waiting, pending: list[Capture]) -> bool:
    """Return whether one of the *pending* notes comes before *version*."""
    return any(
        note.place < version.place and note.touches(version.store, version.key) for note in pending
    )


def settle(workspace: Workspace, waiting: list[Waiting], *, everything: bool = False) -> bool:
    """Do the moves and removals whose turn it is; return whether there were any.

    Args:
        workspace: Whose notes.
        waiting: The versions that still wait.
        everything: Also what the present user did not put there.

    Raises:
        NbvcError: The store is not reached, or refuses; the notes stay.
    """
    done = False
    before: list[Capture] = []
    for found in workspace.captures.pending():
        delivered = not any(
            version.place < found.place and found.touches(version.store, version.key)
            for version in waiting
        )
        is_ours = found.store == workspace.store_setting and (found.own or everything)
        free = delivered and not any(found.collides(other) for other in before)
        if not (found.is_note and is_ours and free):
            before.append(found)
            continue
        _do(workspace, found)
        workspace.captures.remove(found)
        done = True
    return done


def _do(workspace: Workspace, note: Capture) -> None:
    act = Act(author=note.author, message=note.message, now=note.at, write_id=note.write_id)
    if note.what is What.REMOVED:
        for path in _below(workspace, note.path):
            _remove(workspace, path, act)
        return
    for old, new in _moves(workspace, note.origin or note.path, note.path):
        moved = replace(
            act,
            message=f"renamed from {old}",
            write_id=workspace.session.environment.new_write_id(),
        )
        try:
            follow_move(workspace, old, new, moved)
        except NotFound:
            workspace.index.forget(old)  # it had no version
        except (Conflict, InvalidInput):
            # The new name has a history of its own, which goes on; the old one is kept for itself.
            _remove(workspace, old, moved)
            if looking.is_file(workspace.folder / new):
                capture(workspace, new, author=note.author, message=moved.message)


def _remove(workspace: Workspace, path: str, act: Act) -> None:
    with suppress(NotFound):
        workspace.connect().remove(workspace.key_of(path), act)
    workspace.index.forget(path)


def _below(workspace: Workspace, path: str) -> list[str]:
    """Return the notebooks that are remembered under *path*; a notebook itself in any case."""
    if path.endswith(NOTEBOOK_SUFFIX):
        return [path]
    return [each for each in workspace.index.paths() if each.startswith(f"{path}/")]


def _moves(workspace: Workspace, old: str, new: str) -> list[tuple[str, str]]:
    """Return each notebook's old and new path, for a notebook or a whole folder."""
    if new.endswith(NOTEBOOK_SUFFIX):
        return [(old, new)]
    rest = {path.removeprefix(f"{old}/") for path in _below(workspace, old)}
    folder = workspace.folder / new
    if looking.is_folder(folder):
        found = find_notebooks(workspace.folder, folder)
        rest |= {str(path.relative_to(PurePosixPath(new))) for path in found}
    return [(f"{old}/{name}", f"{new}/{name}") for name in sorted(rest)]
