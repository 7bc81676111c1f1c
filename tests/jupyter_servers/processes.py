"""A server as a process of its own, and requests to it as its front end sends them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.jupyter.serving import cells

HOST = "127.0.0.1"
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.05
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")


@contextmanager
def free_port() -> Iterator[int]:
    """Give a free port, which nobody else gets before the end of the block."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, 0))
        yield holder.getsockname()[1]


def eventually(what: str, is_so: Callable[[], object]) -> None:
    """Wait until something becomes true; it fails with *what* it was that did not."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"in vain waited for: {what}"
        time.sleep(POLL_SECONDS)


class Process:
    """A program that runs until it is told to end, its output in a file.

    Args:
        command: What to run.
        folder: Its working directory.
        log: Where its output goes, after what is there.
        variables: All that it sees of the environment, beside where programs are.
    """

    def __init__(
        self, command: Sequence[str | Path], folder: Path, log: Path, variables: Mapping[str, str]
    ) -> None:
        self._log = log
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**kept, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output.fileno(),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def number(self) -> int:
        """Its process ID."""
        return self._process.pid

    def log(self) -> str:
        """Return what it has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def is_alive(self) -> bool:
        """Return whether it still runs; a failure to start shows what it printed."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a loss of power would, and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(WAIT_SECONDS)

    def terminate(self) -> int:
        """Ask it to end, as systemd and Kubernetes do; return its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(WAIT_SECONDS)


class Client:
    """Sends requests to a server, one after the other.

    Args:
        url: Address of the server, with its base URL.
        token: What it lets in.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._address = urlsplit(self.url)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request; return the status, and the reply: parsed, where it is JSON."""
        connection = http.client.HTTPConnection(self._address.netloc, timeout=WAIT_SECONDS)
        try:
            connection.request(
                method,
                f"{self._address.path}{path}",
                json.dumps(body) if body is not None else None,
                {"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            )
            response = connection.getresponse()
            status, data = response.status, response.read()
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return status, json.loads(data) if is_json and data else data

    def json(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
        """Send a request, check its status, and return the reply."""
        found, reply = self.ask(method, path, body)
        assert found == status, f"{method} {path}: {found} {reply!r}"
        return reply

    def is_up(self) -> bool:
        """Return whether the server answers."""
        try:
            return self.ask("GET", "/api/status")[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    # What a front end sends

    def autosave(self, path: str, *sources: str) -> None:
        """Save a notebook as JupyterLab does by itself."""
        body = {"type": "notebook", "format": "json", "content": cells(*sources)}
        status, reply = self.ask("PUT", contents(path), body)
        assert status in {200, 201}, (status, reply)

    def save(self, path: str, *sources: str) -> str:
        """Save a notebook as who presses Save does; return the ID of the checkpoint."""
        self.autosave(path, *sources)
        made = self.json("POST", f"{contents(path)}/checkpoints", status=201)
        self.json("GET", f"{contents(path)}?content=0")
        return str(made["id"])

    def restore(self, path: str, checkpoint: str) -> None:
        """Go back to a checkpoint, and open the file again, as the front end does then."""
        self.json("POST", f"{contents(path)}/checkpoints/{checkpoint}", status=204)
        self.json("GET", f"{contents(path)}?type=notebook&content=1")

    def rename(self, path: str, new: str) -> None:
        """Give a file or a folder another name."""
        self.json("PATCH", contents(path), {"path": new})

    @contextmanager
    def kept_open(self) -> Iterator[Callable[[], None]]:
        """Give a function that asks for next to nothing, over one connection."""
        connection = http.client.HTTPConnection(self._address.netloc, timeout=WAIT_SECONDS)
        path, headers = f"{self._address.path}/api", {"Authorization": f"token {self.token}"}

        def ask() -> None:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.read()
            assert response.status == http.HTTPStatus.OK

        with closing(connection):
            yield ask

    def status(self) -> Any:
        """Return what the extension says of itself."""
        return self.json("GET", "/nbvc/api/v1/status")

    def wait_until_delivered(self) -> None:
        """Wait until nothing is in an outbox any more."""

        def delivered() -> bool:
            folders = self.status()["folders"]
            return bool(folders) and not any(folder["waiting"] for folder in folders)

        eventually("an empty outbox", delivered)


def contents(path: str) -> str:
    """Return the route of a file."""
    return f"/api/contents/{quote(path)}"
