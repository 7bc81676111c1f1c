"""Versions over REST: listed by the page, and read as exact bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from typing import Any

import pytest

from nbvc.jupyter.api import BASE
from nbvc.jupyter.cursors import VersionCursor
from nbvc.repository import Repository
from nbvc.stores.base import Overwrite
from nbvc.workspace import describing
from tests.jupyter.serving import Server, cells

VERSIONS, CONTENT, TAGS = f"{BASE}/versions", f"{BASE}/content", f"{BASE}/tags"
NAME = "my folder/über 50%#?.ipynb"
MINE = {"path": "mine.ipynb"}
MANY_PAGES = 10


async def _save(server: Server, count: int, path: str = "mine.ipynb") -> None:
    for number in range(1, count + 1):
        await server.save(path, f"x = {number}")
    await server.idle()


async def _pages(server: Server, limit: int) -> list[list[int]]:
    """Return the numbers of the versions on each page."""
    pages: list[list[int]] = []
    cursor: dict[str, str] = {}
    while len(pages) < MANY_PAGES:
        page = await server.json("GET", VERSIONS, params={**MINE, "limit": limit, **cursor})
        pages.append([version["number"] for version in page["versions"]])
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    return pages


async def test_versions_are_those_of_the_log(server: Server) -> None:
    """Newest first, with the same facts; also of a name that needs escapes, in a folder."""
    (server.root / "my folder").mkdir()
    await _save(server, 3, NAME)
    page = await server.json("GET", VERSIONS, params={"path": NAME})
    with server.workspace() as workspace:
        known = [describing.version(version) for version in workspace.log(NAME)]
    assert page["versions"] == json.loads(json.dumps(known, default=describing.plain))
    assert [version["number"] for version in page["versions"]] == [3, 2, 1]
    assert (page["next"], page["waiting"]) == (None, False)


async def test_pages_join_without_a_gap_while_others_save(server: Server) -> None:
    """A cursor names a version: what is saved meanwhile shifts nothing, what goes loses nothing."""
    await _save(server, 5)
    assert await _pages(server, 2) == [[5, 4], [3, 2], [1]]
    assert await _pages(server, 5) == [[5, 4, 3, 2, 1]]
    first = await server.json("GET", VERSIONS, params={**MINE, "limit": 2})
    await server.save("mine.ipynb", "y = 1")
    await server.idle()
    second = await server.json("GET", VERSIONS, params={**MINE, "cursor": first["next"]})
    assert [version["number"] for version in second["versions"]] == [3, 2, 1]
    gone = _encoded([4, "a version that was let go of"])
    behind = await server.json("GET", VERSIONS, params={**MINE, "cursor": gone})
    assert [version["number"] for version in behind["versions"]] == [3, 2, 1]


async def test_versions_without_a_record_have_their_place(server: Server) -> None:
    """What another tool wrote is listed once, also where a page ends with it."""
    await _save(server, 2)
    with server.workspace() as workspace:
        repository = workspace.repository
        key = repository.layout.data_key(workspace.resolve(**MINE).area, workspace.key(**MINE))
        for text in ("a", "b"):
            repository.store.put(
                key,
                json.dumps(cells(text)).encode(),
                mode=Overwrite(),
                metadata={},
                content_type="application/json",
            )
    assert await _pages(server, 1) == [[None], [None], [2], [1]]
    assert await _pages(server, 3) == [[None, None, 2], [1]]
    with server.workspace() as workspace:
        unindexed = next(workspace.log("mine.ipynb"))
    before = VersionCursor(number=7, version_id="v7")
    after = VersionCursor.after([unindexed], before)
    assert (after.number, after.version_id) == (7, unindexed.version_id)


@pytest.mark.parametrize("limit", ["0", "-1", "501", "ten", "5.0", "1" * 5_000, "٣", "1_0"])
async def test_a_page_has_bounds(server: Server, limit: str) -> None:
    """No request makes the server list more than 500 at once."""
    error = await server.json("GET", VERSIONS, params={**MINE, "limit": limit}, status=400)
    assert error["kind"] == "invalid-input"


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


FORGED = [
    "x",
    "%%%%",
    "ü",
    "A" * 4_000,
    _encoded("text"),
    _encoded([]),
    _encoded([1]),
    _encoded([True, "id"]),
    _encoded([-1, "id"]),
    _encoded([1.5, "id"]),
    _encoded([10**12, "id"]),
    _encoded([1, 2]),
    _encoded({"number": 1}),
    base64.urlsafe_b64encode(b"[" * 3_000).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
]


async def test_a_cursor_that_was_tampered_with_is_refused(server: Server) -> None:
    """Whatever is in it; and one for another notebook only leads to other versions of this one."""
    await _save(server, 1)
    for cursor in FORGED:
        params = {**MINE, "cursor": cursor}
        error = await server.json("GET", VERSIONS, params=params, status=400)
        assert error["kind"] == "invalid-input", cursor
    params = {**MINE, "cursor": _encoded([1, "other"])}
    assert (await server.json("GET", VERSIONS, params=params))["versions"] == []


async def test_a_save_that_waits_for_the_store_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first version of a notebook that is on its way is no error."""
    reached, go_on = threading.Event(), threading.Event()
    save = Repository.save

    def stall(*arguments: Any, **named: Any) -> Any:
        reached.set()
        go_on.wait(60)
        return save(*arguments, **named)

    monkeypatch.setattr(Repository, "save", stall)
    await server.save("mine.ipynb", "x = 1")
    page = await server.json("GET", VERSIONS, params=MINE)
    assert page == {"versions": [], "next": None, "waiting": True}
    go_on.set()
    await server.idle()
    page = await server.json("GET", VERSIONS, params=MINE)
    assert [version["number"] for version in page["versions"]] == [1]
    assert not page["waiting"]
    error = await server.json("GET", VERSIONS, params={"path": "other.ipynb"}, status=404)
    assert error["kind"] == "notebook-not-found"


