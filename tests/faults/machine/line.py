"""The line between a client and its store: it can be cut, drop a reply, or see the client die."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from nbvc.errors import NbvcError, OutcomeUnknown, StoreUnavailable
from nbvc.stores.base import Store
from nbvc.stores.retry import RetryingStore, RetryPolicy
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")
_WRITES = {"put", "copy", "delete", "delete_version"}


class Crash(BaseException):
    """The process dies: nobody may catch this."""


class Kind(StrEnum):
    """What happens to one request."""

    CRASH_BEFORE = "the client dies before it is sent"
    CRASH_AFTER = "the client dies before the reply comes"
    REQUEST_LOST = "it does not arrive, and the client gives up"
    REPLY_LOST = "it is done, no reply comes, and the client gives up"
    REQUEST_LOST_ONCE = "it does not arrive, and the client tries again"
    REPLY_LOST_ONCE = "it is done, no reply comes, and the client tries again"

    def __repr__(self) -> str:
        """Return it as a program says it."""
        return f"Kind.{self.name}"

    @property
    def is_crash(self) -> bool:
        """Whether the client dies."""
        return self in {Kind.CRASH_BEFORE, Kind.CRASH_AFTER}

    @property
    def is_mended(self) -> bool:
        """Whether the retries make good for it, so that the command notices nothing."""
        return self in {Kind.REQUEST_LOST_ONCE, Kind.REPLY_LOST_ONCE}


_DONE = {Kind.CRASH_AFTER, Kind.REPLY_LOST, Kind.REPLY_LOST_ONCE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """What happens to which request of the next command.

    Attributes:
        kind: What.
        at: Which one, from 1 on.
        again: Whether the command is run again afterwards.
    """

    kind: Kind
    at: int
    again: bool


class Line:
    """What lies between one system and its store.

    Attributes:
        is_cut: Whether no request arrives.
        strike: What happens to a request of the present command.
        struck: Whether it did.
    """

    def __init__(self) -> None:
        self.is_cut = False
        self.strike: Strike | None = None
        self.struck = False
        self._requests = 0

    def begin(self, strike: Strike | None) -> None:
        """Begin a command."""
        self.strike, self.struck, self._requests = strike, False, 0

    def to(
        self, store: Store, sleep: Callable[[float], None], jitter: Callable[[], float]
    ) -> Store:
        """Return *store* as a client at this end of the line reaches it, retries and all."""
        below = _End(_Open(store), self, mended=True)
        retrying = RetryingStore(below, RetryPolicy(), sleep=sleep, jitter=jitter)
        return _End(retrying, self, mended=False)

    def carry(self, request: Request, send: Callable[[], T], *, mended: bool) -> T:
        """Send *request*, or let happen to it what is planned."""
        if self.is_cut:
            raise StoreUnavailable("The store was not reached.")
        strike = self.strike
        if strike is None or self.struck or strike.kind.is_mended is not mended:
            return send()
        self._requests += 1
        if self._requests < strike.at:
            return send()
        self.struck = True
        if strike.kind in _DONE:
            with suppress(NbvcError):  # nobody hears of that either
                send()
        raise Crash if strike.kind.is_crash else _no_reply(request)


class _End(WrappedStore):
    """A store at the end of a line."""

    def __init__(self, inner: Store, line: Line, *, mended: bool) -> None:
        super().__init__(inner)
        self._line = line
        self._mended = mended

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request* over the line."""
        return self._line.carry(request, send, mended=self._mended)


class _Open(WrappedStore):
    """A store that stays open: connecting to it anew for every command takes long."""

    def close(self) -> None:
        """Leave it open."""


def _no_reply(request: Request) -> NbvcError:
    """Return what a client is told: only of a write it matters whether it was done."""
    if request.name in _WRITES:
        return OutcomeUnknown("No reply came.")
    return StoreUnavailable("The store was not reached.")
