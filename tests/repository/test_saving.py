"""Saving: what is stored and recorded, and what happens to versions that others left there."""

from __future__ import annotations

import pytest

from nbvc.errors import IntegrityError, NotebookNotFound, StoreNotFound
from nbvc.manifest.layout import Layout
from nbvc.manifest.metadata import from_metadata
from nbvc.model import Area, Changes, Digest
from nbvc.repository import Draft, Repository
from nbvc.repository.records import Manifest
from nbvc.repository.saving import record_maker
from nbvc.repository.settings import StoreSettings
from nbvc.stores.base import Overwrite, Stored
from nbvc.stores.local import LocalStore
from tests.repository.support import (
    HOUR,
    KEY,
    NOON,
    OTHER,
    act,
    assert_whole,
    chain_of,
    contents,
    draft,
    find,
    numbers,
    open_repository,
    put_foreign,
    save,
    save_many,
)
from tests.stores.memory import MemoryStore

DATA_KEY = Layout().data_key(Area.WORKSPACE, KEY)


def test_a_save_is_a_plain_notebook_and_a_record_that_tells_the_same(
    repository: Repository,
) -> None:
    """Any S3 tool gets the exact bytes; object and record agree on who, when and why."""
    data = b'\xef\xbb\xbf{"cells": []}\r\n'
    changes = Changes(cells_added=1, cells_removed=2, cells_changed=3, outputs_only=False)
    first = save(repository, b"{}")
    made = act("ünique", now=NOON)
    draft = Draft(data=data, digest=Digest.of(data), parent=1, changes=changes)
    saved = repository.save(KEY, draft, made, first)
    blob = repository.store.get(DATA_KEY)
    record = saved.file.record
    provenance = from_metadata(blob.metadata)
    assert blob.data == data
    assert (record.number, record.version_id, saved.etag) == (2, blob.version_id, blob.etag)
    assert (record.digest, record.size_bytes) == (Digest.of(data), len(data))
    assert (record.author, record.message, record.saved_at) == ("ada", "ünique", NOON)
    assert (record.parent, record.changes, record.write_id) == (1, changes, made.write_id)
    assert (provenance.digest, provenance.write_id) == (record.digest, record.write_id)
    assert (provenance.author, provenance.message, provenance.parent) == ("ada", "ünique", 1)
    assert provenance.saved_at == NOON


def test_saves_are_numbered_in_order(repository: Repository) -> None:
    """Twenty saves are v1 to v20, each readable, newest first."""
    save_many(repository, 20)
    assert_whole(repository, 20)
    assert contents(repository) == [b"v%d" % number for number in range(20, 0, -1)]


def test_texts_that_are_too_long_are_cut() -> None:
    """A record has limits: 200 characters of author, 2,000 of message."""
    made = act("m" * 3_000, author="a" * 300)
    assert (len(made.author), len(made.message)) == (200, 2_000)


def test_a_long_message_is_whole_in_the_record(repository: Repository) -> None:
    """The object's metadata is shortened, the record is not."""
    message = "日本" * 1_000
    save(repository, b"{}", message=message)
    assert next(repository.log(KEY)).message == message


def test_two_people_who_saved_from_the_same_version_are_both_kept(repository: Repository) -> None:
    """Numbers in the order of claiming; the log shows the fork by the parents."""
    base = save_many(repository, 3)
    one = save(repository, b"one", base)
    other = save(repository, b"other", base)
    assert (one.file.record.number, other.file.record.number) == (4, 5)
    assert [version.parent for version in repository.log(KEY, limit=2)] == [3, 3]
    assert_whole(repository, 5)


def test_who_comes_without_knowledge_goes_on_where_the_others_are(repository: Repository) -> None:
    """A fresh workspace saves on top of what the store has."""
    save_many(repository, 3)
    assert save(repository, b"fresh").file.record.number == 4
    assert_whole(repository, 4)


def test_saving_the_newest_bytes_again_without_knowledge_stores_nothing(
    repository: Repository,
) -> None:
    """A workspace that forgot what it knew finds its version instead of doubling it."""
    known = save_many(repository, 2)
    assert save(repository, b"v2") == known
    assert_whole(repository, 2)
    assert save(repository, b"v1").file.record.number == 3


def test_a_store_that_was_never_prepared_is_not_written_to() -> None:
    """Reading is free; writing needs ``nbvc init``."""
    store = MemoryStore()
    repository = open_repository(store, prepared=False)
    with pytest.raises(StoreNotFound) as caught:
        save(repository, b"{}")
    assert "nbvc init" in str(caught.value.hint)
    assert list(store.list_versions("")) == []


