"""Published notebooks: what there is, and how one gets there and away."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nbvc.jupyter.api import NbvcHandler
from nbvc.jupyter.cursors import key_cursor, read_key_cursor
from nbvc.jupyter.versions import MAX_PAGE, PAGE
from nbvc.model import Area
from nbvc.refs import LATEST, parse_selector
from nbvc.workspace import describing
from nbvc.workspace.core import Workspace


class PublishedHandler(NbvcHandler):
    """``GET /nbvc/api/v1/published``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List what is published in the store of a folder, by everybody, in order of the keys."""
        asked = self.query
        cursor = asked.text("cursor", "")
        list_page = partial(
            _page,
            prefix=asked.text("prefix", ""),
            limit=asked.number("limit", PAGE, most=MAX_PAGE),
            after=read_key_cursor(cursor) if cursor else "",
        )
        self.reply(await self.with_folder(asked.text("folder", ""), list_page))


class PublishHandler(NbvcHandler):
    """``POST /nbvc/api/v1/publish``; there only where publishing is enabled."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Promote a version, by default the latest, to the published area."""
        asked = self.body
        path, name = asked.text("path"), asked.text("version", "")
        selector = parse_selector(name) if name else None
        await self.settle(path, selector or LATEST)
        message = asked.text("message", "")
        result = await self.with_notebook(
            path,
            lambda found, at: found.publish(at, selector, message=message, author=self.author),
        )
        described = describing.published(result)
        del described["url"]  # it names the bucket
        self.reply({**described, "unsaved_changes": result.unsaved_changes})


class UnpublishHandler(NbvcHandler):
    """``POST /nbvc/api/v1/unpublish``; there only where publishing is enabled."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Take a published copy back; its versions stay."""
        asked = self.body
        message = asked.text("message", "")
        key = await self.with_notebook(
            asked.text("path"),
            lambda found, at: found.unpublish(at, message=message, author=self.author),
        )
        self.reply({"key": key, "published": False})


def _page(workspace: Workspace, _: Path, *, prefix: str, limit: int, after: str) -> dict[str, Any]:
    # One more than a page has shows whether there is another one.
    found = list(
        workspace.repository.list_notebooks(
            prefix, area=Area.PUBLISHED, after=after, limit=limit + 1
        )
    )
    return {
        "notebooks": [describing.listed(entry) for entry in found[:limit]],
        "next": key_cursor(found[limit - 1].key) if len(found) > limit else None,
    }
