"""JupyterLab and Notebook 7 as processes, with a bucket: ``scripts/s3-server run localstack``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.jupyter_servers import scenes
from tests.jupyter_servers.jupyter_server import COLLABORATION, Jupyter, running, source_of
from tests.jupyter_servers.stalling import StallingStore, stalling
from tests.s3_server import REGION, isolate_aws_settings, new_bucket, real_endpoint, server_name

pytestmark = pytest.mark.real_s3


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StallingStore]:
    """Return a proxy in front of the server under test."""
    isolate_aws_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", real_endpoint())
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with stalling(real_endpoint()) as store:
        yield store


PROGRAMS = {"ministack": ["lab"], "ceph": ["notebook"]}
"""Each on one server beside LocalStack, which has both: a server's start costs seconds."""


@pytest.fixture(params=PROGRAMS.get(server_name(), ["lab", "notebook"]))
def server(
    request: pytest.FixtureRequest, store: StallingStore, tmp_path: Path
) -> Iterator[Jupyter]:
    """Return a server whose notebooks go into a fresh bucket that ``nbvc init`` never saw."""
    with closing(new_bucket(real_endpoint())) as bucket:
        config = {
            "ServerApp": {"jpserver_extensions": {COLLABORATION: False}},
            "NbvcExtension": {"store": f"{bucket.url}/team", "namespace": "ada/work"},
        }
        own = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        variables = {**own, "AWS_ENDPOINT_URL": store.url}
        with running(request.param, tmp_path / "server", config, variables) as server:
            yield server


def test_no_save_is_lost_or_doubled_whatever_ends_the_server(
    server: Jupyter, store: StallingStore
) -> None:
    """A day of work, a store that stalls, a kill in the middle of it, a restart, and an end."""
    scenes.a_day_of_work(server)

    store.stall()
    server.client.autosave("stalled.ipynb", "x = 0")
    store.wait_for_request()
    gap = scenes.smallest_gap(server, "stalled.ipynb")
    assert gap < scenes.LOOP_SECONDS
    waiting = server.client.status()["folders"][0]["waiting"]
    assert waiting >= 6
    acknowledged = scenes.burst(server, "burst.ipynb", 100, kill_after=10)
    server.start()
    assert server.client.status()["folders"][0]["waiting"] >= waiting + 10
    store.go_on(lose=True)
    sources = server.sources("burst.ipynb")
    last = source_of((server.root / "burst.ipynb").read_bytes())
    scenes.check_exactly_once(sources, acknowledged, last)
    assert len(server.sources("stalled.ipynb")) == waiting

    for number in range(5):
        server.client.autosave("end.ipynb", f"x = {number}")
    assert server.process.terminate() == 0
    assert server.recorded("end.ipynb") == [(f"x = {number}", "ada") for number in range(5)]
