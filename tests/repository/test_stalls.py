"""A writer that is stopped for long, at any of its requests, while others save many versions.

A laptop that sleeps, a busy machine, a network that stalls: nothing may be taken for granted about
how much happens between two requests of one command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from nbvc.repository import Known, adopting
from nbvc.stores.base import Store
from tests.repository.support import (
    KEY,
    act,
    chain_of,
    contents,
    draft,
    open_repository,
    put_foreign,
    save_many,
)
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")
MANY = adopting.LOOKBACK + 8
"""More than any list of recent records that a writer has in hand."""


class StallingStore(WrappedStore):
    """Lets others work for long before its *stop*-th step; a request and its reply are two."""

    def __init__(self, inner: Store, stop: int, meanwhile: Callable[[], object]) -> None:
        super().__init__(inner)
        self.steps = 0
        self._stop = stop
        self._meanwhile = meanwhile

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send, and stall before or after it if it is its turn."""
        self._step()
        try:
            return send()
        finally:
            self._step()

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._stop:
            self._meanwhile()


def save_many_times(store: Store) -> None:
    """Save many versions, by somebody who comes without knowledge and goes on from there."""
    repository = open_repository(store)
    known = None
    for number in range(MANY):
        known = repository.save(KEY, draft(b"other %d" % number), act(), known)


def stalled_save(store: MemoryStore, stop: int, known: Known | None) -> bool:
    """Save once and stall at step *stop*; return whether it came that far."""
    stalling = StallingStore(store, stop, lambda: save_many_times(store))
    parent = known.file.record.number if known else None
    open_repository(stalling).save(KEY, draft(b"mine", parent), act("mine"), known)
    return stalling.steps >= stop


@pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "unconditional"])
@pytest.mark.parametrize("before", [0, 2], ids=["new", "old"])
@pytest.mark.parametrize("knowing", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("foreign", [True, False], ids=["foreign", "own"])
def test_a_save_that_is_stopped_for_long_is_recorded_once(
    conditional: bool, before: int, knowing: bool, foreign: bool
) -> None:
    """Whether others adopt its version or it finds theirs: each has one record in the end."""
    # A steady save on a store without conditional writes does not look for foreign versions.
    overlooks = foreign and knowing and before > 0 and not conditional
    for stop in range(1, 1_000):
        store = MemoryStore(conditional=conditional)
        known = save_many(open_repository(store), before) if before else None
        if foreign:
            put_foreign(store, b"foreign")
        stalled = stalled_save(store, stop, known if knowing else None)
        repository = open_repository(store)
        # The next save adopts what is still without a record.
        newest = repository.save(KEY, draft(b"next"), act(), None).file.record.number
        shown = contents(repository)
        assert len(shown) == len(set(shown)) == before + foreign + 1 + stalled * MANY + 1
        unindexed = [v for v in repository.log(KEY) if not v.indexed]
        assert [repository.read(version) for version in unindexed] in ([], [b"foreign"] * overlooks)
        assert newest == len(shown) - len(unindexed)
        assert chain_of(repository) == list(range(newest, 0, -1))
        if not stalled:
            return
    raise AssertionError("the save never ended")
