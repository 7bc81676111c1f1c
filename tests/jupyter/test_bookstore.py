"""bookstore's own routes: its requests, as its clients and its tests sent them, and our replies."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbvc.jupyter.bookstore import RELEASE
from nbvc.jupyter.routes import bookstore_routes
from nbvc.workspace.core import Workspace
from tests.jupyter.buckets import NAME, Bucket
from tests.jupyter.serving import Server, cells

SETTINGS = {
    "BookstoreSettings": {"s3_bucket": NAME},
    "NbvcExtension": {"publish_enabled": True, "clone_allowed_buckets": ["theirs"]},
}
FEATURES = ("bookstore_valid", "archive_valid", "publish_valid", "s3_clone_valid", "fs_clone_valid")
NOTEBOOK = cells("import this")


def configured(*settings: dict[str, Any], ids: Any = None) -> pytest.MarkDecorator:
    """Configure the server of a test, once for each of *settings*."""
    return pytest.mark.parametrize("jp_server_config", settings, indirect=True, ids=ids)


def published(content: Any = NOTEBOOK, **more: Any) -> dict[str, Any]:
    """Return what bookstore's client sends to publish a notebook."""
    return {"type": "notebook", "content": content, **more}


def as_file(content: dict[str, Any] = NOTEBOOK) -> bytes:
    """Return the bytes that Jupyter writes for a notebook."""
    return f"{nbformat.v4.writes_json(nbformat.from_dict(content))}\n".encode()


def in_lines(*sources: str) -> dict[str, Any]:
    """Return the content of a notebook as its file has it: each source as a list of lines."""
    found: dict[str, Any] = json.loads(as_file(cells(*sources)))
    return found


# GET /api/bookstore


