"""Fixtures that the tests of several layers share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from nbvc.environment import Environment
from nbvc.model import WriteId
from nbvc.workspace.binding import init
from nbvc.workspace.core import Workspace
from tests.command_line import CommandLine
from tests.notebook_samples import CORPUS
from tests.s3_server import isolate_aws_settings

# A machine that is busy is no failure; CI tries the same examples each time, people try new ones.
settings.register_profile("nbvc", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("nbvc")

# A shell lets what it runs in the background ignore Ctrl-C, and the children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

START = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Return surroundings of their own: a clock that ticks once a minute, counted write IDs."""
    minutes, ids = count(), count(1)
    folder = tmp_path / "project"
    folder.mkdir()
    return Environment(
        variables={"NBVC_AUTHOR": "ada"},
        user_config_file=tmp_path / "home" / "config.toml",
        cache_dir=tmp_path / "home" / "cache",
        cwd=folder,
        login="ada",
        now=lambda: START + timedelta(minutes=next(minutes)),
        timezone=UTC,
        new_write_id=lambda: WriteId(f"{next(ids):022}"),
        sleep=lambda _: None,
        jitter=lambda: 0.5,
    )


@pytest.fixture
def workspace(environment: Environment) -> Iterator[Workspace]:
    """Return a workspace on an embedded store of its own."""
    make_workspace(environment)
    with Workspace.open(environment=environment) as workspace:
        yield workspace


def make_workspace(
    environment: Environment, url: str | None = None, *, namespace: str | None = None
) -> None:
    """Make the working directory of *environment* a workspace."""
    init(
        environment.cwd,
        url,
        namespace=namespace,
        create=True,
        ask=lambda _: False,
        environment=environment,
        flags={},
    )


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return a command line in an empty folder that is no workspace."""
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir(exist_ok=True)
    home.mkdir(exist_ok=True)
    isolate_aws_settings(monkeypatch, home)
    return CommandLine(folder, home, monkeypatch)


@pytest.fixture
def project(cli: CommandLine) -> CommandLine:
    """Return a command line in a workspace on an embedded store."""
    cli("init")
    return cli


@pytest.fixture
def corpus() -> Path:
    """Return the folder of the real notebooks."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of notebooks is not beside the project")
    return CORPUS


def is_root() -> bool:
    """Whether permissions do not bind who runs the tests."""
    return os.geteuid() == 0
