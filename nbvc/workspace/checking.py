"""Check: what a path, a URL or a whole store means, and how it is opened for reading only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nbvc.errors import IntegrityError
from nbvc.repository.checking import Check, CheckOptions
from nbvc.repository.settings import read_settings
from nbvc.workspace.scopes import at_url, in_workspace

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
    options = in_workspace(workspace, path, options, everything=everything)
    repository = workspace.connect(despite_damage=True)
    return Check(repository.backend, options, progress)


@contextmanager
def open_url_check(
    session: Session, url: str, options: CheckOptions, *, progress: Progress | None = None
) -> Iterator[Check]:
    """Open the check of what *url* names: a store, an area, a folder or a notebook."""
    store_url, options = at_url(session, url, options)
    with closing(session.open_store(store_url)) as store:
        try:
            settings = read_settings(store)
        except IntegrityError:  # the check says so
            settings = None
        with session.repository(store, settings) as repository:
            yield Check(repository.backend, options, progress)
