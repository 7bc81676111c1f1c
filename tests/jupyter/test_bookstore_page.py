"""The pages that a link to clone a file leads to."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tornado.httpclient import HTTPResponse

from nbvc.jupyter.bookstore_landing import shown_at
from tests.jupyter.browser import CHROMIUM, open_page
from tests.jupyter.buckets import NAME, Bucket
from tests.jupyter.serving import Server
from tests.jupyter.test_bookstore import SETTINGS, as_file, configured

HOSTILE = (
    "\"><script>alert(1)</script>'`${alert(1)}{{7*7}}&amp;</button><img src=x onerror=alert(1)>"
)
ASKED = {"s3_bucket": NAME, "s3_key": "published/mine.ipynb"}


class Parsed(HTMLParser):
    """What a browser makes of a page: its elements, with their attributes, and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def policy(response: HTTPResponse) -> dict[str, str]:
    """Return the policy of a page: what is allowed for each kind of thing."""
    parts = response.headers["Content-Security-Policy"].split(";")
    return {part.split()[0]: " ".join(part.split()[1:]) for part in parts if part.strip()}


@configured(SETTINGS)
async def test_the_page_says_what_it_would_clone(server: Server, bucket: Bucket) -> None:
    """Old links lead here; the request that it would send is bookstore's, below the base URL."""
    bucket.put("published/mine.ipynb", as_file())
    asked = {**ASKED, "s3_version_id": "3/L4kqtJ+lcp"}
    for path in ("/bookstore/clone", "/bookstore/clone/"):
        response = await server.ask("GET", path, params=asked)
        assert response.code == 200
        assert response.headers["Content-Type"].startswith("text/html")
        page = Parsed(response.body)
        (button,) = page.named("button")
        assert button["data-api"] == "/a%40b/api/bookstore/clone"
        assert json.loads(button["data-request"] or "") == asked
        assert {*asked.values()} <= set(page.texts)
    assert list(server.root.glob("*.ipynb")) == []


@configured(SETTINGS)
async def test_nothing_from_a_link_becomes_a_part_of_the_page(
    server: Server, bucket: Bucket
) -> None:
    """What a link brings is text; only the page's own script runs, by a token of this one page."""
    nonces = set()
    for _ in range(2):
        asked = {"s3_bucket": NAME, "s3_key": HOSTILE, "s3_version_id": HOSTILE}
        response = await server.ask("GET", "/bookstore/clone", params=asked)
        page = Parsed(response.body)
        assert (page.named("img"), len(page.named("script"))) == ([], 1)
        (button,) = page.named("button")
        assert json.loads(button["data-request"] or "") == asked
        assert HOSTILE in page.texts
        assert not [name for _, found in page.elements for name in found if name.startswith("on")]
        nonce = page.named("script")[0]["nonce"]
        assert policy(response) == {
            "default-src": "'none'",
            "script-src": f"'nonce-{nonce}'",
            "style-src": f"'nonce-{nonce}'",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'self'",
        }
        nonces.add(nonce)
    assert len(nonces) == 2
    for asked in ({"s3_bucket": HOSTILE, "s3_key": "a"}, {"s3_bucket": NAME, "s3_key": "a\nb"}):
        response = await server.ask("GET", "/bookstore/clone", params=asked)
        page = Parsed(response.body)
        assert response.code in {400, 403}
        assert [page.named(tag) for tag in ("script", "img", "button")] == [[], [], []]


