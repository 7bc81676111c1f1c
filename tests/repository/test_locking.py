"""Locks on versions: which writes are locked and until when, and how a store is told to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from nbvc.errors import AccessDenied, Conflict, IntegrityError, InvalidInput
from nbvc.manifest.layout import STORE_FILE
from nbvc.manifest.sealing import seal, unseal
from nbvc.model import Area
from nbvc.repository import Repository, migration
from nbvc.repository.lock import MAX_DAYS, Lock
from nbvc.repository.settings import (
    StoreSettings,
    decode,
    encode,
    prepare,
    read_settings,
    set_lock,
)
from nbvc.stores.base import LockMode, Overwrite, RetainUntil, Store
from tests.repository.support import (
    KEY,
    NOON,
    OTHER,
    act,
    assert_whole,
    draft,
    find,
    save,
    save_many,
)
from tests.stores.counting import CountingStore
from tests.stores.faulty import FaultyStore, Meanwhile, lost_reply
from tests.stores.memory import MemoryStore

MONTH = Lock(days=30)
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
IN_A_MONTH = NOW + timedelta(days=30)


def locked_repository(store: Store, lock: Lock | None = MONTH) -> Repository:
    """Return a repository on *store* whose new versions are locked; the time is ``NOW``."""
    settings = StoreSettings(
        store_id="store", capabilities=store.capabilities, created_at=NOON, lock=lock
    )
    return Repository(
        store,
        settings=settings,
        sleep=lambda _: None,
        jitter=lambda: 0.5,
        now=lambda: NOW,
    )


def locks_of(store: Store) -> dict[str, list[datetime | None]]:
    """Return the ends of the locks of all versions, newest first, by key."""
    found: dict[str, list[datetime | None]] = {}
    for entry in store.list_versions(""):
        if not entry.is_delete_marker:
            head = store.head(entry.key, entry.version_id)
            found.setdefault(entry.key, []).append(head.locked_until)
    return found


@pytest.fixture
def memory() -> MemoryStore:
    """Return an empty store whose clock stands still."""
    return MemoryStore(now=lambda: NOW)


def test_every_save_is_locked_and_nothing_else(memory: MemoryStore) -> None:
    """Neither records nor states nor published copies: those are made from the locked versions."""
    repository = locked_repository(memory)
    known = save_many(repository, 3)
    repository.set_tag(KEY, "release", 2, act())
    repository.publish(find(repository, "v3"), KEY, act())
    locks = locks_of(memory)
    assert locks.pop(f"workspace/{KEY}") == [IN_A_MONTH] * 3
    assert {end for ends in locks.values() for end in ends} == {None}
    with pytest.raises(AccessDenied):
        memory.delete_version(f"workspace/{KEY}", known.file.record.version_id)


def test_a_lock_costs_no_request(memory: MemoryStore) -> None:
    """It is sent with the bytes, so no crash can come in between."""
    counting = CountingStore(memory)
    repository = locked_repository(counting)
    known = save(repository, b"1")
    counting.reset()
    save(repository, b"2", known)
    assert counting.names == ["put", "put"]


def test_without_a_lock_nothing_is_locked(memory: MemoryStore) -> None:
    """The default; what was written before a lock was set stays as it is."""
    save(locked_repository(memory, None), b"1")
    assert {end for ends in locks_of(memory).values() for end in ends} == {None}


def test_a_lock_counts_from_the_write_not_from_the_save(memory: MemoryStore) -> None:
    """A version that waited in the outbox for longer than its lock lasts would never get in."""
    save(locked_repository(memory, Lock(days=1)), b"old", now=NOW - timedelta(days=400))
    assert locks_of(memory)[f"workspace/{KEY}"] == [NOW + timedelta(days=1)]


def test_a_resumed_save_is_locked(memory: MemoryStore) -> None:
    """What is delivered from the outbox, and was not there yet, is locked like any save."""
    repository = locked_repository(memory)
    repository.resume(KEY, draft(b"1"), act())
    assert locks_of(memory)[f"workspace/{KEY}"] == [IN_A_MONTH]


def test_a_renamed_version_is_locked_under_its_new_name(memory: MemoryStore) -> None:
    """It is uploaded, for a lock in a copy is not kept by every server; the bytes are the same."""
    repository = locked_repository(memory)
    save_many(repository, 2)
    repository.rename(KEY, OTHER, act())
    assert locks_of(memory)[f"workspace/{OTHER}"] == [IN_A_MONTH]
    assert_whole(repository, 3, OTHER)
    assert repository.read(find(repository, "v3", OTHER)) == b"v2"


def test_a_cut_off_rename_is_picked_up_where_it_stopped(memory: MemoryStore) -> None:
    """The uploaded copy is found by its source; no second one is made."""
    save_many(locked_repository(memory), 2)
    faulty = FaultyStore(memory)
    faulty.plan("put", None, lost_reply())
    repository = locked_repository(faulty)
    with pytest.raises(Exception, match="lost"):
        repository.rename(KEY, OTHER, act())
    repository.rename(KEY, OTHER, act())
    assert locks_of(memory)[f"workspace/{OTHER}"] == [IN_A_MONTH]
    assert_whole(repository, 3, OTHER)


def test_damaged_bytes_are_not_uploaded_under_a_new_name(memory: MemoryStore) -> None:
    """A locked copy of damage could not be removed."""
    repository = locked_repository(memory)
    known = save_many(repository, 2)
    memory.damage(f"workspace/{KEY}", known.file.record.version_id, b"other")
    with pytest.raises(IntegrityError):
        repository.rename(KEY, OTHER, act())
    assert f"workspace/{OTHER}" not in locks_of(memory)


def test_a_migrated_history_is_locked(memory: MemoryStore) -> None:
    """Every version that comes into a store with locks gets one, however old it is."""
    source = locked_repository(MemoryStore(url="file:///source"), None)
    save_many(source, 3)
    source.publish(find(source, "v3"), KEY, act())
    target = locked_repository(memory)
    migration.migrate(source, target, prefix="")
    locks = locks_of(memory)
    assert locks[f"workspace/{KEY}"] == [IN_A_MONTH] * 3
    assert locks[f"published/{KEY}"] == [None]


def test_a_lock_without_a_clock_is_a_mistake_of_the_caller(memory: MemoryStore) -> None:
    """Or versions that were to be locked would silently not be."""
    settings = StoreSettings(
        store_id="s", capabilities=memory.capabilities, created_at=NOON, lock=MONTH
    )
    with pytest.raises(ValueError, match="clock"):
        Repository(memory, settings=settings, sleep=lambda _: None, jitter=lambda: 0.5)


# -- store.json ------------------------------------------------------------------------------------


def prepared(store: Store) -> StoreSettings:
    """Prepare *store*."""
    return prepare(store, token="token", now=NOON)


@pytest.mark.parametrize("lock", [MONTH, Lock(days=MAX_DAYS, mode=LockMode.COMPLIANCE)])
def test_a_lock_is_kept_in_the_settings_of_the_store(memory: MemoryStore, lock: Lock) -> None:
    """The rest of the settings stays, with what another release put there."""
    before = replace(prepared(memory), extra={"later": [1]})
    memory.put(
        STORE_FILE,
        encode(before),
        mode=Overwrite(),
        metadata={},
        content_type="application/json",
    )
    assert set_lock(memory, lock, token="t") == replace(before, lock=lock)
    assert read_settings(memory) == replace(before, lock=lock)
    assert unseal(memory.get(STORE_FILE).data, what="it")["lock"] == {
        "days": lock.days,
        "mode": lock.mode.value,
    }


def test_settings_without_a_lock_do_not_mention_one(memory: MemoryStore) -> None:
    """What was written before there were locks has the same bytes as now."""
    assert "lock" not in unseal(encode(prepared(memory)), what="it")


def test_a_lock_that_is_set_already_is_not_written_again(memory: MemoryStore) -> None:
    """``init`` may be run by everybody, any number of times."""
    prepared(memory)
    set_lock(memory, MONTH, token="t")
    before = memory.snapshot()
    set_lock(memory, MONTH, token="u")
    assert memory.snapshot() == before


def test_changes_at_once_are_both_kept() -> None:
    """Whoever comes second reads what the first one wrote, and changes that."""
    memory = MemoryStore()
    prepared(memory)
    faulty = FaultyStore(memory)
    other = Lock(days=7)
    faulty.plan("put", Meanwhile(lambda: set_lock(memory, other, token="other")))
    assert set_lock(faulty, MONTH, token="mine").lock == MONTH
    said = [
        decode(memory.get(STORE_FILE, entry.version_id).data).lock
        for entry in memory.list_versions(STORE_FILE)
    ]
    assert said == [MONTH, other, None]


def test_a_store_that_changes_all_the_time_is_left_alone() -> None:
    """The number of tries is bounded."""
    memory = MemoryStore()
    prepared(memory)
    faulty = FaultyStore(memory)
    days = iter(range(1, 100))
    meanwhile = Meanwhile(lambda: set_lock(memory, Lock(days=next(days)), token="other"))
    faulty.plan("put", *[meanwhile] * 20)
    with pytest.raises(Conflict):
        set_lock(faulty, Lock(days=MAX_DAYS), token="mine")


def test_without_conditional_writes_the_lock_is_written_all_the_same() -> None:
    """Such a store cannot tell two who change it at once; the last one holds."""
    memory = MemoryStore(conditional=False)
    prepared(memory)
    set_lock(memory, MONTH, token="t")
    found = read_settings(memory)
    assert found is not None
    assert found.lock == MONTH


@pytest.mark.parametrize("days", [-1, 0, MAX_DAYS + 1])
def test_a_lock_for_no_time_or_for_ever_is_refused(days: int) -> None:
    """S3 takes from one day to a hundred years."""
    with pytest.raises(InvalidInput, match="cannot be locked"):
        Lock(days=days)


@pytest.mark.parametrize(
    "lock",
    [
        {"days": 0, "mode": "GOVERNANCE"},
        {"days": 30, "mode": "OTHER"},
        {"days": "30", "mode": "GOVERNANCE"},
        {"days": True, "mode": "GOVERNANCE"},
        {"days": 30},
        [],
        "30",
    ],
)
def test_a_lock_that_cannot_be_read_is_damage(memory: MemoryStore, lock: object) -> None:
    """It is never taken for none: versions would silently stay without."""
    document = unseal(encode(prepared(memory)), what="it")
    with pytest.raises(IntegrityError):
        decode(seal({**document, "lock": lock}))


def test_the_end_of_a_lock_is_a_moment() -> None:
    """Days of 24 hours, from the moment of the write."""
    lock = Lock(days=1, mode=LockMode.COMPLIANCE)
    end = NOW + timedelta(hours=24)
    assert lock.from_moment(NOW) == RetainUntil(moment=end, mode=LockMode.COMPLIANCE)
    assert locked_repository(MemoryStore()).backend.locking(Area.PUBLISHED) == {}
