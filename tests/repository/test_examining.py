"""Examine one notebook: what was done to its index or its versions, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from nbvc.errors import IntegrityError
from nbvc.manifest import records, states
from nbvc.manifest.layout import Layout
from nbvc.manifest.records import record_hash
from nbvc.model import Area, Digest, NotebookKey, VersionId
from nbvc.repository import Repository
from nbvc.repository.examining import Examination, examine_key
from nbvc.repository.findings import Kind
from nbvc.stores.base import WRITE_ID, Blob, Overwrite, Store
from nbvc.stores.local import LocalStore
from tests.histories import generate
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
    act,
    draft,
    find,
    open_repository,
    put_foreign,
    save,
    save_many,
)
from tests.stores.counting import CountingStore
from tests.stores.memory import MemoryStore

Found = list[tuple[Kind, int | None]]


def look(
    store: Store, key: NotebookKey = KEY, area: Area = Area.WORKSPACE, *, thorough: bool = False
) -> Examination:
    """Examine a notebook now."""
    backend = open_repository(store).backend
    return examine_key(backend, area, key, now=datetime.now(UTC), thorough=thorough)


def found(examination: Examination) -> Found:
    """Return the kinds of the findings, with the numbers that they are about."""
    return [(finding.kind, finding.number) for finding in examination.findings]


def assert_whole(examination: Examination, count: int) -> None:
    """Check that all records of a notebook were found, each with what it says of the bytes."""
    good = examination.records.records
    assert sorted(good) == list(range(1, count + 1))
    assert all(good[n].digest == Digest.of(b"v%d" % n) for n in good)


@pytest.fixture(params=["embedded", "memory", "unconditional"])
def damaged(request: pytest.FixtureRequest, store: LocalStore) -> Store:
    """Return a store of each kind with five versions of a notebook, to be damaged."""
    chosen: Store = {
        "embedded": store,
        "memory": MemoryStore(),
        "unconditional": MemoryStore(conditional=False),
    }[request.param]
    save_many(open_repository(chosen), 5)
    return chosen


def test_an_undamaged_notebook_has_no_findings(damaged: Store) -> None:
    """All records are found, with a tag, whether every file is read or not."""
    repository = open_repository(damaged)
    repository.set_tag(KEY, "good", 3, act())
    for thorough in (False, True):
        examination = look(damaged, thorough=thorough)
        assert found(examination) == []
        assert_whole(examination, 5)
        assert examination.state is not None
        assert examination.state.tags == {"good": 3}
        assert [entry.version_id for entry in examination.listed] == [
            version.version_id for version in repository.log(KEY)
        ]


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_deleted_record_is_missing_and_a_copy_of_it_is_found(damaged: Store, number: int) -> None:
    """Deleted for good, below a later one: that one's copy tells what it was, to the byte."""
    before = damaged.get(record_key(number)).data
    drop_record(damaged, number)
    examination = look(damaged)
    assert found(examination) == [(Kind.MISSING_RECORD, number)]
    assert examination.findings[0].expected == Digest.of(before)
    assert examination.findings[0].object_key == record_key(number)
    assert examination.records.lost == ()
    assert_whole(examination, 5)


def test_a_record_behind_a_delete_marker_is_missing_and_its_older_version_is_found(
    damaged: Store,
) -> None:
    """``aws s3 rm`` on the newest record: no later copy, and the stored version is read."""
    damaged.delete(record_key(5))
    examination = look(damaged)
    assert found(examination) == [(Kind.MISSING_RECORD, 5)]
    assert_whole(examination, 5)
    assert len(examination.records.objects[5].versions) == 2


def test_the_newest_record_deleted_for_good_leaves_its_version_unindexed(damaged: Store) -> None:
    """Nothing can tell it from a save that was cut off, and its version is not lost."""
    newest = read_record(damaged, 5).record.version_id
    drop_record(damaged, 5)
    examination = look(damaged)
    assert found(examination) == [(Kind.UNINDEXED_VERSION, None)]
    assert [entry.version_id for entry in examination.versions.unindexed] == [newest]


