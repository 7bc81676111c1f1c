"""The oracle itself: it accepts what is right, and notices every kind of loss and damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace

import pytest

from nbvc.errors import NbvcError
from nbvc.manifest.layout import Layout, entry_key
from nbvc.model import Area
from nbvc.repository import Repository
from nbvc.repository.current import put_on_top
from nbvc.repository.settings import prepare
from nbvc.repository.states import change_by
from nbvc.stores.base import VersionEntry
from tests.faults.ledger import Ledger
from tests.faults.oracle import assert_kept, assert_settled
from tests.repository.support import KEY, NOON, OTHER, act, find, put_foreign, save_many
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import WrappedStore

DATA_KEY = Layout().data_key(Area.WORKSPACE, KEY)
SECOND_RECORD = entry_key(Layout().records(Area.WORKSPACE, KEY), 2)


class Hiding(WrappedStore):
    """Shows what was listed earlier to who asks for a page, and all to who asks for everything."""

    def __init__(self, inner: MemoryStore, earlier: list[VersionEntry]) -> None:
        super().__init__(inner)
        self._earlier = earlier

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """List, the log's way with a limit, the oracle's without."""
        if prefix == DATA_KEY and limit is not None:
            return iter(self._earlier)
        return self.inner.list_versions(prefix, limit=limit)


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with v1 to v3 of a notebook, a tag and a published copy."""
    store = MemoryStore()
    settings = prepare(store, token="s", now=NOON, capabilities=store.capabilities)
    with_three = Repository(store, settings=settings, sleep=lambda _: None, jitter=lambda: 0.5)
    save_many(with_three, 3)
    with_three.set_tag(KEY, "good", 2, act())
    with_three.publish(find(with_three, "v2"), KEY, act())
    return store


@pytest.fixture
def repository(store: MemoryStore) -> Repository:
    """Return a repository on it."""
    settings = prepare(store, token="s", now=NOON)
    return Repository(store, settings=settings, sleep=lambda _: None, jitter=lambda: 0.5)


@pytest.fixture
def ledger() -> Ledger:
    """Return what the users were told."""
    return told(1, 2, 3)


def told(*numbers: int) -> Ledger:
    """Return a ledger of saves of v1 to v3 that were said to have these numbers."""
    ledger = Ledger()
    for number, name in zip(numbers, (b"v1", b"v2", b"v3"), strict=True):
        ledger.acknowledge(KEY, name, number)
    ledger.acknowledge(KEY, b"v2", 1, area=Area.PUBLISHED)
    ledger.tag(KEY, "good", 2)
    return ledger


def version_id(store: MemoryStore, place: int) -> str:
    """Return the version ID at a place of the listing, newest first."""
    return list(store.list_versions(DATA_KEY))[place].version_id


def test_what_is_right_is_accepted(store: MemoryStore, ledger: Ledger) -> None:
    """Four versions in all; and an attempt more may be there or not."""
    ledger.attempt(KEY, b"v4")
    assert assert_settled(store, ledger) == 4
    put_foreign(store, b"v4")
    assert assert_kept(store, ledger) == 5
    with pytest.raises(AssertionError, match="without a record"):
        assert_settled(store, ledger)


@pytest.mark.parametrize(
    "harm",
    [
        lambda store: store.delete_version(DATA_KEY, version_id(store, 1)),
        lambda store: store.delete_version(SECOND_RECORD, store.head(SECOND_RECORD).version_id),
        lambda store: put_foreign(store, b"v"),
        lambda store: put_foreign(store, b"v3"),
    ],
    ids=["version-lost", "record-lost", "half-a-version", "saved-twice"],
)
def test_harm_is_noticed(
    store: MemoryStore, ledger: Ledger, harm: Callable[[MemoryStore], object]
) -> None:
    """A reader is told by an error, or the oracle sees it."""
    harm(store)
    with pytest.raises((AssertionError, NbvcError)):
        assert_kept(store, ledger)


