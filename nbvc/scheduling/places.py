"""Where the notebooks of ``nbvc://`` are: the workspace around, or a store that is named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Self

from nbvc.environment import Environment
from nbvc.errors import InvalidConfig
from nbvc.model import Area, NotebookKey, Version
from nbvc.refs import AsOf, Selector
from nbvc.repository import Repository
from nbvc.workspace.choosing import find_workspace
from nbvc.workspace.core import Workspace
from nbvc.workspace.session import Session
from nbvc.workspace.settings import EMBEDDED


class Place:
    """A store as one run or one reader sees it. The store is not asked anything before it is used.

    Args:
        session: Surroundings and settings.
        workspace: The workspace, where there is one.
        repository: The repository, where it is open already; it is not closed here.
        store: URL of the store; needed where there is neither.
    """

    def __init__(
        self,
        session: Session,
        *,
        workspace: Workspace | None = None,
        repository: Repository | None = None,
        store: str = "",
    ) -> None:
        self.session = session
        self.workspace = workspace
        self._given = repository
        self._store = store

    @classmethod
    def find(
        cls,
        environment: Environment,
        *,
        store: str | None = None,
        flags: Mapping[str, str | None] | None = None,
    ) -> Self:
        """Return the place that the surroundings mean.

        Args:
            environment: The working directory and variables.
            store: URL of a store; it wins over the workspace.
            flags: Settings that win over all others.

        Raises:
            InvalidConfig: Neither a workspace nor a variable names a store.
        """
        folder = None if store else find_workspace(environment.cwd)
        session = Session(environment, folder, flags)
        if folder is not None:
            return cls(session, workspace=Workspace(session))
        url = store or session.settings.get("store")
        if not url or url == EMBEDDED:
            raise InvalidConfig(
                f"Nothing says which store the notebooks are in: {environment.cwd} is in no "
                "workspace, and NBVC_STORE is not set.",
                hint="export NBVC_STORE=s3://BUCKET, or begin in a folder of nbvc init.",
            )
        return cls(session, store=url.rstrip("/"))

    def __enter__(self) -> Self:
        """Return the place; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what was opened here."""
        self.close()

    def close(self) -> None:
        """Let go of the store and of files. Idempotent."""
        if self._given is not None:
            return
        if self.workspace is not None:
            self.workspace.close()
        elif "repository" in self.__dict__:
            self.__dict__.pop("repository").close()

    @property
    def store_url(self) -> str:
        """URL of the store."""
        if self._given is not None:
            return self._given.store.url
        return self.workspace.store_url if self.workspace is not None else self._store

    @cached_property
    def repository(self) -> Repository:
        """The repository, opened when it is first needed.

        What waits in the outbox of a workspace is delivered then.
        """
        if self._given is not None:
            return self._given
        if self.workspace is not None:
            return self.workspace.repository
        return self.session.open_repository(self._store)

    def resolve(
        self, key: NotebookKey, selector: Selector, *, area: Area = Area.WORKSPACE
    ) -> Version:
        """Return the version that *selector* means now."""
        return self.repository.resolve(key, selector, area=area, as_of=self._as_of(selector))

    def _as_of(self, selector: Selector) -> datetime | None:
        if not isinstance(selector.base, AsOf):
            return None
        return self.session.moment(selector.base.text, end_of_day=True)