@configured({}, {"BookstoreSettings": {"s3_bucket": NAME}}, ids=["embedded", "bucket"])
async def test_features_say_what_works(
    server: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under bookstore's names; a store in a folder is no bucket; asking makes nothing."""
    has = request.node.callspec.id == "bucket"
    cases: list[tuple[dict[str, Any], tuple[bool, ...]]] = [
        ({}, (has, has, False, has, False)),
        ({"publish_enabled": True}, (has, has, True, has, False)),
        ({"enabled": False}, (has, False, False, has, False)),
        ({"s3_clone_enabled": False}, (has, has, False, False, False)),
        ({"fs_cloning_basedir": "/anything"}, (has, has, False, has, True)),
        ({"fs_cloning_basedir": "relative"}, (has, has, False, has, False)),
    ]
    for values, expected in cases:
        with monkeypatch.context() as patch:
            for name, value in values.items():
                patch.setattr(server.extension, name, value)
            for path in ("/api/bookstore", "/api/bookstore/"):
                assert await server.json("GET", path) == {
                    "release": RELEASE,
                    "features": dict(zip(FEATURES, expected, strict=True)),
                }
    assert not (server.root / ".nbvc").exists()


@configured({})
async def test_what_is_turned_off_has_no_route(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor a page; by bookstore's settings as by ours."""
    off = {"publish": "publish_enabled", "clone": "s3_clone_enabled", "fs-": "fs_cloning_basedir"}
    on = {"publish_enabled": True, "s3_clone_enabled": True, "fs_cloning_basedir": "/anything"}

    def patterns() -> str:
        return " ".join(pattern for pattern, _ in bookstore_routes(server.extension))

    for name, value in on.items():
        monkeypatch.setattr(server.extension, name, value)
    assert [patterns().count(word) for word in (*off, "clone")] == [1, 4, 2, 4]
    for word, name in off.items():
        with monkeypatch.context() as patch:
            patch.setattr(server.extension, name, type(on[name])())
            expected = {"publish": 0, "clone": 2, "fs-": 0}[word]
            assert patterns().count(word) == expected
    for folder in ("relative", "../relative", "a\0"):
        monkeypatch.setattr(server.extension, "fs_cloning_basedir", folder)
        assert "fs-" not in patterns()
    monkeypatch.setattr(server.extension.bookstore, "enable_s3_cloning", False)
    assert "clone" not in patterns()


# PUT /api/bookstore/publish


@configured(SETTINGS)
async def test_publish_stores_the_notebook_where_bookstore_would(
    server: Server, bucket: Bucket
) -> None:
    """The reply names key and version; the draft is a version too, with the same bytes."""
    reply = await server.json("PUT", "/api/bookstore/publish/kylek/mine.ipynb", published())
    key = "published/kylek/mine.ipynb"
    head = bucket.client.head_object(Bucket=NAME, Key=key)
    assert reply == {"s3_path": f"s3://{NAME}/{key}", "versionID": head["VersionId"]}
    assert bucket.get(key) == bucket.get("workspace/kylek/mine.ipynb") == as_file()
    with server.workspace() as workspace:
        (version,) = workspace.log("kylek/mine.ipynb")
        assert (version.number, version.published, version.author) == (1, True, "ada")
        listed = list(workspace.repository.list_notebooks(area="published"))
        assert [entry.key for entry in listed] == ["kylek/mine.ipynb"]


@configured(SETTINGS)
async def test_publishing_what_was_saved_makes_no_second_draft(
    server: Server, bucket: Bucket
) -> None:
    """As bookstore's client does: it reads the notebook from the server, and sends it back."""
    await server.save("mine.ipynb", "x = 1")
    content = (await server.json("GET", "/api/contents/mine.ipynb"))["content"]
    await server.json("PUT", "/api/bookstore/publish/mine.ipynb", published(content))
    await server.idle()
    with server.workspace() as workspace:
        (version,) = workspace.log("mine.ipynb")
        assert version.published
    assert [event["action"] for event in server.events] == ["queued", "saved"]
    assert bucket.get("published/mine.ipynb") == (server.root / "mine.ipynb").read_bytes()
    await server.save("mine.ipynb", "x = 2")
    assert await server.sources("mine.ipynb") == ["x = 1", "x = 2"]


@configured({"NbvcExtension": {"publish_enabled": True}})
async def test_a_publication_comes_after_what_was_saved_before(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when that is still on its way to the store."""
    go_on, worker = threading.Event(), server.extension.versioning.worker
    deliver, wait = Workspace.deliver, worker.wait_until_idle

    def held(workspace: Workspace, **named: Any) -> Any:
        go_on.wait(60)
        return deliver(workspace, **named)

    def wait_until_idle(timeout_seconds: float) -> bool:
        go_on.set()
        return wait(timeout_seconds)

    monkeypatch.setattr(Workspace, "deliver", held)
    monkeypatch.setattr(worker, "wait_until_idle", wait_until_idle)
    await server.save("mine.ipynb", "x = 1")
    await server.json("PUT", "/api/bookstore/publish/mine.ipynb", published())
    assert await server.sources("mine.ipynb") == ["x = 1", "import this"]
    assert [event["action"] for event in server.events] == ["queued", "saved"]


BAD_PUBLICATIONS = {
    "no path": ("", published(), 400, "invalid-input"),
    "no body": ("a.ipynb", None, 400, "invalid-input"),
    "bad json": ("a.ipynb", "{", 400, "invalid-input"),
    "empty model": ("a.ipynb", {}, 400, "invalid-input"),
    "no notebook's name": ("hi", published(), 400, "invalid-key"),
    "out of the folder": ("a/../../b.ipynb", published(), 400, "invalid-key"),
    "a control folder": (".git/b.ipynb", published(), 400, "invalid-key"),
    "no type": ("a.ipynb", {"content": NOTEBOOK}, 415, "wrong-type"),
    "a file": ("a.ipynb", published(type="file"), 415, "wrong-type"),
    "no content": ("a.ipynb", {"type": "notebook"}, 422, "invalid-notebook"),
    "empty content": ("a.ipynb", published({}), 422, "invalid-notebook"),
    "other field": ("a.ipynb", published({**NOTEBOOK, "other": 1}), 422, "invalid-notebook"),
    "no format": ("a.ipynb", published({"cells": []}), 422, "invalid-notebook"),
    "not text": ("a.ipynb", published(cells("\ud800")), 422, "invalid-notebook"),
}


@configured(SETTINGS)
async def test_publish_refuses_what_bookstore_refused(server: Server, bucket: Bucket) -> None:
    """With its status, a message, a kind; nothing is stored."""
    for name, (path, body, status, kind) in BAD_PUBLICATIONS.items():
        reply = await server.json("PUT", f"/api/bookstore/publish/{path}", body, status=status)
        assert (reply["kind"], bool(reply["message"])) == (kind, True), name
        assert set(reply) == {"kind", "message", "hint"}
    reply = await server.ask("PUT", "/api/bookstore/publish", published())
    assert reply.code == 400
    assert bucket.keys() == []


@configured(SETTINGS)
async def test_publish_answers_with_the_status_of_the_store(server: Server, bucket: Bucket) -> None:
    """404 where the bucket is gone; no name of it in the error."""
    bucket.client.delete_bucket(Bucket=NAME)
    reply = await server.json("PUT", "/api/bookstore/publish/mine.ipynb", published(), status=404)
    assert reply["kind"] == "store-not-found"
    assert NAME not in json.dumps(reply)


@configured({"NbvcExtension": {"store": f"s3://{NAME}"}})
async def test_publishing_is_off_until_it_is_turned_on(server: Server, bucket: Bucket) -> None:
    """There is no such route, whatever is sent to it."""
    for body in (published(), None):
        reply = await server.json("PUT", "/api/bookstore/publish/a.ipynb", body, status=404)
        assert reply["kind"] == "not-found"
    assert bucket.keys() == []


@configured({"NbvcExtension": {"publish_enabled": True, "namespace": "team/notebooks"}})
async def test_publish_works_without_a_bucket(server: Server) -> None:
    """In the embedded store, with the namespace; the reply names no folder of the machine."""
    reply = await server.json("PUT", "/api/bookstore/publish/mine.ipynb", published())
    assert reply["s3_path"] == "published/team/notebooks/mine.ipynb"
    with server.workspace() as workspace:
        assert workspace.resolve("mine.ipynb", "published").digest is not None


# POST /api/bookstore/clone


@configured(SETTINGS)
async def test_clone_copies_an_object_and_never_overwrites(server: Server, bucket: Bucket) -> None:
    """The reply is the contents model with key and version; the second copy gets a number."""
    version_id = bucket.put("published/kylek/mine.ipynb", as_file())
    body = {"s3_bucket": NAME, "s3_key": "published/kylek/mine.ipynb", "target_path": ""}
    for name in ("mine.ipynb", "mine-1.ipynb", "mine-2.ipynb"):
        reply = await server.json("POST", "/api/bookstore/clone/", body)
        assert reply == {
            "type": "notebook",
            "format": "json",
            "content": json.loads(as_file()),
            "name": name,
            "path": name,
            "s3_path": f"s3://{NAME}/published/kylek/mine.ipynb",
            "versionID": version_id,
        }
        assert (server.root / name).read_bytes() == as_file()
    # The save hook has seen it.
    assert await server.sources("mine-2.ipynb") == ["import this"]


@configured(SETTINGS)
async def test_clone_takes_a_target_and_a_version(server: Server, bucket: Bucket) -> None:
    """As the links that people have made; the version is that one, not the latest."""
    old = bucket.put("any/where.ipynb", as_file(cells("old")))
    bucket.put("any/where.ipynb", as_file(cells("new")))
    (server.root / "sub").mkdir()
    body = {"s3_bucket": NAME, "s3_key": "any/where.ipynb", "s3_version_id": old}
    reply = await server.json(
        "POST", "/api/bookstore/clone", {**body, "target_path": "/./sub/x.ipynb"}
    )
    assert (reply["path"], reply["name"], reply["versionID"]) == ("sub/x.ipynb", "x.ipynb", old)
    assert reply["content"] == in_lines("old")
    body = {"s3_bucket": NAME, "s3_key": "any/where.ipynb", "s3_version_id": None}
    reply = await server.json(
        "POST", "/api/bookstore/clone", {**body, "target_path": "sub/x.ipynb"}
    )
    assert (reply["path"], reply["content"]) == ("sub/x-1.ipynb", in_lines("new"))


@configured(SETTINGS)
async def test_clone_copies_other_files_byte_for_byte(server: Server, bucket: Bucket) -> None:
    """Text with any line ends, and what is no text at all."""
    for name, data in (
        ("a.tar.txt", b"a\r\nb\rc\n\xc3\xbc"),
        ("b.bin", b"\xff\x00\xfe"),
        ("c", b""),
    ):
        bucket.put(f"data.d/{name}", data)
        body = {"s3_bucket": NAME, "s3_key": f"data.d/{name}"}
        reply = await server.json("POST", "/api/bookstore/clone", body)
        assert (reply["type"], reply["path"]) == ("file", name)
        assert (server.root / name).read_bytes() == data
    reply = await server.json("POST", "/api/bookstore/clone", body | {"s3_key": "data.d/a.tar.txt"})
    assert reply["path"] == "a-1.tar.txt"


@configured(SETTINGS)
async def test_clone_takes_only_from_allowed_buckets(server: Server, bucket: Bucket) -> None:
    """The server's own, and those that were allowed; bookstore took any."""
    for name in ("theirs", "others"):
        bucket.make(name, versions=False)
        bucket.put("mine.ipynb", as_file(), bucket=name)
    body = {"s3_bucket": "theirs", "s3_key": "mine.ipynb"}
    reply = await server.json("POST", "/api/bookstore/clone", body)
    assert (reply["s3_path"], "versionID" in reply) == ("s3://theirs/mine.ipynb", False)
    for name in ("others", "no bucket", "Theirs", "theirs/x", f"{NAME}."):
        body = {"s3_bucket": name, "s3_key": "mine.ipynb"}
        reply = await server.json("POST", "/api/bookstore/clone", body, status=403)
        assert reply["kind"] == "access-denied"
        assert name not in json.dumps(reply)
        page = await server.ask("GET", "/bookstore/clone", params=body)
        assert page.code == 403
    assert sorted(path.name for path in server.root.glob("*.ipynb")) == ["mine.ipynb"]


BAD_CLONES = {
    "no body": (None, 400, "invalid-input"),
    "bad json": ("{", 400, "invalid-input"),
    "no key": ({"s3_bucket": NAME}, 400, "invalid-input"),
    "empty bucket": ({"s3_bucket": "", "s3_key": "a.ipynb"}, 400, "invalid-input"),
    "slash as bucket": ({"s3_bucket": "/", "s3_key": "a.ipynb"}, 400, "invalid-input"),
    "empty key": ({"s3_bucket": NAME, "s3_key": ""}, 400, "invalid-input"),
    "slash as key": ({"s3_bucket": NAME, "s3_key": "/"}, 400, "invalid-input"),
    "long key": ({"s3_bucket": NAME, "s3_key": "a" * 2000}, 400, "invalid-input"),
    "no object": ({"s3_bucket": NAME, "s3_key": "no.ipynb"}, 404, "version-not-found"),
    "no version": (
        {"s3_bucket": NAME, "s3_key": "a.ipynb", "s3_version_id": "no"},
        404,
        "version-not-found",
    ),
    "out of the folder": (
        {"s3_bucket": NAME, "s3_key": "a.ipynb", "target_path": "../a.ipynb"},
        400,
        "invalid-input",
    ),
    "hidden": (
        {"s3_bucket": NAME, "s3_key": "a.ipynb", "target_path": ".a.ipynb"},
        400,
        "invalid-input",
    ),
}


@configured(SETTINGS)
async def test_clone_refuses_what_bookstore_refused(server: Server, bucket: Bucket) -> None:
    """400 for what is missing, 404 for what does not exist; no bucket in the error, no file."""
    bucket.put("a.ipynb", as_file())
    for name, (body, status, kind) in BAD_CLONES.items():
        reply = await server.json("POST", "/api/bookstore/clone", body, status=status)
        assert (reply["kind"], bool(reply["message"])) == (kind, True), name
        assert NAME not in json.dumps(reply)
    assert list(server.root.glob("*.ipynb")) == []


@configured({"NbvcExtension": {"store": f"s3://{NAME}/a/root", "namespace": "kylek"}})
async def test_clone_finds_versions_that_were_packed(server: Server, bucket: Bucket) -> None:
    """An old link names a version that is no object of its own any more; keys are the bucket's."""
    for number in range(4):
        await server.save("mine.ipynb", f"x = {number}")
    assert len(await server.sources("mine.ipynb")) == 4
    with server.workspace() as workspace:
        oldest = list(workspace.log("mine.ipynb"))[-1]
        (packed,) = workspace.pack(keep_newest=1, older_than_days=0, apply=True)
        assert packed.versions == 3
    key = "a/root/workspace/kylek/mine.ipynb"
    body = {"s3_bucket": NAME, "s3_key": key, "s3_version_id": oldest.version_id}
    reply = await server.json("POST", "/api/bookstore/clone", body)
    assert (reply["content"], reply["path"]) == (in_lines("x = 0"), "mine-1.ipynb")
    assert reply["s3_path"] == f"s3://{NAME}/{key}"


@configured({})
async def test_clone_says_that_there_is_no_bucket(server: Server) -> None:
    """An embedded store has none, so there is nothing to clone from."""
    body = {"s3_bucket": NAME, "s3_key": "a.ipynb"}
    reply = await server.json("POST", "/api/bookstore/clone", body, status=404)
    assert "not in a bucket" in reply["message"]
    assert "c.NbvcExtension.store" in reply["hint"]


@configured({"BookstoreSettings": {"enable_s3_cloning": False, "fs_cloning_basedir": "relative"}})
async def test_cloning_can_be_turned_off(server: Server) -> None:
    """From buckets and from a folder: neither page nor route is there then."""
    for path in ("clone", "fs-clone"):
        assert (await server.ask("GET", f"/bookstore/{path}")).code == 404
        reply = await server.json("POST", f"/api/bookstore/{path}", {"relpath": "a"}, status=404)
        assert reply["kind"] == "not-found"


# POST /api/bookstore/fs-clone


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return the folder that files may be cloned from; beside it are files that may not."""
    folder = tmp_path / "shared"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "mine.ipynb").write_bytes(as_file())
    (tmp_path / "shared-too").mkdir()
    for secret in ("secret.txt", "shared-too/secret.txt"):
        (tmp_path / secret).write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "away").symlink_to(tmp_path / "shared-too")
    (folder / "in.ipynb").symlink_to(folder / "sub" / "mine.ipynb")
    (folder / "round").symlink_to(folder / "round")
    return folder


@pytest.fixture
def from_folder(server: Server, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return the server, told to clone from that folder, which the parameter could not know."""
    monkeypatch.setattr(server.extension, "fs_cloning_basedir", str(shared))
    return server


FOLDER = configured({"NbvcExtension": {"fs_cloning_basedir": "/anything"}})


@FOLDER
async def test_fs_clone_copies_a_file(from_folder: Server, shared: Path) -> None:
    """A notebook, with a number where the name is taken; also through a link that stays inside."""
    for relpath, path in (
        ("sub/mine.ipynb", "mine.ipynb"),
        ("sub/mine.ipynb", "mine-1.ipynb"),
        ("sub/../in.ipynb", "in.ipynb"),
    ):
        reply = await from_folder.json("POST", "/api/bookstore/fs-clone", {"relpath": relpath})
        assert reply == {
            "type": "notebook",
            "format": "json",
            "content": NOTEBOOK,
            "name": path,
            "path": path,
        }
        assert (from_folder.root / path).read_bytes() == as_file()
    body = {"relpath": "in.ipynb", "target_path": "other.ipynb"}
    assert (await from_folder.json("POST", "/api/bookstore/fs-clone/", body))["path"] == (
        "other.ipynb"
    )
    assert await from_folder.sources("other.ipynb") == ["import this"]


@FOLDER
async def test_fs_clone_stays_in_its_folder(from_folder: Server, shared: Path) -> None:
    """No way out: dots, absolute paths, links, a folder beside it whose name begins alike."""
    outside = [
        "../secret.txt",
        "sub/../../secret.txt",
        str(shared.parent / "secret.txt"),
        str(shared / "sub" / "mine.ipynb"),
        "out.txt",
        "away/secret.txt",
        "../shared-too/secret.txt",
        "no.ipynb",
        "sub",
        ".",
        "..",
        "round",
        "a" * 3000,
        "/".join(["sub", ".."] * 100) + "/no.txt",
    ]
    for relpath in outside:
        reply = await from_folder.json(
            "POST", "/api/bookstore/fs-clone", {"relpath": relpath}, status=404
        )
        assert reply["kind"] == "not-found"
        assert str(shared.parent) not in json.dumps(reply)
        page = await from_folder.ask("GET", "/bookstore/fs-clone", params={"relpath": relpath})
        assert (page.code, str(shared.parent).encode() in page.body) == (404, False)
    for body in (None, {}, {"relpath": ""}, "{"):
        reply = await from_folder.json("POST", "/api/bookstore/fs-clone", body, status=400)
        assert reply["kind"] == "invalid-input"
    assert (await from_folder.ask("GET", "/bookstore/fs-clone")).code == 400
    assert [path.name for path in from_folder.root.iterdir() if path.name != ".nbvc"] == []


# Who may


@configured({**SETTINGS, "BookstoreSettings": {"s3_bucket": NAME, "fs_cloning_basedir": "/x"}})
async def test_every_route_asks_who_it_is(server: Server, bucket: Bucket) -> None:
    """Nothing is done, or said, without the token."""
    routes = [
        ("GET", "/api/bookstore", 403),
        ("PUT", "/api/bookstore/publish/a.ipynb", 403),
        ("POST", "/api/bookstore/clone", 403),
        ("POST", "/api/bookstore/fs-clone", 403),
        ("GET", "/bookstore/clone", 302),
        ("GET", "/bookstore/fs-clone", 302),
    ]
    for method, path, status in routes:
        reply = await server.ask(
            method, path, {}, headers={"Authorization": "none"}, follow_redirects=False
        )
        assert reply.code == status, path
        if status == 302:
            assert "/login" in reply.headers["Location"]