@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff", b"not json"], ids=["empty", "object", "binary", "text"]
)
def test_garbage_in_the_place_of_a_record_is_damage(
    damaged: Store, number: int, data: bytes
) -> None:
    """The file is named with its digest; only the newest record, without a copy, is lost."""
    before = damaged.get(record_key(number)).data
    rewrite(damaged, record_key(number), data)
    examination = look(damaged)
    assert (Kind.DAMAGED_RECORD, number) in found(examination)
    finding = next(f for f in examination.findings if f.kind is Kind.DAMAGED_RECORD)
    assert finding.actual == Digest.of(data)
    if number == 5:
        assert examination.records.lost == ((5, 5),)
        assert [kind for kind, _ in found(examination)][1:] == [Kind.UNINDEXED_VERSION]
    else:
        assert finding.expected == Digest.of(before)
        assert len(examination.findings) == 1
        assert_whole(examination, 5)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_garbage_over_a_record_is_damage_that_the_older_version_heals(
    damaged: Store, number: int
) -> None:
    """Written over with an S3 tool: where the oldest version counts, it is not even damage."""
    overwrite(damaged, record_key(number), b"garbage")
    examination = look(damaged)
    conditional = damaged.capabilities.conditional_create
    assert found(examination) == ([(Kind.DAMAGED_RECORD, number)] if conditional else [])
    assert_whole(examination, 5)


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("put", [rewrite, overwrite])
def test_an_altered_record_shows_though_it_is_sealed_again(
    damaged: Store, number: int, put: Callable[[Store, str, bytes], None]
) -> None:
    """The hash that the next record names is another: the copy there is what was recorded."""
    altered = alter_record(damaged, number, lambda r: replace(r, author="mallory"))
    put(damaged, record_key(number), altered)
    examination = look(damaged)
    hidden = put is overwrite and not damaged.capabilities.conditional_create
    assert found(examination) == ([] if hidden else [(Kind.ALTERED_RECORD, number)])
    assert_whole(examination, 5)
    assert examination.records.records[number].author == "ada"


def test_an_altered_record_that_is_read_by_itself_is_not_believed(store: LocalStore) -> None:
    """v4 of 20 is the file that is read next after v20, whose copies end with v5."""
    save_many(open_repository(store), 20)
    altered = alter_record(store, 4, lambda r: replace(r, author="mallory"))
    rewrite(store, record_key(4), altered)
    examination = look(store)
    assert found(examination) == [(Kind.ALTERED_RECORD, 4)]
    assert_whole(examination, 20)
    assert examination.records.records[4].author == "ada"


def test_the_newest_record_written_over_is_altered_for_its_first_version_says_otherwise(
    store: LocalStore,
) -> None:
    """No later record vouches for the newest one, but the version that was claimed is stored."""
    save_many(open_repository(store), 5)
    overwrite(store, record_key(5), alter_record(store, 5, lambda r: replace(r, message="x")))
    examination = look(store)
    assert found(examination) == [(Kind.ALTERED_RECORD, 5)]
    assert examination.records.records[5].message == "run 5"


def test_an_altered_record_cannot_hide_behind_stands_for(store: LocalStore) -> None:
    """A forged record that says it stands for the original is reported twice over."""
    save_many(open_repository(store), 5)
    original = record_hash(read_record(store, 3).record)
    forged = alter_record(store, 3, lambda r: replace(r, author="eve", stands_for=original))
    rewrite(store, record_key(3), forged)
    assert found(look(store)) == [(Kind.ALTERED_RECORD, 3)]
    for number in (4, 5):
        drop_record(store, number)
    assert (Kind.REBUILT_RECORD, 3) in found(look(store))


def test_altered_copies_show_though_the_record_itself_is_right(damaged: Store) -> None:
    """The copies in a file are what earlier records are, or the file was altered."""
    file = read_record(damaged, 4)
    copies = (file.recent[0], replace(file.recent[1], author="mallory"), *file.recent[2:])
    rewrite(damaged, record_key(4), records.encode(replace(file, recent=copies)))
    assert found(look(damaged)) == [(Kind.ALTERED_RECORD, 4)]