async def test_content_is_the_exact_bytes_and_no_page(server: Server) -> None:
    """Each version can be named in every way; a browser would neither guess nor run anything."""
    await _save(server, 2)
    with server.workspace() as workspace:
        versions = list(workspace.log("mine.ipynb"))
        first = workspace.read(versions[1])
    for name in ("v1", "latest~1", versions[1].digest[:12], versions[1].version_id):
        response = await server.ask("GET", CONTENT, params={**MINE, "version": name})
        assert response.body == first, name
    headers = response.headers
    assert headers["Content-Type"] == "application/x-ipynb+json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in headers["Content-Security-Policy"].split("; ")
    assert headers["ETag"] == f'"{hashlib.sha256(first).hexdigest()}"'
    assert headers["Nbvc-Version"] == "v1"
    known = await server.ask(
        "GET",
        CONTENT,
        params={**MINE, "version": "v1"},
        headers={"If-None-Match": headers["ETag"]},
    )
    assert (known.code, known.body) == (304, b"")


async def test_bytes_that_are_no_notebook_come_back_as_they_are(server: Server) -> None:
    """Also a large one, in pieces; and what cannot be a header does not become one."""
    await _save(server, 1)
    data = b"<script>alert(1)</script>" + b"\xff\0" * 400_000
    (server.root / "n\r\nX: y.ipynb").write_bytes(b"no")
    (server.root / "mine.ipynb").write_bytes(data)
    with server.workspace() as workspace:
        workspace.save("mine.ipynb", allow_invalid=True)
    response = await server.ask("GET", CONTENT, params=MINE)
    assert response.body == data
    assert response.headers["Content-Length"] == str(len(data))
    error = await server.json("GET", CONTENT, params={"path": "n\r\nX: y.ipynb"}, status=400)
    assert error["kind"] == "invalid-key"


async def test_an_ambiguous_digest_lists_the_candidates(server: Server) -> None:
    """So that a person can choose one."""
    await _save(server, 1, "other.ipynb")
    sources = _sources_of_one_prefix()
    for source in sources:
        (server.root / "mine.ipynb").write_text(json.dumps(cells(source)))
        with server.workspace() as workspace:
            (saved,) = workspace.save("mine.ipynb")
    assert saved.digest is not None
    params = {**MINE, "version": saved.digest[:4]}
    error = await server.json("GET", CONTENT, params=params, status=409)
    assert error["kind"] == "ambiguous"
    assert [candidate["ref"] for candidate in error["candidates"]] == ["v2", "v1"]


def _sources_of_one_prefix() -> list[str]:
    """Return two sources whose notebooks have digests that begin alike."""
    seen: dict[str, str] = {}
    for number in range(100_000):
        source = f"x = {number}"
        prefix = hashlib.sha256(json.dumps(cells(source)).encode()).hexdigest()[:4]
        if prefix in seen and not prefix.isdigit():
            return [seen[prefix], source]
        seen[prefix] = source
    raise AssertionError("no two digests begin alike")


async def test_tags_are_set_moved_listed_and_deleted(server: Server) -> None:
    """As on the command line: one that another version has moves only when asked to."""
    await _save(server, 2)
    assert await server.json("GET", TAGS, params=MINE) == {"tags": []}
    for version, number in (("v1", 1), ("v1", 1)):
        body = {**MINE, "tag": "release", "version": version}
        tagged = await server.json("PUT", TAGS, body)
        assert (tagged["tag"], tagged["version"]["number"]) == ("release", number)
    error = await server.json("PUT", TAGS, {**MINE, "tag": "release"}, status=409)
    assert error["kind"] == "already-exists"
    await server.save("mine.ipynb", "x = 3")  # the latest is the one that was saved last
    moved = await server.json("PUT", TAGS, {**MINE, "tag": "release", "move": True})
    assert moved["version"]["number"] == 3
    assert await server.json("GET", TAGS, params=MINE) == {
        "tags": [{"tag": "release", "number": 3}]
    }
    gone = await server.json("DELETE", TAGS, params={**MINE, "tag": "release"})
    assert gone == {"tag": "release", "number": 3}
    error = await server.json("DELETE", TAGS, params={**MINE, "tag": "release"}, status=404)
    assert error["kind"] == "version-not-found"
    error = await server.json("PUT", TAGS, {**MINE, "tag": "v9"}, status=400)
    assert error["kind"] == "invalid-ref"
