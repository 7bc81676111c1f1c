"""The extension application: how it is configured, and how it is tied to the server."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_server import JUPYTER_SERVER_EVENTS_URI
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.services.contents.filemanager import FileContentsManager
from traitlets import Bool, Float, List, Unicode

from nbvc.environment import Environment
from nbvc.jupyter import events
from nbvc.jupyter.bookstore_settings import BookstoreSettings
from nbvc.jupyter.folders import Folders
from nbvc.jupyter.ordering import Ordering
from nbvc.jupyter.people import author_of, present_handler
from nbvc.jupyter.routes import bookstore_routes, routes
from nbvc.jupyter.versioning import Versioning
from nbvc.model import NOTEBOOK_SUFFIX

_CONTENTS_EVENTS = f"{JUPYTER_SERVER_EVENTS_URI}/contents_service/v1"
_DRAIN_SECONDS = 5.0
_LARGE_BYTES = 4_000_000
"""Files up to this size are copied on the event loop: that takes less than handing them over."""


class NbvcExtension(ExtensionApp):
    """Every save of a notebook becomes a version, in storage that you own."""

    name = "nbvc"

    enabled = Bool(True, help="Make a version of every save.").tag(config=True)
    store = Unicode(
        "",
        help="""URL of the store for notebooks in no folder that nbvc init has bound: s3://bucket,
        s3://bucket/root, or a folder. Otherwise NBVC_STORE, or an embedded store in the root.""",
    ).tag(config=True)
    namespace = Unicode(
        "",
        help="""Your part of the keys of that store. Otherwise NBVC_NAMESPACE, or
        <user>/<name of the root>.""",
    ).tag(config=True)

    publish_enabled = Bool(False, help="Let notebooks be published through the server.").tag(
        config=True
    )

    diff_timeout_seconds = Float(
        30.0, min=0.001, help="How long the comparison of two large notebooks may take."
    ).tag(config=True)

    clone_allowed_buckets = List(
        Unicode(),
        help="""Buckets beside that of the store that notebooks may be cloned from, through
        /bookstore/clone. They are asked with your credentials.""",
    ).tag(config=True)
    s3_clone_enabled = Bool(True, help="Let files be cloned from buckets.").tag(config=True)
    fs_cloning_basedir = Unicode(
        "",
        help="""Absolute path of a folder that files may be cloned from, through
        /bookstore/fs-clone. Without it nothing is.""",
    ).tag(config=True)

    classes = [BookstoreSettings]  # noqa: RUF012 - as in the base class

    bookstore: BookstoreSettings
    cloning: asyncio.Lock
    versioning: Versioning
    ordering: Ordering
    is_supported = False

    @property
    def server(self) -> Any:
        """The server that the extension is tied to."""
        return self.serverapp

    def initialize_settings(self) -> None:
        """Tie the extension to the contents manager and the event bus."""
        server, contents = self.server, self.server.contents_manager
        # Others run neither hooks nor events, or save somewhere else than on this disk: their root
        # says nothing, or is that of the disk.
        self.is_supported = isinstance(contents, FileContentsManager)
        root = Path(contents.root_dir if self.is_supported else server.root_dir)
        self.bookstore = BookstoreSettings(parent=self)
        self.cloning = asyncio.Lock()
        if note := self.bookstore.note():
            self.log.warning("nbvc: %s", note)
        folders = self._folders(root, Environment.current())
        server.event_logger.register_event_schema(events.SCHEMA)
        self.versioning = Versioning(
            folders, self._emit, self.log, diff_timeout_seconds=self.diff_timeout_seconds
        )
        if self.is_supported:
            self.ordering = Ordering(contents)
        if self.enabled and self.is_supported:
            contents.register_post_save_hook(self.after_save)
            server.event_logger.add_listener(
                schema_id=_CONTENTS_EVENTS, listener=self._on_contents_event
            )
        elif self.enabled:
            self.log.warning(
                "nbvc: %s does not save to this disk, so its saves become no versions.",
                type(contents).__name__,
            )
        self.settings["nbvc"] = self

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(
            [*routes(publish_enabled=self.publish_enabled), *bookstore_routes(self)]
        )

    @property
    def clone_folder(self) -> str:
        """The folder that files may be cloned from; nothing where none is given."""
        return self.fs_cloning_basedir or self.bookstore.fs_cloning_basedir

    def _folders(self, root: Path, environment: Environment) -> Folders:
        connection = self.bookstore.connection
        target = self.bookstore.target(root, environment, namespace=self.namespace)
        if self.store or target is None:
            return Folders(
                root,
                environment,
                store=self.store,
                namespace=self.namespace,
                connection=connection,
            )
        return Folders(
            root,
            environment,
            store=target.store,
            namespace=target.namespace,
            connection=connection,
            layout=target.layout,
        )

    async def _start_jupyter_server_extension(self, _: Any) -> None:
        if self.enabled and self.is_supported:
            self.versioning.start()

    async def stop_extension(self) -> None:
        """Give what is under way a moment; the rest waits in the outbox for the next start."""
        if hasattr(self, "versioning"):  # a server may end before all extensions are there
            await asyncio.to_thread(self.versioning.close, _DRAIN_SECONDS)

    def after_save(
        self, os_path: str, model: dict[str, Any], contents_manager: Any, **_: Any
    ) -> None:
        """Make a version of the file that the server has saved just now.

        Runs on the event loop, in the middle of the request: it neither waits nor raises. A large
        file is copied beside the loop, if the save can wait for that.
        """
        root = Path(contents_manager.root_dir)
        copied = _copied_from()
        file = Path(os_path)
        take = partial(
            self.versioning.saved_file,
            file,
            author=author_of(present_handler()),
            copy_of=root / copied.strip("/") if copied else None,
        )
        if not (_is_large(file) and self.ordering.do_beside(take)):
            take()

    async def _on_contents_event(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        root = self.versioning.folders.root
        path = root / str(data.get("path", "")).strip("/")
        author = author_of(present_handler())
        action = data.get("action")
        if action == "rename":
            old = root / str(data.get("source_path", "")).strip("/")
            self.versioning.moved_file(old, path, author=author)
        elif action == "delete":
            self.versioning.removed_file(path, author=author)
        elif action == "get":
            await self._look(str(data.get("path", "")), path, author)

    async def _look(self, path: str, file: Path, author: str | None) -> None:
        """Take a file that was changed from outside, before somebody saves something else."""
        look = partial(self.versioning.opened_file, file, author=author)
        async with self.ordering.lock(path):  # a save that is under way takes it by itself
            if _is_large(file):
                await asyncio.to_thread(look)
            else:
                look()

    def _emit(self, event: events.Event) -> None:
        """Put an event on the bus, from any thread."""
        self.server.io_loop.add_callback(
            self.server.event_logger.emit, schema_id=events.SCHEMA_ID, data=event
        )


def _is_large(file: Path) -> bool:
    """Return whether to copy the file takes longer than the event loop should be held."""
    try:
        return file.suffix == NOTEBOOK_SUFFIX and file.stat().st_size > _LARGE_BYTES
    except OSError:
        return False


def _copied_from() -> str | None:
    """Return what the present request copies, as the server calls it; ``None`` for other ones."""
    handler = present_handler()
    if handler is None or handler.request.method != "POST":
        return None
    try:
        body = handler.get_json_body()
    except Exception:  # noqa: BLE001 - whatever an unknown handler makes of its body
        return None
    copied = body.get("copy_from") if isinstance(body, dict) else None
    return copied if isinstance(copied, str) else None
