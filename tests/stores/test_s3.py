"""The S3 store: the contract over moto and over a real server, and what goes over the wire."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from moto import mock_aws

from nbvc.stores.base import Capabilities
from nbvc.stores.s3 import S3Store
from tests.stores.contract import StoreContract

EVERYTHING = Capabilities(conditional_create=True, conditional_replace=True)


def new_store(root: str, endpoint_url: str | None = None) -> S3Store:
    """Return a store in a fresh bucket with versioning on."""
    store = S3Store(
        f"nbvc-{uuid.uuid4().hex}",
        root,
        endpoint_url=endpoint_url,
        region="us-east-1",
        profile=None,
        capabilities=EVERYTHING,
    )
    store.create_bucket()
    store.enable_versioning()
    return store


@pytest.fixture(autouse=True)
def aws_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Keep the tests apart from the settings of who runs them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", os.environ.get("NBVC_TEST_S3_ACCESS_KEY", "test"))
    monkeypatch.setenv(
        "AWS_SECRET_ACCESS_KEY", os.environ.get("NBVC_TEST_S3_SECRET_KEY", "testtest")
    )


class TestMoto(StoreContract):
    """The contract over moto, in this process."""

    races_are_atomic = False

    @pytest.fixture(params=["", "a b+/é"])
    def store(self, request: pytest.FixtureRequest) -> Iterator[S3Store]:
        """Return a store in a fresh bucket."""
        with mock_aws():
            yield new_store(request.param)


@pytest.mark.real_s3
class TestRealServer(StoreContract):
    """The contract over a real server."""

    @pytest.fixture(params=["", "a/"])
    def store(self, request: pytest.FixtureRequest) -> Iterator[S3Store]:
        """Return a store in a fresh bucket."""
        endpoint = os.environ.get("NBVC_TEST_S3_URL")
        if not endpoint:
            pytest.skip("NBVC_TEST_S3_URL names no S3 server: see scripts/s3-server")
        store = new_store(request.param, endpoint)
        yield store
        store.close()
