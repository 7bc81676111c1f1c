"""Which store a URL means."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from nbvc.errors import InvalidInput, StoreNotFound
from nbvc.stores.base import Capabilities
from nbvc.stores.local import LocalStore
from nbvc.stores.opening import ConnectionOptions, open_store, parse_folder, parse_s3_url
from nbvc.stores.retry import RetryingStore

if TYPE_CHECKING:
    from pathlib import Path

    from nbvc.stores.base import Store


def opened(
    url: str,
    *,
    options: ConnectionOptions | None = None,
    capabilities: Capabilities | None = None,
    create: bool = False,
) -> Store:
    """Open *url* with a real clock and no jitter."""
    return open_store(
        url,
        options=options or ConnectionOptions(),
        capabilities=capabilities,
        sleep=time.sleep,
        jitter=lambda: 0.0,
        create=create,
    )


@pytest.mark.parametrize("tail", ["", "/", "//"])
def test_a_bucket_alone_has_an_empty_root(tail: str) -> None:
    """Slashes after the bucket mean nothing."""
    assert parse_s3_url(f"s3://bucket{tail}") == ("bucket", "")


@pytest.mark.parametrize("root", ["a/b", "a/b/", "/a/b", "//a/b//"])
def test_slashes_at_the_ends_of_a_root_mean_nothing(root: str) -> None:
    """Every spelling of a root gives the same store."""
    assert parse_s3_url(f"s3://bucket/{root}") == ("bucket", "a/b")


def test_a_root_is_taken_as_it_is_written() -> None:
    """Spaces, plus signs and other alphabets stay as they are."""
    assert parse_s3_url("s3://my.bucket-1/a b+\u65e5") == ("my.bucket-1", "a b+\u65e5")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bucket",
        "S3:/bucket",
        "s3:bucket",
        "s3://",
        "s3:///root",
        "s3://b",
        "s3://-bucket",
        "s3://bu cket",
        "s3://bucket/a//b",
        "s3://bucket/a/../b",
        "s3://bucket/.nbvc",
        "s3://bucket/a\nb",
        "s3://bucket/a%20b",
        "s3://bucket?versionId=1",
        "s3://bucket/a?b",
        "s3://bucket/a#b",
        "s3://bucket:9000/a",
        "https://bucket.s3.amazonaws.com/a",
        "s3://bucket/" + "x" * 1025,
    ],
)
def test_a_url_that_names_no_s3_store_is_refused_with_a_hint(url: str) -> None:
    """Whatever is wrong, the error says how a store is written."""
    with pytest.raises(InvalidInput) as caught:
        parse_s3_url(url)
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIAEXAMPLE:SECRET@bucket/root",
        "s3://AKIAEXAMPLE:SECRET/bucket",
        "s3://SECRET@bucket",
        "s3://bucket/root?X-Amz-Signature=SECRET",
        "s3://bucket?SECRET",
        "s3://bucket/#SECRET",
        "https://user:SECRET@host/bucket",
        "file://user:SECRET@host/folder",
        "file:///folder?SECRET",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    """Neither the message nor the hint holds what may be a password."""
    with pytest.raises(InvalidInput) as caught:
        opened(url)
    shown = str(caught.value.to_dict())
    assert "SECRET" not in shown
    assert "AKIA" not in shown


@pytest.mark.parametrize(
    "url", ["folder", "./folder", "~/folder", "file://host/folder", "file://[", "ftp://a"]
)
def test_only_an_absolute_folder_of_this_machine_is_a_store(url: str) -> None:
    """A relative path depends on where one stands, so it is not a store's name."""
    with pytest.raises(InvalidInput) as caught:
        opened(url)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["plain", "a b", "a%20b", "a#b?c", "\u65e5\u672c"])
def test_a_folder_is_opened_by_its_path_and_by_its_url(tmp_path: Path, name: str) -> None:
    """The URL that a store tells leads back to it, whatever its folder is called."""
    made = opened(str(tmp_path / name), create=True)
    again = opened(made.url)
    assert isinstance(again, LocalStore)
    assert again.url == made.url == (tmp_path / name).as_uri()
    assert parse_folder(made.url) == tmp_path / name
    made.close()
    again.close()


def test_a_folder_is_made_only_on_request(tmp_path: Path) -> None:
    """Without create a missing folder is not found, and stays missing."""
    with pytest.raises(StoreNotFound):
        opened(str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_an_s3_store_is_opened_without_a_request() -> None:
    """Opening needs neither network nor bucket; the URL is normalised."""
    store = opened(
        "s3://bucket/a/",
        options=ConnectionOptions(endpoint_url="http://127.0.0.1:9", region="eu-central-1"),
    )
    assert store.url == "s3://bucket/a"
    store.close()


@pytest.mark.parametrize("timeout", [0.1, 20.0, 45.0, 60.0, 3600.0])
def test_a_silent_store_is_waited_for_a_minute_or_as_long_as_the_user_chose(timeout: float) -> None:
    """The last attempt begins so that it ends within the minute, even if it is a silence."""
    store = opened("s3://bucket", options=ConnectionOptions(timeout_seconds=timeout))
    assert isinstance(store, RetryingStore)
    last_begin = store._policy.deadline_seconds
    assert last_begin + timeout == max(60, 10 + timeout)
    store.close()


def test_an_s3_store_is_trusted_only_with_what_was_found() -> None:
    """Without knowledge no condition is relied on; with it, it is passed on."""
    for known in (None, Capabilities(conditional_create=True, conditional_replace=False)):
        store = opened(
            "s3://bucket", options=ConnectionOptions(region="eu-central-1"), capabilities=known
        )
        assert store.capabilities == (
            known or Capabilities(conditional_create=False, conditional_replace=False)
        )
        store.close()


def test_opening_a_folder_does_not_load_the_s3_libraries(tmp_path: Path) -> None:
    """Who works on the embedded store does not pay for boto3."""
    code = (
        "import sys; from nbvc.stores.opening import open_store;"
        "open_store(sys.argv[1], sleep=print, jitter=float, create=True).close();"
        "print('\\n'.join(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"boto3", "botocore"} & set(run.stdout.split())