def test_exchanged_records_are_both_named(damaged: Store) -> None:
    """Each of the two files says that it holds the other number."""
    second, third = (damaged.get(record_key(number)).data for number in (2, 3))
    rewrite(damaged, record_key(2), third)
    rewrite(damaged, record_key(3), second)
    examination = look(damaged)
    assert found(examination) == [(Kind.ALTERED_RECORD, 2), (Kind.ALTERED_RECORD, 3)]
    assert "holds v3" in examination.findings[0].message
    assert_whole(examination, 5)


def test_exchanged_manifests_show_as_versions_that_are_not_there(store: LocalStore) -> None:
    """Two whole manifests exchanged: no record's version is there, and no version has a record."""
    repository = open_repository(store)
    save_many(repository, 2)
    for number in (1, 2):
        save(repository, b"other %d" % number, key=OTHER)
    for number in (1, 2):
        ours, theirs = (store.get(record_key(number, key)).data for key in (KEY, OTHER))
        rewrite(store, record_key(number), theirs)
        rewrite(store, record_key(number, OTHER), ours)
    for key in (KEY, OTHER):
        kinds = found(look(store, key))
        assert kinds[:2] == [(Kind.MISSING_VERSION, 1), (Kind.MISSING_VERSION, 2)]
        assert kinds[2:] == [(Kind.UNINDEXED_VERSION, None)] * 2


def test_a_record_of_a_newer_format_is_named_with_what_to_do(store: LocalStore) -> None:
    """It is no crash and no silence: the message says that a newer release wrote it."""
    save_many(open_repository(store), 3)
    data = store.get(record_key(2)).data.replace(b'"format":1', b'"format":2')
    document = data[: data.rindex(b',"check"')] + b"}"
    import json

    from nbvc.manifest.sealing import seal

    rewrite(store, record_key(2), seal(json.loads(document)))
    examination = look(store)
    assert found(examination) == [(Kind.NEWER_FORMAT, 2)]
    assert "format 2" in examination.findings[0].message


def test_unknown_fields_of_a_record_are_kept_and_are_no_finding(store: LocalStore) -> None:
    """Another release's fields belong to the record, and to its hash."""
    repository = open_repository(store)
    save_many(repository, 1)
    grown = alter_record(store, 1, lambda r: replace(r, extra={"mood": {"sun": 1}}))
    rewrite(store, record_key(1), grown)
    save(repository, b"v2")
    examination = look(store, thorough=True)
    assert found(examination) == []
    assert examination.records.records[1].extra == {"mood": {"sun": 1}}


def test_all_records_but_one_damaged_leave_what_that_one_copies(damaged: Store) -> None:
    """Any one good file brings back itself and the fifteen before it."""
    for number in (1, 2, 4, 5):
        rewrite(damaged, record_key(number), b"?")
    examination = look(damaged)
    assert sorted(examination.records.records) == [1, 2, 3]
    assert examination.records.lost == ((4, 4), (5, 5))
    assert len(examination.versions.unindexed) == 2


def test_a_damaged_wide_record_makes_the_walk_go_on_below_it(store: LocalStore) -> None:
    """Where the file that carries 255 is damaged, the files that carry fifteen are read."""
    generate(store, Layout(), KEY, 300)
    for number in (256, 255, 240):
        rewrite(store, record_key(number), b"damage")
    examination = look(store)
    assert found(examination) == [(Kind.DAMAGED_RECORD, n) for n in (240, 255, 256)]
    assert sorted(examination.records.records) == list(range(1, 301))


def test_a_long_gap_of_records_is_one_finding_and_hostile_numbers_cost_nothing(
    store: LocalStore,
) -> None:
    """A forged record with the highest number does not make anybody count up to it."""
    save_many(open_repository(store), 2)
    forged = replace(read_record(store, 2).record, number=9_999_999_998)
    file = records.RecordFile(record=forged, recent=(), first=1)
    overwrite(store, record_key(9_999_999_998), records.encode(file))
    examination = look(store)
    kinds = [kind for kind, _ in found(examination)]
    assert kinds.count(Kind.MISSING_RECORD) == 1
    assert len(kinds) <= 3
    assert {1, 2} <= set(examination.records.records)


