"""Bring a version of a notebook back over its file, and never lose what was there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nbvc.errors import Conflict, UnsavedChanges
from nbvc.jupyter.api import NbvcHandler
from nbvc.model import Data, Version
from nbvc.values import dataclass
from nbvc.workspace import describing
from nbvc.workspace.accepting import accept, capture
from nbvc.workspace.checkout import is_safe_to_replace, put_in_place
from nbvc.workspace.core import Workspace
from nbvc.workspace.files import Stamp, stamp

_TRIES = 3
"""How often a save may come between before the restore gives up; each save is a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Restore:
    """A version at hand, and the file that is to have its bytes."""

    workspace: Workspace
    path: str
    version: Version
    data: Data
    before: Stamp | None
    is_safe: bool

    def capture(self, author: str | None) -> None:
        """Take what the file holds, as a save does it: that needs no store, and keeps its place.

        Raises:
            UnsavedChanges: It holds something else by now.
        """
        if stamp(self.workspace.folder / self.path) != self.before:
            raise UnsavedChanges(f"{self.path} was saved just now.", hint="Try again.")
        message = f"before restore of {self.version.name}"
        capture(self.workspace, self.path, author=author, message=message)

    def accept(self) -> None:
        """Let what was captured be held by a version that waits.

        Raises:
            Conflict: That must wait for something else.
        """
        accept(self.workspace)
        if not is_safe_to_replace(self.workspace, self.path):
            raise Conflict(
                f"What {self.path} holds could not be kept as a version yet; it was left as it is.",
                hint="Try again in a moment.",
            )

    def put_in_place(self) -> None:
        """Write the version over the file.

        Raises:
            UnsavedChanges: It was saved meanwhile; it was left as it is.
        """
        put_in_place(self.workspace, self.path, self.version, self.data, self.before)


class RestoreHandler(NbvcHandler):
    """``POST /nbvc/api/v1/restore``."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Write a version over the file; what the file holds becomes a version first.

        The document in a browser is not looked at: it is saved before, and reloaded after this.
        """
        asked = self.body
        path = asked.text("path")
        prepare = partial(_prepare, selector=asked.text("version"))
        is_rescued = False
        for left in reversed(range(_TRIES)):
            restore = await self.with_notebook(path, prepare)
            try:
                is_rescued = await self._rescue(path, restore) or is_rescued
                await self._alone(path, restore.put_in_place)
                break
            except UnsavedChanges:  # somebody saved meanwhile: that becomes a version as well
                if not left:
                    raise
        self.versioning.worker.wake(restore.workspace)
        self.reply(
            {
                "path": self.versioning.folders.api_path(restore.workspace, restore.path),
                "version": describing.version(restore.version),
                "rescued": is_rescued,
            }
        )

    async def _rescue(self, path: str, restore: _Restore) -> bool:
        """Keep what the file holds; return whether no version had it."""
        if restore.is_safe:
            return False
        await self._alone(path, partial(restore.capture, self.author))
        await self.versioning.run(restore.accept)
        return True

    async def _alone(self, path: str, work: Callable[[], None]) -> None:
        await self.extension.ordering.alone(path, work, self.versioning.run)


def _prepare(workspace: Workspace, path: str, *, selector: str) -> _Restore:
    """Fetch the version, and find out whether some version has the bytes of the file."""
    version = workspace.resolve(path, selector)
    data = workspace.repository.view(version)
    before = stamp(workspace.folder / path, shown=path)
    return _Restore(
        workspace=workspace,
        path=path,
        version=version,
        data=data,
        before=before,
        is_safe=is_safe_to_replace(workspace, path),
    )
