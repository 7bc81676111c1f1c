"""The table of all routes, below the server's base URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jupyter_server.base.handlers import path_regex
from tornado.web import RequestHandler

from nbvc.jupyter.api import BASE, NotFoundHandler
from nbvc.jupyter.bookstore import FeaturesHandler, NoSuchRouteHandler, clones_buckets
from nbvc.jupyter.bookstore_cloning import CloneHandler as BookstoreCloneHandler
from nbvc.jupyter.bookstore_cloning import FolderCloneHandler
from nbvc.jupyter.bookstore_landing import ClonePage, FolderClonePage, NoSuchPage
from nbvc.jupyter.bookstore_publishing import PublishHandler as BookstorePublishHandler
from nbvc.jupyter.bookstore_settings import is_absolute
from nbvc.jupyter.cloning import CloneHandler
from nbvc.jupyter.comparing import DiffHandler
from nbvc.jupyter.openapi import OpenApiHandler
from nbvc.jupyter.restoring import RestoreHandler
from nbvc.jupyter.sharing import PublishedHandler, PublishHandler, UnpublishHandler
from nbvc.jupyter.status import StatusHandler
from nbvc.jupyter.tags import TagsHandler
from nbvc.jupyter.versions import ContentHandler, VersionsHandler

if TYPE_CHECKING:
    from nbvc.jupyter.extension import NbvcExtension

Route = tuple[str, type[RequestHandler]]

API: dict[str, type[RequestHandler]] = {
    "/status": StatusHandler,
    "/versions": VersionsHandler,
    "/content": ContentHandler,
    "/diff": DiffHandler,
    "/restore": RestoreHandler,
    "/tags": TagsHandler,
    "/published": PublishedHandler,
    "/clone": CloneHandler,
    "/openapi.json": OpenApiHandler,
}
"""The routes below ``BASE``."""

PUBLISHING: dict[str, type[RequestHandler]] = {
    "/publish": PublishHandler,
    "/unpublish": UnpublishHandler,
}
"""Those that are there only where publishing is enabled."""


def routes(*, publish_enabled: bool) -> list[Route]:
    """Return each pattern and its handler. The last one takes what no other does."""
    api = API | PUBLISHING if publish_enabled else API
    return [
        *((f"{BASE}{re.escape(path)}", handler) for path, handler in api.items()),
        (rf"{BASE}(?:/.*)?", NotFoundHandler),
    ]


def bookstore_routes(extension: NbvcExtension) -> list[Route]:
    """Return each pattern and its handler of bookstore's own interface, as it is configured."""
    api, page = "/api/bookstore", "/bookstore"
    table: list[Route] = [(rf"{api}/?", FeaturesHandler)]
    if extension.publish_enabled:
        table.append((rf"{api}/publish{path_regex}", BookstorePublishHandler))
    if clones_buckets(extension):
        table += [(rf"{api}/clone/*", BookstoreCloneHandler), (rf"{page}/clone/*", ClonePage)]
    if is_absolute(extension.clone_folder):
        table += [
            (rf"{api}/fs-clone/*", FolderCloneHandler),
            (rf"{page}/fs-clone/*", FolderClonePage),
        ]
    return [*table, (rf"{api}/.*", NoSuchRouteHandler), (rf"{page}/.*", NoSuchPage)]
