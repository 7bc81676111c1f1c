"""What bookstore 2.5.1 got wrong, one test for each fault; the comments say where it was.

That no save is skipped, that none fails in silence, and that one that failed on this disk is no
version, is also shown for every contents manager in ``test_saving.py``.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from nbvc.errors import StoreUnavailable
from nbvc.repository import Repository
from tests.jupyter.buckets import NAME, Bucket
from tests.jupyter.serving import Server, cells
from tests.jupyter.test_bookstore import SETTINGS, as_file, configured, published

# Bad inputs that gave a 500


@configured(SETTINGS)
async def test_a_body_that_is_no_object_is_the_clients_mistake(
    server: Server, bucket: Bucket
) -> None:
    """model.get() met None, a list or text: publish.py and clone.py, and both kinds of clone."""
    for path in ("publish/a.ipynb", "clone"):
        method = "PUT" if path.startswith("publish") else "POST"
        for body in ("null", "[1]", '"text"', "7", " ", b"\xff\xfe", "9" * 5000, "[" * 60_000):
            reply = await server.json(method, f"/api/bookstore/{path}", body, status=400)
            assert reply["kind"] == "invalid-input", (path, body)
    assert bucket.keys() == []


@configured(SETTINGS)
async def test_content_that_is_no_notebook_is_the_clients_mistake(
    server: Server, bucket: Bucket
) -> None:
    """Nbformat met something without get(), or a format that is no number: publish.py."""
    odd = [None, "text", ["cells"], 7, {"nbformat": "4"}, {"nbformat": None, "cells": 1}]
    odd += [{**cells(), "nbformat": number} for number in (1, 2, 99, -1, True, 4.0)]
    odd += [{**cells(), "nbformat_minor": number} for number in (None, "x", -1)]
    for content in odd:
        path = "/api/bookstore/publish/a.ipynb"
        reply = await server.json("PUT", path, published(content), status=422)
        assert reply["kind"] == "invalid-notebook", content
    assert bucket.keys() == []


@configured(SETTINGS)
async def test_parameters_that_are_no_text_are_the_clients_mistake(
    server: Server, bucket: Bucket
) -> None:
    """relpath() and botocore met a number, a list, NUL or a lone surrogate: clone.py."""
    good = {"s3_bucket": NAME, "s3_key": "a.ipynb"}
    bucket.put("a.ipynb", as_file())
    for odd in (7, ["a"], {"a": 1}, True, "a\0b", "a\ud800b", "a\nb"):
        for name in ("s3_bucket", "s3_key", "s3_version_id", "target_path"):
            reply = await server.json(
                "POST", "/api/bookstore/clone", {**good, name: odd}, status=400
            )
            assert reply["kind"] == "invalid-input", (name, odd)
    assert list(server.root.glob("*")) == []


@configured(SETTINGS)
async def test_an_object_that_is_no_notebook_is_said_to_be_none(
    server: Server, bucket: Bucket
) -> None:
    """json.loads() met something else, and nobody caught it: clone.py."""
    for data in (
        b"",
        b"no json",
        b"\xff\xfe",
        b"[]",
        b"7",
        b"{}",
        b'{"nbformat": 4}',
        b"[" * 100_000,
    ):
        bucket.put("a.ipynb", data)
        body = {"s3_bucket": NAME, "s3_key": "a.ipynb"}
        reply = await server.json("POST", "/api/bookstore/clone", body, status=422)
        assert reply["kind"] == "invalid-notebook", data
    assert list(server.root.glob("*.ipynb")) == []


@configured(SETTINGS)
async def test_a_target_where_nothing_can_be_is_said_to_be_none(
    server: Server, bucket: Bucket
) -> None:
    """The contents manager met a folder that is not there, or a name that is too long: clone.py."""
    bucket.put("a.txt", b"text")
    (server.root / "file").write_text("text")
    good = {"s3_bucket": NAME, "s3_key": "a.txt"}
    for target, status in (("no/a.txt", 404), ("file/a.txt", 404), ("a" * 300, 400), ("..", 400)):
        body = {**good, "target_path": target}
        reply = await server.json("POST", "/api/bookstore/clone", body, status=status)
        assert str(server.root) not in json.dumps(reply)


@configured({"NbvcExtension": {"fs_cloning_basedir": "/anything"}})
async def test_a_path_that_can_be_none_is_the_clients_mistake(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """realpath() met NUL, a number or a list, and open() a folder: clone.py, for a folder."""
    (tmp_path / "shared" / "folder.ipynb").mkdir(parents=True)
    monkeypatch.setattr(server.extension, "fs_cloning_basedir", str(tmp_path / "shared"))
    for relpath, status in (("a\0b", 400), (7, 400), (["a"], 400), ("folder.ipynb", 404)):
        await server.json("POST", "/api/bookstore/fs-clone", {"relpath": relpath}, status=status)
    for body in ("null", "[1]", '"text"'):
        await server.json("POST", "/api/bookstore/fs-clone", body, status=400)


# A text file mangled


@configured({"NbvcExtension": {"fs_cloning_basedir": "/anything"}})
async def test_fs_clone_leaves_a_text_file_as_it_is(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bookstore saved the JSON of a pair: ["text", "text"]. Also what is no text comes through."""
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.setattr(server.extension, "fs_cloning_basedir", str(folder))
    for name, data in (
        ("notes.txt", "a\r\nü\rb\n\n".encode()),
        ("data.csv", b"\xef\xbb\xbfa,b\n"),
        ("image.png", b"\x89PNG\r\n\x1a\n\x00\xff"),
        ("empty", b""),
    ):
        (folder / name).write_bytes(data)
        reply = await server.json("POST", "/api/bookstore/fs-clone", {"relpath": name})
        assert (reply["type"], reply["path"]) == ("file", name)
        assert (server.root / name).read_bytes() == data


