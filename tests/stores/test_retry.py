"""Retries: every fault at every place, and never a version too many or too few."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbvc.errors import (
    AccessDenied,
    IntegrityError,
    NbvcError,
    OutcomeUnknown,
    PreconditionFailed,
    StoreUnavailable,
    VersionNotFound,
)
from nbvc.stores.base import WRITE_ID, Create, Overwrite, PutMode, Store, Stored
from nbvc.stores.landing import LOOK_LIMIT
from nbvc.stores.local import LocalStore
from nbvc.stores.retry import RetryingStore, RetryPolicy
from tests.stores.contract import NOTEBOOK, StoreContract
from tests.stores.faulty import (
    Fail,
    FaultyStore,
    LoseReply,
    Meanwhile,
    lost_reply,
    lost_request,
    unavailable,
)


class FakeTime:
    """A clock that only moves when somebody sleeps, and remembers how long they did."""

    def __init__(self) -> None:
        """Start at zero."""
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> FakeTime:
    """Return a clock at zero."""
    return FakeTime()


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[FaultyStore]:
    """Return a local store that can be told to fail."""
    faulty = FaultyStore(LocalStore(tmp_path, create=True), page_size=3)
    yield faulty
    faulty.close()


@pytest.fixture
def store(faulty: FaultyStore, time: FakeTime) -> RetryingStore:
    """Return the faulty store with retries; jitter is at its longest."""
    return retrying(faulty, time)


def retrying(store: Store, time: FakeTime, policy: RetryPolicy | None = None) -> RetryingStore:
    """Wrap *store* with retries that cost no time."""
    return RetryingStore(
        store,
        policy or RetryPolicy(),
        sleep=time.sleep,
        jitter=lambda: 1.0,
        clock=lambda: time.now,
    )


def put(store: Store, mode: PutMode | None = None, write_id: str = "mine") -> Stored:
    """Write the key ``k`` with a write ID."""
    return store.put(
        "k",
        write_id.encode(),
        mode=mode or Overwrite(),
        metadata={WRITE_ID: write_id},
        content_type=NOTEBOOK,
    )


def version_ids(store: Store, key: str = "k") -> list[str]:
    """Return what is stored under *key*."""
    return [entry.version_id for entry in store.list_versions(key)]


class TestContract(StoreContract):
    """With retries a store is still a store, even if every third request fails."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """Return a local store with some faults ahead."""
        time = FakeTime()
        faulty = FaultyStore(LocalStore(tmp_path, create=True), page_size=7)
        for method in ["get", "head", "copy", "delete", "delete_version", "list_keys"]:
            faulty.plan(method, *[unavailable(), None, None] * 5)
        faulty.plan("put", *[unavailable(), None, None] * 5)
        yield retrying(faulty, time)
        faulty.close()


# -- what may be repeated --------------------------------------------------------------------------


@pytest.mark.parametrize("failures", [0, 1, 4])
def test_a_busy_store_is_asked_again(
    store: RetryingStore, faulty: FaultyStore, failures: int
) -> None:
    """Up to four failures in a row are not seen by the caller."""
    put(faulty.inner)
    faulty.plan("get", *[unavailable()] * failures)
    assert store.get("k").data == b"mine"
    assert faulty.requests == ["get"] * (failures + 1)


def test_after_the_last_attempt_the_last_error_is_raised(
    store: RetryingStore, faulty: FaultyStore
) -> None:
    """Five attempts, no more; the caller sees what went wrong at the end."""
    last = StoreUnavailable("the last one")
    faulty.plan("get", *[unavailable()] * 4, Fail(last))
    with pytest.raises(StoreUnavailable) as caught:
        store.get("k")
    assert caught.value is last
    assert len(faulty.requests) == 5


@pytest.mark.parametrize("damaged", [1, 2, 3])
def test_what_was_damaged_on_the_way_is_sent_once_more(
    store: RetryingStore, faulty: FaultyStore, time: FakeTime, damaged: int
) -> None:
    """Either way, and at once; if it is damaged again, that is no chance, and is raised."""
    put(faulty.inner)
    damage = Fail(IntegrityError("other bytes"))
    for method, call in (("get", lambda: store.get("k")), ("put", lambda: put(store))):
        faulty.requests.clear()
        faulty.plan(method, *[damage] * damaged)
        if damaged == 1:
            call()
        else:
            with pytest.raises(IntegrityError):
                call()
        assert faulty.requests == [method] * 2
        faulty.faults.clear()
    assert time.naps == []


def test_what_cannot_get_better_is_not_repeated(store: RetryingStore, faulty: FaultyStore) -> None:
    """An error that says nothing of retries is raised at once."""
    faulty.plan("get", Fail(AccessDenied("no")))
    with pytest.raises(AccessDenied):
        store.get("k")
    assert faulty.requests == ["get"]


def test_waits_double_up_to_the_cap(faulty: FaultyStore, time: FakeTime) -> None:
    """The longest wait is 0.1 s, 0.2 s, ... but never above the cap."""
    store = retrying(faulty, time, RetryPolicy(attempts=8, cap_seconds=1.0))
    faulty.plan("head", *[unavailable()] * 8)
    with pytest.raises(StoreUnavailable):
        store.head("k")
    assert time.naps == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0])


def test_jitter_shortens_each_wait(faulty: FaultyStore, time: FakeTime) -> None:
    """Each wait is a random part of the longest one, so that clients do not return together."""
    parts = iter([0.5, 0.0])
    put(faulty.inner)
    faulty.plan("head", unavailable(), unavailable())
    RetryingStore(
        faulty, RetryPolicy(), sleep=time.sleep, jitter=lambda: next(parts), clock=lambda: time.now
    ).head("k")
    assert time.naps == pytest.approx([0.05, 0.0])


def test_a_wait_that_the_store_asks_for_is_kept(
    store: RetryingStore, faulty: FaultyStore, time: FakeTime
) -> None:
    """Retry-After is waited for, even beyond the cap."""
    put(faulty.inner)
    faulty.plan("get", unavailable(retry_after_seconds=7.5))
    store.get("k")
    faulty.plan("put", Fail(OutcomeUnknown("failed", retry_after_seconds=8.5)))
    put(store, write_id="another")
    assert time.naps == [7.5, 8.5]


def test_no_attempt_begins_after_the_deadline(
    store: RetryingStore, faulty: FaultyStore, time: FakeTime
) -> None:
    """A wait that would end after the deadline is not begun."""
    faulty.plan("get", unavailable(retry_after_seconds=40), unavailable(retry_after_seconds=40))
    with pytest.raises(StoreUnavailable):
        store.get("k")
    assert time.naps == [40]


def test_requests_to_a_store_that_is_gone_share_one_deadline(
    store: RetryingStore, faulty: FaultyStore, time: FakeTime
) -> None:
    """What an outage has cost already is not waited for again by the next request."""
    faulty.plan("get", unavailable(retry_after_seconds=40), unavailable(retry_after_seconds=40))
    faulty.plan("head", unavailable(retry_after_seconds=1))
    with pytest.raises(StoreUnavailable):
        store.get("k")
    with pytest.raises(StoreUnavailable):
        store.head("k")
    assert time.naps == [40]
    assert faulty.requests == ["get", "get", "head"]


def test_an_answer_ends_an_outage(
    store: RetryingStore, faulty: FaultyStore, time: FakeTime
) -> None:
    """After one answer, whatever it says, requests have all their attempts again."""
    faulty.plan("get", *[unavailable()] * 5)
    with pytest.raises(StoreUnavailable):
        store.get("k")
    with pytest.raises(VersionNotFound):
        store.head("k")
    put(faulty.inner)
    faulty.plan("get", *[unavailable()] * 4)
    assert store.get("k").data == b"mine"


# -- writes with an unknown outcome ----------------------------------------------------------------


@pytest.mark.parametrize("mode", [Create(), Overwrite()], ids=["create", "overwrite"])
def test_a_put_after_a_lost_reply_keeps_one_version(
    store: RetryingStore, faulty: FaultyStore, mode: PutMode
) -> None:
    """The write is found by its write ID, and its receipt is the one of that version."""
    faulty.plan("put", lost_reply())
    stored = put(store, mode)
    assert version_ids(faulty.inner) == [stored.version_id]
    assert faulty.inner.head("k").etag == stored.etag
    assert faulty.requests == ["put", "list_versions", "head"]


@pytest.mark.parametrize("mode", [Create(), Overwrite()], ids=["create", "overwrite"])
def test_a_put_after_a_lost_request_writes_again(
    store: RetryingStore, faulty: FaultyStore, mode: PutMode
) -> None:
    """What is not there after a look is written."""
    faulty.plan("put", lost_request())
    stored = put(store, mode)
    assert version_ids(faulty.inner) == [stored.version_id]
    assert faulty.requests == ["put", "list_versions", "put"]


def test_a_lost_write_is_found_below_the_writes_of_others(
    store: RetryingStore, faulty: FaultyStore
) -> None:
    """Versions that others added since do not hide ours."""
    others = LOOK_LIMIT - 1

    def overwrite() -> None:
        for number in range(others):
            put(faulty.inner, write_id=f"other-{number}")

    faulty.plan("put", lost_reply())
    faulty.plan("list_versions", Meanwhile(overwrite))
    stored = put(store)
    assert stored.version_id == version_ids(faulty.inner)[others]
    assert len(version_ids(faulty.inner)) == others + 1


def test_the_write_of_somebody_else_is_not_taken_for_ours(
    store: RetryingStore, faulty: FaultyStore
) -> None:
    """Another write to the same key with another write ID does not count."""
    put(faulty.inner, write_id="theirs")
    faulty.plan("put", lost_request())
    put(store)
    assert faulty.inner.get("k").data == b"mine"
    assert len(version_ids(faulty.inner)) == 2


def test_who_cannot_look_hears_of_the_unknown_outcome(
    store: RetryingStore, faulty: FaultyStore
) -> None:
    """When the look fails, nothing is written again and the first error is raised."""
    original = OutcomeUnknown("the one")
    faulty.plan("put", LoseReply(original))
    faulty.plan("list_versions", *[unavailable()] * 5)
    with pytest.raises(OutcomeUnknown) as caught:
        put(store)
    assert caught.value is original
    assert faulty.requests.count("put") == 1


def test_a_look_is_itself_repeated(store: RetryingStore, faulty: FaultyStore) -> None:
    """A network that lost a reply may well fail the look too."""
    faulty.plan("put", lost_reply())
    faulty.plan("list_versions", unavailable())
    faulty.plan("head", unavailable())
    put(store)
    assert len(version_ids(faulty.inner)) == 1


def test_without_a_write_id_nothing_is_repeated(store: RetryingStore, faulty: FaultyStore) -> None:
    """Who cannot be told apart cannot be looked for."""
    faulty.plan("put", lost_reply())
    with pytest.raises(OutcomeUnknown):
        store.put("k", b"", mode=Overwrite(), metadata={}, content_type=NOTEBOOK)
    assert faulty.requests == ["put"]


def test_a_conflict_with_our_own_lost_write_is_success(
    store: RetryingStore, faulty: FaultyStore
) -> None:
    """A write that lands after the look makes the next Create fail; it is ours all the same."""
    faulty.plan("put", lost_request(), Meanwhile(lambda: put(faulty.inner)))
    stored = put(store, Create())
    assert version_ids(faulty.inner) == [stored.version_id]


def test_a_conflict_with_somebody_else_stays_a_conflict(
    store: RetryingStore, faulty: FaultyStore
) -> None:
    """Somebody else took the key between our two attempts."""
    theirs = Meanwhile(lambda: put(faulty.inner, write_id="theirs"))
    faulty.plan("put", lost_request(), theirs)
    with pytest.raises(PreconditionFailed):
        put(store, Create())
    assert faulty.inner.get("k").data == b"theirs"


def test_a_conflict_at_the_first_attempt_costs_no_look(
    store: RetryingStore, faulty: FaultyStore
) -> None:
    """Losing a race is an everyday answer: one request."""
    put(faulty.inner, write_id="theirs")
    with pytest.raises(PreconditionFailed):
        put(store, Create())
    assert faulty.requests == ["put"]


def test_an_unknown_outcome_is_not_forgotten(store: RetryingStore, faulty: FaultyStore) -> None:
    """'Nothing was changed' at the end does not hold for an attempt whose reply was lost."""
    faulty.plan("put", lost_request(), *[unavailable()] * 4)
    with pytest.raises(OutcomeUnknown):
        put(store)


def test_a_copy_after_a_lost_reply_keeps_one_version(
    store: RetryingStore, faulty: FaultyStore
) -> None:
    """Copies are looked for like writes, under their target."""
    source = put(faulty.inner, write_id="source")
    faulty.plan("copy", lost_reply())
    copied = store.copy("k", source.version_id, "t", metadata={WRITE_ID: "mine"})
    assert version_ids(faulty.inner, "t") == [copied.version_id]


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        (lost_reply, ["delete", "list_versions"]),
        (lost_request, ["delete", "list_versions", "delete"]),
    ],
    ids=["reply", "request"],
)
def test_a_delete_leaves_one_marker(
    store: RetryingStore, faulty: FaultyStore, fault: Callable[[], Fail], requests: list[str]
) -> None:
    """Whether the request or the reply was lost, the key has one marker in the end."""
    stored = put(faulty.inner)
    faulty.plan("delete", fault())
    marker = store.delete("k")
    assert version_ids(faulty.inner) == [marker, stored.version_id]
    assert faulty.requests == requests


def test_delete_version_is_simply_repeated(store: RetryingStore, faulty: FaultyStore) -> None:
    """Removing what is gone is no error, so no look is needed."""
    stored = put(faulty.inner)
    faulty.plan("delete_version", lost_reply(), unavailable())
    store.delete_version("k", stored.version_id)
    assert version_ids(faulty.inner) == []


# -- listings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing_page", range(4))
def test_a_listing_goes_on_at_the_page_that_failed(
    store: RetryingStore, faulty: FaultyStore, failing_page: int
) -> None:
    """Whichever page fails, no entry is lost or repeated."""
    expected = [put(faulty.inner, write_id=str(number)).version_id for number in range(11)][::-1]
    faults = [None] * failing_page + [unavailable()] * 4
    faulty.plan("list_versions", *faults)
    faulty.plan("list_keys", unavailable())
    assert [entry.version_id for entry in store.list_versions("")] == expected
    assert [entry.key for entry in store.list_keys("")] == ["k"]


def test_each_page_has_its_own_attempts(store: RetryingStore, faulty: FaultyStore) -> None:
    """A long listing over a bad line comes to its end, though it meets 12 failures."""
    for number in range(9):
        put(faulty.inner, write_id=str(number))
    faulty.plan("list_versions", *([unavailable()] * 4 + [None]) * 3)
    assert len(list(store.list_versions(""))) == 9


def test_a_page_that_never_comes_is_an_error(store: RetryingStore, faulty: FaultyStore) -> None:
    """A listing that cannot be finished is never taken for a short one."""
    for number in range(4):
        put(faulty.inner, write_id=str(number))
    faulty.plan("list_versions", None, *[unavailable()] * 5)
    listing = store.list_versions("")
    assert len([next(listing) for _ in range(3)]) == 3
    with pytest.raises(StoreUnavailable):
        next(listing)


def test_a_listing_that_cannot_resume_is_not_begun_twice(tmp_path: Path, time: FakeTime) -> None:
    """A plain iterator is begun again before its first entry; after that its error is raised."""
    faulty = FaultyStore(LocalStore(tmp_path, create=True))
    put(faulty.inner)
    put(faulty.inner, write_id="other")
    store = retrying(faulty, time)
    faulty.plan("list_versions", unavailable())
    assert len(list(store.list_versions(""))) == 2
    faulty.plan("list_versions", None, unavailable())
    listing = store.list_versions("")
    next(listing)
    with pytest.raises(StoreUnavailable):
        next(listing)
    faulty.close()


def test_what_needs_no_request_goes_straight_through(
    store: RetryingStore, faulty: FaultyStore
) -> None:
    """URL, capabilities and locate are those of the inner store."""
    assert store.inner is faulty
    assert (store.url, store.capabilities) == (faulty.url, faulty.capabilities)
    assert store.locate("k") == faulty.locate("k")
    assert faulty.requests == []


def test_only_errors_of_ours_are_caught(store: RetryingStore, faulty: FaultyStore) -> None:
    """A defect in a store is not hidden behind retries."""
    defect = ZeroDivisionError()

    def fail() -> None:
        raise defect

    put(faulty.inner)
    faulty.plan("get", Meanwhile(fail))
    with pytest.raises(ZeroDivisionError):
        store.get("k")
    assert not isinstance(defect, NbvcError)
