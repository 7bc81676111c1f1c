"""Requests that try to get at what is not theirs, and errors that might tell of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbvc.errors import Ambiguous, StoreUnavailable
from nbvc.jupyter.api import BASE
from nbvc.repository import Repository
from nbvc.workspace.core import Workspace
from tests.jupyter.serving import Server, cells

PATHS = [
    "../secret.ipynb",
    "a/../../secret.ipynb",
    "/../secret.ipynb",
    "..\\secret.ipynb",
    "link/secret.ipynb",
    "link.ipynb",
    ".nbvc/store/x.ipynb",
    "sub/.nbvc/x.ipynb",
    ".git/x.ipynb",
    ".hidden.ipynb",
    "a\0b.ipynb",
    "a" * 300 + ".ipynb",
    "a/" * 1_000 + "x.ipynb",
    "a" * 5_000 + ".ipynb",
    "s3://bucket/workspace/x.ipynb",
    "file:///etc/x.ipynb",
    "mine.txt",
    ".",
    "..",
    "/",
    "~/x.ipynb",
    "x.ipynb/y.ipynb",
    "mine.ipynb@v1",
    "\u202emine.ipynb",
    "\ufeff.git/x.ipynb",
]


async def test_no_path_leads_out_of_the_root(server: Server, tmp_path: Path) -> None:
    """Nor into a control folder: each verb gives an error of its own kind, and writes nothing."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    secret = tmp_path / "secret.ipynb"
    secret.write_text(json.dumps(cells("secret = 1")))
    (server.root / "link.ipynb").symlink_to(secret)
    (server.root / "link").symlink_to(tmp_path)
    absolute = [str(secret), str(tmp_path / "root_dir/mine.ipynb")]
    for path in [*PATHS, *absolute]:
        for verb, route, body in (
            ("GET", "versions", None),
            ("GET", "content", None),
            ("GET", "diff", None),
            ("POST", "restore", {"path": path, "version": "v1"}),
            ("PUT", "tags", {"path": path, "tag": "x"}),
        ):
            params = None if body else {"path": path}
            response = await server.ask(verb, f"{BASE}/{route}", body, params=params)
            assert response.code in {400, 404}, (route, path, response.body)
            assert str(tmp_path) not in response.body.decode() or str(tmp_path) in path
            assert b"secret = 1" not in response.body
    assert json.loads(secret.read_text()) == cells("secret = 1")
    with server.workspace() as workspace:
        assert workspace.index.paths() == ["mine.ipynb"]


async def test_what_the_server_hides_is_hidden_here(server: Server) -> None:
    """Also where it has versions, until the server is told to show such files."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    (server.root / ".hidden.ipynb").write_text(json.dumps(cells("x = 1")))
    with server.workspace() as workspace:
        workspace.save(".hidden.ipynb")
    params = {"path": ".hidden.ipynb"}
    for route in ("versions", "content", "tags"):
        error = await server.json("GET", f"{BASE}/{route}", params=params, status=404)
        assert error["kind"] == "not-found"
    server.app.contents_manager.allow_hidden = True
    page = await server.json("GET", f"{BASE}/versions", params=params)
    assert len(page["versions"]) == 1


VERSIONS = [
    "../../etc/passwd",
    "/etc/passwd",
    "{",
    "{}",
    "{9999999 years ago}",
    "~",
    "latest~999999999",
    "v0",
    "v99999999999",
    "a" * 4_000,
    "\0",
    "v1\n",
    "%00",
    "-rf",
    "👻",
]


async def test_no_name_of_a_version_reaches_anything_else(server: Server, tmp_path: Path) -> None:
    """A name that means nothing is an error, and asks for no file."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    (tmp_path / "secret.ipynb").write_text("{}")
    for version in [*VERSIONS, str(tmp_path / "secret")]:
        params = {"path": "mine.ipynb", "version": version}
        response = await server.ask("GET", f"{BASE}/content", params=params)
        error = json.loads(response.body)
        assert response.code in {400, 404}, (version, error)
        assert "Did you mean" not in (error["hint"] or ""), version


class _Leaky:
    """What a store says when it fails, with all that a browser must not see."""

    def __init__(self, root: Path) -> None:
        self.said = f"s3://my-bucket/x at http://10.0.0.7:9000 in {root}/a and /home/ada/.aws/b"
        self.private = ["my-bucket", "10.0.0.7", "9000", str(root), "/home/ada"]


async def test_no_error_tells_where_anything_is_stored(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither bucket, nor endpoint, nor path: in messages, hints and candidates."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    leaky = _Leaky(server.root)

    def fail(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable(leaky.said, hint=leaky.said)

    def hesitate(*_: Any, **__: Any) -> Any:
        raise Ambiguous(leaky.said, candidates=[{"path": leaky.said, "digest": "a" * 64}])

    def crash(*_: Any, **__: Any) -> Any:
        raise RuntimeError(leaky.said)

    for act, status in ((fail, 503), (hesitate, 409), (crash, 500)):
        monkeypatch.setattr(Workspace, "resolve", act)
        params = {"path": "mine.ipynb"}
        error = await server.json("GET", f"{BASE}/content", params=params, status=status)
        assert not [text for text in leaky.private if text in json.dumps(error)], error
        if act is hesitate:
            assert error["candidates"][0]["digest"] == "a" * 64


async def test_no_reply_tells_where_anything_is_stored(server: Server) -> None:
    """Not the folder of the embedded store, which is a URL inside the root."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    for route in ("status", "versions", "published", "tags", "diff"):
        response = await server.ask("GET", f"{BASE}/{route}", params={"path": "mine.ipynb"})
        assert response.code == 200
        assert str(server.root) not in response.body.decode()
        assert b"file:" not in response.body


async def test_a_store_that_fails_is_an_error_of_the_store(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its kind, so that a panel can offer to try again."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()

    def fail(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("The store is not reached.", hint="Try again.")

    monkeypatch.setattr(Repository, "log", fail)
    params = {"path": "mine.ipynb"}
    error = await server.json("GET", f"{BASE}/versions", params=params, status=503)
    assert error == {
        "kind": "store-unavailable",
        "message": "The store is not reached.",
        "hint": "Try again.",
    }


_ELSEWHERE = {"ServerApp": {"contents_manager_class": "tests.jupyter.managers.MemoryManager"}}


@pytest.mark.parametrize("jp_server_config", [_ELSEWHERE], indirect=True)
async def test_a_server_that_keeps_no_files_makes_no_workspace(server: Server) -> None:
    """Such a contents manager calls the root of the disk its own: nothing is made there."""
    assert server.app.contents_manager.root_dir == "/"
    assert server.extension.versioning.folders.root == server.root.resolve()
    for verb, route, body in (
        ("GET", "versions", None),
        ("GET", "published", None),
        ("POST", "restore", {"path": "mine.ipynb", "version": "v1"}),
        ("POST", "clone", {"key": "a/b.ipynb"}),
    ):
        params = None if body else {"path": "mine.ipynb"}
        response = await server.ask(verb, f"{BASE}/{route}", body, params=params)
        assert json.loads(response.body)["kind"] == "invalid-config", route
    assert not (server.root / ".nbvc").exists()
