"""Where the versions of the server's notebooks stand."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nbvc import __version__
from nbvc.jupyter.api import NbvcHandler
from nbvc.workspace.core import Workspace
from nbvc.workspace.settings import EMBEDDED


class StatusHandler(NbvcHandler):
    """``GET /nbvc/api/v1/status``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Say whether saves become versions, and what waits. Asks no store."""
        self.reply(await self.versioning.run(self._status))

    def _status(self) -> dict[str, Any]:
        extension = self.extension
        problem = self.versioning.problem
        return {
            "version": __version__,
            "enabled": extension.enabled,
            "supported": extension.is_supported,
            "publish_enabled": extension.publish_enabled,
            "error": problem.to_dict() if problem else None,
            "folders": [self._folder(found) for found in self.versioning.folders.opened()],
        }

    def _folder(self, workspace: Workspace) -> dict[str, Any]:
        waiting = workspace.outbox.waiting()
        failure = workspace.outbox.failure if waiting else None
        return {
            "path": self.versioning.folders.api_path(workspace, ""),
            "namespace": workspace.namespace,
            "embedded": workspace.store_setting == EMBEDDED,
            "waiting": len(waiting) + workspace.captures.count(),
            "damaged": len(workspace.outbox.damaged()),
            "last_error_kind": failure.kind if failure else None,
        }
