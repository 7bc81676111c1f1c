"""Somebody who writes a notebook together with others, as a browser with jupyter-collaboration."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

from jupyter_ydoc import YNotebook
from pycrdt import (
    Doc,
    Text,
    TransactionEvent,
    YMessageType,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)
from websocket import WebSocketTimeoutException, create_connection

from tests.jupyter_servers.processes import WAIT_SECONDS, Client

_RECEIVE_SECONDS = 5.0


class Collaborator:
    """Opens a notebook with a cell, and types into it.

    Args:
        client: The server, with the token of this person.
        path: The notebook.
    """

    def __init__(self, client: Client, path: str) -> None:
        route = f"/api/collaboration/session/{quote(path)}"
        status, session = client.ask("PUT", route, {"format": "json", "type": "notebook"})
        assert status in {200, 201}, session
        room = f"{session['format']}:{session['type']}:{session['fileId']}"
        query = urlencode({"sessionId": session["sessionId"], "token": client.token})
        address = client.url.replace("http", "ws", 1)
        self._socket = create_connection(
            f"{address}/api/collaboration/room/{room}?{query}", timeout=_RECEIVE_SECONDS
        )
        self._document: Doc = Doc()
        self._notebook = YNotebook(self._document)
        self._socket.send_binary(create_sync_message(self._document))
        self._receive_until(lambda: self._notebook.cell_number)

    def close(self) -> None:
        """Close the notebook."""
        self._socket.close()

    def see(self, source: str) -> None:
        """Wait until the first cell has this source."""
        self._receive_until(lambda: self._notebook.get_cell(0)["source"] == source)

    def type(self, source: str) -> None:
        """Give the first cell another source."""
        updates: list[bytes] = []

        def note(event: TransactionEvent) -> None:
            updates.append(event.update)

        observed = self._document.observe(note)
        text = self._notebook.ycells[0]["source"]
        assert isinstance(text, Text)
        with self._document.transaction():
            text.clear()
            text += source
        self._document.unobserve(observed)
        for update in updates:
            self._socket.send_binary(create_update_message(update))

    def _receive_until(self, is_so: Callable[[], object]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, "what was waited for did not come"
            try:
                message = self._socket.recv()
            except WebSocketTimeoutException:
                continue
            if isinstance(message, bytes) and message[0] == YMessageType.SYNC:
                reply = handle_sync_message(message[1:], self._document)
                if reply is not None:
                    self._socket.send_binary(reply)
