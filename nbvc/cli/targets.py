"""From what was typed (a path, a ref, a URL) to a notebook in an opened repository."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nbvc.errors import InvalidInput, NotebookNotFound
from nbvc.model import Area, NotebookKey, Version
from nbvc.refs import LATEST, AsOf, Ref, Selector, parse_ref
from nbvc.text import typed
from nbvc.values import dataclass
from nbvc.workspace.targets import is_url

if TYPE_CHECKING:
    from nbvc.cli.context import State
    from nbvc.repository import Repository
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A notebook that was named, in an opened repository.

    Attributes:
        repository: Where its versions are.
        session: Surroundings.
        area: Workspace or published.
        key: The notebook.
        selector: The version that was named, if one was.
        name: How to call the notebook in a message.
        workspace: The workspace it belongs to; ``None`` where a URL was given.
        path: Its path relative to that workspace.
    """

    repository: Repository
    session: Session
    area: Area
    key: NotebookKey
    selector: Selector | None
    name: str
    workspace: Workspace | None = None
    path: str = ""

    def resolve(self) -> Version:
        """Return the version that was named, or the latest one."""
        selector = self.selector or LATEST
        if self.workspace is not None:
            return self.workspace.resolve(self.workspace.folder / self.path, selector)
        as_of = None
        if isinstance(selector.base, AsOf):
            as_of = self.session.moment(selector.base.text, end_of_day=True)
        return self.repository.resolve(self.key, selector, area=self.area, as_of=as_of)

    def log(self, limit: int | None) -> Iterator[Version]:
        """Return the versions, newest first."""
        if self.workspace is not None:
            return self.workspace.log(self.workspace.folder / self.path, limit=limit)
        return self.repository.log(self.key, area=self.area, limit=limit)


@contextmanager
def open_target(state: State, text: str | None) -> Iterator[Target]:
    """Open the notebook that *text* names: a URL, or a path or ref in the present workspace."""
    if text is not None and is_url(text):
        with _open_url(state, text) as target:
            yield target
        return
    ref = parse_ref(text) if text is not None else Ref(path=None, selector=None)
    with state.workspace() as workspace:
        yield in_workspace(workspace, ref)


def in_workspace(workspace: Workspace, ref: Ref) -> Target:
    """Return the notebook of *workspace* that *ref* names."""
    if ref.path is not None and not ref.path.endswith(".ipynb"):
        raise NotebookNotFound(
            f"{ref.path} is no notebook.", hint="Name a file that ends in .ipynb, or a version."
        )
    path = workspace.choose(ref.path)
    return Target(
        repository=workspace.repository,
        session=workspace.session,
        area=Area.WORKSPACE,
        key=workspace.key_of(path),
        selector=ref.selector,
        name=path,
        workspace=workspace,
        path=path,
    )


@contextmanager
def _open_url(state: State, text: str) -> Iterator[Target]:
    session = state.session()
    location = session.locate(text)
    if not location.is_notebook:
        raise InvalidInput(
            f"{text} names a folder, not a notebook.",
            hint=f"nbvc ls {typed(text)} lists what is in it.",
        )
    with session.open_repository(location.store_url) as repository:
        yield Target(
            repository=repository,
            session=session,
            area=location.area,
            key=location.key,
            selector=location.selector,
            name=location.key,
        )
