"""The names that people gave to versions."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nbvc.jupyter.api import NbvcHandler
from nbvc.refs import parse_selector
from nbvc.workspace import describing
from nbvc.workspace.core import Workspace


class TagsHandler(NbvcHandler):
    """``/nbvc/api/v1/tags``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List the tags of a notebook."""
        self.reply(await self.with_notebook(self.query.text("path"), _tags))

    @authenticated
    @authorized
    async def put(self) -> None:
        """Name a version; with ``move``, also where another version has the name."""
        asked = self.body
        path, name, move = asked.text("path"), asked.text("tag"), asked.flag("move")
        selector = parse_selector(asked.text("version", "latest"))
        await self.settle(path, selector)
        version = await self.with_notebook(
            path,
            lambda found, at: found.tag(name, at, selector, move=move, author=self.author),
        )
        self.reply({"tag": name, "version": describing.version(version)})

    @authenticated
    @authorized
    async def delete(self) -> None:
        """Take a name away."""
        asked = self.query
        name = asked.text("tag")
        number = await self.with_notebook(
            asked.text("path"),
            lambda found, at: found.delete_tag(name, at, author=self.author),
        )
        self.reply({"tag": name, "number": number})


def _tags(workspace: Workspace, path: str) -> dict[str, Any]:
    workspace.resolve(path)  # says so where there is no such notebook
    found = workspace.tags(path)
    return {"tags": [{"tag": name, "number": found[name]} for name in sorted(found)]}
