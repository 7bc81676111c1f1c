"""What people do in JupyterLab and Notebook 7, and what must have become of it."""

from __future__ import annotations

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.jupyter_servers.jupyter_server import Jupyter
from tests.jupyter_servers.processes import contents

LOOP_SECONDS = 0.05
"""For how long the event loop may do nothing else (issue 5)."""

TRIES = 10


def a_day_of_work(server: Jupyter) -> None:
    """Save, autosave, poll, restore, rename, copy and delete: each as the front end asks for it."""
    client = server.client
    client.json("PUT", contents("my work"), {"type": "directory"}, status=201)
    client.autosave("my work/rain.ipynb", "x = 1")
    checkpoint = client.save("my work/rain.ipynb", "x = 2")
    for source in ("x = 3", "x = 3", "x = 4"):
        client.autosave("my work/rain.ipynb", source)
        client.json("GET", f"{contents('my work/rain.ipynb')}?content=0")
    client.restore("my work/rain.ipynb", checkpoint)
    saved = [f"x = {number}" for number in (1, 2, 3, 4, 2)]
    assert server.sources("my work/rain.ipynb") == saved

    client.rename("my work/rain.ipynb", "my work/wet & dry.ipynb")
    client.rename("my work", "our work")
    client.autosave("our work/wet & dry.ipynb", "x = 5")
    # Each of the two renames is a version as well, with the bytes of the one before.
    renamed = [*saved, "x = 2", "x = 2", "x = 5"]
    assert server.sources("our work/wet & dry.ipynb") == renamed

    copied = client.json(
        "POST", contents("our work"), {"copy_from": "our work/wet & dry.ipynb"}, status=201
    )
    client.autosave(copied["path"], "x = 6")
    assert server.sources(copied["path"]) == ["x = 5", "x = 6"]
    client.json("DELETE", contents(copied["path"]), status=204)
    assert server.sources(copied["path"]) == ["x = 5", "x = 6"]
    assert server.notebooks() == ["our work/wet & dry.ipynb"]


def burst(server: Jupyter, path: str, count: int, *, kill_after: int) -> list[str]:
    """Save again and again, and kill the server in the middle; return what it acknowledged."""
    acknowledged: list[str] = []
    enough = threading.Event()

    def save() -> None:
        for number in range(count):
            try:
                server.client.autosave(path, f"y = {number}")
            except (OSError, http.client.HTTPException):
                return
            acknowledged.append(f"y = {number}")
            if len(acknowledged) == kill_after:
                enough.set()

    with ThreadPoolExecutor(1) as thread:
        saving = thread.submit(save)
        assert enough.wait(60), saving
        server.process.kill()
        saving.result()
    assert len(acknowledged) < count, "it was not killed in the middle"
    return acknowledged


def check_exactly_once(sources: list[str], acknowledged: list[str], last: str) -> None:
    """Each acknowledged save is one version, in order, and the newest is what the file holds.

    The save that was cut off may have reached the disk, and then it is one as well.
    """
    cut_off = f"y = {len(acknowledged)}"
    assert sources in (acknowledged, [*acknowledged, cut_off])
    assert sources[-1] == last


def smallest_gap(server: Jupyter, path: str) -> float:
    """Save, and return for how long at most the server answered nothing else meanwhile.

    In the best of a few tries, for another process may hold up any one of them.
    """
    best = float("inf")
    for attempt in range(TRIES):
        best = min(best, _largest_gap(server, path, attempt))
        if best < LOOP_SECONDS:
            break
    return best


def _largest_gap(server: Jupyter, path: str, attempt: int) -> float:
    largest, is_done = 0.0, threading.Event()

    def ask() -> float:
        nonlocal largest
        with server.client.kept_open() as is_up:
            while not is_done.is_set():
                before = time.monotonic()
                is_up()
                largest = max(largest, time.monotonic() - before)
        return largest

    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask)
        for number in range(5):
            server.client.autosave(path, f"z = {attempt}, {number}")
        is_done.set()
        return asking.result()
