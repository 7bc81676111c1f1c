"""A store for a process that is killed at one of its requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from nbvc.errors import NbvcError
from nbvc.stores.base import Store
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


class Killed(BaseException):
    """The process ends here."""


class KillingStore(WrappedStore):
    """Ends the process at one request: before it is sent, or after it was answered."""

    def __init__(self, inner: Store, at: int, *, answered: bool) -> None:
        super().__init__(inner)
        self.requests = 0
        self._at, self._answered = at, answered

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request*, unless the process ends before."""
        self.requests += 1
        if self.requests != self._at:
            return send()
        with suppress(NbvcError):
            if self._answered:
                send()
        raise Killed