def test_hostile_objects_in_the_index_are_ignored(store: LocalStore) -> None:
    """Keys that are no entry of a sequence are nobody's records."""
    save_many(open_repository(store), 2)
    prefix = Layout().index(Area.WORKSPACE, KEY)
    for name in ("v/x.json", "v/00000000000.json", "s/9999999999.json", "v/1.json", "readme"):
        overwrite(store, prefix + name, b"\x00")
    assert found(look(store, thorough=True)) == []


# Versions


def test_a_version_deleted_for_good_is_missing(damaged: Store) -> None:
    """The record's digest says what is lost; a repair's note makes it no error any more."""
    record = read_record(damaged, 2).record
    damaged.delete_version(data_key(), record.version_id)
    examination = look(damaged)
    assert found(examination) == [(Kind.MISSING_VERSION, 2)]
    finding = examination.findings[0]
    assert (finding.version_id, finding.expected) == (record.version_id, record.digest)
    assert examination.versions.missing == (2,)


def test_a_missing_version_that_a_repair_noted_is_gone(store: LocalStore) -> None:
    """What was acknowledged is told as a note."""
    repository = open_repository(store)
    save_many(repository, 3)
    repository.set_tag(KEY, "t", 3, act())
    for number in (1, 2):
        store.delete_version(data_key(), read_record(store, number).record.version_id)
    noted = replace(read_state(store, 1), gone=((1, 1),))
    rewrite(store, state_key(1), states.encode(noted))
    examination = look(store)
    assert found(examination) == [(Kind.GONE, 1), (Kind.MISSING_VERSION, 2)]
    assert examination.versions.gone == (1,)


def test_many_expired_versions_cost_one_listing(store: LocalStore) -> None:
    """A lifecycle rule that took hundreds is confirmed with one more listing, not hundreds."""
    generate(store, Layout(), KEY, 300)
    kept = {entry.version_id for entry in entries(store, data_key())[:20]}
    for entry in entries(store, data_key()):
        if entry.version_id not in kept:
            store.delete_version(data_key(), entry.version_id)
    counting = CountingStore(store)
    examination = look(counting)
    assert found(examination) == [(Kind.MISSING_VERSION, n) for n in range(1, 281)]
    assert len(counting.requests) < 30


def test_a_record_and_a_version_that_differ_in_size_or_etag_are_named(store: LocalStore) -> None:
    """Without reading a byte, where the ETags of the store are digests."""
    save_many(open_repository(store), 3)
    rewrite(
        store,
        record_key(3),
        alter_record(store, 3, lambda r: replace(r, size_bytes=9, prev=r.prev)),
    )
    assert found(look(store)) == [(Kind.SIZE_DIFFERS, 3)]
    forged = alter_record(store, 3, lambda r: replace(r, size_bytes=2, digest=Digest.of(b"other")))
    rewrite(store, record_key(3), forged)
    assert found(look(store)) == [(Kind.DAMAGED_BYTES, 3)]


def test_foreign_versions_are_unindexed_in_the_order_of_storage(damaged: Store) -> None:
    """Also those of a notebook that has no manifest at all, at no request for each."""
    stored = [put_foreign(damaged, b"foreign %d" % n).version_id for n in range(3)]
    examination = look(damaged)
    assert [entry.version_id for entry in examination.versions.unindexed] == stored
    bare = [put_foreign(damaged, b"%d" % n, OTHER).version_id for n in range(3)]
    counting = CountingStore(damaged)
    examination = look(counting, OTHER)
    assert [entry.version_id for entry in examination.versions.unindexed] == bare
    old = datetime.now(UTC) + timedelta(hours=1)
    counting.reset()
    examine_key(open_repository(counting).backend, Area.WORKSPACE, OTHER, now=old)
    assert "head" not in counting.names