@pytest.mark.parametrize(
    ("claim", "complaint"),
    [
        (lambda ledger: ledger.acknowledge(KEY, b"v4"), "acknowledged 1 times and 0 times"),
        (lambda ledger: ledger.acknowledge(KEY, b"v3"), "acknowledged 2 times and 1 times"),
        (lambda ledger: ledger.acknowledge(OTHER, b"v1"), "acknowledged 1 times and 0 times"),
        (lambda ledger: ledger.tag(KEY, "good", 1), "is at 2"),
        (lambda ledger: ledger.tag(KEY, "bad", 1), "is at None"),
        (lambda ledger: ledger.rename(KEY, OTHER, b"v3"), "0 times in the log"),
        (lambda ledger: (ledger.wait(KEY, b"v4"), ledger.deliver()), "0 times in the log"),
    ],
    ids=["save", "twice", "notebook", "tag-moved", "tag-lost", "rename", "delivery"],
)
def test_what_was_told_and_is_not_there_is_noticed(
    store: MemoryStore, ledger: Ledger, claim: Callable[[Ledger], object], complaint: str
) -> None:
    """An acknowledgement that the store does not bear out fails."""
    claim(ledger)
    with pytest.raises(AssertionError, match=complaint):
        assert_kept(store, ledger)


def test_a_number_that_was_told_must_hold(store: MemoryStore) -> None:
    """Versions are never renumbered."""
    with pytest.raises(AssertionError, match=r"was told to be \{2\} and is \{1\}"):
        assert_kept(store, told(2, 1, 3))


def test_a_version_that_the_log_hides_is_noticed(store: MemoryStore, ledger: Ledger) -> None:
    """Only a repeat of the same write may lie in the store without being shown."""
    hiding = Hiding(store, list(store.list_versions(DATA_KEY)))
    put_foreign(store, b"v4")
    with pytest.raises(AssertionError, match="hides"):
        assert_kept(hiding, ledger)


def test_a_copy_of_what_another_tool_wrote_is_a_repeat(
    store: MemoryStore, repository: Repository, ledger: Ledger
) -> None:
    """It was put on top again, and says which write that is: the other one does not say so."""
    ledger.acknowledge(KEY, b"v4")
    foreign = put_foreign(store, b"v4")
    put_on_top(repository.backend, DATA_KEY, foreign.version_id)
    assert assert_kept(store, ledger) == 5


def test_a_rename_continues_the_log(
    store: MemoryStore, repository: Repository, ledger: Ledger
) -> None:
    """The new name has all that the old one had, and one more; the old one keeps what it had."""
    repository.rename(KEY, OTHER, act())
    ledger.rename(KEY, OTHER, b"v3")
    assert assert_settled(store, ledger) == 4 + 4


def test_what_was_let_go_of_may_be_missing_and_nothing_else(
    store: MemoryStore, repository: Repository, ledger: Ledger
) -> None:
    """A forget that was cut off may have left it there, shown or hidden; one that is done may not.

    The number is nobody else's, and the other versions stay.
    """
    with pytest.raises(AssertionError, match="1 times in the log, not 0"):
        assert_kept(store, _after_forgetting(ledger, done=True))
    half_done = _after_forgetting(ledger, done=False)
    assert assert_kept(store, half_done) == 4
    forgotten = version_id(store, 2)
    change_by(repository.backend, KEY, lambda s: replace(s, forgotten=((1, 1),)), act(), "forget")
    assert assert_kept(store, half_done) == 3
    with pytest.raises(AssertionError, match="hides"):
        assert_kept(store, _after_forgetting(ledger, done=True))
    with pytest.raises(AssertionError, match="times and 0 times in the log"):
        assert_kept(store, ledger)
    store.delete_version(DATA_KEY, forgotten)
    assert assert_settled(store, _after_forgetting(half_done, done=True)) == 3


def _after_forgetting(ledger: Ledger, *, done: bool) -> Ledger:
    after = deepcopy(ledger)
    after.forget(KEY, 1, b"v1", done=done)
    return after


def test_an_optional_ledger_accepts_all_or_nothing_of_it(
    store: MemoryStore, ledger: Ledger
) -> None:
    """As for the target of a migration that was cut off."""
    other = ledger.optional()
    assert assert_kept(store, other) == 4
    assert assert_kept(MemoryStore(), other) == 0
