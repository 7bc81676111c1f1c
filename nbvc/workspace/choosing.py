"""Which workspace, and which notebook in it, when the user does not say."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbvc import looking
from nbvc.errors import AccessDenied, Ambiguous, NotebookNotFound
from nbvc.model import NOTEBOOK_SUFFIX
from nbvc.refs import Name, Selector
from nbvc.text import typed
from nbvc.workspace.files import find_notebooks
from nbvc.workspace.settings import CONFIG_FILE, CONTROL_FOLDER

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace

MAX_SHOWN = 20
MAX_COMPARED = 1_000


def find_workspace(start: Path) -> Path | None:
    """Return the nearest folder from *start* upwards that is a workspace, with links followed.

    Raises:
        AccessDenied: Nobody may look whether *start* is one.
        NbvcError: The disk fails, so that nobody knows which one is the nearest.
    """
    try:
        resolved = looking.resolve(start)
    except OSError:
        return None
    for folder in (resolved, *resolved.parents):
        try:
            if looking.is_file(folder / CONTROL_FOLDER / CONFIG_FILE):
                return folder
        except AccessDenied:
            if folder == resolved:
                raise  # a folder further up may be somebody else's
    return None


def choose_notebook(folder: Path, cwd: Path, remembered: Sequence[str]) -> str:
    """Return the only notebook below the working directory, relative to the workspace.

    Raises:
        Ambiguous: There are several.
        NotebookNotFound: There is none.
    """
    here = cwd.resolve()
    below = here if here.is_relative_to(folder) else folder
    found = [str(path) for path in find_notebooks(folder, below)] or list(remembered)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotebookNotFound(
            "There is no notebook here.", hint="Name one, as in: nbvc log mine.ipynb"
        )
    raise Ambiguous(
        f"There are {len(found)} notebooks here: which one?",
        candidates=[{"path": path} for path in found[:MAX_SHOWN]],
        hint=f"Name one, as in: nbvc log {typed(found[0])}",
    )


def near_paths(path: str, known: Iterable[str]) -> list[str]:
    """Return the known paths that look most like *path*."""
    candidates = sorted(set(known) - {path})[:MAX_COMPARED]
    names = {name.removesuffix(NOTEBOOK_SUFFIX): name for name in candidates}  # all end alike
    near = difflib.get_close_matches(path.removesuffix(NOTEBOOK_SUFFIX), names, 3, 0.6)
    return [names[name] for name in near]


def near_names(workspace: Workspace, path: str, selector: Selector) -> list[str]:
    """Return what may have been meant by a name that no version of the notebook at *path* has."""
    if not isinstance(selector.base, Name):
        return []
    name = selector.base.text
    # A name with a slash never comes from a command line, and may ask for what lies elsewhere.
    if "/" not in name and looking.is_file(
        workspace.session.environment.cwd / f"{name}{NOTEBOOK_SUFFIX}"
    ):
        return [f"{name}{NOTEBOOK_SUFFIX}"]
    names = [*workspace.tags(workspace.folder / path), "latest", "published"]
    return difflib.get_close_matches(name, names, 3, 0.6)
