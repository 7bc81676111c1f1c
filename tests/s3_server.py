"""What tests need of an S3 server: settings that are nobody's, and fresh buckets."""

from __future__ import annotations

import http.client
import os
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from moto import mock_aws

from nbvc.repository.settings import probe
from nbvc.stores.base import Capabilities
from nbvc.stores.s3 import S3Store

EVERYTHING = Capabilities(conditional_create=True, conditional_replace=True)
REGION = "us-east-1"


def isolate_aws_settings(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Keep the AWS settings of who runs the tests out, and use the keys of the test server."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", os.environ.get("NBVC_TEST_S3_ACCESS_KEY", "test"))
    secret = os.environ.get("NBVC_TEST_S3_SECRET_KEY", "testtest")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


def real_endpoint() -> str:
    """Return the address of the real server under test, or skip the test where there is none."""
    endpoint = os.environ.get("NBVC_TEST_S3_URL")
    if not endpoint:
        pytest.skip("NBVC_TEST_S3_URL names no S3 server: see scripts/s3-server")
    return endpoint


def server_name() -> str:
    """Return which server ``scripts/s3-server`` has started, or nothing where it did not."""
    return os.environ.get("NBVC_TEST_S3_SERVER", "")


def is_localstack(endpoint_url: str) -> bool:
    """Return whether the server is LocalStack, whose deviations some tests must allow for."""
    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=20)
    try:
        connection.request("HEAD", "/_localstack/health")
        return connection.getresponse().headers.get("x-localstack") == "true"
    finally:
        connection.close()


def connect(
    endpoint_url: str | None,
    *,
    bucket: str = "bucket",
    root: str = "",
    region: str | None = REGION,
    capabilities: Capabilities = EVERYTHING,
    timeout_seconds: float = 20.0,
) -> S3Store:
    """Return a store that sends its requests to *endpoint_url*; no request is sent."""
    return S3Store(
        bucket,
        root,
        endpoint_url=endpoint_url,
        region=region,
        profile=None,
        timeout_seconds=timeout_seconds,
        capabilities=capabilities,
    )


def new_bucket(
    endpoint_url: str | None,
    *,
    root: str = "",
    versioning: bool = True,
    object_lock: bool = False,
    capabilities: Capabilities = EVERYTHING,
) -> S3Store:
    """Return a store in a fresh bucket, with versioning on unless told otherwise."""
    name = f"nbvc-{uuid.uuid4().hex}"
    store = connect(endpoint_url, bucket=name, root=root, capabilities=capabilities)
    store.administration.create(object_lock=object_lock)
    if versioning and not object_lock:
        store.administration.enable_versioning()
    return store


@contextmanager
def fresh_bucket(*, real: bool, root: str, object_lock: bool = False) -> Iterator[S3Store]:
    """Give a store in a fresh bucket: of the real server under test, or of moto."""
    with nullcontext() if real else mock_aws():
        endpoint = real_endpoint() if real else None
        able = found_capabilities(endpoint) if endpoint else EVERYTHING
        store = new_bucket(endpoint, root=root, object_lock=object_lock, capabilities=able)
        yield store
        store.close()


@cache
def found_capabilities(endpoint_url: str) -> Capabilities:
    """Return what a server was found to do by trying, as ``nbvc init`` does; tried only once."""
    with closing(new_bucket(endpoint_url)) as store:
        return probe(store, "capabilities")