def test_a_write_that_landed_twice_is_a_repeat_and_not_unindexed(damaged: Store) -> None:
    """The write ID tells; of another size it is no repeat, whatever its metadata says."""
    head = damaged.head(data_key(), read_record(damaged, 4).record.version_id)
    for data in (b"v4", b"other bytes"):
        damaged.put(
            data_key(), data, mode=Overwrite(), metadata=head.metadata, content_type="text/plain"
        )
    examination = look(damaged)
    assert found(examination) == [(Kind.UNINDEXED_VERSION, None), (Kind.REPEATED_VERSION, 4)]
    assert list(examination.versions.repeats.values()) == [4]


def test_a_write_that_landed_twice_and_was_never_recorded_is_one_unindexed_version(
    damaged: Store,
) -> None:
    """The older of the two is the version; a repair must not make two of them."""
    ids = [
        damaged.put(
            data_key(), b"x", mode=Overwrite(), metadata={WRITE_ID: "w"}, content_type="text/plain"
        ).version_id
        for _ in range(2)
    ]
    examination = look(damaged)
    assert [entry.version_id for entry in examination.versions.unindexed] == ids[:1]
    assert examination.versions.repeats == {ids[1]: None}


def test_a_repeat_of_a_version_that_is_gone_is_all_that_is_left_of_it(damaged: Store) -> None:
    """It is no repeat then: readers show it, and the next save or a repair gives it a record."""
    record = read_record(damaged, 4).record
    head = damaged.head(data_key(), record.version_id)
    damaged.put(data_key(), b"v4", mode=Overwrite(), metadata=head.metadata, content_type="x/y")
    damaged.delete_version(data_key(), record.version_id)
    examination = look(damaged)
    assert found(examination) == [(Kind.MISSING_VERSION, 4), (Kind.UNINDEXED_VERSION, None)]
    repository = open_repository(damaged)
    shown = [(version.number, version.missing) for version in repository.log(KEY)]
    assert shown == [(None, False), (5, False), (4, True), (3, False), (2, False), (1, False)]
    save(repository, b"v7")
    assert found(look(damaged)) == [(Kind.MISSING_VERSION, 4)]
    assert [repository.read(version) for version in repository.log(KEY, limit=2)] == [b"v7", b"v4"]


def test_hostile_metadata_is_no_crash(store: LocalStore) -> None:
    """What a stranger wrote there is read as far as it can be."""
    save_many(open_repository(store), 1)
    metadata = {WRITE_ID: "%ff%", "nbvc-digest": "zz", "nbvc-parent": "-1", "nbvc-saved-at": "1e9"}
    store.put(data_key(), b"x", mode=Overwrite(), metadata=metadata, content_type="x/y")
    examination = look(store, thorough=True)
    assert [kind for kind, _ in found(examination)] == [Kind.UNINDEXED_VERSION]


# Others at work


def test_a_version_whose_writer_is_at_work_gets_a_moment_for_its_record(store: LocalStore) -> None:
    """The record is claimed while the examination waits, and nothing is reported."""
    repository = open_repository(store)
    known = save_many(repository, 2)
    stored = store.put(
        data_key(), b"v3", mode=Overwrite(), metadata={WRITE_ID: "w"}, content_type="x/y"
    )

    def finish(_: float) -> None:
        from nbvc.repository.records import Manifest
        from nbvc.repository.saving import record_maker

        manifest = Manifest(repository.backend, Area.WORKSPACE, KEY)
        make = record_maker(draft(b"v3", 2), act(), stored.version_id)
        manifest.claim_next(known.file, make)

    backend = replace(open_repository(store).backend, sleep=finish)
    examination = examine_key(backend, Area.WORKSPACE, KEY, now=datetime.now(UTC))
    assert found(examination) == []


