"""An HTTP server whose every byte a test decides, for replies that no healthy S3 server gives."""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.client import parse_headers
from io import BufferedReader
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

RESET = b"RESET"
"""Answer that breaks the connection off; an empty answer closes it in good order."""

QUIET_TIMEOUT_SECONDS = 60

TLS_HANDSHAKE = b"\x16"
"""First byte of a client that speaks TLS (RFC 8446, section 5.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What arrived; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


class End(Enum):
    """How a connection ends before a whole answer was sent."""

    CLOSED = auto()
    RESET = auto()
    SILENCE = auto()
    """It stays open, and nothing more comes, until the client turns away."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An answer that breaks off.

    Attributes:
        data: What is sent of it.
        end: What happens then.
    """

    data: bytes
    end: End


Answer = Callable[[Request], bytes | Broken]


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return an HTTP response; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"Content-Length": str(len(body)), "Content-Type": "application/xml", **named}
    lines = [f"HTTP/1.1 {status} Status", *[f"{name}: {value}" for name, value in fields.items()]]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def failure(status: int, code: str, text: str = "Said the server.", **headers: str) -> bytes:
    """Return an S3 error response."""
    body = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
    return reply(status, body.encode(), **headers)


class WireServer:
    """A server on loopback that answers each request with what *answer* returns for it.

    Attributes:
        url: Its address.
        requests: All requests so far.
    """

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a free port, with TLS where *tls* says how."""
        self.requests: list[Request] = []
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._taken = 0
        self._open: set[int] = set()
        self._changed = threading.Condition()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            # To close it alone would leave it listening for as long as the thread waits there, and
            # the thread might go on with whatever socket gets the number next.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def taken(self) -> int:
        """How many connections were ever opened."""
        with self._changed:
            return self._taken

    def wait_until_quiet(self, since: int = 0) -> None:
        """Wait until every connection that was opened before is at its end, and all is answered.

        For clients that are gone, so that nothing of theirs is under way any more.

        Args:
            since: How many connections were opened before those clients came. These may be open
                still, and need not: nothing is under way on them.
        """
        with self._changed:
            before = self._taken
            # Connections are taken in the order in which they came: this one is the last of them.
            socket.create_connection(self._listener.getsockname()).close()
            done = self._changed.wait_for(
                lambda: self._taken > before and max(self._open, default=0) <= since,
                QUIET_TIMEOUT_SECONDS,
            )
            assert done, f"{sum(each > since for each in self._open)} connections are still open"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self._taken += 1
                number = self._taken
                self._open.add(number)
                self._changed.notify_all()
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        # A client that turns away in the handshake or in between is no concern of the server.
        try:
            with connection, suppress(OSError):
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._talk(connection)
        finally:
            with self._changed:
                self._open.remove(number)
                self._changed.notify_all()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while request := _read(stream):
                self.requests.append(request)
                answer = self._answer(request)
                if isinstance(answer, Broken):
                    _break_off(connection, answer)
                    return
                if answer == RESET:
                    _break_off(connection, Broken(b"", End.RESET))
                    return
                if not answer:
                    return
                connection.sendall(answer)
                if b"\r\nConnection: close\r\n" in answer:
                    return


def _break_off(connection: socket.socket, answer: Broken) -> None:
    connection.sendall(answer.data)
    if answer.end is End.RESET:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    if answer.end is End.SILENCE:
        while connection.recv(1):
            pass


def _read(stream: BufferedReader) -> Request | None:
    if stream.peek(1)[:1] == TLS_HANDSHAKE:
        return Request(method="TLS", target="", headers={}, body=b"")
    line = stream.readline().decode("latin-1").split()
    if len(line) < 2:
        return None
    headers = {name.lower(): value for name, value in parse_headers(stream).items()}
    body = stream.read(int(headers.get("content-length", 0)))
    return Request(method=line[0], target=line[1], headers=headers, body=body)


@contextmanager
def serving(answer: Answer | bytes, tls: ssl.SSLContext | None = None) -> Iterator[WireServer]:
    """Run a server with one answer, or a function that chooses one."""
    server = WireServer(answer if callable(answer) else lambda _: answer, tls)
    try:
        yield server
    finally:
        server.close()


def forward(request: Request, endpoint_url: str) -> bytes:
    """Send *request* on to a real server and return its response as bytes."""
    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=20)
    try:
        connection.request(request.method, request.target, request.body, request.headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    dropped = {"transfer-encoding", "connection", "content-length"}
    fields = {name: value for name, value in response.getheaders() if name.lower() not in dropped}
    length = response.headers["Content-Length"] if request.method == "HEAD" else str(len(body))
    return reply(response.status, body, **{**fields, "Content-Length": length or "0"})