@configured({**SETTINGS, "NbvcExtension": {"fs_cloning_basedir": "/anything"}})
async def test_an_error_is_a_page_that_says_so(
    server: Server, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the status that bookstore gave, and no name of a bucket."""
    for asked, status in (
        ({}, 400),
        ({"s3_bucket": "", "s3_key": "hi"}, 400),
        ({"s3_bucket": NAME, "s3_key": ""}, 400),
        ({"s3_bucket": "stranger", "s3_key": "hi"}, 403),
    ):
        response = await server.ask("GET", "/bookstore/clone", params=asked)
        page = Parsed(response.body)
        assert response.code == status
        assert page.named("p")[0]["role"] == "alert"
        assert b"stranger" not in response.body
    monkeypatch.setattr(server.extension, "fs_cloning_basedir", str(tmp_path))
    (tmp_path / "mine.ipynb").write_bytes(as_file())
    response = await server.ask("GET", "/bookstore/fs-clone", params={"relpath": "mine.ipynb"})
    (button,) = Parsed(response.body).named("button")
    assert button["data-api"] == "/a%40b/api/bookstore/fs-clone"
    assert json.loads(button["data-request"] or "") == {"relpath": "mine.ipynb"}
    assert str(tmp_path).encode() not in response.body


@configured(SETTINGS)
async def test_only_the_page_itself_can_send_its_request(server: Server, bucket: Bucket) -> None:
    """With a cookie, the token that the page holds is needed: another site cannot know it."""
    bucket.put("published/mine.ipynb", as_file())
    token = server.app.identity_provider.token
    response = await server.ask(
        "GET", "/bookstore/clone", params={**ASKED, "token": token}, headers={"Authorization": ""}
    )
    (button,) = Parsed(response.body).named("button")
    cookies = SimpleCookie()
    for each in response.headers.get_list("Set-Cookie"):
        cookies.load(each)
    cookie = "; ".join(f"{name}={found.coded_value}" for name, found in cookies.items())
    headers = {"Authorization": "", "Cookie": cookie}
    for more, status in (
        ({}, 403),
        ({"X-XSRFToken": "wrong"}, 403),
        ({"X-XSRFToken": button["data-xsrf"] or ""}, 200),
    ):
        reply = await server.ask("POST", "/api/bookstore/clone", ASKED, headers={**headers, **more})
        assert reply.code == status
        if status == 403:
            assert "message" in json.loads(reply.body)
    assert (server.root / "mine.ipynb").exists()


@pytest.mark.parametrize(
    ("default_url", "expected"),
    [
        ("/lab", "/a%40b/lab/tree/"),
        ("/a%40b/lab?reset", "/a%40b/lab/tree/"),
        ("/lab/workspaces/x", "/a%40b/lab/tree/"),
        ("/tree", "/a%40b/tree/"),
        ("/a%40b/tree", "/a%40b/tree/"),
        ("/", ""),
        ("", ""),
        ("/label", ""),
        ("//evil.example/lab", ""),
    ],
)
async def test_a_copy_is_shown_where_the_server_shows_files(
    default_url: str, expected: str
) -> None:
    """In JupyterLab or in Notebook 7; a server without either says only where the copy is."""
    assert shown_at("/a%40b/", default_url) == expected


@pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: scripts/install-test-packages"
)
@configured({**SETTINGS, "ServerApp": {"default_url": "/tree"}})
async def test_a_browser_clones_and_shows_errors(
    server: Server, bucket: Bucket, tmp_path: Path, jp_http_port: int
) -> None:
    """A click clones, and an error is shown, under the policy; the file opens under its name."""
    base = f"http://127.0.0.1:{jp_http_port}/a%40b"
    query = urlencode({**ASKED, "s3_key": "published/mein über #1?.ipynb"})
    token = server.app.identity_provider.token
    async with open_page(tmp_path / "browser") as page:
        await page.open(f"{base}/bookstore/clone?{query}&token={token}")
        assert await page.text("h1") == "Clone a notebook"
        await page.click("#clone")
        await page.wait_for("document.querySelector('#outcome').dataset.is === 'error'")
        shown = "There is no published/mein über #1?.ipynb in that bucket."
        assert await page.text("#outcome") == shown
        assert await page.evaluate("document.querySelector('#clone').disabled") is False
        bucket.put("published/mein über #1?.ipynb", as_file())
        await page.click("#clone")
        await page.wait_for("location.pathname.startsWith('/a%40b/tree/')")
        path = await page.evaluate("location.pathname")
        assert path == "/a%40b/tree/mein%20%C3%BCber%20%231%3F.ipynb"
        assert [each for each in page.complaints if "Content Security" in each] == []
    assert (server.root / "mein über #1?.ipynb").exists()
    assert await server.sources("mein über #1?.ipynb") == ["import this"]
