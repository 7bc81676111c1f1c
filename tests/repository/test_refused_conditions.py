"""Stores without conditional writes: those that refuse them, and those that forbid to tidy up."""

from __future__ import annotations

from datetime import UTC, datetime

from nbvc.errors import AccessDenied, StoreMisconfigured
from nbvc.repository import Repository
from nbvc.repository.settings import prepare
from nbvc.stores.base import Key, Metadata, Overwrite, PutMode, Stored
from tests.repository.support import KEY, assert_whole, chain_of, open_repository, save
from tests.stores.faulty import Fail, FaultyStore, Meanwhile
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import WrappedStore


class RefusingStore(WrappedStore):
    """Refuses every write that carries a condition."""

    def put(
        self, key: Key, data: bytes, *, mode: PutMode, metadata: Metadata, content_type: str
    ) -> Stored:
        """Pass on what carries no condition."""
        if not isinstance(mode, Overwrite):
            raise StoreMisconfigured("501 NotImplemented")
        return super().put(key, data, mode=mode, metadata=metadata, content_type=content_type)


def test_store_that_refuses_conditions_is_found_out_and_used_without_them() -> None:
    """Init notices it by trying, and saves never send it a condition."""
    store = RefusingStore(MemoryStore(conditional=False))
    settings = prepare(store, token="store-1", now=datetime.now(UTC))
    assert not settings.capabilities.conditional_create
    assert not settings.capabilities.conditional_replace
    repository = Repository(store, settings=settings, sleep=lambda _: None, jitter=lambda: 0.5)
    known = save(repository, b"one")
    known = save(repository, b"two", known)
    assert [version.number for version in repository.log(KEY)] == [2, 1]
    assert known.file.record.number == 2


def test_a_loser_who_may_not_tidy_up_saves_all_the_same() -> None:
    """A bucket that lets nobody delete a version keeps the loser's record, which nobody reads."""
    store = FaultyStore(MemoryStore(conditional=False))
    mine, other = open_repository(store), open_repository(store.inner)
    known = save(mine, b"one")
    store.plan("delete_version", Fail(AccessDenied("The bucket forbids it.")))
    # The notebook goes through, and another save comes between it and its record.
    store.plan("put", None, Meanwhile(lambda: save(other, b"two", known)))
    save(mine, b"three", known)
    assert "delete_version" in store.requests
    assert_whole(other, 3)
    assert chain_of(other) == [3, 2, 1]
    losers = [e for e in store.inner.list_versions(".nbvc/") if not e.is_latest]
    assert len(losers) == 1