def test_what_was_saved_between_the_two_listings_is_no_finding(store: LocalStore) -> None:
    """Whichever listing is the older one: the version is asked for, the record is read."""
    from nbvc.repository.examining import examine

    repository = open_repository(store)
    known = save_many(repository, 20)
    prefix = Layout().index(Area.WORKSPACE, KEY)
    before = entries(store, data_key()), list(store.list_versions(prefix))
    known = save_many(repository, 40, known=known)
    repository.set_tag(KEY, "fresh", 55, act())
    after = entries(store, data_key()), list(store.list_versions(prefix))
    late = [*before[1], *(entry for entry in after[1] if "/s/" in entry.key)]
    # Also where a listing is so old that nothing in it counts as being in the making.
    for now in (datetime.now(UTC), datetime.now(UTC) + timedelta(days=1)):
        for listed, indexed in ((before[0], after[1]), (after[0], before[1]), (after[0], late)):
            backend = repository.backend
            examination = examine(backend, Area.WORKSPACE, KEY, listed, indexed, now=now)
            assert found(examination) == []


def test_what_was_damaged_on_the_way_is_no_finding(store: LocalStore) -> None:
    """Every object comes damaged at the first reading, and whole at the second."""
    repository = open_repository(store)
    save_many(repository, 20)
    repository.set_tag(KEY, "red", 3, act())
    repository.set_tag(KEY, "green", 4, act())
    for thorough in (False, True):
        flaky = Flaky(store)
        assert found(look(flaky, thorough=thorough)) == []
        assert flaky.damaged


# States


def test_a_damaged_newest_state_is_an_error_and_the_one_before_is_found(damaged: Store) -> None:
    """What holds cannot be read; the newest good state is what a repair begins with."""
    repository = open_repository(damaged)
    for name in ("red", "green", "blue"):
        repository.set_tag(KEY, name, 1, act())
    rewrite(damaged, state_key(3), b"{}")
    examination = look(damaged)
    assert found(examination) == [(Kind.DAMAGED_STATE, 3)]
    assert examination.state is not None
    assert set(examination.state.tags) == {"red", "green"}


@pytest.mark.parametrize("spoil", [lambda s, k: rewrite(s, k, b"{}"), purge, Store.delete])
def test_damage_that_a_later_good_state_replaced_is_a_note(
    store: LocalStore, spoil: Callable[[Store, str], None]
) -> None:
    """Damaged, deleted for good or behind a marker: the newest state says all that holds."""
    repository = open_repository(store)
    save_many(repository, 1)
    for name in ("red", "green", "blue"):
        repository.set_tag(KEY, name, 1, act())
    if spoil is Store.delete:
        store.delete(state_key(2))
    else:
        spoil(store, state_key(2))
    assert found(look(store)) == [(Kind.SUPERSEDED_DAMAGE, 2)]


def test_an_altered_state_shows_by_the_hash_that_the_next_one_names(store: LocalStore) -> None:
    """The audit trail cannot be changed in silence."""
    repository = open_repository(store)
    save_many(repository, 1)
    for name in ("red", "green"):
        repository.set_tag(KEY, name, 1, act())
    altered = replace(read_state(store, 1), author="mallory")
    rewrite(store, state_key(1), states.encode(altered))
    assert found(look(store)) == [(Kind.SUPERSEDED_DAMAGE, 1)]
    overwrite(store, state_key(2), states.encode(replace(read_state(store, 2), tags={})))
    examination = look(store)
    assert (Kind.DAMAGED_STATE, 2) in found(examination)
    assert examination.state is not None
    assert set(examination.state.tags) == {"red", "green"}


def test_exchanged_states_are_both_named(store: LocalStore) -> None:
    """A state says which one it is; nobody takes an old one for the newest."""
    repository = open_repository(store)
    for name in ("red", "green"):
        repository.set_tag(KEY, name, 1, act())
    one, two = (store.get(state_key(number)).data for number in (1, 2))
    rewrite(store, state_key(1), two)
    rewrite(store, state_key(2), one)
    assert found(look(store)) == [(Kind.DAMAGED_STATE, 1), (Kind.DAMAGED_STATE, 2)]
    with pytest.raises(IntegrityError, match=r"state 2 .* was moved"):
        repository.tags(KEY)


def test_a_tag_at_a_number_without_a_record_dangles(store: LocalStore) -> None:
    """Its name and its number are told."""
    repository = open_repository(store)
    save_many(repository, 2)
    repository.set_tag(KEY, "right", 2, act())
    repository.set_tag(KEY, "wrong", 7, act())
    repository.set_tag(KEY, "absurd", 9_999_999_998, act())
    examination = look(store)
    assert found(examination) == [(Kind.DANGLING_TAG, 9_999_999_998), (Kind.DANGLING_TAG, 7)]
    assert examination.dangling == ("absurd", "wrong")


