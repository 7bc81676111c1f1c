"""A JupyterHub on loopback, with the configuration that the page on JupyterHub gives."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.jupyter_servers.jupyter_server import COLLABORATION
from tests.jupyter_servers.processes import HOST, Client, Process, eventually, free_port
from tests.pages import PROJECT

CONFIG = PROJECT / "docs" / "examples" / "jupyterhub_config.py"
PASSWORD = "only-for-the-test"
LEFT_OUT = (COLLABORATION, "jupyterlab", "notebook", "notebook_shim", "jupyter_lsp", "nbdime")
"""Extensions that servers start without here, each of which costs time to import."""

DEBIANS_MODULES = "/usr/share/nodejs"
"""Where node, if it is not Debian's, does not look by itself."""


def require_proxy() -> None:
    """Skip the test where JupyterHub's proxy, a program for node, is not there."""
    if shutil.which("configurable-http-proxy") is None:
        pytest.skip(
            "configurable-http-proxy is not there, which JupyterHub needs: on Debian or Ubuntu,"
            " as root: scripts/install-test-packages"
        )


class Hub:
    """A hub whose users log in with a password, and whose servers are processes beside it.

    Args:
        folder: For its files, and the homes of its users.
        users: Who may log in.
        ports: Three free ones.
        variables: What its configuration reads.
    """

    def __init__(
        self, folder: Path, users: Sequence[str], ports: Sequence[int], variables: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.url = f"http://{HOST}:{ports[0]}"
        for user in users:
            config = self.home(user) / ".jupyter" / "jupyter_server_config.json"
            config.parent.mkdir(parents=True)
            extensions = dict.fromkeys(LEFT_OUT, False)
            config.write_text(
                json.dumps({"ServerApp": {"allow_root": True, "jpserver_extensions": extensions}})
            )
        options = {
            "JupyterHub.bind_url": f"{self.url}/",
            "JupyterHub.hub_bind_url": f"http://{HOST}:{ports[1]}",
            "ConfigurableHTTPProxy.api_url": f"http://{HOST}:{ports[2]}",
            "JupyterHub.db_url": "sqlite:///:memory:",
            "JupyterHub.authenticator_class": "dummy",
            "JupyterHub.spawner_class": "simple",
            "DummyAuthenticator.password": PASSWORD,
            "SimpleLocalProcessSpawner.home_dir_template": f"{folder}/{{username}}",
        }
        programs = Path(sys.executable).parent
        self.process = Process(
            [
                programs / "jupyterhub",
                f"--config={CONFIG}",
                *[f"--{name}={value}" for name, value in options.items()],
                *[f"--Authenticator.allowed_users={user}" for user in users],
            ],
            folder,
            folder / "hub.log",
            {
                "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                "HOME": str(folder),
                "NODE_PATH": DEBIANS_MODULES,
                **variables,
            },
        )

    def home(self, user: str) -> Path:
        """Return the home of a user."""
        return self.folder / user

    def wait_until_up(self) -> None:
        """Wait until it answers."""
        anybody = Client(f"{self.url}/hub", "")

        def is_up() -> bool:
            assert self.process.is_alive(), self.process.log()
            try:
                return anybody.ask("GET", "/api/")[0] == 200
            except OSError:
                return False

        eventually("an answer of JupyterHub", is_up)

    def log_in(self, user: str) -> str:
        """Return a token of somebody who has shown the password."""
        body = {"auth": {"username": user, "password": PASSWORD}}
        route = f"/api/users/{user}/tokens"
        return str(Client(f"{self.url}/hub", "").json("POST", route, body, status=201)["token"])

    def server(self, user: str, token: str) -> Client:
        """Return what sends requests to the server of *user*, with anybody's token."""
        return Client(f"{self.url}/user/{user}", token)

    def start_server(self, user: str, token: str) -> Client:
        """Let a user start their server; return what sends requests to it."""
        status, reply = Client(f"{self.url}/hub", token).ask("POST", f"/api/users/{user}/server")
        assert status in {201, 202}, reply
        server = self.server(user, token)
        eventually(f"the server of {user}", server.is_up)
        return server

    def stop_server(self, user: str, token: str) -> None:
        """Stop a server, as one that culls idle ones does."""
        hub = Client(f"{self.url}/hub", token)
        process = self.process_of(user)
        status, reply = hub.ask("DELETE", f"/api/users/{user}/server")
        assert status in {202, 204}, reply
        eventually("the end of a server", lambda: not process.is_running())
        eventually("its end, for the hub", lambda: self._has_ended(hub, user))

    def process_of(self, user: str) -> psutil.Process:
        """Return the process of a user's server."""
        (found,) = [
            process
            for process in psutil.Process(self.process.number).children(recursive=True)
            if process.environ().get("JUPYTERHUB_USER") == user
        ]
        return found

    def _has_ended(self, hub: Client, user: str) -> bool:
        model = hub.json("GET", f"/api/users/{user}")
        return not model["servers"] or not any(model["servers"].values())


@contextmanager
def running_hub(folder: Path, users: Sequence[str], variables: Mapping[str, str]) -> Iterator[Hub]:
    """Run a hub."""
    folder.mkdir()
    with ExitStack() as stack:
        ports = [stack.enter_context(free_port()) for _ in range(3)]
        hub = Hub(folder, users, ports, variables)
        started = psutil.Process(hub.process.number)
        try:
            hub.wait_until_up()
            yield hub
        finally:
            # Each server has a session of its own.
            everything = started.children(recursive=True)
            hub.process.kill()
            for process in everything:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
