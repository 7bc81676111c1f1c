"""The pages that a link to clone a file leads to: ``GET /bookstore/clone`` and ``/fs-clone``.

A link must not copy anything by itself, so the page says what it would copy, and asks.
"""

from __future__ import annotations

import json
import secrets
from functools import cached_property, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import authenticated

from nbvc.errors import NotFound
from nbvc.jupyter.bookstore import BookstoreHandler
from nbvc.jupyter.bookstore_cloning import check_bucket, file_of, wanted_of
from nbvc.text import printable_line

if TYPE_CHECKING:
    pass

_TEMPLATE = "clone.html"
_TITLE = "Clone a notebook"
_VIEWS = (("lab", "lab/tree/"), ("doc", "lab/tree/"), ("tree", "tree/"), ("notebooks", "tree/"))
"""First part of where a server begins, and where it shows a file then."""


class _Page(BookstoreHandler):
    @cached_property
    def nonce(self) -> str:
        """The token that marks the script and the style of this one page."""
        return secrets.token_urlsafe(16)

    @property
    def content_security_policy(self) -> str:
        """Nothing but the page itself, and requests to this server."""
        own = f"'nonce-{self.nonce}'"
        return (
            f"default-src 'none'; script-src {own}; style-src {own}; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        )

    def get_login_url(self) -> str:
        """Return where to log in: this is a page, so the browser is sent there."""
        return JupyterHandler.get_login_url(self)

    def show(self, **values: Any) -> None:
        """Answer with the page."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        page = _render(nonce=self.nonce, title=_TITLE, **values)
        self.finish(page, set_content_type="text/html; charset=utf-8")

    def ask(self, api: str, request: dict[str, str], source: list[tuple[str, str]]) -> None:
        """Answer with the page that asks.

        Args:
            api: Route that copies, below the base URL.
            request: What is sent to it.
            source: What to say of the file.
        """
        self.show(
            source=[(name, printable_line(value)) for name, value in source if value],
            api=url_path_join(self.base_url, api),
            request=json.dumps(request),
            opens=shown_at(self.base_url, self.default_url),
            xsrf=self.xsrf_token.decode("ascii"),
        )

    def write_error(self, status_code: int, **details: Any) -> None:
        """Answer with a page that says what is wrong."""
        status, error = self.told(status_code, details)
        self.set_status(status)
        self.show(error=error)


class ClonePage(_Page):
    """``GET /bookstore/clone``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Ask whether to copy an object of a bucket."""
        wanted = wanted_of(self.query)
        await self.extension.versioning.run(partial(check_bucket, self.extension, wanted.bucket))
        self.ask(
            "/api/bookstore/clone",
            {
                "s3_bucket": wanted.bucket,
                "s3_key": wanted.key,
                **({"s3_version_id": wanted.version_id} if wanted.version_id else {}),
            },
            [
                ("Key", wanted.key),
                ("Version", wanted.version_id or ""),
                ("Bucket", wanted.bucket),
            ],
        )


class FolderClonePage(_Page):
    """``GET /bookstore/fs-clone``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Ask whether to copy a file of the configured folder."""
        path = self.query.text("relpath", "")
        await self.extension.versioning.run(partial(file_of, self.extension, path))
        self.ask("/api/bookstore/fs-clone", {"relpath": path}, [("File", path)])


class NoSuchPage(_Page):
    """Whatever is turned off, or was never there, below ``/bookstore``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer with 404."""
        raise NotFound("There is no such page, or it is turned off.")


def shown_at(base_url: str, default_url: str) -> str:
    """Return where the server shows files, below which their paths follow; empty if nowhere.

    Args:
        base_url: Of the server.
        default_url: Where its user interface begins; with the base URL, or below it.
    """
    begins = default_url.removeprefix(base_url.rstrip("/")).strip("/")
    first = begins.partition("?")[0].partition("/")[0]
    for name, view in _VIEWS:
        if first == name:
            return url_path_join(base_url, view)
    return ""


def _render(**values: Any) -> str:
    from jinja2 import Environment, StrictUndefined

    text = files("nbvc.jupyter").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(text)
    rendered: str = template.render(**{"error": None, **values})
    return rendered
