"""The table of all routes, below the server's base URL."""

from __future__ import annotations

from tornado.web import RequestHandler

from nbvc.jupyter.api import BASE, NotFoundHandler
from nbvc.jupyter.status import StatusHandler

Route = tuple[str, type[RequestHandler]]


def routes() -> list[Route]:
    """Return each pattern and its handler. The last one takes what no other does."""
    return [
        (f"{BASE}/status", StatusHandler),
        (rf"{BASE}(?:/.*)?", NotFoundHandler),
    ]
