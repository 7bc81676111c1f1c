"""``Workspace``: a local folder bound to a store and a namespace."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nbvc import looking
from nbvc.environment import Environment
from nbvc.errors import (
    IntegrityError,
    InvalidConfig,
    NotebookNotFound,
    VersionNotFound,
    WorkspaceNotFound,
)
from nbvc.model import NotebookKey, Version, below
from nbvc.refs import LATEST, AsOf, Selector, parse_selector
from nbvc.repository import Repository
from nbvc.repository.settings import StoreSettings, read_settings
from nbvc.text import typed
from nbvc.workspace.captures import Captures
from nbvc.workspace.choosing import choose_notebook, find_workspace, near_names, near_paths
from nbvc.workspace.files import find_notebooks, inside, read_file
from nbvc.workspace.index import Index
from nbvc.workspace.maintenance import Maintenance
from nbvc.workspace.outbox import FOLDER as OUTBOX_FOLDER
from nbvc.workspace.outbox import Outbox
from nbvc.workspace.owning import Owner, owner_of
from nbvc.workspace.remembering import remember, store_settings
from nbvc.workspace.session import Session
from nbvc.workspace.settings import CONFIG_FILE, CONTROL_FOLDER, EMBEDDED

if TYPE_CHECKING:
    from nbvc.diffing import Diff, DiffOptions
    from nbvc.workspace.delivering import Delivered, Delivery
    from nbvc.workspace.results import CheckoutResult, PublishResult, SaveResult, Status

INDEX_FILE = "workspace.sqlite3"
EMBEDDED_FOLDER = "store"
PUSH_WAIT_SECONDS = 60.0


class Workspace(Maintenance):
    """A local folder bound to a store and a namespace. Open one with :meth:`open`.

    Paths are strings or ``Path``: absolute, or relative to the working directory. Versions are
    named as on the command line: ``v3``, ``latest~1``, a digest, a tag.

    Errors: those of :mod:`nbvc.errors`.

    Args:
        session: The surroundings; its ``folder`` is the workspace.

    Attributes:
        session: The surroundings.
        folder: The workspace, absolute.
        delivered: Versions that had waited in the outbox and were delivered since it was opened.
    """

    def __init__(self, session: Session) -> None:
        if session.folder is None:
            raise WorkspaceNotFound("There is no workspace folder.")
        self.session = session
        self.folder = session.folder
        self.delivered: list[Delivered] = []
        self._index: Index | None = None
        self._opening = threading.Lock()
        self._connecting = threading.Lock()
        self._repository: Repository | None = None

    @classmethod
    def open(
        cls,
        path: str | Path = ".",
        *,
        environment: Environment | None = None,
        flags: Mapping[str, str | None] | None = None,
    ) -> Self:
        """Open the workspace that *path* lies in. The store is not asked anything yet.

        Args:
            path: The folder, or one inside it.
            environment: Surroundings of the process, by default the real ones.
            flags: Settings that win over all others, such as ``{"author": "Kyle"}``.

        Raises:
            WorkspaceNotFound: Neither the folder nor one above it is a workspace.
            InvalidConfig: Its configuration cannot be used.
        """
        environment = environment or Environment.current()
        folder = find_workspace(environment.cwd / path)
        if folder is None:
            raise WorkspaceNotFound(
                f"{environment.cwd / path} is not in an nbvc workspace.",
                hint="nbvc init makes this folder one (no bucket needed).",
            )
        return cls(Session(environment, folder, flags))

    def __enter__(self) -> Self:
        """Return the workspace; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the workspace."""
        self.close()

    def close(self) -> None:
        """Let go of the store and of files. Idempotent."""
        self.disconnect()
        if self._index is not None:
            self._index.close()
            self._index = None

    def disconnect(self) -> None:
        """Let go of the store, which is opened again when it is needed. Idempotent."""
        if self._repository is not None:
            self._repository.close()
            self._repository = None

    # What it is bound to

    @cached_property
    def store_url(self) -> str:
        """URL of the store."""
        url = self.session.settings.get("store")
        if not url:
            raise InvalidConfig(
                f"{self.folder / CONTROL_FOLDER / CONFIG_FILE} names no store.",
                hint="nbvc init binds this folder to a store again.",
            )
        if url == EMBEDDED:
            return (self.folder / CONTROL_FOLDER / EMBEDDED_FOLDER).as_uri()
        return url.rstrip("/")

    @cached_property
    def namespace(self) -> str:
        """The part of the store's keys that belongs to this folder; empty where all of them do."""
        namespace = self.session.settings.get("namespace")
        if not namespace:
            raise InvalidConfig(
                f"{self.folder / CONTROL_FOLDER / CONFIG_FILE} names no namespace.",
                hint="nbvc init binds this folder to a namespace again.",
            )
        return namespace.strip("/")

    @property
    def repository(self) -> Repository:
        """The repository in the store, opened when it is first needed.

        What waits in the outbox is delivered then, so that whoever reads sees it. Where that fails,
        it goes on waiting: the outbox keeps the reason.
        """
        if self._repository is None:
            self.connect()
            self.deliver()
        return self.connect()

    def connect(self, *, despite_damage: bool = False) -> Repository:
        """Return the repository like :attr:`repository`, and deliver nothing.

        Args:
            despite_damage: Also open a store whose settings are damaged, for reading.
        """
        with self._connecting:  # of two that threads open at once, one would never be closed
            if self._repository is None:
                self._repository = self._open_repository(despite_damage=despite_damage)
            return self._repository

    @cached_property
    def store_setting(self) -> str:
        """What the workspace says of its store: a URL, or ``embedded``."""
        return self.session.settings.get("store") or ""

    @cached_property
    def outbox(self) -> Outbox:
        """The versions that wait for the store."""
        return Outbox(self.folder / CONTROL_FOLDER / OUTBOX_FOLDER, self.owner)

    @cached_property
    def owner(self) -> Owner:
        """The user's key, which tells what is the user's own in the folder."""
        return owner_of(self.session.environment)

    @cached_property
    def captures(self) -> Captures:
        """What editors did, and nobody has looked at yet."""
        return Captures(self.outbox)

    @property
    def room(self) -> Path:
        """A folder for temporary copies of large notebooks."""
        return self.folder / CONTROL_FOLDER

    @property
    def index(self) -> Index:
        """What is remembered here, opened when it is first needed."""
        with self._opening:  # a new one that two threads make at once would be in use by the other
            if self._index is None:
                binding = f"{self.store_setting}\n{self.namespace}"
                self._index = Index(self.folder / CONTROL_FOLDER / INDEX_FILE, binding)
            return self._index

    def key(self, path: str | Path) -> NotebookKey:
        """Return the notebook key of the file at *path*, which need not exist.

        Raises:
            InvalidKey: It lies outside of the workspace, or cannot be a notebook's.
        """
        return self.key_of(self.relative(path))

    def notebooks(self, below: str | Path | None = None) -> list[str]:
        """Return the paths of the notebooks on disk, relative to the workspace, in order."""
        start = (self.session.environment.cwd / below).resolve() if below else None
        return [str(path) for path in find_notebooks(self.folder, start)]

    def choose(self, path: str | Path | None) -> str:
        """Return the path of a notebook relative to the workspace; without *path*, of the only one.

        Raises:
            Ambiguous: There are several notebooks below the working directory.
            NotebookNotFound: There is none.
        """
        if path is not None:
            return self.relative(path)
        return choose_notebook(self.folder, self.session.environment.cwd, self.index.paths())

    def relative(self, path: str | Path) -> str:
        """Return *path* relative to the workspace, with slashes.

        Raises:
            InvalidKey: It lies outside of the workspace, or cannot be a notebook's.
        """
        return str(inside(self.folder, self.session.environment.cwd / path))

    # Record

    def save(
        self,
        paths: Sequence[str | Path] | str | Path | None = None,
        *,
        message: str = "",
        allow_invalid: bool = False,
        require_store: bool = False,
    ) -> list[SaveResult]:
        """Record the present bytes of notebooks as versions.

        Durable when this returns. Idempotent: what has not changed since the latest version makes
        no new one, and no request. 2 requests for a changed notebook.

        Where the store is not reached, or keeps no versions, the versions go into the outbox, which
        is durable too: their results say that they wait.

        Args:
            paths: Notebooks, or folders of them; ``None``: all notebooks of the workspace.
            message: What to say about it.
            allow_invalid: Also store bytes that are no valid notebook.
            require_store: Whether a version that only waits is an error. It waits all the same.

        Returns:
            What became of each notebook, in order.

        Raises:
            NbvcError: The only notebook could not be saved, or the store cannot be used.
            SomeFailed: Some of several could not be saved; the others were.
        """
        from nbvc.workspace import saving

        given = [paths] if isinstance(paths, str | Path) else paths
        return saving.save(
            self, given, message=message, allow_invalid=allow_invalid, require_store=require_store
        )

    def push(self) -> Delivery:
        """Deliver what waits in the outbox, each version exactly once, in order.

        Also what came with the folder, or was put there by another account. Idempotent. Waits up to
        a minute for another process that delivers.

        Returns:
            What was delivered and what still waits, with the reason. Raises nothing for it.
        """
        return self.deliver(wait_seconds=PUSH_WAIT_SECONDS, everything=True)

    def deliver(self, *, wait_seconds: float = 0.0, everything: bool = False) -> Delivery:
        """Deliver what waits in the outbox; see :func:`nbvc.workspace.delivering.deliver`."""
        from nbvc.workspace.delivering import Delivery, deliver

        if self.outbox.is_empty() and self.captures.is_empty():
            return Delivery()
        delivery = deliver(self, wait_seconds=wait_seconds, everything=everything)
        self.delivered += delivery.delivered
        return delivery

    # Look

    def status(self) -> Status:
        """Compare each notebook on disk with what is known of it, and with the store.

        1 request for each notebook; where the store cannot be reached, that is said instead.
        """
        from nbvc.workspace import status

        return status.status(self)

    def log(self, path: str | Path | None = None, *, limit: int | None = None) -> Iterator[Version]:
        """Return the versions of a notebook, newest first, as a stream.

        Args:
            path: The notebook; may be left out where there is only one.
            limit: How many versions at most.

        Raises:
            NotebookNotFound: It has no version yet.
        """
        chosen = self.choose(path)
        try:
            return self.repository.log(self.key_of(chosen), limit=limit)
        except NotebookNotFound:
            raise self.without_versions(chosen) from None

    def resolve(self, path: str | Path | None = None, version: str | Selector = LATEST) -> Version:
        """Return the one version that *version* names.

        Raises:
            NotebookNotFound: The notebook has no version yet.
            VersionNotFound: There is no such version.
            Ambiguous: A digest prefix fits several.
        """
        chosen = self.choose(path)
        selector = parse_selector(version) if isinstance(version, str) else version
        try:
            return self.repository.resolve(
                self.key_of(chosen), selector, as_of=self.as_of(selector)
            )
        except NotebookNotFound:
            raise self.without_versions(chosen) from None
        except VersionNotFound as error:
            near = near_names(self, chosen, selector)
            if near:
                raise VersionNotFound(error.message, hint=f"Did you mean {near[0]}?") from None
            raise

    def read(self, version: Version) -> bytes:
        """Return the exact bytes of *version*, verified against its digest."""
        return bytes(self.repository.view(version))

    def read_working_copy(self, path: str | Path | None = None) -> bytes:
        """Return the bytes of the file, as they are on disk now.

        Raises:
            NotebookNotFound: There is no such file.
        """
        chosen = self.choose(path)
        return bytes(read_file(self.folder / chosen, shown=chosen)[0])

    def diff(
        self,
        path: str | Path | None = None,
        old: str | Selector = LATEST,
        new: str | Selector | None = None,
        *,
        options: DiffOptions | None = None,
    ) -> Diff:
        """Return what leads from one version to another, in nbdime's format.

        Args:
            path: The notebook; may be left out where there is only one.
            old: A version.
            new: Another; ``None`` means the working copy.
            options: What to leave out.

        Raises:
            InvalidNotebook: One of the two is no notebook.
        """
        from nbvc import diffing

        chosen = self.choose(path)
        before = self.read(self.resolve(self.folder / chosen, old))
        if new is None:
            after = self.read_working_copy(self.folder / chosen)
        else:
            after = self.read(self.resolve(self.folder / chosen, new))
        return diffing.diff(before, after, options)

    # Bring back

    def checkout(
        self,
        path: str | Path | None = None,
        version: str | Selector = LATEST,
        *,
        output: str | Path | None = None,
        force: bool = False,
    ) -> CheckoutResult:
        """Write the bytes of a version over the local file, or elsewhere.

        All or nothing, and durable when this returns. Bytes that no version holds are never lost.

        Args:
            path: The notebook; may be left out where there is only one.
            version: Which version.
            output: Another file to write, which must not exist yet.
            force: Where the file holds bytes that no version holds, save them as a version first,
                instead of refusing.

        Raises:
            UnsavedChanges: The file holds bytes that no version holds, and *force* is False.
            AlreadyExists: *output* exists.
        """
        from nbvc.workspace import checkout

        chosen = self.choose(path)
        found = self.resolve(self.folder / chosen, version)
        return checkout.checkout(self, chosen, found, output=output, force=force)

    # Share

    def publish(
        self,
        path: str | Path | None = None,
        version: str | Selector | None = None,
        *,
        message: str = "",
        author: str | None = None,
    ) -> PublishResult:
        """Promote a version, by default the latest, to the published area, inside the store.

        Durable when this returns. 2 requests for the latest version that was saved from here.

        Args:
            path: The notebook; may be left out where there is only one.
            version: Which version.
            message: What to say about it.
            author: Who does it; by default the session's author. So for the methods below.

        Raises:
            NotebookNotFound: It has no version yet.
        """
        from nbvc.workspace import sharing

        return sharing.publish(self, self.choose(path), version, message=message, author=author)

    def unpublish(
        self, path: str | Path | None = None, *, message: str = "", author: str | None = None
    ) -> NotebookKey:
        """Take the published copy back; its versions stay in the store.

        Raises:
            NotebookNotFound: It is not published.
        """
        key = self.key_of(self.choose(path))
        self.repository.unpublish(key, self.session.act(message, author=author))
        return key

    # Name

    def tags(self, path: str | Path | None = None) -> Mapping[str, int]:
        """Return the tags of a notebook: name to version number."""
        return self.repository.tags(self.key_of(self.choose(path)))

    def tag(
        self,
        name: str,
        path: str | Path | None = None,
        version: str | Selector = LATEST,
        *,
        move: bool = False,
        author: str | None = None,
    ) -> Version:
        """Give a version a name; return the version.

        Raises:
            AlreadyExists: Another version has the name, and *move* is False.
            InvalidRef: It cannot be a name.
        """
        from nbvc.workspace import naming

        return naming.tag(self, name, self.choose(path), version, move=move, author=author)

    def delete_tag(
        self, name: str, path: str | Path | None = None, *, author: str | None = None
    ) -> int:
        """Take a name away; return the number of the version that had it.

        Raises:
            VersionNotFound: There is no such name.
        """
        key = self.key_of(self.choose(path))
        return self.repository.delete_tag(key, name, self.session.act(author=author))

    def rename(self, old: str | Path, new: str | Path) -> Version:
        """Give a notebook another name, in the store and on disk; its history follows.

        Raises:
            AlreadyExists: There is a file, or a history, of the new name.
        """
        from nbvc.workspace import naming

        return naming.rename(self, self.relative(old), self.relative(new))

    def remove(self, path: str | Path, *, keep_file: bool = False) -> None:
        """Remove a notebook from the store's listing and from disk; all its versions stay.

        Args:
            path: The notebook.
            keep_file: Leave the local file where it is.

        Raises:
            UnsavedChanges: The file holds bytes that no version holds, and *keep_file* is False.
        """
        from nbvc.workspace import naming

        naming.remove(self, self.choose(path), keep_file=keep_file)

    # For the modules of this package

    def key_of(self, relative: str) -> NotebookKey:
        """Return the key of a notebook whose path relative to the workspace is known."""
        return NotebookKey(below(self.namespace, relative))

    def as_of(self, selector: Selector) -> datetime | None:
        """Return the moment that a selector such as ``{2 days ago}`` means."""
        if not isinstance(selector.base, AsOf):
            return None
        return self.session.moment(selector.base.text, end_of_day=True)

    def without_versions(self, path: str) -> NotebookNotFound:
        """Return the error for a notebook that has no version yet, or does not exist."""
        if looking.is_file(self.folder / path):
            return NotebookNotFound(f"{path} has no versions yet.", hint=f"nbvc save {typed(path)}")
        near = near_paths(path, [*self.notebooks(), *self.index.paths()])
        return NotebookNotFound(
            f"There is no notebook {path}, neither here nor in the store.",
            hint=f"Did you mean {near[0]}?" if near else "nbvc status lists the notebooks here.",
        )

    def remember_store(self, settings: StoreSettings) -> None:
        """Remember what the store says of itself, so that it need not be asked again."""
        remember(self.index, settings, self.session.environment.now())

    def _open_repository(self, *, despite_damage: bool) -> Repository:
        store = self.session.open_store(self.store_url)
        try:
            now = self.session.environment.now()
            settings = store_settings(self.index, now, partial(read_settings, store))
        except IntegrityError:
            if not despite_damage:
                store.close()
                raise
            settings = None
        except BaseException:
            store.close()
            raise
        return self.session.repository(store, settings)
