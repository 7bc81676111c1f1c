"""Fixtures of the tests of runs and of ``nbvc://``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nbvc.workspace.core import Workspace
from tests.command_line import CommandLine
from tests.notebook_samples import runnable

HALVE = runnable("print(6 / n)", parameters="n = 2")
"""A notebook with a parameter; with ``n`` 0 it fails."""


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let papermill execute without a kernel."""
    from papermill.engines import papermill_engines

    from tests.scheduling.engine import InstantEngine

    monkeypatch.setitem(papermill_engines._engines, None, InstantEngine)


@pytest.fixture
def halving(cli: CommandLine, instant: None, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return a command line in a workspace, with one version of ``team/halve.ipynb``."""
    cli("init", "--namespace", "team")
    cli.write("halve.ipynb", HALVE)
    cli("save")
    monkeypatch.chdir(cli.folder)
    return cli


@pytest.fixture
def opened(halving: CommandLine) -> Iterator[Workspace]:
    """Return that workspace, opened."""
    with Workspace.open(halving.folder) as workspace:
        yield workspace
