"""The server whose every byte a test decides: what it does when an answer breaks off."""

from __future__ import annotations

import http.client
import threading
from urllib.parse import urlsplit

import pytest

from tests.stores.wire import Broken, End, Request, reply, serving


def ask(url: str, timeout_seconds: float = 20) -> bytes:
    """Send one request and return the body of the response."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout_seconds)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (End.CLOSED, http.client.IncompleteRead),
        (End.RESET, ConnectionResetError),
        (End.SILENCE, TimeoutError),
    ],
)
def test_an_answer_breaks_off_as_it_was_told(end: End, error: type[Exception]) -> None:
    """The same half of an answer, and three ways to notice that no more comes."""
    half = reply(200, b"0123456789")[:-5]
    with serving(lambda _: Broken(half, end)) as server, pytest.raises(error):
        ask(server.url, timeout_seconds=0.5)


@pytest.mark.parametrize("from_before", [0, 2])
def test_quiet_is_when_the_last_answer_is_given(from_before: int) -> None:
    """Who waits for quiet goes on only after a request that was under way.

    Connections from before stand for none that came since, whether they stay open or are closed.
    """
    arrived, go_on, quiet = threading.Event(), threading.Event(), threading.Event()

    def answer(request: Request) -> bytes:
        if request.target == "/":
            arrived.set()
            go_on.wait()
        return reply(200)

    with serving(answer) as server:
        address = urlsplit(server.url).netloc
        earlier = [http.client.HTTPConnection(address) for _ in range(from_before)]
        for connection in earlier:
            connection.request("GET", "/earlier")
            connection.getresponse().read()
        since = server.taken
        client = threading.Thread(target=ask, args=(server.url,))
        client.start()
        arrived.wait()
        for connection in earlier[1:]:
            connection.close()
        waiting = threading.Thread(target=lambda: (server.wait_until_quiet(since), quiet.set()))
        waiting.start()
        assert not quiet.wait(0.2)
        go_on.set()
        waiting.join()
        client.join()
        for connection in earlier:
            connection.close()
    assert quiet.is_set()