# -- versions of other tools ----------------------------------------------------------------------


def test_a_foreign_version_is_shown_as_unindexed(repository: Repository) -> None:
    """Put straight into the bucket, it is the latest version from the first second."""
    save_many(repository, 3)
    stored = put_foreign(repository.store, b"foreign")
    newest = next(repository.log(KEY))
    assert (newest.number, newest.version_id) == (None, stored.version_id)
    assert (newest.digest, newest.author, newest.message) == (None, None, None)
    assert repository.read(newest) == b"foreign"
    assert numbers(repository) == [None, 3, 2, 1]
    assert find(repository, "latest").version_id == stored.version_id
    assert find(repository, "latest~1").number == 3


def test_the_next_save_adopts_foreign_versions_once(repository: Repository) -> None:
    """In their order, with the digest of their bytes; the save after it changes nothing."""
    known = save_many(repository, 3)
    for data in (b"first", b"second"):
        put_foreign(repository.store, data)
    known = save(repository, b"mine", known)
    assert known.file.record.number == 6
    save(repository, b"more", known)
    assert_whole(repository, 7)
    shown = contents(repository)
    assert shown == [b"more", b"mine", b"second", b"first", b"v3", b"v2", b"v1"]
    adopted = find(repository, "v4")
    assert (adopted.digest, adopted.author) == (Digest.of(b"first"), None)


def test_a_bucket_of_bookstore_can_be_read_at_once() -> None:
    """No index at all: log, resolve and read work, and nothing is written."""
    store = MemoryStore()
    ids = [put_foreign(store, b"%d" % number).version_id for number in range(30)][::-1]
    before = store.snapshot()
    repository = open_repository(store, prepared=False)
    versions = list(repository.log(KEY))
    assert [version.version_id for version in versions] == ids
    assert {version.number for version in versions} == {None}
    assert [v.version_id for v in repository.log(KEY, limit=5)] == ids[:5]
    for text, expected in [("latest", ids[0]), ("latest~1", ids[1]), (ids[7], ids[7])]:
        assert find(repository, text).version_id == expected
    assert repository.read(find(repository, f"{ids[7]}~2")) == b"20"
    assert [each.key for each in repository.list_notebooks()] == [KEY]
    assert store.snapshot() == before


def test_a_long_limit_reaches_all_versions_of_a_bucket_without_an_index() -> None:
    """More than the 1,000 of the first page of the listing."""
    store = MemoryStore()
    ids = [put_foreign(store, b"%d" % number).version_id for number in range(1_203)]
    repository = open_repository(store, prepared=False)
    assert [v.version_id for v in repository.log(KEY, limit=1_200)] == ids[:2:-1]
    assert find(repository, "latest~1100").version_id == ids[-1101]


def test_the_first_save_over_a_bookstore_history_records_all_of_it() -> None:
    """From then on every version has its number, oldest first."""
    store = MemoryStore()
    for number in range(1, 21):
        put_foreign(store, b"v%d" % number)
    repository = open_repository(store)
    assert save(repository, b"v21").file.record.number == 21
    assert_whole(repository, 21)
    assert contents(repository) == [b"v%d" % number for number in range(21, 0, -1)]


def test_an_expired_or_damaged_foreign_version_does_not_stop_a_save(
    repository: Repository, store: LocalStore
) -> None:
    """What cannot be read is left without a record."""
    known = save_many(repository, 1)
    stored = put_foreign(store, b"large" * 10_000)
    store._blobs.path(Digest(stored.etag)).write_bytes(b"damaged")
    assert save(repository, b"mine", known).file.record.number == 2
    assert numbers(repository) == [2, None, 1]


def cut_off(store: MemoryStore, data: bytes) -> Stored:
    """Store what a save that died before its record has stored."""
    metadata = {"nbvc-write-id": "w", "nbvc-author": "bob", "nbvc-message": "cut off"}
    return store.put(DATA_KEY, data, mode=Overwrite(), metadata=metadata, content_type="")


def test_a_save_that_died_before_its_record_is_adopted_by_the_very_next_one() -> None:
    """Its metadata says who it was; the next save waits a moment for it, then makes its record."""
    store, pauses = MemoryStore(), list[float]()
    settings = StoreSettings(store_id="store", capabilities=store.capabilities, created_at=NOON)
    repository = Repository(store, settings=settings, sleep=pauses.append, jitter=lambda: 0.5)
    known = save_many(repository, 1)
    cut_off(store, b"died")
    shown = next(repository.log(KEY))
    assert (shown.number, shown.author, shown.message) == (None, "bob", "cut off")
    save(repository, b"next", known)
    assert numbers(repository) == [3, 2, 1]
    assert (find(repository, "v2").author, find(repository, "v2").message) == ("bob", "cut off")
    assert 0 < sum(pauses) < 1


