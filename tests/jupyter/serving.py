"""A Jupyter server in the test's own process, as a browser uses it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPClientError, HTTPResponse

from nbvc.jupyter import events
from nbvc.jupyter.api import BASE
from nbvc.jupyter.extension import NbvcExtension
from nbvc.workspace.core import Workspace
from tests.jupyter.description import check_reply

IDLE_SECONDS = 60.0


def cells(*sources: str) -> dict[str, Any]:
    """Return the content of a notebook with such code cells."""
    return {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(sources)
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


class Server:
    """What a browser does, and what the test sees behind it.

    Attributes:
        app: The server.
        root: Its root.
        events: What came on the event bus of the extension, in order.
    """

    def __init__(self, app: Any, fetch: Any, root: Path) -> None:
        self.app = app
        self.root = root
        self.events: list[dict[str, Any]] = []
        self._fetch = fetch
        app.event_logger.add_listener(schema_id=events.SCHEMA_ID, listener=self._note)

    async def _note(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        self.events.append(data)

    @property
    def extension(self) -> NbvcExtension:
        """The extension in it."""
        found: NbvcExtension = self.app.web_app.settings["nbvc"]
        return found

    async def ask(
        self, method: str, path: str, body: Any = None, *, params: Any = None, **options: Any
    ) -> HTTPResponse:
        """Send a request with the server's token; any status comes back as a response.

        What a route of ours answers is checked against the OpenAPI document.

        Args:
            method: Such as ``GET``.
            path: Below the base URL, as ``/api/contents/mine.ipynb``.
            body: Sent as JSON; text and bytes as they are.
            params: The query.
            options: For Tornado's HTTP client, as ``headers``.
        """
        sent = body if isinstance(body, str | bytes) or body is None else json.dumps(body)
        parts = path.strip("/").split("/")
        if path.endswith("/"):
            parts[-1] += "/"
        try:
            response: HTTPResponse = await self._fetch(
                *parts,
                method=method,
                body=sent,
                params=params or {},
                allow_nonstandard_methods=True,
                **options,
            )
        except HTTPClientError as error:
            if error.response is None:
                raise
            response = error.response
        if path.startswith(BASE):
            kind = response.headers.get("Content-Type", "")
            check_reply(method, path, response.code, kind, response.body)
        return response

    async def json(
        self, method: str, path: str, body: Any = None, *, params: Any = None, status: int = 200
    ) -> Any:
        """Send a request, check its status, and return the JSON of the reply."""
        response = await self.ask(method, path, body, params=params)
        assert response.code == status, (response.code, response.body)
        return json.loads(response.body) if response.body else None

    async def save(self, path: str, *sources: str, status: int | None = None) -> None:
        """Save a notebook as JupyterLab does."""
        body = {"type": "notebook", "format": "json", "content": cells(*sources)}
        response = await self.ask("PUT", f"/api/contents/{path}", body)
        assert response.code in ({status} if status else {200, 201}), response.body

    async def idle(self) -> None:
        """Wait until the worker has done all that it can, and its events have come."""
        done = await asyncio.to_thread(
            self.extension.versioning.worker.wait_until_idle, IDLE_SECONDS
        )
        assert done, "the worker did not come to an end"
        passed = asyncio.get_running_loop().create_future()
        self.app.io_loop.add_callback(passed.set_result, None)
        await passed  # behind the events that the worker has sent
        await self.app.event_logger.gather_listeners()

    def workspace(self) -> Workspace:
        """Open the workspace of the root, as a command would."""
        return Workspace.open(environment=self.extension.versioning.folders.environment)

    async def sources(self, path: str) -> list[str]:
        """Return the source of the last cell in each version of a notebook, oldest first."""
        await self.idle()
        with self.workspace() as workspace:
            found = [json.loads(workspace.read(version)) for version in workspace.log(path)]
        return ["".join(each["cells"][-1]["source"]) if each["cells"] else "" for each in found][
            ::-1
        ]
