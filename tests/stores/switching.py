"""A store that can be switched off and on, around a real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nbvc.errors import NbvcError, StoreUnavailable
from nbvc.stores.base import Store
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


class SwitchedStore(WrappedStore):
    """Any store, or none at all while ``error`` is set.

    Attributes:
        inner: The store.
        error: What every request meets; ``None`` while the store is there.
        only: The one method that meets it; ``None``: all of them.
        replies_lost: Whether requests are carried out first, and only their replies are lost.
        requests: Requests so far, also those that failed.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.error: NbvcError | None = None
        self.only: str | None = None
        self.replies_lost = False
        self.requests = 0

    def off(
        self,
        error: NbvcError | None = None,
        *,
        only: str | None = None,
        replies_lost: bool = False,
    ) -> None:
        """Switch it off: by default it is not reached."""
        self.error = error or StoreUnavailable("The store was not reached.")
        self.only = only
        self.replies_lost = replies_lost

    def on(self) -> None:
        """Switch it on again."""
        self.error = None

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request*, or fail."""
        self.requests += 1
        if self.error is None or self.only not in {None, request.name}:
            return send()
        if self.replies_lost:
            send()
        raise self.error
