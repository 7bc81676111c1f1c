"""Fixtures of the tests of faults of the disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import CommandLine
from tests.faults.disk.striking import Disk
from tests.faults.disk.world import World


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """Return a process that runs commands, and strikes at their file-system calls."""
    with Disk(tmp_path_factory.mktemp("disk")) as disk:
        yield disk


@pytest.fixture
def world(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return a folder with nothing in it but an empty project and an empty home.

    It lies in memory where that is possible: what a kill leaves is the same there, and sooner had.
    """
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="nbvc-") as name:
        root = Path(name).resolve() / "world"
        for folder in ("project", "home"):
            (root / folder).mkdir(parents=True)
        cli = CommandLine(root / "project", root / "home", monkeypatch)
        yield World(cli, disk, root.parent / "kept")
