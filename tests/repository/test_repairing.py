"""Repair: whatever happened to the index, every version comes back under its number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nbvc.errors import NbvcError
from nbvc.manifest import records
from nbvc.manifest.layout import STORE_FILE
from nbvc.manifest.records import record_hash
from nbvc.model import Area, Digest, NotebookKey
from nbvc.repository.findings import Kind
from nbvc.repository.mendings import MendingKind
from nbvc.stores.base import Store
from tests.repository.checks import NOW, named, run_check, run_repair
from tests.repository.damaging import (
    alter_record,
    data_key,
    drop_record,
    entries,
    overwrite,
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
    THIRD,
    act,
    contents,
    draft,
    find,
    numbers,
    open_repository,
    put_foreign,
    save,
    save_many,
    write_settings,
)
from tests.repository.test_corruption import bytes_of, fill, index_keys, outcomes
from tests.stores.memory import MemoryStore


@pytest.fixture(params=[True, False], ids=["conditional", "oldest wins"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    """Return a prepared store, with and without conditional writes."""
    store = MemoryStore(conditional=request.param)
    write_settings(store)
    return store


def index(store: Store) -> dict[str, bytes]:
    """Return what readers find of the index: the records and states."""
    found = {}
    for entry in store.list_keys(".nbvc/"):
        if "/v/" in entry.key or "/s/" in entry.key:
            stored = [each for each in entries(store, entry.key) if not each.is_delete_marker]
            newest_counts = store.capabilities.conditional_create
            which = stored[0 if newest_counts else -1].version_id
            found[entry.key] = store.get(entry.key, which).data
    return found


def assert_clean(store: Store) -> None:
    """Check that nothing is wrong with a store, and that a repair has nothing to do."""
    findings, _ = run_check(store, read_data=True)
    assert [f for f in findings if f.severity == "error"] == []
    before = index(store)
    mendings, report = run_repair(store)
    assert (mendings, report.remaining) == ([], ())
    assert index(store) == before


def test_a_healthy_store_is_left_alone(store: MemoryStore) -> None:
    """Not one byte is written, with or without --apply."""
    fill(store)
    before = store.snapshot()
    for apply in (False, True):
        mendings, report = run_repair(store, apply=apply)
        assert mendings == []
        assert report.remaining == ()
    assert store.snapshot() == before


DAMAGES: dict[str, Callable[[Store, str], None]] = {
    "deleted": lambda store, key: store.delete(key),
    "deleted for good": purge,
    "emptied": lambda store, key: rewrite(store, key, b""),
    "written over": lambda store, key: overwrite(store, key, b"{}"),
    "cut short": lambda store, key: rewrite(store, key, store.get(key).data[:-20]),
    "a byte flipped": lambda store, key: rewrite(store, key, _flipped(store.get(key).data)),
}


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("position", range(9))
def test_each_object_of_an_index_comes_back(store: MemoryStore, position: int, damage: str) -> None:
    """Records, states and a rename: the same numbers, bytes, tags and readings as before."""
    fill(store)
    healthy, before = outcomes(store), index(store)
    key = index_keys(store)[position]
    DAMAGES[damage](store, key)
    dry, _ = run_repair(store, apply=False)
    mendings, report = run_repair(store)
    assert report.remaining == ()
    assert len(dry) <= len(mendings) + 1
    assert_clean(store)
    after = outcomes(store)
    for name, outcome in after.items():
        assert not isinstance(outcome, NbvcError), f"{name}: {outcome!r}"
        if name.startswith("log"):
            assert bytes_of(outcome) == bytes_of(healthy[name]), name
    if "/v/" in key:
        assert index(store) == before, "a record is the very one that it was"
        assert after == healthy


def test_every_index_that_is_lost_is_made_again_from_the_bucket_alone(store: MemoryStore) -> None:
    """Numbers, digests, times, authors, messages and parents; the very same records."""
    repository = open_repository(store)
    known = save_many(repository, 20)
    repository.save(KEY, draft(b"fork", 3), act("from an old one", author="eve"), None)
    save(repository, b"v22", known)
    before, whole = index(store), contents(repository)
    assert len(before) == 22
    for key in before:
        purge(store, key)
    mendings, report = run_repair(store)
    assert {m.kind for m in mendings} == {MendingKind.ADOPTED_VERSION}
    assert report.remaining == ()
    assert index(store) == before
    assert contents(open_repository(store)) == whole


@pytest.mark.parametrize("names", [(KEY, OTHER, THIRD), (OTHER, KEY, THIRD), (THIRD, OTHER, KEY)])
def test_renames_are_found_again_from_the_bucket_alone(
    store: MemoryStore, names: tuple[NotebookKey, ...]
) -> None:
    """Records and states of all three names are lost: the numbers go on through them as before."""
    repository = open_repository(store)
    save_many(repository, 3, key=names[0])
    known = repository.rename(names[0], names[1], act("a better name"))
    known = save(repository, b"v5", known, key=names[1])
    known = repository.rename(names[1], names[2], act("the best name"))
    save(repository, b"v7", known, key=names[2])
    whole = [(v.number, v.key, v.message) for v in repository.log(names[2])]
    before = index(store)
    for key in before:
        purge(store, key)
    _, report = run_repair(store)
    assert report.remaining == ()
    repository = open_repository(store)
    assert [(v.number, v.key, v.message) for v in repository.log(names[2])] == whole
    after = index(store)
    assert {key: after[key] for key in before if "/v/" in key} == {
        key: data for key, data in before.items() if "/v/" in key
    }
    assert_clean(store)


def test_a_dry_run_writes_nothing_and_says_what_is_done_then(store: MemoryStore) -> None:
    """The same mendings in the same order."""
    save_many(open_repository(store), 5)
    purge(store, record_key(2))
    drop_record(store, 5)
    put_foreign(store, b"foreign")
    before = store.snapshot()
    dry, report = run_repair(store, apply=False)
    assert store.snapshot() == before
    assert not report.applied
    assert report.remaining == ()
    done, _ = run_repair(store)
    assert dry == done
    assert [(m.kind, m.number) for m in done] == [
        (MendingKind.RESTORED_RECORD, 2),
        (MendingKind.ADOPTED_VERSION, 5),
        (MendingKind.ADOPTED_VERSION, 6),
    ]
    assert contents(open_repository(store)) == [b"foreign", b"v5", b"v4", b"v3", b"v2", b"v1"]
    assert_clean(store)


def test_unindexed_versions_are_adopted_in_the_order_of_storage(store: MemoryStore) -> None:
    """Another tool's, without an author; a save's that was cut off keeps what it said."""
    save_many(open_repository(store), 2)
    for number in range(3, 8):
        put_foreign(store, b"v%d" % number)
    _, report = run_repair(store)
    assert report.remaining == ()
    repository = open_repository(store)
    assert numbers(repository) == [7, 6, 5, 4, 3, 2, 1]
    assert contents(repository) == [b"v%d" % n for n in range(7, 0, -1)]
    assert_clean(store)


def test_a_bucket_of_another_tool_gets_its_numbers(store: MemoryStore) -> None:
    """Nothing but versions, in both areas."""
    for area in Area:
        for number in (1, 2, 3):
            put_foreign(store, b"v%d" % number, area=area)
    _, report = run_repair(store)
    assert report.remaining == ()
    for area in Area:
        versions = list(open_repository(store).log(KEY, area=area))
        assert [version.number for version in versions] == [3, 2, 1]
    assert_clean(store)


def long_message(store: Store) -> None:
    """Make a version whose record cannot be made again from its metadata: a message too long."""
    repository = open_repository(store)
    known = save_many(repository, 2)
    for number in (3, 4):
        known = save(repository, b"v%d" % number, known, message="so " * 600)
    for number in range(5, 22):
        known = save(repository, b"v%d" % number, known)


def test_a_record_that_cannot_be_the_same_says_what_it_stands_for(store: MemoryStore) -> None:
    """Its message was longer than metadata can hold: the chain holds, and check mentions it."""
    long_message(store)
    lost = record_hash(read_record(store, 3).record)
    for number in range(3, 20):  # all that carry a copy of it
        drop_record(store, number)
    mendings, report = run_repair(store)
    assert report.remaining == ()
    assert {m.number for m in mendings} == set(range(3, 20))
    findings, _ = run_check(store)
    assert named(findings) == [(Kind.REBUILT_RECORD, KEY, 4)]
    rebuilt = read_record(store, 3).record
    assert record_hash(rebuilt) != lost
    assert rebuilt.message.startswith("so so")
    assert rebuilt.message.endswith("...")
    repository = open_repository(store)
    assert contents(repository) == [b"v%d" % n for n in range(21, 0, -1)]


def test_numbers_of_which_nothing_is_left_stay_empty(store: MemoryStore) -> None:
    """Neither record nor version: later versions keep their numbers, and the gap is marked."""
    repository = open_repository(store)
    save_many(repository, 20)
    repository.set_tag(KEY, "old", 2, act())
    for number in (1, 2, 3):
        store.delete_version(data_key(), read_record(store, number).record.version_id)
    for number in range(1, 21):
        drop_record(store, number)
    mendings, report = run_repair(store)
    assert [m.kind for m in mendings[:3]] == [MendingKind.LOST_RECORD] * 3
    assert report.remaining == ()
    repository = open_repository(store)
    versions = list(repository.log(KEY))
    assert [v.number for v in versions] == list(range(20, 0, -1))
    assert [v.missing for v in versions] == [False] * 17 + [True] * 3
    assert [repository.read(v) for v in versions[:17]] == [b"v%d" % n for n in range(20, 3, -1)]
    assert versions[-1].version_id == "lost-1"
    assert repository.tags(KEY) == {"old": 2}
    assert_clean(store)


def test_a_copy_from_another_notebook_gets_no_empty_numbers(store: MemoryStore) -> None:
    """An S3 tool keeps the metadata when it copies: one version that says it was based on v57."""
    repository = open_repository(store)
    save_many(repository, 3)
    source = find(repository, "v3")
    metadata = {**store.head(data_key(), source.version_id).metadata, "nbvc-parent": "57"}
    store.copy(data_key(), source.version_id, data_key(OTHER), metadata=metadata)
    run_repair(store)
    assert numbers(open_repository(store), OTHER) == [1]
    assert_clean(store)


def test_versions_that_the_store_lost_are_marked_as_gone(store: MemoryStore) -> None:
    """Once it is said, check is clean, and the log shows them as missing."""
    save_many(open_repository(store), 5)
    for number in (2, 3, 5):
        store.delete_version(data_key(), read_record(store, number).record.version_id)
    mendings, report = run_repair(store)
    assert [(m.kind, m.number) for m in mendings] == [
        (MendingKind.NOTED_GONE, 2),
        (MendingKind.NOTED_GONE, 5),
    ]
    assert report.remaining == ()
    state = read_state(store, 1)
    assert state.gone == ((2, 3), (5, 5))
    assert (state.action, state.author) == ("repair", "ada")
    findings, _ = run_check(store)
    assert {f.kind for f in findings} == {Kind.GONE}
    assert_clean(store)


def test_a_tag_at_a_number_that_nothing_has_is_taken_away(store: MemoryStore) -> None:
    """The others stay; the state before still says where it was."""
    repository = open_repository(store)
    save_many(repository, 3)
    repository.set_tag(KEY, "good", 2, act())
    repository.set_tag(KEY, "odd", 9, act())
    mendings, report = run_repair(store)
    assert [(m.kind, m.number) for m in mendings] == [(MendingKind.DROPPED_TAG, 9)]
    assert report.remaining == ()
    assert open_repository(store).tags(KEY) == {"good": 2}
    assert read_state(store, 2).tags == {"good": 2, "odd": 9}
    assert_clean(store)


def test_damaged_bytes_remain_a_finding(store: MemoryStore) -> None:
    """Only a backup has them; the size shows it without reading, and nothing is changed."""
    save_many(open_repository(store), 3)
    version_id = read_record(store, 2).record.version_id
    store.damage(data_key(), version_id, b"rotten")
    before = store.snapshot()
    mendings, report = run_repair(store)
    assert mendings == []
    assert named(report.remaining) == [(Kind.SIZE_DIFFERS, KEY, 2)]
    assert store.snapshot() == before


def test_a_damaged_version_without_a_record_is_not_adopted(store: MemoryStore) -> None:
    """Its bytes are not those that its own metadata names."""
    save_many(open_repository(store), 3)
    newest = read_record(store, 3).record
    drop_record(store, 3)
    store.damage(data_key(), newest.version_id, b"v?")
    mendings, _ = run_repair(store)
    assert mendings == []
    assert numbers(open_repository(store)) == [None, 2, 1]


def test_a_lost_record_of_a_damaged_version_keeps_its_number(store: MemoryStore) -> None:
    """It names the digest of what was saved, so that the damage shows."""
    repository = open_repository(store)
    save_many(repository, 20)
    lost = read_record(store, 2).record
    for number in range(2, 18):
        drop_record(store, number)
    store.damage(data_key(), lost.version_id, b"v?")
    _, report = run_repair(store)
    assert report.remaining == ()
    assert read_record(store, 2).record.digest == Digest.of(b"v2")
    findings, _ = run_check(store, read_data=True)
    damaged = [f for f in findings if f.severity == "error"]
    assert named(damaged) == [(Kind.DAMAGED_BYTES, KEY, 2)]


@pytest.mark.parametrize("number", [1, 3, 4])
def test_an_altered_record_gives_way_to_the_true_one(store: MemoryStore, number: int) -> None:
    """Well sealed, and a lie, the last before a rename too; what it said is kept beside it."""
    repository = open_repository(store)
    save_many(repository, 3)
    repository.rename(KEY, OTHER, act())
    save(repository, b"v5", key=OTHER)
    before = index(store)
    key = KEY if number <= 3 else OTHER
    forged = alter_record(store, number, lambda r: replace(r, author="mallory"), key)
    rewrite(store, record_key(number, key), forged)
    mendings, report = run_repair(store)
    assert [(m.kind, m.number) for m in mendings] == [
        (
            MendingKind.REBUILT_RECORD if number == 3 else MendingKind.RESTORED_RECORD,
            number,
        )
    ]
    assert report.remaining == ()
    assert index(store) == before
    kept = [e.key for e in store.list_keys(".nbvc/") if "/d/" in e.key]
    assert [store.get(name).data for name in kept] == [forged]
    assert_clean(store)


def test_a_lost_rename_is_found_again_by_the_record_that_it_made(store: MemoryStore) -> None:
    """All states of the new name are gone for good: names, numbers and tags come back."""
    repository = open_repository(store)
    save_many(repository, 3)
    repository.set_tag(KEY, "good", 2, act())
    repository.rename(KEY, OTHER, act())
    purge(store, state_key(1, OTHER))
    mendings, report = run_repair(store)
    assert [m.kind for m in mendings] == [MendingKind.REPLACED_STATE]
    assert report.remaining == ()
    repository = open_repository(store)
    assert numbers(repository, OTHER) == [4, 3, 2, 1]
    assert repository.tags(OTHER) == {"good": 2}
    assert_clean(store)


def test_what_a_newer_release_wrote_is_not_touched(store: MemoryStore) -> None:
    """This one cannot judge it: a record, a state, the settings."""
    repository = open_repository(store)
    save_many(repository, 3)
    repository.set_tag(KEY, "good", 2, act())
    for key in (record_key(2), state_key(1), STORE_FILE):
        twin = store.clone()
        data = twin.get(key).data
        from nbvc.manifest.sealing import seal, unseal

        rewrite(twin, key, seal({**unseal(data, what="it"), "format": 3}))
        drop_record(twin, 1)
        before = twin.snapshot()
        if key == STORE_FILE:
            with pytest.raises(NbvcError, match="format 3"):
                run_repair(twin)
        else:
            mendings, report = run_repair(twin)
            assert mendings == []
            assert Kind.NEWER_FORMAT in {f.kind for f in report.remaining}
        assert twin.snapshot() == before


def test_the_settings_of_a_store_come_back(store: MemoryStore) -> None:
    """From an older version, from what is remembered, or found out by trying."""
    save_many(open_repository(store), 2)
    good = store.get(STORE_FILE).data
    for damage in DAMAGES.values():
        twin = store.clone()
        damage(twin, STORE_FILE)
        mendings, report = run_repair(twin)
        assert [m.kind for m in mendings] == [MendingKind.RESTORED_SETTINGS]
        assert report.remaining == ()
        assert_clean(twin)
    twin = store.clone()
    overwrite(twin, STORE_FILE, b"junk")
    run_repair(twin)
    assert twin.get(STORE_FILE).data == good
    rewrite(twin, STORE_FILE, b"junk")
    _, report = run_repair(twin, settings=False)
    assert report.remaining == ()
    findings, _ = run_check(twin)
    assert [f.kind for f in findings] == [Kind.DAMAGED_SETTINGS]  # another identity


def test_only_what_is_named_is_repaired(store: MemoryStore) -> None:
    """A notebook, or a folder."""
    repository = open_repository(store)
    for key in (KEY, OTHER):
        save_many(repository, 3, key=key)
        drop_record(store, 2, key)
    run_repair(store, scope=replace(NOW, key=KEY, named=True))
    findings, _ = run_check(store)
    assert named(findings) == [(Kind.MISSING_RECORD, OTHER, 2)]


def test_repair_after_repair_changes_nothing(store: MemoryStore) -> None:
    """Idempotent, whatever was done."""
    fill(store)
    for key in index_keys(store)[::2]:
        purge(store, key)
    run_repair(store)
    before = index(store)
    mendings, _ = run_repair(store)
    assert mendings == []
    assert index(store) == before


def test_a_save_goes_on_after_a_repair(store: MemoryStore) -> None:
    """Also by a workspace that knew the newest record before all of them were lost."""
    repository = open_repository(store)
    known = save_many(repository, 5)
    for number in range(1, 6):
        drop_record(store, number)
    run_repair(store)
    save(repository, b"v6", known)
    assert numbers(open_repository(store)) == [6, 5, 4, 3, 2, 1]
    assert_clean(store)


def test_published_copies_are_recorded_with_their_source(store: MemoryStore) -> None:
    """As after a publication that was cut off, and where their records are lost."""
    repository = open_repository(store)
    save_many(repository, 3)
    for ref in ("v1", "v3"):
        repository.publish(find(repository, ref), KEY, act(f"the {ref}"))
    before = index(store)
    for number in (1, 2):
        purge(store, record_key(number, area=Area.PUBLISHED))
    run_repair(store)
    assert index(store) == before


def test_forged_numbers_do_not_fill_a_store(store: MemoryStore) -> None:
    """A record far above all others: the gap is told, and left alone."""
    save_many(open_repository(store), 3)
    file = read_record(store, 3)
    forged = replace(file.record, number=50_000_000)
    data = records.encode(replace(file, record=forged, recent=()))
    overwrite(store, record_key(50_000_000), data)
    before = store.snapshot()
    mendings, report = run_repair(store)
    assert mendings == []
    assert report.remaining
    assert store.snapshot() == before
