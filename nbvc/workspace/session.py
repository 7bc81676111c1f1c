"""Who acts, when, and on which stores: what every command has, inside a workspace or not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nbvc.environment import Environment
from nbvc.errors import IntegrityError, InvalidInput, NotFound, StoreMisconfigured
from nbvc.repository import Repository
from nbvc.repository.settings import StoreSettings, read_settings
from nbvc.stores.opening import open_store
from nbvc.workspace.settings import Settings

if TYPE_CHECKING:
    from nbvc.repository import Act
    from nbvc.repository.backend import Cache
    from nbvc.stores.base import Store
    from nbvc.workspace.targets import Location

_GIT_TIMEOUT_SECONDS = 2


class Session:
    """The surroundings and settings of one command.

    Args:
        environment: Clock, variables, folders.
        folder: The workspace, or ``None`` outside of one.
        flags: Settings from the command line, which win over all others.
    """

    def __init__(
        self,
        environment: Environment,
        folder: Path | None = None,
        flags: Mapping[str, str | None] | None = None,
    ) -> None:
        self.environment = environment
        self.folder = folder
        self.settings = Settings(environment, folder, flags)

    def act(self, message: str = "", *, author: str | None = None) -> Act:
        """Return a new act of *author*, by default of the present user, now."""
        from nbvc.repository import Act

        return Act(
            author=author or self.author,
            message=message,
            now=self.environment.now(),
            write_id=self.environment.new_write_id(),
        )

    @cached_property
    def author(self) -> str:
        """Return the name that versions carry.

        The setting ``author``, else the user of JupyterHub, else git's ``user.name``, else the
        login name.
        """
        return (
            self.settings.get("author")
            or self.environment.variables.get("JUPYTERHUB_USER")
            or _git_user()
            or self.environment.login
        )

    def open_store(self, url: str, *, create: bool = False) -> Store:
        """Open the store that *url* names, with the user's settings for it."""
        return open_store(
            url,
            options=self.settings.connection(url),
            sleep=self.environment.sleep,
            jitter=self.environment.jitter,
            room=self.environment.cache_dir,
            create=create,
        )

    def open_repository(self, url: str, known: StoreSettings | None = None) -> Repository:
        """Open the repository in the store that *url* names.

        Args:
            url: URL of the store.
            known: What its ``store.json`` says, where that is remembered; saves a request.
        """
        store = self.open_store(url)
        try:
            return self.repository(store, known or read_settings(store))
        except BaseException:
            store.close()
            raise

    def locate(self, url: str) -> Location:
        """Return the place in a store that a URL names.

        Where it has none of the usual prefixes, the stores that it may lie in are asked for theirs.

        Raises:
            InvalidInput: It names no area of a store.
        """
        from nbvc.workspace.targets import parse_location, parse_location_in, possible_stores

        try:
            return parse_location(url)
        except InvalidInput:
            for store_url in possible_stores(url):
                with suppress(NotFound, InvalidInput), closing(self.open_store(store_url)) as store:
                    settings = read_settings(store)
                    found = settings and parse_location_in(url, store_url, settings.layout)
                    if found:
                        return found
            raise

    def find_store(self, url: str) -> tuple[str, Location | None]:
        """Return the store that a URL names or lies in, and the place in it; ``None``: all of it.

        A URL without an area is asked first whether it is a store itself: another endpoint may be
        set for it than for what lies above it.

        Raises:
            InvalidInput: It is a URL that cannot be read.
        """
        from nbvc.workspace.targets import parse_location

        url = url.rstrip("/")
        try:
            location = parse_location(url)
        except InvalidInput:
            if self._is_prepared(url):
                return url, None
            try:
                location = self.locate(url)
            except (NotFound, InvalidInput):
                return url, None
        return location.store_url, location

    def _is_prepared(self, url: str) -> bool:
        try:
            with closing(self.open_store(url)) as store:
                return read_settings(store) is not None
        except (NotFound, InvalidInput):
            return False
        except (IntegrityError, StoreMisconfigured):  # they are there, whatever they say
            return True

    def repository(self, store: Store, settings: StoreSettings | None) -> Repository:
        """Return a repository on *store*, with a cache where the store is far away."""
        return Repository(
            store,
            settings=settings,
            cache=None if store.url.startswith("file:") else self.cache,
            sleep=self.environment.sleep,
            jitter=self.environment.jitter,
            now=self.environment.now,
        )

    @cached_property
    def cache(self) -> Cache:
        """What is kept in the user's cache folder of that which never changes."""
        from nbvc.workspace.cache import DiskCache

        return DiskCache(self.environment.cache_dir, self.settings.cache_size_bytes)

    def moment(self, text: str, *, end_of_day: bool) -> datetime:
        """Read a moment that the user typed, in the user's time zone."""
        from nbvc.refs import parse_moment

        return parse_moment(
            text,
            now=self.environment.now(),
            timezone=self.environment.timezone,
            end_of_day=end_of_day,
        )


def _git_user() -> str | None:
    """Return ``user.name`` of the user's own git configuration, where there is git."""
    git = shutil.which("git")
    if git is None:
        return None
    try:
        found = subprocess.run(  # noqa: S603
            [git, "config", "--global", "--get", "user.name"],
            capture_output=True,
            timeout=_GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.decode("utf-8", "replace").strip() or None
