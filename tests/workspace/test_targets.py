"""What a URL names: a store, an area, a key, a version."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbvc.errors import InvalidInput, InvalidKey
from nbvc.model import Area
from nbvc.refs import Name, Number
from nbvc.stores.base import Overwrite
from nbvc.stores.local import LocalStore
from nbvc.workspace.targets import parse_location


@pytest.mark.parametrize(
    ("url", "store", "area", "path"),
    [
        ("s3://b/workspace/k/a.ipynb", "s3://b", Area.WORKSPACE, "k/a.ipynb"),
        ("s3://b/published/k/a.ipynb", "s3://b", Area.PUBLISHED, "k/a.ipynb"),
        ("s3://b/workspace", "s3://b", Area.WORKSPACE, ""),
        ("s3://b/workspace/", "s3://b", Area.WORKSPACE, ""),
        ("s3://b/root/deep/workspace/k", "s3://b/root/deep", Area.WORKSPACE, "k"),
        ("s3://b/workspace/published/a.ipynb", "s3://b", Area.WORKSPACE, "published/a.ipynb"),
        ("s3://b/workspaces/workspace/a.ipynb", "s3://b/workspaces", Area.WORKSPACE, "a.ipynb"),
        ("s3://workspace/published/k", "s3://workspace", Area.PUBLISHED, "k"),
        ("s3://b/workspace/a%20b%25.ipynb", "s3://b", Area.WORKSPACE, "a b%.ipynb"),
        ("s3://b/workspace/100%.ipynb", "s3://b", Area.WORKSPACE, "100%.ipynb"),
        ("s3://b/workspace/ü&#.ipynb", "s3://b", Area.WORKSPACE, "ü&#.ipynb"),
        ("s3://b/workspace/a@b.ipynb", "s3://b", Area.WORKSPACE, "a@b.ipynb"),
    ],
)
def test_the_first_area_splits_store_and_key(url: str, store: str, area: Area, path: str) -> None:
    """A bucket may be called like an area; keys are percent-encoded or plain."""
    found = parse_location(url)
    assert (found.store_url, found.area, found.path) == (store, area, path)
    assert found.selector is None


@pytest.mark.parametrize(
    ("version", "base"),
    [
        ("@v3", Number(number=3)),
        ("?versionId=3/L4kqtJ+rm%3D", Name(text="3/L4kqtJ+rm=")),
        ("?versionId=null", Name(text="null")),
    ],
)
def test_a_version_may_follow(version: str, base: object) -> None:
    """As a ref, or as S3 writes it; a plus sign stays one."""
    found = parse_location(f"s3://b/workspace/a@b.ipynb{version}")
    assert found.key == "a@b.ipynb"
    assert found.selector is not None
    assert found.selector.base == base


@pytest.mark.parametrize(
    "url", ["s3://b", "s3://b/elsewhere/a.ipynb", "s3://workspace", "file:///nowhere/workspace/a"]
)
def test_a_url_without_an_area_is_refused(url: str) -> None:
    """The hint shows both areas."""
    with pytest.raises(InvalidInput) as caught:
        parse_location(url)
    assert caught.value.hint is not None
    assert "workspace" in caught.value.hint
    assert "published" in caught.value.hint


@pytest.mark.parametrize("query", ["?version=1", "?versionId=", "?versionId=a&b=c", "?"])
def test_a_question_mark_is_for_a_version_id_alone(query: str) -> None:
    """Anything else after it is not guessed at."""
    with pytest.raises(InvalidInput, match=r"after its '\?'"):
        parse_location(f"s3://b/workspace/a.ipynb{query}")


@pytest.mark.parametrize("path", ["../a.ipynb", "a//b.ipynb", ".git/a.ipynb", "%2e%2e/a.ipynb"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    """Percent-encoded or not."""
    with pytest.raises(InvalidKey):
        parse_location(f"s3://b/workspace/{path}")


def test_a_folder_is_split_where_the_store_is(tmp_path: Path) -> None:
    """A folder above it may be called like an area."""
    folder = tmp_path / "workspace" / "my store"
    store = LocalStore(folder, create=True)
    store.put("x", b"", mode=Overwrite(), metadata={}, content_type="")
    store.close()
    found = parse_location(f"{store.url}/workspace/k/a%20b.ipynb")
    assert (found.store_url, found.path) == (store.url, "k/a b.ipynb")
