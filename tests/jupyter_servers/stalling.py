"""An S3 server that can be made to stall: a proxy in front of the real one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.stores.wire import Broken, End, Request, WireServer, forward


class StallingStore:
    """Passes requests on, or keeps them waiting.

    Attributes:
        url: Its address.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._changed = threading.Condition()
        self._is_stalled = False
        self._loses = False
        self._waiting = 0
        self._server = WireServer(self._answer)
        self.url = self._server.url

    def stall(self) -> None:
        """Answer nothing from now on."""
        with self._changed:
            self._is_stalled, self._loses = True, False

    def wait_for_request(self) -> None:
        """Wait until somebody waits for an answer."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._waiting, 60), "no request came"

    def go_on(self, *, lose: bool = False) -> None:
        """Pass on what waits, or lose it, and pass on all that comes from now on."""
        with self._changed:
            self._is_stalled, self._loses = False, lose
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: not self._waiting, 60)

    def close(self) -> None:
        """Stop listening, and let nobody wait."""
        self.go_on(lose=True)
        self._server.close()

    def _answer(self, request: Request) -> bytes | Broken:
        with self._changed:
            if self._is_stalled:
                self._waiting += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: not self._is_stalled)
                self._waiting -= 1
                self._changed.notify_all()
                if self._loses:
                    return Broken(b"", End.RESET)
        return forward(request, self._upstream)


@contextmanager
def stalling(upstream: str) -> Iterator[StallingStore]:
    """Run a proxy in front of the server at *upstream*."""
    store = StallingStore(upstream)
    try:
        yield store
    finally:
        store.close()
