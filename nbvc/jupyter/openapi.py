"""The description of the routes, for programs: ``openapi.json`` beside this module."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nbvc.jupyter.api import NbvcHandler

DOCUMENT = Path(__file__).with_name("openapi.json")


class OpenApiHandler(NbvcHandler):
    """``GET /nbvc/api/v1/openapi.json``."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Send the description."""
        self.finish(await self.versioning.run(DOCUMENT.read_bytes))
