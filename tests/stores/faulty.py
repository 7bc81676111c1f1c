"""A store that fails on command, around a real one: for what no healthy store can be made to do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from nbvc.errors import NbvcError, OutcomeUnknown, StoreUnavailable
from nbvc.stores.base import Key, KeyEntry, Store, VersionEntry
from nbvc.stores.paging import FIRST, Page, Paged, Token
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fail:
    """Raise *error* instead of doing what was asked."""

    error: NbvcError


@dataclass(frozen=True, slots=True)
class LoseReply:
    """Do what was asked, then raise *error* as if the reply had been lost."""

    error: NbvcError


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Let somebody else act first, then do what was asked."""

    act: Callable[[], object]


Fault = Fail | LoseReply | Meanwhile | None
"""What happens to one request; ``None``: nothing."""


def unavailable(retry_after_seconds: float | None = None) -> Fail:
    """Return the fault of a store that is too busy."""
    return Fail(StoreUnavailable("busy", retry_after_seconds=retry_after_seconds))


def lost_request() -> Fail:
    """Return the fault of a request that was lost on the way: nothing is written."""
    return Fail(OutcomeUnknown("the request was lost"))


def lost_reply() -> LoseReply:
    """Return the fault of a reply that was lost on the way back: all is written."""
    return LoseReply(OutcomeUnknown("the reply was lost"))


class FaultyStore(WrappedStore):
    """Any store, with faults in the order in which they were planned.

    Attributes:
        inner: The healthy store.
        faults: For each method, what happens to its next requests.
        requests: The methods that were asked for, in order; one entry for each page of a listing.
    """

    def __init__(self, inner: Store, *, page_size: int | None = None) -> None:
        """Wrap *inner*; with *page_size* its listings are ``Paged``."""
        super().__init__(inner)
        self.faults: dict[str, deque[Fault]] = {}
        self.requests: list[str] = []
        self._page_size = page_size

    def plan(self, method: str, *faults: Fault) -> None:
        """Let the next requests of *method* meet these faults, one each."""
        self.faults.setdefault(method, deque()).extend(faults)

    def _request(self, method: str, do: Callable[[], T]) -> T:
        self.requests.append(method)
        planned = self.faults.get(method)
        fault = planned.popleft() if planned else None
        if isinstance(fault, Fail):
            raise fault.error
        if isinstance(fault, Meanwhile):
            fault.act()
        result = do()
        if isinstance(fault, LoseReply):
            raise fault.error
        return result

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Answer *request*, or fail as planned."""
        return self._request(request.name, send)

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """List, or fail at the start of a page."""
        return self._listing(
            "list_keys",
            lambda: list(self.inner.list_keys(prefix, start_after=start_after, limit=limit)),
        )

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """List, or fail at the start of a page."""
        return self._listing(
            "list_versions", lambda: list(self.inner.list_versions(prefix, limit=limit))
        )

    def _listing(self, method: str, entries: Callable[[], list[T]]) -> Iterator[T]:
        size = self._page_size
        if size is None:
            return self._plain_listing(method, entries)

        def fetch(token: Token, _: int | None) -> Page[T]:
            start = 0 if token == FIRST else int(token[0])
            whole = self._request(method, entries)
            end = start + size
            following = (str(end), "") if end < len(whole) else None
            return Page(entries=whole[start:end], following=following)

        return Paged(fetch, limit=None, what=method)

    def _plain_listing(self, method: str, entries: Callable[[], list[T]]) -> Iterator[T]:
        """Ask once at the start and once more after the first entry."""
        whole = self._request(method, entries)
        yield from whole[:1]
        if whole:
            self._request(method, entries)
        yield from whole[1:]
