"""Which workspace the notebooks of a server belong to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from nbvc.environment import Environment
from nbvc.errors import AccessDenied, Conflict, StoreNotFound
from nbvc.manifest.layout import Layout
from nbvc.values import dataclass
from nbvc.workspace.agreeing import has_agreed
from nbvc.workspace.binding import bind, default_namespace, prepare_store, store_value
from nbvc.workspace.choosing import find_workspace
from nbvc.workspace.core import Workspace
from nbvc.workspace.files import Stamp, stamp
from nbvc.workspace.remembering import READ_AGAIN_AFTER
from nbvc.workspace.session import Session
from nbvc.workspace.settings import CONFIG_FILE, CONTROL_FOLDER, EMBEDDED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A workspace in use, the configuration that it was opened with, and when."""

    workspace: Workspace
    is_agreed: bool
    config: Stamp | None
    since: datetime


_OPEN_FOR = READ_AGAIN_AFTER / 2
"""How long a workspace is used before it is opened anew, to learn what its store says by then."""

_FOR_THE_ROOT = ("NBVC_STORE", "NBVC_NAMESPACE")

_IN_USE_FOR = timedelta(minutes=10)
"""How long a request may go on with a workspace that was replaced."""


class Folders:
    """The workspaces of the folders that a server serves. Safe for several threads.

    A notebook belongs to the nearest folder above it that is a workspace. Where there is none, the
    server's root becomes one.

    Args:
        root: The server's root.
        environment: Surroundings of the process.
        store: URL of the store of the root; by default ``NBVC_STORE``, the store that the root is
            bound to, or an embedded one.
        namespace: Its part of the keys; by default ``NBVC_NAMESPACE``, or ``<user>/<folder>``.
        connection: Settings that say how to reach it.
        layout: The prefixes that it must have; by default whatever it has.
    """

    def __init__(
        self,
        root: Path,
        environment: Environment,
        *,
        store: str = "",
        namespace: str = "",
        connection: Mapping[str, str] | None = None,
        layout: Layout | None = None,
    ) -> None:
        self.root = root.resolve()
        self._environment = replace(environment, cwd=self.root)
        # Found once, and not in a save: that may ask git.
        self._author = {"author": Session(environment).author}
        self._flags = {
            **self._author,
            "store": store_value(store, self.root) if store else None,
            "namespace": namespace or None,
            **(connection or {}),
        }
        self._layout = layout
        self._opened: dict[Path, _Opened] = {}
        self._retired: list[tuple[datetime, Workspace]] = []
        self._prepared: set[Workspace] = set()
        self._lock = threading.Lock()
        self._preparing: dict[Workspace, threading.Lock] = {}

    @property
    def environment(self) -> Environment:
        """The surroundings, with the root as working directory."""
        return self._environment

    def at(self, path: Path) -> Workspace:
        """Return the workspace of the notebook or folder at *path*, which need not exist.

        Neither a store nor much of a disk is waited for. A workspace that was bound anew since it
        was opened is opened again.

        Raises:
            AccessDenied: It came from somebody else, and the user did not agree to its store.
            InvalidConfig: Its configuration cannot be used.
            NbvcError: The root cannot be made a workspace.
        """
        # What lies behind a link, or cannot be looked at, has none; the root is bound only once.
        folder = find_workspace(path.parent) or find_workspace(self.root)
        is_root = folder is None or self.root.is_relative_to(folder)
        with self._lock:
            if folder is None:
                folder = self._bind_root()
            opened = self._open(folder, self._flags if is_root else self._author)
        if not opened.is_agreed:
            raise AccessDenied(
                "This folder was bound to its store by somebody else, so nothing is sent there.",
                hint="If you want that, run nbvc init in it once.",
            )
        return opened.workspace

    def root_store(self) -> str:
        """Return the store of the root as a workspace says it, and make nothing.

        Raises:
            NbvcError: Nobody can know.
        """
        session = Session(self._environment, find_workspace(self.root), self._flags)
        return session.settings.get("store") or EMBEDDED

    def opened(self) -> list[Workspace]:
        """Return the workspaces that are in use."""
        with self._lock:
            return [opened.workspace for opened in self._opened.values()]

    def prepare(self, workspace: Workspace) -> None:
        """See to it that the store of *workspace* can be used; it is asked once. Idempotent.

        Raises:
            NbvcError: It cannot, or is not reached.
        """
        if workspace in self._prepared:
            return
        layout = self._layout if self.root.is_relative_to(workspace.folder) else None
        with self._preparing.setdefault(workspace, threading.Lock()):
            if workspace not in self._prepared:
                _prepare(workspace, layout)
                self._prepared.add(workspace)

    def api_path(self, workspace: Workspace, path: str) -> str | None:
        """Return what the server calls the notebook at *path*; ``None`` outside of its root."""
        file = workspace.folder / path
        return file.relative_to(self.root).as_posix() if file.is_relative_to(self.root) else None

    def tidy(self) -> None:
        """Close what was replaced. For the only thread that delivers."""
        self._close_until(self._environment.now() - _IN_USE_FOR)

    def close(self) -> None:
        """Let go of all stores and files."""
        now = self._environment.now()
        with self._lock:
            self._retired += [(now, opened.workspace) for opened in self._opened.values()]
            self._opened = {}
        self._close_until(now)

    def _close_until(self, moment: datetime) -> None:
        with self._lock:
            done = [workspace for since, workspace in self._retired if since <= moment]
            self._retired = [each for each in self._retired if each[0] > moment]
        for workspace in done:
            self._prepared.discard(workspace)
            self._preparing.pop(workspace, None)
            workspace.close()

    def _open(self, folder: Path, flags: Mapping[str, str | None]) -> _Opened:
        config = stamp(folder / CONTROL_FOLDER / CONFIG_FILE)
        found, now = self._opened.get(folder), self._environment.now()
        if found is not None and found.config == config and now - found.since < _OPEN_FOR:
            return found
        session = Session(self._surroundings(folder), folder, flags)
        workspace = Workspace(session)
        workspace.store_url, workspace.namespace  # noqa: B018 - raises where one is not set
        if found is not None:
            self._retired.append((now, found.workspace))
        opened = _Opened(
            workspace=workspace, is_agreed=has_agreed(workspace), config=config, since=now
        )
        self._opened[folder] = opened
        return opened

    def _surroundings(self, folder: Path) -> Environment:
        """Return the surroundings of the workspace in *folder*.

        Variables that choose a store are for the root. In a folder below that has its own, the
        paths of notebooks are other ones: two of them would share one history.
        """
        variables = self._environment.variables
        if not self.root.is_relative_to(folder):
            variables = {name: variables[name] for name in variables if name not in _FOR_THE_ROOT}
        return replace(self._environment, cwd=folder, variables=variables)

    def _bind_root(self) -> Path:
        environment = self._environment
        user = environment.variables.get("JUPYTERHUB_USER") or environment.login
        settings = Session(environment, None, self._flags).settings
        bind(
            self.root,
            store=store_value(settings.get("store"), self.root),
            namespace=settings.get("namespace") or default_namespace(user, self.root),
            settings=None,
            environment=environment,
        )
        return self.root


def _prepare(workspace: Workspace, layout: Layout | None) -> None:
    try:
        is_prepared = workspace.connect().prepared
    except StoreNotFound:
        is_prepared = False
    if not is_prepared:
        session = workspace.session
        ready = prepare_store(
            session, workspace.store_url, create=False, ask=lambda _: False, layout=layout
        )
        workspace.disconnect()
        workspace.remember_store(ready.settings)
        # Whoever is the first to use it would deliver as well, which is for the worker to do.
        workspace.connect()
    elif layout is not None and workspace.connect().layout != layout:
        raise _other_prefixes(workspace.connect().layout)


def _other_prefixes(layout: Layout) -> Conflict:
    """Return the error for a store that keeps its notebooks elsewhere than configured."""
    return Conflict(
        "The prefixes in c.BookstoreSettings are not those of the store, which has "
        f"{layout.workspace!r} and {layout.published!r}.",
        hint="Set c.NbvcExtension.store and namespace instead, and remove c.BookstoreSettings.",
    )
