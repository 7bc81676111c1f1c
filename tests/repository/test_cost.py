"""The cost model of the design, counted: requests, bytes and round trips."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

import pytest

from nbvc.manifest.layout import Layout, entry_key
from nbvc.manifest.metadata import from_metadata, to_metadata
from nbvc.manifest.records import carried, decode, encode
from nbvc.model import Area, Digest
from nbvc.repository import Known, Repository
from nbvc.stores.local import LocalStore
from tests.histories import generate, notebook
from tests.repository.support import (
    KEY,
    DictCache,
    act,
    assert_whole,
    find,
    open_repository,
    save,
    save_many,
)
from tests.stores.counting import CountingStore
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")
LAYOUT = Layout()


@dataclass(slots=True)
class Long:
    """A long history in a store that is counted.

    Attributes:
        store: The store.
        known: The newest version.
    """

    store: CountingStore
    known: Known

    @property
    def length(self) -> int:
        """The number of the newest version."""
        return self.known.file.record.number


@pytest.fixture(
    scope="module", params=[10, 4_096, 5_000, pytest.param(100_000, marks=pytest.mark.slow)]
)
def generated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Long]:
    """Return a history of so many versions, shared by the tests of this module."""
    store = LocalStore(tmp_path_factory.mktemp("history"), create=True)
    yield Long(CountingStore(store), generate(store, LAYOUT, KEY, request.param))
    store.close()


@pytest.fixture
def long(generated: Long) -> Long:
    """Return a long history, counted from zero."""
    generated.store.reset()
    return generated


def test_a_generated_history_is_what_saves_would_have_made(repository: Repository) -> None:
    """Records byte for byte as ``encode`` makes them, the chain whole, and saves go on from it."""
    known = generate(repository.store, LAYOUT, KEY, 300)
    prefix = LAYOUT.records(Area.WORKSPACE, KEY)
    for number in (1, 2, 16, 255, 256, 300):
        data = repository.store.get(entry_key(prefix, number)).data
        file = decode(data, what="record")
        assert encode(file) == data
        assert len(file.recent) == carried(number)
        version = find(repository, f"v{number}")
        head = repository.store.head(LAYOUT.data_key(Area.WORKSPACE, KEY), version.version_id)
        provenance = from_metadata(head.metadata)
        assert to_metadata(provenance) == head.metadata
        assert (provenance.digest, provenance.message) == (version.digest, version.message)
    assert save(repository, b"next", known).file.record.number == 301
    assert_whole(repository, 301)


# Before the test that saves: a history of 4,096 versions ends with a wide record.
def test_the_next_record_after_a_wide_one_is_small(long: Long) -> None:
    """Also on top of a record that carries 4,095 others, a save is 2 requests and 8 KB."""
    for _ in range(2):
        long.store.reset()
        data = notebook(-long.length) * 100
        message = "Try the larger learning rate"
        long.known = save(open_repository(long.store), data, long.known, message=message)
        assert long.store.names == ["put", "put"]
        assert long.store.sent_bytes <= len(data) + 8 * 1024
        assert long.store.read_bytes == 0


def test_a_log_of_20_costs_at_most_8_requests_cold(long: Long) -> None:
    """Without a cache, at any length: 8 requests, 64 KB, and no more for reading on to the end."""
    versions = list(open_repository(long.store).log(KEY, limit=20))
    newest = [version.number for version in versions]
    assert newest == list(range(long.length, long.length - 20, -1))[: long.length]
    assert len(long.store.requests) <= 8


def test_a_log_of_20_costs_at_most_4_requests_warm(long: Long) -> None:
    """With the records in the cache only what may have changed is asked for, and no bytes."""
    cache = DictCache()
    first = list(open_repository(long.store, cache=cache).log(KEY, limit=20))
    long.store.reset()
    assert list(open_repository(long.store, cache=cache).log(KEY, limit=20)) == first
    assert sorted(long.store.names) == ["head", "list_keys", "list_keys", "list_versions"]
    assert long.store.read_bytes == 0


def test_a_log_of_20_with_tags_reads_at_most_64_kilobytes(long: Long) -> None:
    """Everything on, the state too: 7 requests cold, within the bytes of the cost model."""
    repository = open_repository(long.store)
    repository.set_tag(KEY, "release", long.length, act())
    long.known = save_many(repository, 3, known=long.known)
    long.store.reset()
    versions = list(repository.log(KEY, limit=20))
    assert [version.tags for version in versions if version.tags] == [("release",)]
    assert len(long.store.requests) <= 7
    assert long.store.read_bytes <= 64 * 1024
    repository.delete_tag(KEY, "release", act())


def test_a_number_is_resolved_with_one_request(long: Long) -> None:
    """v5 of 100,000 is one GET of at most 8 KB; of a cached one, nothing."""
    cache = DictCache()
    repository = open_repository(long.store, cache=cache)
    assert find(repository, "v5").digest == Digest.of(notebook(5))
    assert long.store.names == ["get"]
    assert long.store.read_bytes <= 8 * 1024
    find(repository, "v5")
    assert long.store.names == ["get"]


def test_a_tag_is_resolved_without_walking_to_it(long: Long) -> None:
    """A tag on an old version costs one request more than opening the history."""
    repository = open_repository(long.store)
    repository.set_tag(KEY, "early", 3, act())
    long.store.reset()
    assert find(repository, "early~1").number == 2
    assert len(long.store.requests) <= 8
    repository.delete_tag(KEY, "early", act())


def test_latest_costs_one_round_of_reads(long: Long) -> None:
    """The latest version, and one shortly before it, cost what a log costs."""
    assert find(open_repository(long.store), "latest~2").number == long.length - 2
    assert len(long.store.requests) <= 8


def test_reading_a_version_is_one_request_and_none_when_cached(long: Long) -> None:
    """The notebook and nothing else; a digest in the cache needs no store."""
    repository = open_repository(long.store, cache=DictCache())
    version = find(repository, "v5")
    long.store.reset()
    assert repository.read(version) == notebook(5)
    assert long.store.names == ["get"]
    assert long.store.read_bytes == len(notebook(5))
    repository.read(version)
    assert long.store.names == ["get"]


def test_publishing_moves_no_notebook_bytes(long: Long) -> None:
    """A server-side copy and a record; the record is the only thing that is sent."""
    repository = open_repository(long.store)
    version = find(repository, "v5")
    long.store.reset()
    known = repository.publish(version, KEY, act()).file
    assert [request.name for request in long.store.requests][-2:] == ["copy", "put"]
    long.store.reset()
    repository.publish(version, KEY, act(), known)
    assert long.store.names == ["copy", "put"]
    assert long.store.sent_bytes <= 8 * 1024
    assert long.store.read_bytes == 0


def test_the_first_save_of_a_notebook_is_three_requests() -> None:
    """One more than later ones: whether the key had a manifest before."""
    store = CountingStore(MemoryStore())
    save(open_repository(store), b"new")
    assert sorted(store.names) == ["list_keys", "put", "put"]


def test_without_conditional_writes_a_save_is_three_requests() -> None:
    """The claim is checked by listing the versions of the record's key."""
    store = CountingStore(MemoryStore(conditional=False))
    repository = open_repository(store)
    known = save_many(repository, 3)
    store.reset()
    save(repository, b"next", known)
    assert store.names == ["put", "put", "list_versions"]


