"""Diffs over REST: of versions and unsaved documents, and heavy ones in a process of their own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import nbdime
import pytest

from nbvc.diffing import load
from nbvc.jupyter import comparing, differ
from nbvc.jupyter.api import BASE
from nbvc.workspace.comparing import Comparison
from tests.jupyter.serving import Server, cells

DIFF, CONTENT = f"{BASE}/diff", f"{BASE}/content"
MINE = {"path": "mine.ipynb"}
TWO = {**MINE, "old": "v1", "new": "v2"}
_LONG_ENOUGH = "# " + "a" * 100 + "\n"


def heavy(seed: int) -> dict[str, Any]:
    """Return a notebook that is large, and in which each cell differs from those of other seeds."""
    return cells(
        *(f"{_LONG_ENOUGH * 9}x = {seed * 10_000 + number}\n" * 3 for number in range(250))
    )


async def _start(server: Server) -> None:
    await server.save("mine.ipynb", "x = 1", "y = 1")
    await server.save("mine.ipynb", "x = 2", "y = 1")
    await server.idle()


async def _start_heavy(server: Server) -> None:
    for seed in (1, 2):
        body = {"type": "notebook", "content": heavy(seed)}
        await server.ask("PUT", "/api/contents/mine.ipynb", body)
    await server.idle()


async def _bytes(server: Server, version: str) -> bytes:
    response = await server.ask("GET", CONTENT, params={**MINE, "version": version})
    assert response.code == 200
    return bytes(response.body)


async def test_a_diff_leads_from_one_version_to_the_other(server: Server) -> None:
    """In nbdime's format, with the digest of each side; what is left out is left out."""
    await _start(server)
    found = await server.json("GET", DIFF, params=TWO)
    old, new = await _bytes(server, "v1"), await _bytes(server, "v2")
    patch = nbdime.diff_utils.to_diffentry_dicts(found["diff"])
    assert nbdime.patch_notebook(load(old), patch) == load(new)
    digests = [hashlib.sha256(data).hexdigest() for data in (old, new)]
    assert [found[side]["digest"] for side in ("old", "new")] == digests
    assert [found[side]["name"] for side in ("old", "new")] == ["v1", "v2"]
    same = await server.json("GET", DIFF, params={**MINE, "old": "v2", "new": "latest"})
    assert same["diff"] == []


async def test_a_version_is_compared_with_the_file_and_with_a_posted_document(
    server: Server,
) -> None:
    """The document is stored nowhere, and its digest is that of the bytes that were sent."""
    await _start(server)
    same = await server.json("GET", DIFF, params={**MINE, "old": "latest"})
    assert (same["new"]["name"], same["diff"]) == ("file", [])
    document = json.dumps(cells("x = 2", "y = 1", "z = 'ü'")).encode()
    found = await server.json("POST", DIFF, document, params={**MINE, "old": "latest"})
    assert found["new"] == {
        "name": "unsaved",
        "number": None,
        "version_id": None,
        "digest": hashlib.sha256(document).hexdigest(),
        "size_bytes": len(document),
    }
    assert [entry["op"] for entry in found["diff"][0]["diff"]] == ["addrange"]
    execution = cells("x = 2", "y = 1")
    execution["cells"][0]["execution_count"] = 7
    for option, expected in (("source_only", 0), ("ignore_details", 0), ("ignore_outputs", 1)):
        params = {**MINE, option: "true"}
        found = await server.json("POST", DIFF, execution, params=params)
        assert len(found["diff"]) == expected, option
    assert await server.sources("mine.ipynb") == ["y = 1", "y = 1"]
    with server.workspace() as workspace:
        assert workspace.resolve("mine.ipynb").number == 2


@pytest.mark.parametrize(
    "document", [b"", b"{", b"[]", b"\xff", b"{}", b'{"cells": 5}', b"[" * 100_000]
)
async def test_a_document_that_is_no_notebook_is_refused(server: Server, document: bytes) -> None:
    """By name: it is the document that is wrong."""
    await _start(server)
    error = await server.json("POST", DIFF, document, params=MINE, status=400)
    assert error["kind"] == "invalid-notebook"
    assert "mine.ipynb@unsaved" in error["message"]


