"""A TCP proxy on loopback that adds latency, counts what passes and keeps request lines."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

REQUEST_LINE = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")
CHUNK_BYTES = 1 << 16
START_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What went to and fro.

    Attributes:
        requests: How many HTTP requests.
        round_trips: How often the client spoke after the server did.
        connections: How many were opened.
        sent_bytes: From the client, headers included.
        received_bytes: From the server, headers included.
    """

    requests: int
    round_trips: int
    connections: int
    sent_bytes: int
    received_bytes: int


class DelayProxy:
    """Forwards to one server; each direction takes half of :attr:`round_trip_seconds` longer.

    Opening a connection takes a round trip, too: the first bytes on it are passed on no sooner.
    A round trip is counted when the client speaks after the server did: a PUT that waits for
    ``100 Continue`` counts as two.

    Attributes:
        url: Its own address.
        round_trip_seconds: What to add; may be changed between requests.
        requests: Method and target of each request, in the order of arrival.
    """

    def __init__(self, endpoint: str) -> None:
        server = urlsplit(endpoint)
        self._server = (server.hostname, server.port or 80)
        self.url = ""
        self.round_trip_seconds = 0.0
        self.reset()

    def reset(self) -> None:
        """Count from zero again."""
        self._round_trips = self._connections = 0
        self._bytes = {"client": 0, "server": 0}
        self.requests: list[tuple[str, str]] = []

    @property
    def traffic(self) -> Traffic:
        """What passed since the last :meth:`reset`."""
        return Traffic(
            requests=len(self.requests),
            round_trips=self._round_trips,
            connections=self._connections,
            sent_bytes=self._bytes["client"],
            received_bytes=self._bytes["server"],
        )

    async def listen(self) -> asyncio.Server:
        """Take any free port."""
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = "http://{}:{}".format(*listener.sockets[0].getsockname())
        return listener

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._connections += 1
        opened = asyncio.get_running_loop().time() + self.round_trip_seconds
        server, forth = await asyncio.open_connection(*self._server)
        turn = ["server"]
        # Connections are open when the proxy ends; asyncio 3.11 reports that as an error.
        with suppress(asyncio.CancelledError), closing(forth), closing(back):
            await asyncio.gather(
                self._carry(client, forth, "client", turn, opened),
                self._carry(server, back, "server", turn, opened),
            )

    async def _carry(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        who: str,
        turn: list[str],
        opened: float,
    ) -> None:
        """Pass on what *source* sends, late, but without waiting before the next is read."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.create_task(_send_late(queue, target))
        clock = asyncio.get_running_loop().time
        data = b"-"
        while data:
            with suppress(ConnectionError):
                data = await source.read(CHUNK_BYTES)
            if data:
                self._note(data, who, is_turn=turn[0] != who)
                turn[0] = who
            queue.put_nowait((max(clock(), opened) + self.round_trip_seconds / 2, data))
        await sender

    def _note(self, data: bytes, who: str, *, is_turn: bool) -> None:
        self._bytes[who] += len(data)
        if who == "client":
            self._round_trips += is_turn
            if found := REQUEST_LINE.match(data):
                self.requests.append((found[1].decode(), found[2].decode()))


async def _send_late(
    queue: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter
) -> None:
    data = b"-"
    with suppress(ConnectionError):
        while data:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            target.write(data)
            await target.drain()
    target.close()


@contextmanager
def delay_proxy(endpoint: str) -> Iterator[DelayProxy]:
    """Run a proxy before *endpoint* in a thread of its own."""
    proxy, ready, end = DelayProxy(endpoint), threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        with closing(await proxy.listen()):
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    if not ready.wait(START_TIMEOUT_SECONDS):
        raise RuntimeError("the proxy did not start")
    try:
        yield proxy
    finally:
        loops[0].call_soon_threadsafe(end.set)
        thread.join()
