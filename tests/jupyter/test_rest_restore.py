"""Restore over REST: a version comes back, and no bytes are lost on the way."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from nbvc.jupyter import restoring
from nbvc.jupyter.api import BASE
from tests.jupyter.serving import Server, cells
from tests.jupyter.test_saving import MANAGERS

RESTORE = f"{BASE}/restore"
FIRST = {"path": "mine.ipynb", "version": "v1"}


async def _start(server: Server) -> bytes:
    """Save two versions, and return the bytes of the first."""
    await server.save("mine.ipynb", "x = 1")
    first = (server.root / "mine.ipynb").read_bytes()
    await server.save("mine.ipynb", "x = 2")
    await server.idle()
    return first


async def test_a_version_comes_back_and_is_the_newest_once_it_is_saved(server: Server) -> None:
    """A restore makes no version by itself, nor does opening the notebook after it."""
    first = await _start(server)
    restored = await server.json("POST", RESTORE, FIRST)
    assert (restored["path"], restored["version"]["number"]) == ("mine.ipynb", 1)
    assert restored["rescued"] is False
    assert (server.root / "mine.ipynb").read_bytes() == first
    await server.json("GET", "/api/contents/mine.ipynb")
    assert await server.sources("mine.ipynb") == ["x = 1", "x = 2"]
    await server.save("mine.ipynb", "x = 1")
    assert await server.sources("mine.ipynb") == ["x = 1", "x = 2", "x = 1"]
    with server.workspace() as workspace:
        assert workspace.resolve("mine.ipynb").parent == 1


@pytest.mark.parametrize("data", [json.dumps(cells("y = 1")).encode(), b"half a notebo"])
async def test_what_no_version_has_becomes_one_first(server: Server, data: bytes) -> None:
    """Also what is no notebook; the reply says so, and the log why it was made."""
    await _start(server)
    (server.root / "mine.ipynb").write_bytes(data)
    restored = await server.json("POST", RESTORE, FIRST)
    assert restored["rescued"] is True
    await server.idle()
    with server.workspace() as workspace:
        newest = workspace.resolve("mine.ipynb")
        assert workspace.read(newest) == data
        assert (newest.number, newest.message) == (3, "before restore of v1")


async def test_a_save_right_before_stays_one_version(server: Server) -> None:
    """It is on its way to the store when the restore comes, and keeps its place."""
    await _start(server)
    await server.save("mine.ipynb", "x = 3")
    assert (await server.json("POST", RESTORE, FIRST))["rescued"] is False
    assert await server.sources("mine.ipynb") == ["x = 1", "x = 2", "x = 3"]


@pytest.mark.parametrize("jp_server_config", MANAGERS, indirect=True)
async def test_saves_and_restores_at_the_same_time_lose_nothing(server: Server) -> None:
    """Every document that was saved is a version, whichever came first."""
    await _start(server)

    async def save(number: int) -> None:
        await asyncio.sleep(0.004 * number)
        await server.save("mine.ipynb", f"y = {number}")

    async def restore() -> int:
        return (await server.ask("POST", RESTORE, FIRST)).code

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(save(number))
        restores = [group.create_task(restore()) for _ in range(6)]
    assert {task.result() for task in restores} <= {200, 409}
    sources = await server.sources("mine.ipynb")
    assert {f"y = {number}" for number in range(8)} <= set(sources), sources
    with server.workspace() as workspace:
        present = (server.root / "mine.ipynb").read_bytes()
        assert present in {workspace.read(version) for version in workspace.log("mine.ipynb")}
        assert workspace.outbox.damaged() == []


async def test_a_save_in_the_last_moment_is_not_overwritten(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was saved after the look at the file becomes a version before it is replaced."""
    first = await _start(server)
    looked, go_on = asyncio.Event(), threading.Event()
    loop, prepare = asyncio.get_running_loop(), restoring._prepare
    times = []

    def look(*arguments: Any, **named: Any) -> Any:
        found = prepare(*arguments, **named)
        times.append(1)
        loop.call_soon_threadsafe(looked.set)
        go_on.wait(60)
        return found

    monkeypatch.setattr(restoring, "_prepare", look)
    restore = asyncio.create_task(server.json("POST", RESTORE, FIRST))
    await looked.wait()
    await server.save("mine.ipynb", "x = 3, saved in between")
    go_on.set()
    await restore
    assert len(times) == 2
    assert (server.root / "mine.ipynb").read_bytes() == first
    assert await server.sources("mine.ipynb") == ["x = 1", "x = 2", "x = 3, saved in between"]


async def test_a_notebook_that_was_deleted_comes_back(server: Server) -> None:
    """Its versions are all there."""
    first = await _start(server)
    await server.json("DELETE", "/api/contents/mine.ipynb", status=204)
    await server.idle()
    await server.json("POST", RESTORE, FIRST)
    assert (server.root / "mine.ipynb").read_bytes() == first
