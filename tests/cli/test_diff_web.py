"""diff --web: what is served, to whom, and for how long; and that a browser draws it."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import nbdime
import pytest
from nbdime.diff_utils import to_diffentry_dicts

from nbvc import diffing
from nbvc.cli.loopback import MAX_CONNECTIONS, Loopback, Site
from nbvc.diffing.webpage import assets, page
from tests.command_line import TIMEOUT_SECONDS, CommandLine
from tests.notebook_samples import code, display, markdown, notebook

ONE = notebook(markdown("# Churn", id="m"), code("x = 1", id="a"))
TWO = notebook(
    markdown("# Churn", id="m"),
    code("x = 'seen by a browser'", id="a", outputs=[display({"text/html": "<b>bold</b>"})]),
)
SITE = Site(page=b"the page", content=b'{"base": 1}', assets=assets())
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


class Browser:
    """Asks a server for what a browser would, with a cookie once it has one.

    Args:
        url: The address that was printed.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.entrance = f"{parts.path}?{parts.query}"
        self.host = parts.netloc
        self.cookie = ""

    def ask(
        self, path: str, *, method: str = "GET", body: str | None = None, **headers: str
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Return status, body and headers of a reply; keeps the cookie that it gives."""
        connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_SECONDS)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        connection.request(method, path, body, {**sent, **headers})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        given = reply.headers.get("Set-Cookie")
        if given:
            self.cookie = given.partition(";")[0]
        return reply.status, data, dict(reply.headers)

    def status(self, path: str, **more: str) -> int:
        """Return the status of a reply."""
        return self.ask(path, **more)[0]


@pytest.fixture
def server() -> Iterator[Loopback]:
    """Return a server that ends at once when its page is closed."""
    with Loopback(SITE, grace_seconds=0) as started:
        yield started


@pytest.fixture
def stranger(server: Loopback) -> Browser:
    """Return a browser that was not let in."""
    return Browser(server.url)


@pytest.fixture
def guest(stranger: Browser) -> Browser:
    """Return a browser that was let in."""
    assert stranger.status(stranger.entrance) == 303
    return stranger


EVERYTHING = [("/", "GET"), ("/static/nbdime.js", "GET"), ("/api/diff", "POST"), ("/x", "GET")]


class TestWhoIsLetIn:
    """The one browser that brings the token first."""

    def test_without_the_token_nothing_is_served(self, stranger: Browser) -> None:
        """Neither page nor script nor diff, with a wrong token or a wrong cookie either."""
        for cookie in ("", "nbvc=x", f"nbvc-{stranger.host.partition(':')[2]}=x", ";;=\x01"):
            stranger.cookie = cookie
            for path, method in EVERYTHING:
                status, data, _ = stranger.ask(path, method=method)
                assert (status, data[:17]) == (403, b"Nothing is served")
        for path in ("/?token=", "/?token=x", "/?token=%F0%9F%99%82", "/?token"):
            assert stranger.status(path) == 403

    def test_the_token_gives_a_cookie_and_leaves_the_address(self, stranger: Browser) -> None:
        """One that no script reads, and that no other site sends along with a POST."""
        status, _, headers = stranger.ask(stranger.entrance)
        assert (status, headers["Location"]) == (303, "/")
        assert headers["Set-Cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")
        assert stranger.ask("/?base=a&remote=b")[:2] == (200, b"the page")

    def test_the_token_is_good_once(self, guest: Browser) -> None:
        """Who saw it in a list of processes comes too late; the browser itself may come again."""
        late = Browser(f"http://{guest.host}{guest.entrance}")
        assert late.status(late.entrance) == 403
        assert guest.status(guest.entrance) == 200

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", ""])
    def test_a_request_to_another_host_is_refused(self, guest: Browser, host: str) -> None:
        """As that of a page whose name was pointed at this machine."""
        for path, method in EVERYTHING:
            assert guest.status(path, method=method, Host=host) == 403
        fresh = Browser(f"http://{guest.host}{guest.entrance}")
        assert fresh.status(fresh.entrance, Host=host) == 403
        port = guest.host.partition(":")[2]
        assert guest.status("/", Host=f"localhost:{port}") == 200

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1"])
    def test_a_page_from_elsewhere_gets_nothing(self, guest: Browser, origin: str) -> None:
        """Nor can it end the server."""
        assert guest.status("/api/diff", method="POST", Origin=origin) == 403
        assert guest.status("/api/closetool", method="POST", Origin=origin) == 403
        own = f"http://{guest.host}"
        assert guest.ask("/api/diff?1", method="POST", body="{}", Origin=own)[1] == SITE.content


class TestWhatIsServed:
    """A page, its scripts, and one diff."""

    def test_no_other_file_can_be_had(self, guest: Browser) -> None:
        """Whatever is asked for: a name is looked up, never a path."""
        assert guest.status("/static/nbdime.js") == 200
        for path in (
            "/static/../nbdimeserver.py",
            "/static/..%2fnbdimeserver.py",
            "/static//etc/passwd",
            "/etc/passwd",
            "/static/",
            "/static/nbdime.js.map",
            "/api/diff",
        ):
            assert guest.status(path) == 404
        for path in ("/api/merge", "/api/store", "/"):
            assert guest.status(path, method="POST") == 404

    def test_no_notebook_can_be_asked_for(self, guest: Browser) -> None:
        """The names in a request are not looked at."""
        body = json.dumps({"base": "/etc/passwd", "remote": "http://127.0.0.1:1/x.ipynb"})
        assert guest.ask("/api/diff", method="POST", body=body)[1] == SITE.content

    def test_scripts_of_a_notebook_have_no_place_to_run(self, guest: Browser) -> None:
        """Only nbdime's own run, nothing is loaded from elsewhere, nothing frames the page."""
        for path in ("/", "/static/nbdime.js", "/x"):
            headers = guest.ask(path)[2]
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; ")
            assert "unsafe-eval" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"

    def test_a_name_is_text_in_the_page(self) -> None:
        """Whatever a file or a version is called."""
        hostile = "</script><script>alert(1)</script>\u202e.ipynb"
        made = page((hostile, "b")).decode()
        assert made.count("<script") == 2
        assert "\u202e" not in made
        config = re.search(r'type="application/json">(.*?)</script>', made)
        assert config is not None
        assert json.loads(config[1])["base"] == hostile.replace("\u202e", r"\u202e")

    def test_connections_are_bounded(self, guest: Browser) -> None:
        """Too many are closed, and room is made again."""
        address = (guest.host.partition(":")[0], int(guest.host.partition(":")[2]))
        with ExitStack() as stack:
            for _ in range(MAX_CONNECTIONS):
                stack.enter_context(socket.create_connection(address, TIMEOUT_SECONDS)).send(b"G")
            one_more = stack.enter_context(socket.create_connection(address, TIMEOUT_SECONDS))
            assert one_more.recv(1) == b""
        for _ in range(100):  # until the threads have noticed
            try:
                assert guest.status("/") == 200
                break
            except (ConnectionError, http.client.HTTPException):
                continue
        else:
            pytest.fail("no room was made")

    def test_what_is_no_request_is_no_matter(self, server: Loopback, guest: Browser) -> None:
        """Noise, a body without end, a header without end."""
        address = (guest.host.partition(":")[0], int(guest.host.partition(":")[2]))
        for noise in (
            b"\x16\x03\x01\x02\x00\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            b"POST /api/diff HTTP/1.1\r\nContent-Length: 9" + b"9" * 30 + b"\r\n\r\n",
            b"POST /api/diff HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        ):
            with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
                connection.sendall(noise)
                reply = connection.recv(65_536)
                assert b"403" in reply or b" 4" in reply[:14] or not reply or b"Error" in reply
        assert guest.status("/") == 200


class TestHowLong:
    """Until the page is closed."""

    def test_it_ends_when_the_page_was_closed(self, server: Loopback, guest: Browser) -> None:
        """Nbdime's script says so as the page goes."""
        assert guest.status("/") == 200
        assert not server.wait(0)
        assert guest.status("/api/closetool", method="POST") == 200
        assert server.wait(TIMEOUT_SECONDS)

    def test_another_page_keeps_it_going(self, server: Loopback, guest: Browser) -> None:
        """So does the same one, loaded again: it comes before the old one is said to be closed."""
        for _ in range(2):
            assert guest.status("/") == 200
        assert guest.status("/api/closetool", method="POST") == 200
        assert not server.wait(0.2)
        assert guest.status("/api/closetool", method="POST") == 200
        assert server.wait(TIMEOUT_SECONDS)


@contextmanager
def showing(
    cli: CommandLine, *arguments: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``diff --web`` and return its process and the address that it prints."""
    process = subprocess.Popen(
        cli.command("diff", "v1", "v2", "--web", *arguments),
        cwd=cli.folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def churn(project: CommandLine) -> CommandLine:
    """Return a workspace with one notebook of two versions."""
    for data in (ONE, TWO):
        project.write("churn.ipynb", data)
        project("save")
    return project


class TestCommand:
    """``nbvc diff --web``."""

    def test_it_serves_the_diff_until_ctrl_c(self, churn: CommandLine) -> None:
        """Ours, in nbdime's format, with the old notebook; exit code 130."""
        with showing(churn, "--no-browser") as (process, url):
            browser = Browser(url)
            assert browser.status(browser.entrance) == 303
            assert b"churn.ipynb@v1" in browser.ask("/")[1]
            found = json.loads(browser.ask("/api/diff", method="POST")[1])
            patched = nbdime.patch(found["base"], to_diffentry_dicts(found["diff"]))
            assert patched == diffing.load(TWO)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
            assert process.returncode == 130
            assert "Open this address in a browser" in errors
            assert "Traceback" not in errors

    def test_it_opens_the_browser_that_there_is(self, churn: CommandLine, tmp_path: Path) -> None:
        """And none with --no-browser, nor where no display is."""
        opened = tmp_path / "opened"
        program = tmp_path / "browser"
        program.write_text(
            f"#!{sys.executable}\nimport sys\nopen({str(opened)!r}, 'w').write(sys.argv[1])\n"
        )
        program.chmod(0o755)
        for arguments, variables in (
            (["--no-browser"], {"BROWSER": str(program)}),
            ([], {"BROWSER": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}),
        ):
            with showing(churn, *arguments, **variables) as (process, _):
                assert process.stderr is not None
                assert process.stderr.readline().startswith("Open this address")
                assert not opened.exists()
        with showing(churn, BROWSER=str(program)) as (process, url):
            assert process.stderr is not None
            assert process.stderr.readline().startswith("Opening it in the browser")
            for _ in range(1_000):
                if opened.exists() and opened.read_text():
                    break
                time.sleep(0.01)
            assert opened.read_text() == url

    def test_equal_sides_are_not_served(self, churn: CommandLine) -> None:
        """There is nothing to be seen of them."""
        assert "are the same" in churn("diff", "v1", "v1", "--web").stderr
        found = churn("diff", "v1", "v2", "--no-browser", exit_code=2)
        assert "hint: nbvc diff --web --no-browser" in found.stderr

    @pytest.mark.skipif(
        CHROMIUM is None, reason="Chromium is not installed: scripts/install-test-packages"
    )
    def test_a_browser_draws_it(self, churn: CommandLine, tmp_path: Path) -> None:
        """Sources and outputs, under the policy for scripts; it ends when the browser does."""
        assert CHROMIUM is not None
        with showing(churn, "--no-browser") as (process, url):
            found = subprocess.run(
                [
                    *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"),
                    *("--virtual-time-budget=30000", "--enable-logging=stderr"),
                    *(f"--user-data-dir={tmp_path}", url),
                ],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=True,
            )
            assert "seen by a browser" in found.stdout
            assert "<b>bold</b>" in found.stdout
            assert found.stdout.count("jp-Cell-diff") >= 2
            assert "Content Security Policy" not in found.stderr
            process.communicate(timeout=TIMEOUT_SECONDS)
            assert process.returncode == 0
