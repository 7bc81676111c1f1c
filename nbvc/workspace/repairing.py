"""Repair: what a path, a URL or a whole store means, and how it is opened despite its damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nbvc.errors import IntegrityError
from nbvc.repository.repairing import Repair
from nbvc.repository.settings import read_settings
from nbvc.repository.surveying import Scope
from nbvc.workspace.scopes import at_url, in_workspace

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.session import Session

Progress = Callable[[int, int], None]


def repair(
    workspace: Workspace,
    path: str | Path | None,
    *,
    everything: bool,
    apply: bool,
    progress: Progress | None,
) -> Repair:
    """Return the repair of a part of the workspace's store; see :meth:`nbvc.Workspace.repair`."""
    scope = Scope(now=workspace.session.environment.now())
    scope = in_workspace(workspace, path, scope, everything=everything)
    repository = workspace.connect(despite_damage=True)
    act = workspace.session.act("repair")
    return Repair(repository.backend, scope, act, apply=apply, progress=progress)


@contextmanager
def open_url_repair(
    session: Session, url: str, *, apply: bool, progress: Progress | None = None
) -> Iterator[Repair]:
    """Open the repair of what *url* names: a store, an area, a folder or a notebook.

    Raises:
        StoreNotFound: Nobody ran ``nbvc init`` on the store.
    """
    store_url, scope = at_url(session, url, Scope(now=session.environment.now()))
    with closing(session.open_store(store_url)) as store:
        try:
            settings, is_damaged = read_settings(store), False
        except IntegrityError:  # it is mended first
            settings, is_damaged = None, True
        with session.repository(store, settings) as repository:
            if not is_damaged:
                repository.require_prepared()
            act = session.act("repair")
            yield Repair(repository.backend, scope, act, apply=apply, progress=progress)