def test_more_states_than_are_read_quickly_are_read_until_one_is_good(store: LocalStore) -> None:
    """Quickly the newest 64 are read; where all of them are damaged, the ones before."""
    repository = open_repository(store)
    for number in range(1, 71):
        repository.set_tag(KEY, "moved", number, act(), move=True)
    rewrite(store, state_key(2), b"{}")
    assert found(look(store)) == [(Kind.DANGLING_TAG, 70)]
    assert (Kind.SUPERSEDED_DAMAGE, 2) in found(look(store, thorough=True))
    for number in range(5, 71):
        rewrite(store, state_key(number), b"{}")
    examination = look(store)
    assert examination.state is not None
    assert examination.state.number == 4


# Renames


@pytest.fixture
def renamed(store: LocalStore) -> Repository:
    """Return a repository with three versions under one name and three more under another."""
    repository = open_repository(store)
    save_many(repository, 3)
    repository.set_tag(KEY, "old", 2, act())
    known = repository.rename(KEY, OTHER, act())
    for number in (5, 6):
        known = save(repository, b"v%d" % number, known, key=OTHER)
    return repository


def test_a_renamed_notebook_is_examined_under_each_of_its_names(renamed: Repository) -> None:
    """Numbers go on, tags point into the earlier name, and nothing is wrong."""
    assert found(look(renamed.store, thorough=True)) == []
    examination = look(renamed.store, OTHER)
    assert found(examination) == []
    assert sorted(examination.records.records) == [4, 5, 6]
    assert set(examination.records.firsts.values()) == {4}


def test_a_notebook_renamed_away_and_back_is_examined_whole(renamed: Repository) -> None:
    """Two runs of numbers under one key, with a gap that is no missing record."""
    known = renamed.rename(OTHER, KEY, act())
    save(renamed, b"v8", known)
    examination = look(renamed.store, thorough=True)
    assert found(examination) == []
    assert sorted(examination.records.records) == [1, 2, 3, 7, 8]
    assert found(look(renamed.store, OTHER, thorough=True)) == []
    drop_record(renamed.store, 2)
    drop_record(renamed.store, 7)
    assert found(look(renamed.store)) == [(Kind.MISSING_RECORD, 2), (Kind.MISSING_RECORD, 7)]


def test_the_last_record_of_an_earlier_name_is_missed_by_the_name_that_continues_it(
    renamed: Repository,
) -> None:
    """Under the earlier name nothing tells that it ever was."""
    drop_record(renamed.store, 3)
    assert found(look(renamed.store)) == [(Kind.UNINDEXED_VERSION, None)]
    examination = look(renamed.store, OTHER)
    assert found(examination) == [(Kind.MISSING_RECORD, 3)]
    assert examination.findings[0].key == KEY


def test_the_hash_chain_is_followed_into_the_earlier_name(renamed: Repository) -> None:
    """Altering the last record there shows, though nothing under that name comes after it."""
    altered = alter_record(renamed.store, 3, lambda r: replace(r, author="mallory"))
    rewrite(renamed.store, record_key(3), altered)
    assert found(look(renamed.store, OTHER)) == [(Kind.ALTERED_RECORD, 3)]


def test_a_rename_whose_state_is_lost_shows(renamed: Repository) -> None:
    """Numbers that begin with v4, and no state that says what came before."""
    purge(renamed.store, state_key(1, OTHER))
    assert found(look(renamed.store, OTHER)) == [(Kind.MISSING_STATE, None)]


# Published copies, and cost


def test_a_published_notebook_is_examined_like_any_other(repository: Repository) -> None:
    """Its manifest is its own."""
    save_many(repository, 2)
    repository.publish(find(repository, "v1"), KEY, act())
    repository.publish(find(repository, "v2"), KEY, act())
    examination = look(repository.store, area=Area.PUBLISHED, thorough=True)
    assert found(examination) == []
    assert_whole(examination, 2)


