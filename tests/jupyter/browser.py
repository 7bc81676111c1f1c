"""A real browser, driven by the DevTools protocol of Chromium: opens pages, clicks, reads."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
TIMEOUT_SECONDS = 60.0


class Gone(Exception):
    """The page went somewhere else meanwhile."""


class Page:
    """A tab of a browser.

    Args:
        connection: To the tab.

    Attributes:
        complaints: What the page did against its own policy, and errors that no script caught.
    """

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.complaints: list[str] = []
        self._connection = connection
        self._sent = 0

    async def open(self, url: str) -> None:
        """Open a page, and wait until it is loaded."""
        await self._ask("Page.navigate", url=url)
        await self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def click(self, selector: str) -> None:
        """Click on what *selector* finds."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    async def text(self, selector: str) -> str:
        """Return the text of what *selector* finds."""
        found = await self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return str(found)

    async def wait_for(self, condition: str) -> None:
        """Wait until *condition*, in the language of the page, is true."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                with suppress(Gone):
                    if await self.evaluate(f"!!({condition})"):
                        return
                await asyncio.sleep(0.02)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the language of the page."""
        reply = await self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in reply, reply
        return reply["result"].get("value")

    async def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._sent += 1
        request = {"id": self._sent, "method": method, "params": parameters}
        await self._connection.write_message(json.dumps(request))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                message = await self._connection.read_message()
                assert message is not None, "the browser is gone"
                told = json.loads(message)
                if told.get("id") == self._sent:
                    if "error" in told:
                        raise Gone(told["error"]["message"])
                    found: dict[str, Any] = told["result"]
                    return found
                self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        if told.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["params"]))
        if told.get("method") == "Log.entryAdded" and told["params"]["entry"]["source"] in {
            "security",
            "violation",
        }:
            self.complaints.append(told["params"]["entry"]["text"])


@asynccontextmanager
async def open_page(folder: Path) -> AsyncIterator[Page]:
    """Start a browser that keeps its things in *folder*, and give an empty page of it."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            address = await _address(process)
            listed = await AsyncHTTPClient().fetch(f"http://{address}/json/list")
        (tab,) = [tab for tab in json.loads(listed.body) if tab["type"] == "page"]
        with closing(await websocket_connect(tab["webSocketDebuggerUrl"])) as connection:
            page = Page(connection)
            for domain in ("Page", "Log", "Runtime"):
                await page._ask(f"{domain}.enable")
            yield page
    finally:
        process.kill()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        if found := re.search(rb"DevTools listening on ws://([^/]+)/", line):
            return found[1].decode()
    raise AssertionError("the browser did not start")
