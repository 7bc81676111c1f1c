"""Publish, list and clone over REST."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth.identity import IdentityProvider, User

from nbvc.jupyter.api import BASE
from nbvc.model import Area
from nbvc.repository.states import read_state
from tests.jupyter.serving import Server, cells

PUBLISHING_ON: dict[str, Any] = {"NbvcExtension": {"publish_enabled": True}}
PUBLISH, UNPUBLISH = f"{BASE}/publish", f"{BASE}/unpublish"
PUBLISHED, CLONE = f"{BASE}/published", f"{BASE}/clone"


class NamedIdentity(IdentityProvider):
    """Knows who is logged in."""

    def get_user(self, handler: Any) -> User | None:
        """Return the user of a request that has the token."""
        return User("grace") if self.is_token_authenticated(handler) else None

    def is_token_authenticated(self, handler: Any) -> bool:
        """Return whether the request has the token."""
        return bool(self.get_token(handler) == self.token)


async def _published(server: Server, **params: Any) -> tuple[list[str], str | None]:
    page = await server.json("GET", PUBLISHED, params=params)
    return [entry["key"].rpartition("/")[2] for entry in page["notebooks"]], page["next"]


@pytest.mark.parametrize("jp_server_config", [PUBLISHING_ON], indirect=True)
async def test_what_was_saved_just_now_is_published_listed_and_taken_back(server: Server) -> None:
    """Without a word about where it is stored; a page at a time, in order."""
    for name in ("a", "b", "c"):
        await server.save(f"{name}.ipynb", f"{name} = 1")
        result = await server.json("POST", PUBLISH, {"path": f"{name}.ipynb", "message": "ready"})
        assert (result["source"], result["unsaved_changes"]) == (1, False)
        assert "url" not in result
    assert await _published(server, limit=5) == (["a.ipynb", "b.ipynb", "c.ipynb"], None)
    names, cursor = await _published(server, limit=2)
    assert names == ["a.ipynb", "b.ipynb"]
    assert await _published(server, limit=2, cursor=cursor) == (["c.ipynb"], None)
    assert await _published(server, prefix="nobody/") == ([], None)
    taken = await server.json("POST", UNPUBLISH, {"path": "b.ipynb"})
    assert taken["published"] is False
    assert (await _published(server))[0] == ["a.ipynb", "c.ipynb"]
    error = await server.json("POST", UNPUBLISH, {"path": "b.ipynb"}, status=404)
    assert error["kind"] == "notebook-not-found"


_NAMED = {
    **PUBLISHING_ON,
    "ServerApp": {"identity_provider_class": f"{__name__}.{NamedIdentity.__name__}"},
}


@pytest.mark.parametrize("jp_server_config", [_NAMED], indirect=True)
async def test_the_author_is_who_is_logged_in(server: Server) -> None:
    """Of a publication, of a tag, and of what a restore has saved."""
    await server.save("mine.ipynb", "x = 1")
    await server.json("POST", PUBLISH, {"path": "mine.ipynb"})
    listed = await server.json("GET", PUBLISHED)
    assert [entry["author"] for entry in listed["notebooks"]] == ["grace"]
    await server.json("PUT", f"{BASE}/tags", {"path": "mine.ipynb", "tag": "release"})
    (server.root / "mine.ipynb").write_text(json.dumps(cells("y = 1")))
    await server.json("POST", f"{BASE}/restore", {"path": "mine.ipynb", "version": "v1"})
    await server.idle()
    with server.workspace() as workspace:
        assert {version.author for version in workspace.log("mine.ipynb")} == {"grace"}
        key = workspace.key("mine.ipynb")
        state = read_state(workspace.repository.backend, Area.WORKSPACE, key)
        assert state is not None
        assert state.author == "grace"
    await server.json("POST", UNPUBLISH, {"path": "mine.ipynb"})
    with server.workspace() as workspace:
        state = read_state(workspace.repository.backend, Area.PUBLISHED, key)
        assert state is not None
        assert state.author == "grace"


async def test_a_clone_overwrites_nothing_and_has_versions_of_its_own(server: Server) -> None:
    """Beside what is there, as mine-1.ipynb; the same bytes are not written twice."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    first = (server.root / "mine.ipynb").read_bytes()
    with server.workspace() as workspace:
        key = workspace.key("mine.ipynb")
        workspace.publish("mine.ipynb")
    await server.save("mine.ipynb", "x = 2")
    await server.idle()
    body = {"key": key, "area": "published"}
    for created, status in ((True, 201), (False, 200)):
        cloned = await server.json("POST", CLONE, body, status=status)
        assert (cloned["path"], cloned["created"]) == ("mine-1.ipynb", created)
    assert (server.root / "mine-1.ipynb").read_bytes() == first
    assert await server.sources("mine-1.ipynb") == ["x = 1"]
    (server.root / "sub").mkdir()
    body = {"key": key, "version": "latest~1", "folder": "sub"}
    cloned = await server.json("POST", CLONE, body, status=201)
    assert (cloned["path"], cloned["version"]["number"]) == ("sub/mine.ipynb", 1)
    assert await server.sources("mine.ipynb") == ["x = 1", "x = 2"]


async def test_a_clone_writes_only_inside_of_the_root(server: Server, tmp_path: Path) -> None:
    """No path, link or key leads out of it, into a control folder, or to a hidden file."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    with server.workspace() as workspace:
        key = str(workspace.key("mine.ipynb"))
    outside = tmp_path / "outside"
    outside.mkdir()
    (server.root / "link").symlink_to(outside)
    (server.root / "file").write_text("a file")
    folders = ["..", "../outside", "link", str(outside), ".nbvc", ".git", "a/../..", "file"]
    for folder in [*folders, "nothing", "a\0b", "a" * 3_000, "~"]:
        response = await server.ask("POST", CLONE, {"key": key, "folder": folder})
        assert response.code in {400, 404}, (folder, response.body)
    for bad in [
        "../mine.ipynb",
        "/etc/x.ipynb",
        "s3://b/x.ipynb",
        "x/../y.ipynb",
        "x",
        "a/.b.ipynb",
    ]:
        response = await server.ask("POST", CLONE, {"key": bad})
        assert response.code == 400, (bad, response.body)
    error = await server.json("POST", CLONE, {"key": "nobody/x.ipynb"}, status=404)
    assert error["kind"] == "notebook-not-found"
    await server.json("POST", CLONE, {"key": key, "area": "elsewhere"}, status=400)
    assert list(outside.iterdir()) == []
    assert sorted(path.name for path in server.root.glob("*.ipynb")) == ["mine.ipynb"]
