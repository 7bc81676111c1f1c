"""Pack, unpack and forget: what a path, a URL or a whole store means, and what is done there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from nbvc.errors import InvalidInput, NotebookNotFound
from nbvc.model import Area, NotebookKey
from nbvc.repository import Repository
from nbvc.repository.acts import Act
from nbvc.repository.packing import PackRules
from nbvc.repository.settings import read_settings
from nbvc.repository.surveying import Scope, nothing_there
from nbvc.values import dataclass
from nbvc.workspace import scopes

if TYPE_CHECKING:
    from nbvc.repository.forgetting import ForgetReport
    from nbvc.repository.packing import PackReport
    from nbvc.repository.thinning import KeepRules
    from nbvc.repository.unpacking import UnpackReport
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.session import Session

MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A part of a store, and who shrinks it.

    Attributes:
        repository: The store.
        scope: What part of it.
        act: Who does it.
    """

    repository: Repository
    scope: Scope
    act: Act

    def pack(self, rules: PackRules, *, apply: bool) -> Iterator[PackReport]:
        """Pack; see :meth:`nbvc.Workspace.pack`."""
        return self.repository.pack(self._keys(), rules, self.act, apply=apply)

    def unpack(self, *, apply: bool) -> Iterator[UnpackReport]:
        """Unpack; see :meth:`nbvc.Workspace.unpack`."""
        return self.repository.unpack(self._keys(), self.act, apply=apply)

    def forget(self, rules: KeepRules, *, apply: bool) -> Iterator[ForgetReport]:
        """Let go of versions; see :meth:`nbvc.Workspace.forget`."""
        return self.repository.forget(self._keys(present=True), rules, self.act, apply=apply)

    def _keys(self, *, present: bool = False) -> Iterator[NotebookKey]:
        """Yield the notebooks, removed ones too.

        Args:
            present: Whether a notebook must be named by its present name.

        Raises:
            NotebookNotFound: A person named a part of the store in which there is none.
        """
        scope, is_empty = self.scope, True
        if scope.key is not None:
            history = self.repository.open_history(scope.key, limit=1)
            if not history.exists:
                raise nothing_there(scope, self.repository.layout)
            moved_to = history.state.moved_to if history.state is not None else None
            if present and moved_to is not None:
                raise NotebookNotFound(
                    f"{scope.key} was renamed to {moved_to}.",
                    hint="Name the notebook as it is called now: all its versions are meant.",
                )
            yield scope.key
            return
        listed = self.repository.list_notebooks(scope.prefix, with_versions=False)
        for found in chain(listed, self.repository.list_removed(scope.prefix)):
            is_empty = False
            yield found.key
        if scope.named and is_empty:
            raise nothing_there(scope, self.repository.layout)


def pack_rules(session: Session, older_than_days: float, keep_newest: int) -> PackRules:
    """Return which versions are cold now.

    Raises:
        InvalidInput: There is no such age, or no such number.
    """
    if not 0 <= older_than_days <= MAX_DAYS:
        raise InvalidInput(f"--older-than takes from 0 to {MAX_DAYS} days.")
    if keep_newest < 0:
        raise InvalidInput("--keep-newest cannot be less than 0.")
    return PackRules(
        older_than=timedelta(days=older_than_days),
        keep_newest=keep_newest,
        now=session.environment.now(),
    )


def in_workspace(workspace: Workspace, path: str | Path | None, *, everything: bool) -> Place:
    """Return what *path* means in a workspace."""
    scope = Scope(areas=(Area.WORKSPACE,), now=workspace.session.environment.now())
    return Place(
        repository=workspace.repository,
        scope=scopes.in_workspace(workspace, path, scope, everything=everything),
        act=workspace.session.act(),
    )


@contextmanager
def opened_at_url(session: Session, url: str) -> Iterator[Place]:
    """Open what *url* names: a store, its workspace area, a folder or a notebook.

    Raises:
        InvalidInput: It names something published, which stays plain.
    """
    scope = Scope(areas=(Area.WORKSPACE,), now=session.environment.now())
    store_url, scope = scopes.at_url(session, url, scope)
    if Area.WORKSPACE not in scope.areas:
        raise InvalidInput(
            f"{url} is in the published area, whose versions stay as they are.",
            hint="Name the notebook in the workspace area.",
        )
    with closing(session.open_store(store_url)) as store:
        settings = read_settings(store)
        with session.repository(store, settings) as repository:
            yield Place(repository=repository, scope=scope, act=session.act())