def test_a_writer_at_work_is_waited_for() -> None:
    """A version that gets its record within the moment is recorded by its own writer alone."""
    store = MemoryStore()
    known = save_many(open_repository(store), 1)
    stored = cut_off(store, b"slow")
    make = record_maker(draft(b"slow"), act("slow"), stored.version_id)
    slow = Manifest(open_repository(store).backend, Area.WORKSPACE, KEY)

    def finish(_: float) -> None:
        if slow.newest_number() == 1:
            slow.append(known.file, make)

    settings = StoreSettings(store_id="store", capabilities=store.capabilities, created_at=NOON)
    repository = Repository(store, settings=settings, sleep=finish, jitter=lambda: 0.5)
    save(repository, b"quick", known)
    assert numbers(repository) == [3, 2, 1]
    assert find(repository, "v2").message == "slow"


def test_an_old_version_without_a_record_is_not_waited_for() -> None:
    """A minute after the store took it, nobody is at work on it any more."""
    hours = iter(NOON + number * HOUR for number in range(1_000))
    store, pauses = MemoryStore(now=lambda: next(hours)), list[float]()
    settings = StoreSettings(store_id="store", capabilities=store.capabilities, created_at=NOON)
    repository = Repository(store, settings=settings, sleep=pauses.append, jitter=lambda: 0.5)
    known = save_many(repository, 1)
    cut_off(store, b"died long ago")
    save(repository, b"next", known)
    assert numbers(repository) == [3, 2, 1]
    assert pauses == []


# -- reading --------------------------------------------------------------------------------------


def test_a_damaged_version_is_an_integrity_error_and_the_others_are_readable() -> None:
    """The bytes are compared with the record; the message names the version and both digests."""
    store = MemoryStore()
    repository = open_repository(store)
    save_many(repository, 3)
    version = find(repository, "v2")
    store.damage(DATA_KEY, version.version_id, b"other")
    with pytest.raises(IntegrityError) as caught:
        repository.read(version)
    assert all(
        text in str(caught.value)
        for text in ("v2", KEY, Digest.of(b"other").short, Digest.of(b"v2").short)
    )
    assert repository.read(find(repository, "v3")) == b"v3"


def test_a_damaged_file_of_the_embedded_store_is_an_integrity_error(
    repository: Repository, store: LocalStore
) -> None:
    """Damage of a blob on disk shows too."""
    data = b"large" * 10_000
    save(repository, data)
    store._blobs.path(Digest.of(data)).write_bytes(data[:-1] + b"!")
    with pytest.raises(IntegrityError):
        repository.read(find(repository, "v1"))


def test_a_damaged_record_names_itself(repository: Repository) -> None:
    """And the versions that other files still tell are not lost: the listing has them."""
    save_many(repository, 3)
    records = Layout().records(Area.WORKSPACE, KEY)
    key = next(iter(repository.store.list_keys(records))).key
    repository.store.put(key, b"{}", mode=Overwrite(), metadata={}, content_type="")
    with pytest.raises(IntegrityError, match=f"record v3 of {KEY}"):
        list(repository.log(KEY))


def test_a_record_under_another_number_shows(repository: Repository) -> None:
    """A record that was moved says so."""
    save_many(repository, 3)
    entries = list(repository.store.list_keys(Layout().records(Area.WORKSPACE, KEY)))
    moved = repository.store.get(entries[1].key).data
    repository.store.put(entries[0].key, moved, mode=Overwrite(), metadata={}, content_type="")
    with pytest.raises(IntegrityError, match="it was moved"):
        list(repository.log(KEY))


def test_a_record_that_is_missing_in_the_middle_shows(repository: Repository) -> None:
    """A gap in the sequence is an error, not an end."""
    save_many(repository, 40)
    entries = {e.key: e for e in repository.store.list_keys(Layout().records(Area.WORKSPACE, KEY))}
    for key in sorted(entries)[15:20]:
        repository.store.delete(key)
    with pytest.raises(IntegrityError, match="missing"):
        list(repository.log(KEY))


def test_a_notebook_that_never_was_is_not_found(repository: Repository) -> None:
    """Nor one whose name only begins like another's."""
    save(repository, b"{}", key=OTHER)
    with pytest.raises(NotebookNotFound):
        repository.log(KEY)
    assert chain_of(repository) == []
    assert chain_of(repository, OTHER) == [1]
