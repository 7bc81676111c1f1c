"""The table of all routes, below the server's base URL."""

from __future__ import annotations

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
from nbvc.jupyter.status import StatusHandler

if TYPE_CHECKING:
    from nbvc.jupyter.extension import NbvcExtension

Route = tuple[str, type[RequestHandler]]


def routes() -> list[Route]:
    """Return each pattern and its handler. The last one takes what no other does."""
    return [
        (f"{BASE}/status", StatusHandler),
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
