"""A write that lands twice: the reply was lost, it was sent again, and the first came late.

One save is one version, however often its bytes arrived, and whatever others did in between.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nbvc.model import Digest
from nbvc.refs import parse_selector
from nbvc.repository import Known, repeats
from nbvc.stores.base import Key, Metadata, Overwrite, PutMode, Store, Stored
from tests.repository.support import (
    KEY,
    act,
    chain_of,
    contents,
    draft,
    open_repository,
    put_foreign,
    save,
    save_many,
)
from tests.stores.counting import CountingStore
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import WrappedStore

DATA_KEY = f"workspace/{KEY}"
BOTH = pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "unconditional"])


class SlowStore(WrappedStore):
    """Keeps a copy of each write of a notebook without a condition on the way.

    Attributes:
        late: Lets the copies arrive, one each time it is called.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.late: list[Callable[[], Stored]] = []

    def put(
        self, key: Key, data: bytes, *, mode: PutMode, metadata: Metadata, content_type: str
    ) -> Stored:
        """Write, and keep the same request for later."""

        def send() -> Stored:
            return self.inner.put(
                key, data, mode=mode, metadata=metadata, content_type=content_type
            )

        if key == DATA_KEY and isinstance(mode, Overwrite):
            self.late.append(send)
        return send()