async def test_a_document_that_is_too_long_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is read as JSON."""
    monkeypatch.setattr(comparing.DiffHandler, "max_body_bytes", 100)
    error = await server.json("POST", DIFF, b"x" * 101, params=MINE, status=413)
    assert error["kind"] == "too-large"


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Return the processes that comparisons start; at the end none of them is left."""
    started = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            started.append(self)

    monkeypatch.setattr(differ.subprocess, "Popen", Noted)
    yield started
    assert all(process.returncode is not None for process in started)


async def test_heavy_notebooks_are_compared_in_a_process_once(
    server: Server, processes: list[subprocess.Popen[bytes]]
) -> None:
    """It gives what a thread would; a second look finds what came of the first."""
    await _start_heavy(server)
    found = await server.json("GET", DIFF, params=TWO)
    assert len(processes) == 1
    assert await server.json("GET", DIFF, params=TWO) == found
    assert len(processes) == 1
    old, new = await _bytes(server, "v1"), await _bytes(server, "v2")
    patch = nbdime.diff_utils.to_diffentry_dicts(found["diff"])
    assert nbdime.patch_notebook(load(old), patch) == load(new)
    broken = b'{"cells": "' + b"x" * differ.IN_THREAD_BYTES + b'"}'
    error = await server.json("POST", DIFF, broken, params=MINE, status=400)
    assert error["kind"] == "invalid-notebook"
    assert len(processes) == 2


_IMPATIENT = {"NbvcExtension": {"diff_timeout_seconds": 0.05}}


@pytest.mark.parametrize("jp_server_config", [_IMPATIENT], indirect=True)
async def test_a_comparison_that_takes_too_long_is_killed(
    server: Server, processes: list[subprocess.Popen[bytes]]
) -> None:
    """The event loop is free all the time, and the next one is compared as if nothing had been.

    The largest gap of one of three tries counts, for another process may hold up any one of them.
    """
    await _start_heavy(server)
    gaps = []
    for _ in range(3):
        compare = server.json("GET", DIFF, params=TWO, status=504)
        error, gap = await _with_largest_gap(asyncio.create_task(compare))
        assert error["kind"] == "timed-out"
        gaps.append(gap)
    assert [process.wait(0) for process in processes] == [-9, -9, -9]
    assert min(gaps) < 0.05, gaps
    server.extension.versioning.differ._timeout_seconds = 60
    await server.json("GET", DIFF, params=TWO)


async def _with_largest_gap(task: asyncio.Task[Any]) -> tuple[Any, float]:
    """Wait for *task*; return its result, and the longest time that the loop did nothing else."""
    largest, before = 0.0, time.monotonic()
    while not task.done():
        await asyncio.sleep(0.001)
        now = time.monotonic()
        largest, before = max(largest, now - before), now
    return task.result(), largest


async def test_too_many_at_once_are_refused_rather_than_piled_up(
    server: Server, processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few are compared at a time, a few wait, and the rest is told when to come again."""
    await _start_heavy(server)
    monkeypatch.setattr(differ, "MAX_PROCESSES", 1)
    monkeypatch.setattr(differ, "MAX_WAITING", 1)
    monkeypatch.setattr(Comparison, "kept_diff", lambda _: None)
    server.extension.versioning.differ._slots = asyncio.Semaphore(1)
    asked = [server.ask("GET", DIFF, params=TWO) for _ in range(5)]
    responses = await asyncio.gather(*asked)
    assert sorted(response.code for response in responses) == [200, 200, 503, 503, 503]
    refused = next(response for response in responses if response.code == 503)
    assert json.loads(refused.body)["kind"] == "busy"
    assert refused.headers["Retry-After"] == "5"
    assert len(processes) == 2


async def test_requests_do_not_pile_up_behind_a_store(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is more than can be done soon is refused."""
    await _start(server)
    server.extension.versioning._under_way = 10_000
    error = await server.json("GET", CONTENT, params=MINE, status=503)
    assert error["kind"] == "busy"


async def test_a_server_that_stops_kills_what_is_compared(
    server: Server, processes: list[subprocess.Popen[bytes]]
) -> None:
    """And begins nothing more."""
    await _start_heavy(server)
    comparer = server.extension.versioning.differ
    task = asyncio.create_task(server.json("GET", DIFF, params=TWO, status=500))
    while not comparer._processes:
        await asyncio.sleep(0.001)
    comparer.stop()
    await task
    error = await server.json("GET", DIFF, params=TWO, status=500)
    assert error["message"] == "The server is being stopped."