@pytest.mark.parametrize("kind", ["sha256", "md5", None])
def test_most_record_files_are_verified_without_being_read(
    store: LocalStore, kind: str | None
) -> None:
    """By size and, where the store's ETags are hashes, by those; 5,000 versions are 60 requests."""
    chosen: Store = store if kind == "sha256" else MemoryStore()
    generate(chosen, Layout(), KEY, 5_000)
    if kind is None:
        chosen = WithoutHashes(chosen)
    counting = CountingStore(chosen)
    examination = look(counting)
    assert found(examination) == []
    assert examination.records.etag_kind == kind
    assert examination.records.files_spared > 4_950
    assert len(counting.requests) < 60


def test_a_file_that_rotted_does_not_make_anybody_distrust_the_others_hashes() -> None:
    """The listing's ETag of a rotten file is no hash of its bytes; those of the others still are.

    So an altered file of the same size, which nothing else makes anybody read, is found.
    """
    store = MemoryStore()
    save_many(open_repository(store), 40)
    rotten = entries(store, record_key(40))[0]
    store.damage(record_key(40), rotten.version_id, b"?" * rotten.size_bytes)
    altered = alter_record(store, 20, lambda r: replace(r, message=r.message[::-1]))
    assert len(altered) == len(store.get(record_key(20)).data)
    rewrite(store, record_key(20), altered)
    examination = look(store)
    assert examination.records.etag_kind == "md5"
    assert found(examination)[:2] == [(Kind.ALTERED_RECORD, 20), (Kind.DAMAGED_RECORD, 40)]


def test_sizes_alone_show_a_file_of_another_length() -> None:
    """Where the store's ETags are no hashes, the listing still has the sizes."""
    store = MemoryStore()
    save_many(open_repository(store), 40)
    altered = alter_record(store, 20, lambda r: replace(r, message=r.message + "!"))
    rewrite(store, record_key(20), altered)
    examination = look(WithoutHashes(store))
    assert examination.records.etag_kind is None
    assert found(examination) == [(Kind.ALTERED_RECORD, 20)]


def test_a_listing_that_leaves_entries_out_is_no_finding(store: LocalStore) -> None:
    """What it lacks is asked for by name: versions, records in the middle, and the newest one."""
    repository = open_repository(store)
    save_many(repository, 5)
    repository.set_tag(KEY, "good", 5, act())
    version = read_record(store, 2).record.version_id
    for hidden in (version, record_key(3), record_key(5), record_key(1)):
        assert found(look(Forgetful(store, hidden))) == [], hidden


class Flaky(CountingStore):
    """A store whose objects come damaged when they are read for the first time."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.damaged: set[str] = set()

    def get(self, key: str, version_id: VersionId | None = None) -> Blob:
        """Read, and flip a bit the first time."""
        blob = self.inner.get(key, version_id)
        if key in self.damaged:
            return blob
        self.damaged.add(key)
        return replace(blob, data=bytes([blob.data[0] ^ 1]) + blob.data[1:])


class Forgetful(CountingStore):
    """A store whose long listings leave out one version or one key.

    Args:
        inner: The healthy store.
        hidden: What is left out.
    """

    def __init__(self, inner: Store, hidden: str) -> None:
        super().__init__(inner)
        self._hidden = hidden

    def list_versions(self, prefix: str, *, limit: int | None = None) -> object:  # type: ignore[override]
        """List, and forget, unless it is asked for that very key."""
        for entry in self.inner.list_versions(prefix, limit=limit):
            if prefix == self._hidden or self._hidden not in {entry.key, entry.version_id}:
                yield entry


class WithoutHashes(CountingStore):
    """A store whose ETags are no hashes of the bytes, as with encryption by KMS."""

    def list_versions(self, prefix: str, *, limit: int | None = None) -> object:  # type: ignore[override]
        """List, with other ETags."""
        for entry in self.inner.list_versions(prefix, limit=limit):
            yield replace(entry, etag=f'"{hash(entry.version_id):x}"')
