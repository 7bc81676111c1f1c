"""A proxy before a real S3 server, which strikes at the n-th request of a command.

Requests go on as they came, ``Host`` included, so that their signatures stay good.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.stores.wire import Broken, Request, WireServer, forward

VICTIM_TIMEOUT_SECONDS = 60


class Reply(NamedTuple):
    """An HTTP response in two parts."""

    head: bytes
    body: bytes

    @classmethod
    def of(cls, answer: bytes) -> Reply:
        """Take it apart."""
        head, _, body = answer.partition(b"\r\n\r\n")
        return cls(head + b"\r\n\r\n", body)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.head.split(b" ", 2)[1])

    def header(self, name: str) -> str | None:
        """Return a header field, by its name in lower case."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            found, _, value = line.partition(":")
            if found.lower() == name:
                return value.strip()
        return None

    def fitted(self, body: bytes) -> bytes:
        """Return the response with another body, and the ``Content-Length`` of that."""
        lines = [
            line
            for line in self.head.split(b"\r\n")[:-2]
            if not line.lower().startswith(b"content-length:")
        ]
        return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request that is struck, and what can be done about it.

    Attributes:
        request: The request.
        number: Which one of the command's it is; the seed of what is done by chance.
        proxy: The proxy.
    """

    request: Request
    number: int
    proxy: FaultProxy

    def pass_on(self) -> Reply:
        """Let the server carry it out, and return what it answers."""
        return Reply.of(self.proxy.pass_on(self.request))

    def pass_half(self) -> None:
        """Send the server the head and half of the body, and nothing more."""
        request = self.request
        lines = [f"{request.method} {request.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        address = urlsplit(self.proxy.upstream)
        with closing(socket.create_connection((address.hostname, address.port))) as server:
            server.sendall(head + request.body[: len(request.body) // 2])

    def kill(self) -> None:
        """Kill the client, and return when it is gone."""
        os.kill(self.proxy.victim.result(VICTIM_TIMEOUT_SECONDS), signal.SIGKILL)


Strike = Callable[[Exchange], bytes | Broken | None]
"""What is done to a request instead of passing it on; ``None``: it does not fit, so pass it on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is struck.

    Attributes:
        at: Number of the request, from 1 on, among those that *only* takes; 0: none.
        strike: What is done to it.
        for_ever: Whether the same is done to all that come after it.
        only: Which requests count.
    """

    at: int = 0
    strike: Strike = lambda _: None
    for_ever: bool = False
    only: Callable[[Request], bool] = lambda _: True


NOTHING = Plan()


@dataclass(slots=True)
class _State:
    """What one plan has seen so far."""

    plan: Plan
    seen: list[Request] = field(default_factory=list)
    struck: list[Request] = field(default_factory=list)
    counted: int = 0


class FaultProxy:
    """Forwards to one server, and strikes as it is told.

    Attributes:
        upstream: Address of the server.
        url: Its own address.
        victim: The number of the process to kill; set anew with each plan.
        writes: Keys and version IDs of what was written through it, oldest first.
        promised: Answers to requests with such a value in their query, as the token of a page that
            the server knows nothing of; forgotten with each plan.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self._lock = threading.Lock()
        self.writes: list[tuple[str, str]] = []
        self._server = WireServer(self._answer)
        self.url = self._server.url
        self.follow(NOTHING)

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def follow(self, plan: Plan) -> None:
        """Count from zero, and strike as *plan* says."""
        self._state = _State(plan)
        self.victim: Future[int] = Future()
        self.promised: dict[str, bytes] = {}
        # A command that ran in this process may have left connections open.
        self._before = self._server.taken

    def settle(self) -> tuple[list[Request], list[Request]]:
        """Wait until no request is under way; return all since the plan, and those struck."""
        self._server.wait_until_quiet(self._before)
        self._server.requests.clear()
        return self._state.seen, self._state.struck

    def pass_on(self, request: Request) -> bytes:
        """Return what the server answers."""
        answer = forward(request, self.upstream)
        version_id = Reply.of(answer).header("x-amz-version-id")
        if request.method in {"PUT", "DELETE"} and version_id:
            with self._lock:
                self.writes.append((urlsplit(request.target).path, version_id))
        return answer

    def _answer(self, request: Request) -> bytes | Broken:
        with self._lock:
            state, number = self._state, self._count(request)
        plan = state.plan
        if number == plan.at or (plan.for_ever and 0 < plan.at < number):
            answer = plan.strike(Exchange(request=request, number=number, proxy=self))
            if answer is not None:
                with self._lock:
                    state.struck.append(request)
                return answer
        for _, value in parse_qsl(urlsplit(request.target).query):
            if value in self.promised:
                return self.promised[value]
        return self.pass_on(request)

    def _count(self, request: Request) -> int:
        state = self._state
        state.seen.append(request)
        if not state.plan.only(request):
            return 0
        state.counted += 1
        return state.counted
