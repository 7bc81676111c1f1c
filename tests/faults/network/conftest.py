"""Fixtures of the tests of faults of the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import botocore.session
import pytest

from tests.command_line import CommandLine
from tests.faults.forking import Forks
from tests.faults.network.proxy import FaultProxy
from tests.faults.network.world import Buckets, S3World
from tests.s3_server import isolate_aws_settings, real_endpoint


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Return a process that runs commands."""
    with Forks(tmp_path_factory.mktemp("network"), "tests.faults.network.client") as forks:
        yield forks


@pytest.fixture(scope="session", autouse=True)
def quick_clients() -> Iterator[None]:
    """Let clients of S3 be made in milliseconds, here as in the forks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def proxy() -> Iterator[FaultProxy]:
    """Return a proxy before the server under test."""
    with closing(FaultProxy(real_endpoint())) as proxy:
        yield proxy


@pytest.fixture
def world(
    forks: Forks, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3World]:
    """Return a folder with nothing in it but an empty project and an empty home, and no bucket."""
    root = tmp_path / "world"
    for folder in ("project", "home"):
        (root / folder).mkdir(parents=True)
    isolate_aws_settings(monkeypatch, root / "home")
    cli = CommandLine(root / "project", root / "home", monkeypatch)
    with closing(Buckets(real_endpoint())) as buckets:
        yield S3World(cli, forks, tmp_path / "kept", proxy=proxy, buckets=buckets)
