"""A store that counts what the cost model of the design counts: requests, and bytes."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from nbvc.stores.base import Blob, Store
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


class CountingStore(WrappedStore):
    """Counts the requests to *inner*; a page of 1,000 listed entries is one.

    Attributes:
        requests: The requests since the last :meth:`reset`, in the order in which they were sent.
        sent_bytes: Bytes of the objects that were put.
        read_bytes: Bytes of the objects that were got.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Count from zero again."""
        self.requests: list[Request] = []
        self.sent_bytes = 0
        self.read_bytes = 0

    @property
    def names(self) -> list[str]:
        """The names of the requests."""
        return [request.name for request in self.requests]

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request* and count it."""
        with self._lock:
            self.requests.append(request)
            self.sent_bytes += request.sent_bytes
        reply = send()
        if isinstance(reply, Blob):
            with self._lock:
                self.read_bytes += len(reply.data)
        return reply
