"""REST with the versions in a bucket: the same, and no word about where that is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbvc.jupyter.api import BASE
from tests.jupyter.buckets import Bucket
from tests.jupyter.serving import Server

PRIVATE = "a-private-bucket"
CONFIG: dict[str, Any] = {
    "NbvcExtension": {
        "publish_enabled": True,
        "store": f"s3://{PRIVATE}/root",
        "namespace": "ada/work",
    }
}
MINE = {"path": "mine.ipynb"}


@pytest.mark.parametrize("jp_server_config", [CONFIG], indirect=True)
async def test_every_route_works_with_a_bucket_and_does_not_name_it(
    bucket: Bucket, server: Server
) -> None:
    """Neither in a reply nor in an error."""
    bucket.make(PRIVATE)
    await server.save("mine.ipynb", "x = 1")
    await server.save("mine.ipynb", "x = 2")
    await server.idle()
    key = "ada/work/mine.ipynb"
    asked: list[tuple[str, str, Any, Any, int]] = [
        ("GET", "status", None, {}, 200),
        ("GET", "versions", None, MINE, 200),
        ("GET", "content", None, {**MINE, "version": "v1"}, 200),
        ("GET", "diff", None, {**MINE, "old": "v1", "new": "v2"}, 200),
        ("PUT", "tags", {**MINE, "tag": "release"}, {}, 200),
        ("GET", "tags", None, MINE, 200),
        ("POST", "publish", MINE, {}, 200),
        ("GET", "published", None, {}, 200),
        ("POST", "restore", {**MINE, "version": "v1"}, {}, 200),
        ("POST", "clone", {"key": key, "area": "published"}, {}, 201),
        ("POST", "unpublish", MINE, {}, 200),
        ("DELETE", "tags", None, {**MINE, "tag": "release"}, 200),
        ("GET", "content", None, {**MINE, "version": "v9"}, 404),
        ("GET", "versions", None, {"path": "other.ipynb"}, 404),
        ("POST", "clone", {"key": "nobody/x.ipynb"}, {}, 404),
        ("POST", "clone", {"key": f"s3://{PRIVATE}/root/workspace/{key}"}, {}, 400),
    ]
    for verb, route, body, params, status in asked:
        response = await server.ask(verb, f"{BASE}/{route}", body, params=params)
        assert response.code == status, (route, response.body)
        if status != 400:  # that one names what the client has typed itself
            _check_says_nothing(response.body, bucket.endpoint)
    assert (server.root / "mine-1.ipynb").is_file()


@pytest.mark.parametrize("jp_server_config", [CONFIG], indirect=True)
async def test_a_bucket_that_is_not_there_is_an_error_that_does_not_name_it(
    bucket: Bucket, server: Server
) -> None:
    """Whoever looks after the server finds it in the log."""
    await server.save("mine.ipynb", "x = 1")
    for route, params in (("versions", MINE), ("published", {})):
        response = await server.ask("GET", f"{BASE}/{route}", params=params)
        assert response.code == 404, response.body
        assert json.loads(response.body)["kind"] == "store-not-found"
        _check_says_nothing(response.body, bucket.endpoint)
    error = await server.json("POST", f"{BASE}/publish", MINE, status=404)
    _check_says_nothing(json.dumps(error).encode(), bucket.endpoint)


def _check_says_nothing(body: bytes, endpoint: str) -> None:
    text = body.decode()
    for private in (PRIVATE, endpoint.removeprefix("http://"), "s3://"):
        assert private not in text, text
