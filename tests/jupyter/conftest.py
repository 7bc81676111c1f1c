"""Fixtures of the tests of the server extension: a Jupyter server with the extension in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403 - its fixtures and hooks

from tests.jupyter.buckets import Bucket
from tests.jupyter.serving import Server
from tests.moto_server import aws_variables, serve_moto
from tests.s3_server import isolate_aws_settings


@pytest.fixture
def jp_server_config(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the configuration of the server; what a test adds comes by indirect parameters."""
    config = {"ServerApp": {"jpserver_extensions": {"nbvc.jupyter": True}}}
    for section, values in getattr(request, "param", {}).items():
        config.setdefault(section, {}).update(values)
    return config


@pytest.fixture
def jp_serverapp(jp_server_config: Any, jp_argv: Any, jp_configurable_serverapp: Any) -> Any:
    """Return the server; that Jupyter will drop some managers one day is no fault of ours."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The synchronous ContentsManager", DeprecationWarning)
        return jp_configurable_serverapp(config=jp_server_config, argv=jp_argv)


@pytest.fixture
def server_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the settings and the cache of nbvc apart from the user's."""
    home = tmp_path / "nbvc-home"
    monkeypatch.setenv("NBVC_CONFIG", str(home / "config.toml"))
    monkeypatch.setenv("NBVC_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("NBVC_AUTHOR", "ada")
    for name in ("NBVC_STORE", "NBVC_NAMESPACE", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Return the address of an S3 server that these tests share."""
    with serve_moto() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(
    s3_endpoint: str, server_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """Return an empty bucket with versions, which AWS clients of this process find."""
    isolate_aws_settings(monkeypatch, server_home)
    for name, value in aws_variables(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    with closing(Bucket(s3_endpoint)) as made:
        yield made


@pytest.fixture
def server(server_home: Path, jp_serverapp: Any, jp_fetch: Any, jp_root_dir: Path) -> Server:
    """Return a running server whose saves become versions; its base URL is ``/a%40b/``."""
    return Server(jp_serverapp, jp_fetch, jp_root_dir)
