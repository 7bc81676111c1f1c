"""Repair where several objects of one index are damaged, and each alone would be easy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbvc.errors import NbvcError
from nbvc.manifest import records, states
from nbvc.manifest.states import Segment
from nbvc.model import MAX_NUMBER
from nbvc.repository.findings import Kind
from nbvc.repository.mendings import MendingKind
from tests.repository.checks import named, run_check, run_repair
from tests.repository.damaging import (
    data_key,
    drop_record,
    purge,
    read_record,
    read_state,
    record_key,
    rewrite,
    state_key,
)
from tests.repository.support import (
    KEY,
    OTHER,
    act,
    contents,
    find,
    open_repository,
    put_foreign,
    save,
    save_many,
    write_settings,
)
from tests.repository.test_repairing import assert_clean, index
from tests.stores.memory import MemoryStore


@pytest.fixture(params=[True, False], ids=["conditional", "oldest wins"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    """Return a prepared store, with and without conditional writes."""
    store = MemoryStore(conditional=request.param)
    write_settings(store)
    return store


@pytest.mark.parametrize("missing", [(3,), (2, 3), (1, 2, 3)])
def test_a_damaged_newest_record_does_not_hide_that_those_below_are_missing(
    store: MemoryStore, missing: tuple[int, ...]
) -> None:
    """No good record says that they were there; every one comes back under its number."""
    save_many(open_repository(store), 4)
    before = index(store)
    for number in missing:
        drop_record(store, number)
    rewrite(store, record_key(4), b"{}")
    mendings, report = run_repair(store)
    assert {mending.kind for mending in mendings} == {MendingKind.REBUILT_RECORD}
    assert report.remaining == ()
    assert index(store) == before
    assert contents(open_repository(store)) == [b"v4", b"v3", b"v2", b"v1"]
    assert_clean(store)


def test_the_newest_record_of_another_notebook_brings_no_other_history(store: MemoryStore) -> None:
    """Sealed well and with copies of its own, it names no version that this notebook has."""
    repository = open_repository(store)
    save_many(repository, 4)
    save_many(repository, 4, key=OTHER)
    before = index(store)
    rewrite(store, record_key(4), store.get(record_key(4, OTHER)).data)
    findings, _ = run_check(store)
    assert named(findings) == [(Kind.ALTERED_RECORD, KEY, 4), (Kind.UNINDEXED_VERSION, KEY, None)]
    mendings, report = run_repair(store)
    assert [(m.kind, m.number) for m in mendings] == [(MendingKind.REBUILT_RECORD, 4)]
    assert report.remaining == ()
    assert index(store) == before
    assert_clean(store)


def test_a_name_that_was_used_again_is_found_as_an_earlier_one(store: MemoryStore) -> None:
    """All of the index is lost: the delete marker of the rename lies between versions by now."""
    repository = open_repository(store)
    save_many(repository, 3)
    known = repository.rename(KEY, OTHER, act())
    save(repository, b"v5", known, key=OTHER)
    save(repository, b"another")
    whole = [(v.number, v.key, v.version_id) for v in repository.log(OTHER)]
    for key in index(store):
        purge(store, key)
    _, report = run_repair(store)
    assert report.remaining == ()
    repository = open_repository(store)
    assert [(v.number, v.key, v.version_id) for v in repository.log(OTHER)] == whole
    assert contents(repository) == [b"another", b"v3", b"v2", b"v1"]
    assert_clean(store)


def test_a_name_before_is_found_although_its_records_are_mended_later(store: MemoryStore) -> None:
    """A state that was claimed meanwhile does not hide that the earlier versions are nowhere."""
    repository = open_repository(store)
    save_many(repository, 3, key=OTHER)
    repository.rename(OTHER, KEY, act())
    whole = [(v.number, v.key, v.version_id) for v in repository.log(KEY)]
    rewrite(store, state_key(1), b"{}")
    rewrite(store, record_key(3, OTHER), b"{}")
    _, report = run_repair(store)
    assert report.remaining == ()
    assert [(v.number, v.key, v.version_id) for v in open_repository(store).log(KEY)] == whole
    assert_clean(store)


def test_a_state_that_was_altered_is_not_said_to_be_put_back(store: MemoryStore) -> None:
    """A dry run announces what is done then, and no more."""
    repository = open_repository(store)
    save_many(repository, 1)
    repository.set_tag(KEY, "one", 1, act())
    repository.set_tag(KEY, "two", 1, act())
    state = read_state(store, 1)
    rewrite(store, state_key(1), states.encode(replace(state, author="eve")))
    store.delete(state_key(2))
    dry, _ = run_repair(store, apply=False)
    done, report = run_repair(store)
    assert [(mending.kind, mending.number) for mending in dry] == [(MendingKind.RESTORED_STATE, 2)]
    assert (done, report.remaining) == (dry, ())
    assert_clean(store)


def test_numbers_that_a_forged_state_calls_gone_cost_nothing(store: MemoryStore) -> None:
    """All ten thousand million of them are kept as one run, with one that is gone indeed."""
    repository = open_repository(store)
    save_many(repository, 2)
    repository.set_tag(KEY, "one", 1, act())
    forged = replace(read_state(store, 1), gone=((3, MAX_NUMBER - 1),))
    rewrite(store, state_key(1), states.encode(forged))
    store.delete_version(data_key(), find(repository, "v1").version_id)
    _, report = run_repair(store)
    assert report.remaining == ()
    assert read_state(store, 2).gone == ((1, 1), (3, MAX_NUMBER - 1))


@pytest.mark.parametrize("change", ["moved to", "goes on after", "newest"])
def test_the_last_number_of_all_is_met_without_a_crash(store: MemoryStore, change: str) -> None:
    """A forged state or record lies at it, or names it: no number comes after it."""
    repository = open_repository(store)
    save_many(repository, 2)
    save_many(repository, 1, key=OTHER)
    repository.set_tag(KEY, "one", 1, act())
    state = read_state(store, 1)
    segment = Segment(key=OTHER, first=1, last=MAX_NUMBER)
    forged = {
        "moved to": replace(state, moved_to=OTHER),
        "goes on after": replace(state, segments=(segment,)),
        "newest": replace(state, number=MAX_NUMBER),
    }[change]
    rewrite(store, state_key(forged.number), states.encode(forged))
    file = replace(read_record(store, 2), first=MAX_NUMBER, recent=())
    forged_record = replace(file.record, number=MAX_NUMBER, parent=None)
    if change == "moved to":
        rewrite(store, record_key(MAX_NUMBER), records.encode(replace(file, record=forged_record)))
    else:
        put_foreign(store, b"foreign")
    run_repair(store)
    if change == "newest":
        with pytest.raises(NbvcError, match="No number is left"):
            open_repository(store).set_tag(KEY, "two", 1, act())


def test_versions_get_their_numbers_after_the_name_before_was_mended(store: MemoryStore) -> None:
    """The first of them names the hash of the last record there, and no second repair is needed."""
    repository = open_repository(store)
    save_many(repository, 1, key=OTHER)
    known = repository.rename(OTHER, KEY, act())
    save(repository, b"v3", known)
    before = index(store)
    for key in (record_key(1, OTHER), record_key(2), record_key(3)):
        purge(store, key)
    dry, _ = run_repair(store, apply=False)
    done, report = run_repair(store)
    assert report.remaining == ()
    assert {mending.message for mending in dry} == {mending.message for mending in done}
    assert index(store) == before
    assert_clean(store)


def test_the_last_number_before_a_rename_is_kept_although_nothing_is_left(
    store: MemoryStore,
) -> None:
    """Neither its record nor its version: the notebook under its new name can be read and saved."""
    repository = open_repository(store)
    save_many(repository, 2)
    known = repository.rename(KEY, OTHER, act())
    second = find(repository, "v2", OTHER)
    drop_record(store, 2)
    store.delete_version(data_key(), second.version_id)
    dry, _ = run_repair(store, apply=False)
    _, report = run_repair(store)
    assert [(m.kind, m.key, m.number) for m in dry] == [(MendingKind.LOST_RECORD, KEY, 2)]
    assert report.remaining == ()
    repository = open_repository(store)
    assert [version.number for version in repository.log(OTHER)] == [3, 2, 1]
    assert save(repository, b"v4", known, key=OTHER).file.record.number == 4
    assert_clean(store)