# Saves


async def test_the_users_own_hook_before_a_save_is_called(server: Server) -> None:
    """Bookstore was the contents manager, and put itself in the place of that hook: archive.py."""
    called: list[str] = []

    def users_hook(model: dict[str, Any], path: str, **_: Any) -> None:
        called.append(path)
        model["content"]["metadata"]["seen"] = True

    server.app.contents_manager.pre_save_hook = users_hook
    await server.save("mine.ipynb", "x = 1")
    assert called == ["mine.ipynb"]
    assert await server.sources("mine.ipynb") == ["x = 1"]
    with server.workspace() as workspace:
        assert b'"seen": true' in workspace.read(workspace.resolve("mine.ipynb"))


@configured(SETTINGS)
async def test_a_save_that_failed_on_this_disk_does_not_reach_the_bucket(
    server: Server, bucket: Bucket
) -> None:
    """Bookstore sent the notebook to S3 before Jupyter had written it: archive.py."""
    (server.root / "mine.ipynb").mkdir()
    body = {"type": "notebook", "format": "json", "content": cells("x = 1")}
    assert (await server.ask("PUT", "/api/contents/mine.ipynb", body)).code >= 400
    await server.save("other.ipynb", "x = 1")
    await server.idle()
    assert bucket.keys() == ["workspace/other.ipynb"]


@configured(SETTINGS)
async def test_no_save_is_skipped_while_another_is_under_way(
    server: Server, bucket: Bucket
) -> None:
    """Bookstore left out what came while the path was locked: archive.py."""
    await asyncio.gather(*(server.save("mine.ipynb", f"x = {number}") for number in range(5)))
    await server.idle()
    found = bucket.client.list_object_versions(Bucket=NAME, Prefix="workspace/mine.ipynb")
    assert len(found["Versions"]) == 5
    assert bucket.get("workspace/mine.ipynb") == (server.root / "mine.ipynb").read_bytes()


@configured(SETTINGS)
async def test_what_the_bucket_refuses_is_told_and_tried_again(
    server: Server, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bookstore wrote a line into the log, and forgot the notebook: archive.py."""

    def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailable("The store is away.")

    with monkeypatch.context() as patch:
        patch.setattr(Repository, "save", refuse)
        await server.save("mine.ipynb", "x = 1")
        await server.idle()
        assert [event["action"] for event in server.events] == ["queued", "failed"]
        status = await server.json("GET", "/nbvc/api/v1/status")
        assert status["folders"][0]["waiting"] == 1
    await server.save("mine.ipynb", "x = 2")
    assert await server.sources("mine.ipynb") == ["x = 1", "x = 2"]


# What nobody had noticed


@configured(SETTINGS)
async def test_a_cloned_notebook_is_not_trusted(server: Server, bucket: Bucket) -> None:
    """Bookstore let the notebook itself say that it is: Jupyter signed a stranger's scripts."""
    html = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<script>"}}
    content = cells("x")
    content["cells"][0] |= {"outputs": [html], "metadata": {"trusted": True}}
    bucket.put("a.ipynb", json.dumps(content).encode())
    body = {"s3_bucket": NAME, "s3_key": "a.ipynb"}
    reply = await server.json("POST", "/api/bookstore/clone", body)
    shown = await server.json("GET", f"/api/contents/{reply['path']}")
    assert shown["content"]["cells"][0]["metadata"]["trusted"] is False
    assert shown["content"]["cells"][0]["outputs"][0]["data"] == html["data"]


@configured(SETTINGS)
async def test_two_clones_at_once_are_two_files(
    server: Server, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would find the same name free, with a contents manager that takes its time."""
    increment = server.app.contents_manager.increment_filename

    async def take_time(*arguments: Any, **named: Any) -> Any:
        found = await increment(*arguments, **named)
        await asyncio.sleep(0)
        return found

    monkeypatch.setattr(server.app.contents_manager, "increment_filename", take_time)
    bucket.put("a.ipynb", as_file())
    body = {"s3_bucket": NAME, "s3_key": "a.ipynb"}
    replies = await asyncio.gather(
        *(server.json("POST", "/api/bookstore/clone", body) for _ in range(4))
    )
    expected = ["a-1.ipynb", "a-2.ipynb", "a-3.ipynb", "a.ipynb"]
    assert sorted(reply["path"] for reply in replies) == expected
