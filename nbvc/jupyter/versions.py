"""The versions of a notebook, and what they hold."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from itertools import islice
from typing import Any
from urllib.parse import quote

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nbvc.errors import NotebookNotFound
from nbvc.jupyter.api import NbvcHandler
from nbvc.jupyter.cursors import VersionCursor
from nbvc.model import Data, Digest, Version
from nbvc.workspace import describing
from nbvc.workspace.core import Workspace
from nbvc.workspace.naming import waits

PAGE, MAX_PAGE = 50, 500
"""How many versions, or notebooks, a page has, and may have."""

CONTENT_TYPE = "application/x-ipynb+json"
_CHUNK_BYTES = 1 << 18


class VersionsHandler(NbvcHandler):
    """``GET /nbvc/api/v1/versions``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List the versions of a notebook, newest first, a page at a time."""
        asked = self.query
        limit = asked.number("limit", PAGE, most=MAX_PAGE)
        text = asked.text("cursor", "")
        cursor = VersionCursor.read(text) if text else None
        list_page = partial(_page, limit=limit, cursor=cursor)
        self.reply(await self.with_notebook(asked.text("path"), list_page))


class ContentHandler(NbvcHandler):
    """``GET /nbvc/api/v1/content``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Send the exact bytes of a version: to be read by a program, never shown as a page."""
        asked = self.query
        path = asked.text("path")
        read = partial(_read, selector=asked.text("version", "latest"))
        version, data = await self.with_notebook(path, read)
        digest = version.digest or await self.versioning.run(partial(Digest.of, data))
        name = path.rpartition("/")[2]
        self.set_header("ETag", f'"{digest}"')
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name)}")
        self.set_header("Nbvc-Version", quote(version.name))
        if self.check_etag_header():
            self.set_status(HTTPStatus.NOT_MODIFIED)
            self.finish()
            return
        self.set_header("Content-Type", CONTENT_TYPE)
        self.set_header("Content-Length", str(len(data)))
        view = memoryview(data)
        for start in range(0, len(view), _CHUNK_BYTES):
            self.write(bytes(view[start : start + _CHUNK_BYTES]))
            await self.flush()  # a large one stays on disk but for this piece
        self.finish(set_content_type=CONTENT_TYPE)


def _page(
    workspace: Workspace, path: str, *, limit: int, cursor: VersionCursor | None
) -> dict[str, Any]:
    is_waiting = waits(workspace, path)
    try:
        # One more than a page has shows whether there is another one.
        versions = workspace.log(path, limit=limit + 1 if cursor is None else None)
    except NotebookNotFound:
        if not is_waiting:
            raise
        versions = iter(())
    found = list(islice(cursor.behind(versions) if cursor else versions, limit + 1))
    page = found[:limit]
    return {
        "versions": [describing.version(version) for version in page],
        "next": str(VersionCursor.after(page, cursor)) if len(found) > limit else None,
        "waiting": is_waiting,
    }


def _read(workspace: Workspace, path: str, *, selector: str) -> tuple[Version, Data]:
    version = workspace.resolve(path, selector)
    return version, workspace.repository.view(version)
