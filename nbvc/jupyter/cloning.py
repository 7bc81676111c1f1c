"""Copy a notebook from the store into a folder of the server."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from pathlib import Path

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nbvc.errors import InvalidInput, InvalidKey
from nbvc.jupyter.api import NbvcHandler, is_hidden
from nbvc.model import Area, NotebookKey
from nbvc.refs import Selector, parse_selector
from nbvc.workspace import describing
from nbvc.workspace.cloning import clone_notebook
from nbvc.workspace.core import Workspace
from nbvc.workspace.results import CloneResult
from nbvc.workspace.targets import Location


class CloneHandler(NbvcHandler):
    """``POST /nbvc/api/v1/clone``."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Copy a version into a folder, beside what is there: ``mine-1.ipynb``.

        The store is that of the folder; no request can name another one.
        """
        asked = self.body
        key = NotebookKey(asked.text("key"))
        if is_hidden(key.rpartition("/")[2]):
            raise InvalidKey(f"{str(key)!a} would be hidden here.")
        copy = partial(
            _clone,
            area=_area(asked.text("area", Area.WORKSPACE)),
            key=key,
            selector=parse_selector(asked.text("version", "latest")),
        )
        result = await self.with_folder(asked.text("folder", ""), copy)
        ((file, version),) = result.files
        is_new = not result.present
        if is_new:
            saved = partial(self.versioning.saved_file, file, author=self.author)
            await self.versioning.run(saved)
        path = file.relative_to(self.versioning.folders.root).as_posix()
        self.reply(
            {"path": path, "created": is_new, "version": describing.version(version)},
            HTTPStatus.CREATED if is_new else HTTPStatus.OK,
        )


def _area(text: str) -> Area:
    try:
        return Area(text)
    except ValueError as error:
        raise InvalidInput(f"area must be one of: {', '.join(Area)}.") from error


def _clone(
    workspace: Workspace, folder: Path, *, area: Area, key: NotebookKey, selector: Selector
) -> CloneResult:
    location = Location(store_url=workspace.store_url, area=area, path=key, selector=selector)
    return clone_notebook(workspace.session, workspace.repository, location, str(folder))