class DoublingStore(SlowStore):
    """Lets the copy arrive first, then perhaps others act, and answers with the second receipt."""

    def __init__(self, inner: Store, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(inner)
        self._meanwhile = meanwhile

    def put(
        self, key: Key, data: bytes, *, mode: PutMode, metadata: Metadata, content_type: str
    ) -> Stored:
        """Write twice."""
        stored = super().put(key, data, mode=mode, metadata=metadata, content_type=content_type)
        if not self.late:
            return stored
        self._meanwhile()
        return self.late.pop()()


def save_over(store: Store, data: bytes = b"mine") -> Known:
    """Save without knowledge of what is there, so that the write is without a condition."""
    return open_repository(store).save(KEY, draft(data), act("mine"), None)


def assert_each_once(store: Store, *expected: bytes) -> None:
    """Check that the log has these contents, newest first, each recorded once."""
    repository = open_repository(store)
    assert contents(repository) == list(expected)
    assert all(version.indexed for version in repository.log(KEY))
    assert chain_of(repository) == list(range(len(expected), 0, -1))


def others(count: int) -> list[bytes]:
    """Return the contents that others save, oldest first."""
    return [b"other %d" % number for number in range(count)]


def save_all(store: Store, contents: list[bytes]) -> Known | None:
    """Save one after the other."""
    repository, known = open_repository(store), None
    for data in contents:
        known = repository.save(KEY, draft(data), act(), known)
    return known


@BOTH
@pytest.mark.parametrize("between", [0, 1, 20, 60, repeats.REACH - 10])
def test_a_write_that_lands_late_is_no_version(conditional: bool, between: int) -> None:
    """However many saved in between: the log leaves it out, and the next save does not adopt it."""
    store = SlowStore(MemoryStore(conditional=conditional))
    save_many(open_repository(store.inner), 2)
    save_over(store)
    meanwhile = others(between)
    save_all(store.inner, meanwhile)
    store.late.pop()()
    before = [*meanwhile[::-1], b"mine", b"v2", b"v1"]
    assert_each_once(store, *before)
    save_over(store.inner, b"next")
    assert_each_once(store, b"next", *before)
    save_over(store.inner, b"after it")
    assert_each_once(store, b"after it", b"next", *before)


@BOTH
def test_a_write_that_lands_twice_at_once_is_one_version(conditional: bool) -> None:
    """The one whose receipt came is recorded; the other, older in storage, is its repeat."""
    store = DoublingStore(MemoryStore(conditional=conditional))
    save_many(open_repository(store.inner), 2)
    save_over(store)
    assert_each_once(store, b"mine", b"v2", b"v1")
    save_over(store.inner, b"next")
    assert_each_once(store, b"next", b"mine", b"v2", b"v1")


def test_a_dead_writers_write_that_landed_twice_is_adopted_once() -> None:
    """Neither has a record: the older one is listed, and gets it, and stays the only one."""
    store = MemoryStore()
    save_many(open_repository(store), 1)
    metadata = {"nbvc-write-id": "w-dead", "nbvc-digest": Digest.of(b"dead")}
    for _ in range(2):
        store.put(DATA_KEY, b"dead", mode=Overwrite(), metadata=metadata, content_type="")
    repository = open_repository(store)
    assert contents(repository) == [b"dead", b"v1"]
    oldest = [entry.version_id for entry in store.list_versions(DATA_KEY)][1]
    assert repository.resolve(KEY, parse_selector("latest")).version_id == oldest
    save_over(store, b"next")
    assert_each_once(store, b"next", b"dead", b"v1")


@BOTH
@pytest.mark.parametrize("between", [1, 40])
def test_a_writer_whose_first_write_was_adopted_takes_that_record(
    conditional: bool, between: int
) -> None:
    """Its second write landed after others had adopted the first: it is the same save."""
    memory = MemoryStore(conditional=conditional)
    save_many(open_repository(memory), 1)
    meanwhile = others(between)
    store = DoublingStore(memory, lambda: save_all(memory, meanwhile))
    known = save_over(store)
    assert known.file.record.number == 2
    assert_each_once(store, *meanwhile[::-1], b"mine", b"v1")


def test_other_bytes_under_a_recorded_write_are_a_version_of_their_own() -> None:
    """Some tools keep the metadata when they change an object's bytes: nothing is lost."""
    store = MemoryStore()
    repository = open_repository(store)
    known = save(repository, b"mine", message="mine")
    metadata = store.head(DATA_KEY).metadata
    store.put(DATA_KEY, b"mended", mode=Overwrite(), metadata=metadata, content_type="")
    assert contents(repository) == [b"mended", b"mine"]
    save_over(store, b"next")
    assert_each_once(store, b"next", b"mended", b"mine")
    adopted = next(version for version in repository.log(KEY) if version.number == 2)
    assert (adopted.author, adopted.message) == (None, "")
    assert known.file.record.digest == Digest.of(b"mine")


def test_damaged_bytes_are_not_recorded_as_what_was_saved() -> None:
    """A version that is not what its own metadata says stays without a record, and readable."""
    store = MemoryStore()
    repository = open_repository(store)
    save_many(repository, 1)
    metadata = {"nbvc-write-id": "w-dead", "nbvc-digest": Digest.of(b"dead")}
    store.put(DATA_KEY, b"daed", mode=Overwrite(), metadata=metadata, content_type="")
    save_over(store, b"next")
    shown = [(version.number, version.digest) for version in repository.log(KEY)]
    assert shown == [(2, Digest.of(b"next")), (None, Digest.of(b"dead")), (1, Digest.of(b"v1"))]


def test_a_log_of_some_leaves_repeats_out_too() -> None:
    """Also where the record of the write is further down than what is shown."""
    store = SlowStore(MemoryStore())
    save_many(open_repository(store.inner), 40)
    save_over(store)
    save_all(store.inner, others(30))
    store.late.pop()()
    repository = open_repository(store)
    for limit in (1, 5, 20, 40):
        assert [v.number for v in repository.log(KEY, limit=limit)] == list(
            range(71, 71 - limit, -1)
        )


def test_versions_of_other_tools_cost_the_log_no_reading_of_records() -> None:
    """They name no write, so there is nothing to look for: a look into each, and no more."""
    store = CountingStore(MemoryStore())
    repository = open_repository(store)
    save_many(repository, 60)
    put_foreign(store, b"foreign")
    store.reset()
    assert [version.number for version in repository.log(KEY, limit=3)] == [None, 60, 59]
    assert len(store.requests) == 6
