"""Check: what a path, a URL or a whole store means, and how it is opened for reading only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbvc.errors import IntegrityError, InvalidInput
from nbvc.model import NOTEBOOK_SUFFIX
from nbvc.repository.checking import Check, CheckOptions
from nbvc.repository.settings import read_settings
from nbvc.workspace.files import folder_inside
from nbvc.workspace.targets import is_url

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.session import Session

Progress = Callable[[int, int], None]


def check(
    workspace: Workspace,
    path: str | Path | None,
    options: CheckOptions,
    *,
    everything: bool,
    progress: Progress | None,
) -> Check:
    """Return the check of a part of the workspace's store; see :meth:`nbvc.Workspace.check`."""
    if not everything:
        options = _in_workspace(workspace, path, options)
    repository = workspace.connect(despite_damage=True)
    return Check(repository.backend, options, progress)


@contextmanager
def open_url_check(
    session: Session, url: str, options: CheckOptions, *, progress: Progress | None = None
) -> Iterator[Check]:
    """Open the check of what *url* names: a store, an area, a folder or a notebook."""
    store_url, options = _at_url(session, url, options)
    with closing(session.open_store(store_url)) as store:
        try:
            settings = read_settings(store)
        except IntegrityError:  # the check says so
            settings = None
        with session.repository(store, settings) as repository:
            yield Check(repository.backend, options, progress)


def _in_workspace(
    workspace: Workspace, path: str | Path | None, options: CheckOptions
) -> CheckOptions:
    if path is None:
        return replace(options, prefix=f"{workspace.namespace}/")
    if is_url(str(path)):
        raise InvalidInput(f"{path} is a URL, not a path in the workspace.")
    if str(path).endswith(NOTEBOOK_SUFFIX):
        return replace(options, key=workspace.key(path), named=True)
    folder = folder_inside(workspace.folder, workspace.session.environment.cwd / path)
    inner = "".join(f"{part}/" for part in folder.parts)
    return replace(options, prefix=f"{workspace.namespace}/{inner}", named=bool(inner))


def _at_url(session: Session, url: str, options: CheckOptions) -> tuple[str, CheckOptions]:
    store_url, location = session.find_store(url)
    if location is None:
        return store_url, options
    if location.selector is not None:
        raise InvalidInput(
            f"{url} names one version.", hint="Name the notebook: all its versions are checked."
        )
    options = replace(options, areas=(location.area,), named=True)
    if location.is_notebook:
        return store_url, replace(options, key=location.key)
    prefix = f"{location.path}/" if location.path else ""
    return store_url, replace(options, prefix=prefix, named=bool(prefix))
