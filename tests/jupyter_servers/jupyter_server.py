"""JupyterLab and Notebook 7, started as people start them: enabled by what is installed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbvc.environment import Environment
from nbvc.workspace.core import Workspace
from tests.jupyter_servers.processes import HOST, Client, Process, eventually, free_port

TOKEN = "secret-of-the-test"
BASE_URL = "/a@b/"
COLLABORATION = "jupyter_server_ydoc"
"""What the extension is called that jupyter-collaboration enables by being installed."""


class Jupyter:
    """A server that can be killed and started again, with a home and a root that stay.

    Args:
        program: ``lab`` or ``notebook``.
        folder: For its home and its root, whose name has a blank.
        port: Where it listens.
        config: Its configuration, as in ``jupyter_server_config.json``.
        variables: Beside the usual ones.
        token: What its client sends.
    """

    def __init__(
        self,
        program: str,
        folder: Path,
        port: int,
        config: Mapping[str, Mapping[str, Any]],
        variables: Mapping[str, str],
        token: str,
    ) -> None:
        self.program = program
        self.home = folder / "home"
        self.root = folder / "my notebooks"
        self.client = Client(f"http://{HOST}:{port}{BASE_URL}", token)
        self.log = folder / "server.log"
        self._variables = {
            "HOME": str(self.home),
            "USER": "ada",
            "LOGNAME": "ada",
            **variables,
        }
        settings = {
            "port": port,
            "port_retries": 0,
            "open_browser": False,
            "allow_root": True,
            "base_url": BASE_URL,
            "root_dir": str(self.root),
        }
        (self.home / ".jupyter").mkdir(parents=True)
        self.root.mkdir()
        (self.home / ".jupyter" / "jupyter_server_config.json").write_text(
            json.dumps(
                {
                    **config,
                    "ServerApp": {**settings, **config.get("ServerApp", {})},
                    "IdentityProvider": {"token": token, **config.get("IdentityProvider", {})},
                }
            )
        )
        self.start(wait=False)

    def start(self, *, wait: bool = True) -> None:
        """Start it, again after it has ended."""
        program = Path(sys.executable).parent / f"jupyter-{self.program}"
        self.process = Process([program], self.root, self.log, self._variables)
        if wait:
            self.wait_until_up()

    def wait_until_up(self) -> None:
        """Wait until it answers."""

        def is_up() -> bool:
            assert self.process.is_alive(), self.process.log()
            return self.client.is_up()

        eventually(f"an answer of {self.program}", is_up)

    def environment(self) -> Environment:
        """Return the surroundings of a terminal of the server's user."""
        return replace(
            Environment.current(),
            variables=self._variables,
            user_config_file=self.home / ".config" / "nbvc" / "config.toml",
            cache_dir=self.home / ".cache" / "nbvc",
            cwd=self.root,
            login="ada",
            home=self.home,
        )

    def versions(self, path: str) -> list[tuple[str, str | None]]:
        """Return the last cell's source and the author of each version, oldest first."""
        self.client.wait_until_delivered()
        return self.recorded(path)

    def recorded(self, path: str) -> list[tuple[str, str | None]]:
        """Return the same of what is in the store already, and check that nothing waits."""
        with Workspace.open(environment=self.environment()) as workspace:
            assert workspace.outbox.waiting() == []
            assert workspace.captures.is_empty()
            found = [(workspace.read(each), each.author) for each in workspace.log(path)]
        return [(source_of(data), author) for data, author in reversed(found)]

    def notebooks(self) -> list[str]:
        """Return the paths of what the store lists."""
        with Workspace.open(environment=self.environment()) as workspace:
            keys = [entry.key for entry in workspace.repository.list_notebooks()]
            return [key.removeprefix(f"{workspace.namespace}/") for key in keys]

    def sources(self, path: str) -> list[str]:
        """Return the source of the last cell in each version, oldest first."""
        return [source for source, _ in self.versions(path)]


def source_of(data: Any) -> str:
    """Return the source of the last cell of a notebook."""
    return "".join(json.loads(bytes(data))["cells"][-1]["source"])


@contextmanager
def running(
    program: str,
    folder: Path,
    config: Mapping[str, Mapping[str, Any]],
    variables: Mapping[str, str] | None = None,
    *,
    token: str = TOKEN,
) -> Iterator[Jupyter]:
    """Run a server."""
    folder.mkdir()
    with free_port() as port:
        server = Jupyter(program, folder, port, config, variables or {}, token)
        try:
            server.wait_until_up()
            yield server
        finally:
            server.process.kill()
