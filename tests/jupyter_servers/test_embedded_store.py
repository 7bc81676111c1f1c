"""Notebook 7 as a process, just installed and started, with nothing configured."""

from __future__ import annotations

import sys
from pathlib import Path

from jupyter_server.extension.config import ExtensionConfigManager
from jupyter_server.extension.manager import ExtensionPackage

from nbvc import __version__
from tests.jupyter_servers import scenes
from tests.jupyter_servers.jupyter_server import COLLABORATION, running, source_of


def test_installing_is_enough(tmp_path: Path) -> None:
    """Every save is a version: in a day of work, through a kill -9, a restart and a SIGTERM."""
    config = {"ServerApp": {"jpserver_extensions": {COLLABORATION: False}}}
    with running("notebook", tmp_path / "server", config) as server:
        where = f"{(server.root / '.nbvc' / 'store').as_uri()}, under ada/my-notebooks"
        assert (
            f"nbvc: every save of a notebook becomes a version in {where}" in server.process.log()
        )
        scenes.a_day_of_work(server)
        acknowledged = scenes.burst(server, "burst.ipynb", 100, kill_after=20)
        server.start()
        sources = server.sources("burst.ipynb")
        last = source_of((server.root / "burst.ipynb").read_bytes())
        scenes.check_exactly_once(sources, acknowledged, last)
        for number in range(10):
            server.client.autosave("end.ipynb", f"x = {number}")
        assert server.process.terminate() == 0
        assert server.recorded("end.ipynb") == [(f"x = {number}", "ada") for number in range(10)]


def test_the_installation_enables_the_extension() -> None:
    """What ``jupyter server extension list`` looks at has it: enabled, loadable, with a version."""
    folder = Path(sys.prefix) / "etc" / "jupyter"
    found = ExtensionConfigManager(read_config_path=[str(folder)]).get_jpserver_extensions()
    extension = ExtensionPackage(name="nbvc.jupyter", enabled=found["nbvc.jupyter"])
    assert extension.enabled
    assert extension.validate()
    assert extension.version == __version__
