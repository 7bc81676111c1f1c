"""What part of a store a path, a folder or a URL means, for commands that go through a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nbvc.errors import InvalidInput
from nbvc.model import NOTEBOOK_SUFFIX, below
from nbvc.repository.surveying import Scope
from nbvc.workspace.files import folder_inside
from nbvc.workspace.targets import is_url

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.session import Session

AnyScope = TypeVar("AnyScope", bound=Scope)


def in_workspace(
    workspace: Workspace, path: str | Path | None, scope: AnyScope, *, everything: bool
) -> AnyScope:
    """Return *scope* for a path in a workspace; ``None``: all of its namespace.

    Args:
        workspace: The workspace.
        path: A notebook or a folder in it.
        scope: Whose time and options to keep.
        everything: All of the store, whatever *path* says.

    Raises:
        InvalidInput: *path* is a URL, or lies outside the workspace.
    """
    if everything:
        return scope
    if path is None:
        return replace(scope, prefix=below(workspace.namespace, ""))
    if is_url(str(path)):
        raise InvalidInput(f"{path} is a URL, not a path in the workspace.")
    if str(path).endswith(NOTEBOOK_SUFFIX):
        return replace(scope, key=workspace.key(path), named=True)
    if f"{NOTEBOOK_SUFFIX}@" in str(path):
        raise _one_version(str(path))
    folder = folder_inside(workspace.folder, workspace.session.environment.cwd / path)
    inner = "".join(f"{part}/" for part in folder.parts)
    return replace(scope, prefix=below(workspace.namespace, inner), named=bool(inner))


def at_url(session: Session, url: str, scope: AnyScope) -> tuple[str, AnyScope]:
    """Return the store that *url* names or lies in, and *scope* for what it names.

    Raises:
        InvalidInput: It names one version.
    """
    store_url, location = session.find_store(url)
    if location is None:
        return store_url, scope
    if location.selector is not None:
        raise _one_version(url)
    scope = replace(scope, areas=(location.area,), named=True)
    if location.is_notebook:
        return store_url, replace(scope, key=location.key)
    prefix = f"{location.path}/" if location.path else ""
    return store_url, replace(scope, prefix=prefix, named=bool(prefix))


def _one_version(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text} names one version.", hint="Name the notebook: all its versions are meant."
    )
