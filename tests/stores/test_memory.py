"""The stores that only tests use keep the contract too, so that what they show is true."""

from __future__ import annotations

import pytest

from nbvc.stores.base import Create, Replace
from tests.stores.contract import StoreContract, history_of, write
from tests.stores.counting import CountingStore
from tests.stores.memory import MemoryStore


class TestMemory(StoreContract):
    @pytest.fixture(params=[True, False], ids=["conditional", "unconditional"])
    def store(self, request: pytest.FixtureRequest) -> MemoryStore:
        """Return a store that honours conditions, and one that ignores them."""
        return MemoryStore(conditional=request.param)


class TestCounting(StoreContract):
    @pytest.fixture
    def store(self) -> CountingStore:
        """Return a store that is counted."""
        return CountingStore(MemoryStore())


def test_a_store_without_conditions_answers_success_and_writes() -> None:
    """The lying kind: a Create over an object and a stale Replace succeed and add a version."""
    store = MemoryStore(conditional=False)
    write(store, "a", b"1")
    write(store, "a", b"2", Create())
    write(store, "a", b"3", Replace("stale"))
    assert len(history_of(store, "a")) == 3
    assert store.get("a").data == b"3"


def test_a_clone_goes_its_own_way() -> None:
    """What is written to a clone, or to its origin, is not seen in the other."""
    store = MemoryStore()
    first = write(store, "a").version_id
    clone = store.clone()
    write(store, "a")
    write(clone, "b")
    assert history_of(clone, "a") == [first]
    assert history_of(store, "b") == []


@pytest.mark.parametrize(("entries", "pages"), [(0, 1), (999, 1), (1000, 2), (2001, 3)])
def test_each_page_of_a_listing_counts_as_a_request(entries: int, pages: int) -> None:
    """A listing costs one request, and one more whenever 1,000 entries were not its end."""
    store = CountingStore(MemoryStore())
    for number in range(entries):
        write(store, f"a/{number:05}")
    store.reset()
    assert sum(1 for _ in store.list_keys("a/")) == entries
    assert store.names == ["list_keys"] * pages
    store.reset()
    assert sum(1 for _ in store.list_versions("a/", limit=1000)) == min(entries, 1000)
    assert store.names == ["list_versions"]


def test_bytes_are_counted_both_ways() -> None:
    """Bodies of writes are sent bytes, bodies of reads are read bytes, nothing else counts."""
    store = CountingStore(MemoryStore())
    stored = write(store, "a", b"12345")
    store.head("a")
    store.copy("a", stored.version_id, "b", metadata={})
    assert store.get("b").data == b"12345"
    assert (store.sent_bytes, store.read_bytes) == (5, 5)