def test_a_whole_history_takes_few_requests(long: Long) -> None:
    """All versions: a page of the listing for every 1,000, and few records."""
    count = sum(1 for _ in open_repository(long.store).log(KEY))
    assert count == long.length
    pages = 2 * (long.length // 1_000 + 2)
    assert len(long.store.requests) <= pages + 56


class SlowStore(WrappedStore):
    """Takes a while for every request, and knows which ones waited for which."""

    def __init__(self, inner: MemoryStore, seconds: float) -> None:
        super().__init__(inner)
        self._seconds = seconds
        self._lock = Lock()
        self._ended: list[tuple[float, int]] = []
        self.rounds = 0

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Wait, send, and note how many requests had to end before this one began."""
        began = time.monotonic()
        with self._lock:
            depth = 1 + max((depth for end, depth in self._ended if end <= began), default=0)
        time.sleep(self._seconds)
        reply = send()
        with self._lock:
            self._ended.append((time.monotonic(), depth))
            self.rounds = max(self.rounds, depth)
        return reply


def test_a_log_of_20_takes_two_round_trips() -> None:
    """On a distant store all requests of a round go out at once, and there are two rounds."""
    memory = MemoryStore(url="s3://far")
    save_many(open_repository(memory), 40)
    open_repository(memory).set_tag(KEY, "release", 38, act())
    slow = SlowStore(memory, 0.15)
    with open_repository(slow) as repository:
        versions = list(repository.log(KEY, limit=20))
    assert len(versions) == 20
    assert slow.rounds == 2
