"""JupyterLab as a process, with jupyter-collaboration as its installation enables it."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

from tests.command_line import PROJECT
from tests.jupyter_servers.collaborating import Collaborator
from tests.jupyter_servers.jupyter_server import COLLABORATION, Jupyter, running
from tests.jupyter_servers.people import TOKENS
from tests.jupyter_servers.processes import Client, eventually


def has_versions(server: Jupyter, path: str, count: int) -> bool:
    """Return whether a notebook has so many versions."""
    return len(server.versions(path)) >= count


def test_what_people_write_together_is_versioned_with_who_wrote_it(tmp_path: Path) -> None:
    """Each pause in typing is a version, by who typed last; nothing else makes one."""
    config = {
        "ServerApp": {"identity_provider_class": "tests.jupyter_servers.people.ByToken"},
        "YDocExtension": {"document_save_delay": 0.1, "file_poll_interval": 0.1},
    }
    variables = {"PYTHONPATH": str(PROJECT)}
    with running("lab", tmp_path / "server", config, variables, token=TOKENS["ann"]) as server:
        assert f"{COLLABORATION} | extension was successfully loaded" in server.process.log()
        server.client.autosave("mine.ipynb", "x = 0")
        expected = [("x = 0", "ann")]
        clients = {name: Client(server.client.url, token) for name, token in TOKENS.items()}
        with (
            closing(Collaborator(clients["ann"], "mine.ipynb")) as ann,
            closing(Collaborator(clients["bob"], "mine.ipynb")) as bob,
        ):
            for source, name, writer, reader in (
                ("x = 1", "ann", ann, bob),
                ("x = 2", "bob", bob, ann),
                ("x = 3", "bob", bob, ann),
            ):
                writer.type(source)
                reader.see(source)
                expected.append((source, name))
                eventually(
                    f"a version with {source}",
                    partial(has_versions, server, "mine.ipynb", len(expected)),
                )
        server.client.json("GET", "/api/contents/mine.ipynb?content=0")
        assert server.versions("mine.ipynb") == expected
        assert server.client.status()["error"] is None
