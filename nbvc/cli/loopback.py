"""Serve one page to one browser on this machine, and nothing to anybody else.

Other users, and pages from elsewhere in the same browser, reach a port on loopback too. So the
first request must bring a token, which is good once, and gets a cookie for it; and each must be
addressed to this very server, which one of a page that had its name pointed here is not.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nbvc.values import dataclass

ADDRESS = "127.0.0.1"
MAX_CONNECTIONS = 32
"""Most connections at once; more are closed."""

MAX_BODY_BYTES = 65_536
"""Longest body of a request; its content is not looked at."""

SILENCE_SECONDS = 10
"""How long a connection may be silent."""

GRACE_SECONDS = 3.0
"""How long to wait after the page was closed: one that is loaded again is closed first."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "unload=(self)",  # by which the page tells that it is closed
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TYPES = {".js": "text/javascript", ".woff": "font/woff", ".woff2": "font/woff2"}
_REFUSED = b"Nothing is served here without the address that nbvc printed, and that is good once.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """All that can be asked for.

    Attributes:
        page: What ``/`` is.
        content: What the page asks for with a POST to ``/api/diff``, as JSON.
        assets: Files below ``/static/``, by name.
    """

    page: bytes = field(repr=False)
    content: bytes = field(repr=False)
    assets: Mapping[str, Path] = field(repr=False)


class Loopback:
    """A server of one site on a free port of this machine.

    Args:
        site: What to serve.
        grace_seconds: See ``GRACE_SECONDS``.

    Attributes:
        url: The address of the page, with the token.
    """

    def __init__(self, site: Site, *, grace_seconds: float = GRACE_SECONDS) -> None:
        self._pages = Pages(grace_seconds)
        self._server = _Server(site, self._pages)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://{ADDRESS}:{self._server.server_port}/?token={self._server.token}"

    def __enter__(self) -> Loopback:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the page was closed; return whether it was."""
        return self._pages.closed.wait(timeout_seconds)


class Pages:
    """How many pages are open.

    Args:
        grace_seconds: See ``GRACE_SECONDS``.
    """

    def __init__(self, grace_seconds: float) -> None:
        self.closed = threading.Event()
        self._grace_seconds = grace_seconds
        self._open = 0
        self._lock = threading.Lock()

    def opened(self) -> None:
        """Count a page that was sent."""
        with self._lock:
            self._open += 1

    def left(self) -> None:
        """Count one that was closed; the last one ends the server, unless it is loaded again."""
        with self._lock:
            self._open = max(self._open - 1, 0)
        timer = threading.Timer(self._grace_seconds, self._end_if_empty)
        timer.daemon = True
        timer.start()

    def _end_if_empty(self) -> None:
        with self._lock:
            if not self._open:
                self.closed.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: Site, pages: Pages) -> None:
        self.site = site
        self.pages = pages
        self.token = secrets.token_urlsafe(32)
        self.session = secrets.token_urlsafe(32)
        self._token_lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__((ADDRESS, 0), _Handler)
        # Cookies know no ports: another server of this machine has a cookie of its own.
        self.cookie = f"nbvc-{self.server_port}"
        self.hosts = {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}

    def spend(self, token: str) -> bool:
        """Return whether *token* is the one that was printed, which is good once."""
        with self._token_lock:
            if not self.token or not _same(token, self.token):
                return False
            self.token = ""
            return True

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer in a thread, unless too many are at it."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer, and make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever went away, or sent what is no HTTP, needs no answer."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SILENCE_SECONDS
    server_version = "nbvc"
    sys_version = ""

    def do_GET(self) -> None:
        """Send the page, or a file that it needs."""
        parts = urlsplit(self.path)
        if not self._is_for_us():
            self._refuse()
        elif not self._has_session():
            self._let_in(parse_qs(parts.query).get("token", [""])[0], parts.path)
        elif parts.path == "/":
            self.server.pages.opened()
            self._send(self.server.site.page, "text/html; charset=utf-8")
        elif (file := self._asset(parts.path)) is not None:
            kind = _TYPES.get(file.suffix) or guess_type(file.name)[0] or "application/octet-stream"
            self._send(file.read_bytes(), kind)
        else:
            self._send(b"", "text/plain", status=HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Send the diff, or hear that the page is closed."""
        self._drop_body()
        path = urlsplit(self.path).path  # behind it comes a number that outwits caches
        if not self._is_for_us() or not self._is_from_us() or not self._has_session():
            self._refuse()
        elif path == "/api/diff":
            self._send(self.server.site.content, "application/json")
        elif path == "/api/closetool":
            self.server.pages.left()
            self._send(b"", "text/plain")
        else:
            self._send(b"", "text/plain", status=HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: a request line may hold the token."""

    def _let_in(self, token: str, path: str) -> None:
        if path != "/" or not self.server.spend(token):
            self._refuse()
            return
        self.send_response(HTTPStatus.SEE_OTHER)
        # Lax, not Strict: the address may be clicked on in a page, as that of a terminal.
        cookie = f"{self.server.cookie}={self.server.session}; Path=/; HttpOnly; SameSite=Lax"
        self.send_header("Set-Cookie", cookie)
        self.send_header("Location", "/")
        self._end(b"")

    def _is_for_us(self) -> bool:
        return self.headers.get("Host", "") in self.server.hosts

    def _is_from_us(self) -> bool:
        origin = self.headers.get("Origin")
        return origin is None or origin.removeprefix("http://") in self.server.hosts

    def _has_session(self) -> bool:
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self.server.cookie)
        return found is not None and _same(found.value, self.server.session)

    def _asset(self, path: str) -> Path | None:
        folder, _, name = path.rpartition("/")
        return self.server.site.assets.get(name) if folder == "/static" else None

    def _drop_body(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) <= MAX_BODY_BYTES:
            self.rfile.read(int(length))

    def _refuse(self) -> None:
        self._send(_REFUSED, "text/plain", status=HTTPStatus.FORBIDDEN)

    def _send(self, body: bytes, kind: str, *, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self._end(body)

    def _end(self, body: bytes) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
