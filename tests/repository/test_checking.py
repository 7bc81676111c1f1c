"""Check a whole store: what is found where, in both areas, and what it costs."""

from __future__ import annotations

import gc
import sqlite3
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from nbvc.errors import NotebookNotFound, StoreUnavailable
from nbvc.manifest import records
from nbvc.manifest.layout import STORE_FILE, Layout
from nbvc.model import Area, Digest, NotebookKey, VersionId
from nbvc.repository.checking import Check
from nbvc.repository.findings import Kind, Severity
from nbvc.repository.lock import Lock
from nbvc.repository.scanning import scan
from nbvc.repository.settings import decode, encode
from nbvc.stores.base import Overwrite, Store
from nbvc.stores.local import LocalStore
from tests.histories import generate
from tests.repository.checks import NOW, named, run_check
from tests.repository.damaging import (
    data_key,
    drop_record,
    entries,
    overwrite,
    purge,
    read_record,
    record_key,
    rewrite,
)
from tests.repository.support import (
    KEY,
    OTHER,
    THIRD,
    act,
    find,
    open_repository,
    put_foreign,
    save,
    save_many,
    write_settings,
)
from tests.repository.test_examining import Flaky
from tests.stores.counting import CountingStore
from tests.stores.faulty import Fail, FaultyStore
from tests.stores.memory import MemoryStore

ODD_KEYS = [
    NotebookKey(text)
    for text in (
        "k/a.ipynb",
        "k/a.ipynb-old.ipynb",
        "k/a.ipynb-old.ipynb!.ipynb",
        "k/a.ipynb0.ipynb",
        "k/a/b.ipynb",
        "k/é.ipynb",
        "k/😀.ipynb",
        "k/ﬀ.ipynb",
    )
]


@pytest.fixture
def memory() -> MemoryStore:
    """Return a prepared store in memory."""
    store = MemoryStore()
    write_settings(store)
    return store


@pytest.fixture
def busy(memory: MemoryStore) -> MemoryStore:
    """Return a store with all that can be done in one: nothing is wrong with it."""
    repository = open_repository(memory)
    known = save_many(repository, 20)
    repository.set_tag(KEY, "good", 7, act())
    repository.publish(find(repository, "v7"), KEY, act())
    repository.publish(find(repository, "v19"), KEY, act())
    known = repository.rename(KEY, OTHER, act())
    save(repository, b"v22", known, key=OTHER)
    repository.publish(find(repository, "v3", OTHER), OTHER, act())
    repository.publish(find(repository, "v22", OTHER), OTHER, act())
    repository.unpublish(OTHER, act())
    save_many(repository, 3, key=THIRD)
    repository.remove(THIRD, act())
    return memory


def test_a_store_in_use_is_clean(busy: MemoryStore) -> None:
    """Tags, renames, removals, publications and their withdrawal are all as they must be."""
    findings, report = run_check(busy)
    assert findings == []
    assert (report.notebooks, report.versions, report.records) == (3, 29, 29)
    assert report.files_spared > 20
    assert report.versions_read == 0
    findings, report = run_check(busy, read_data=True)
    assert findings == []
    assert report.versions_read == 29
    assert report.bytes_read == sum(
        entry.size_bytes
        for prefix in ("workspace/", "published/")
        for entry in busy.list_versions(prefix)
    )


def test_a_check_writes_nothing(busy: MemoryStore) -> None:
    """Not a byte, and not a marker, whatever it finds."""
    drop_record(busy, 4)
    busy.delete_version(data_key(), read_record(busy, 9).record.version_id)
    before = busy.snapshot()
    counting = CountingStore(busy)
    assert run_check(counting, read_data=True)[0]
    assert busy.snapshot() == before
    assert set(counting.names) <= {"get", "head", "list_keys", "list_versions"}


def test_findings_name_each_notebook_and_version(memory: MemoryStore) -> None:
    """Damage to several notebooks is told apart."""
    repository = open_repository(memory)
    for key in (KEY, OTHER, THIRD):
        save_many(repository, 4, key=key)
    drop_record(memory, 2, KEY)
    memory.delete_version(data_key(OTHER), read_record(memory, 3, OTHER).record.version_id)
    rewrite(memory, record_key(1, THIRD), b"?")
    findings, report = run_check(memory)
    assert sorted(named(findings)) == [
        (Kind.DAMAGED_RECORD, THIRD, 1),
        (Kind.MISSING_RECORD, KEY, 2),
        (Kind.MISSING_VERSION, OTHER, 3),
    ]
    assert (report.errors, report.notes) == (3, 0)
    assert {finding.severity for finding in findings} == {Severity.ERROR}


# Bytes


def test_reading_finds_the_one_version_whose_bytes_changed(busy: MemoryStore) -> None:
    """It is named with both digests, and the quick check, which reads no bytes, says nothing."""
    record = read_record(busy, 5).record
    busy.damage(data_key(), record.version_id, b"v6")
    assert run_check(busy)[0] == []
    findings, report = run_check(busy, read_data=True)
    assert named(findings) == [(Kind.DAMAGED_BYTES, KEY, 5)]
    finding = findings[0]
    assert (finding.expected, finding.actual) == (record.digest, Digest.of(b"v6"))
    assert finding.version_id == record.version_id
    assert report.versions_read == 29
    repository = open_repository(busy)
    assert repository.read(find(repository, "v6")) == b"v6"


def test_exchanged_notebook_objects_are_both_damage(memory: MemoryStore) -> None:
    """Two versions whose bytes were exchanged are each other's."""
    save_many(open_repository(memory), 3)
    one, two = (read_record(memory, number).record.version_id for number in (1, 2))
    memory.damage(data_key(), one, b"v2")
    memory.damage(data_key(), two, b"v1")
    findings, _ = run_check(memory, read_data=True)
    assert sorted(named(findings)) == [(Kind.DAMAGED_BYTES, KEY, 1), (Kind.DAMAGED_BYTES, KEY, 2)]


def test_an_unindexed_version_is_compared_with_the_digest_of_its_own_metadata(
    memory: MemoryStore,
) -> None:
    """A version that a save left without a record, and whose bytes changed since."""
    known = save_many(open_repository(memory), 2)
    drop_record(memory, 2)
    memory.damage(data_key(), known.file.record.version_id, b"other")
    findings, _ = run_check(memory, read_data=True)
    assert [finding.kind for finding in findings] == [Kind.UNINDEXED_VERSION, Kind.DAMAGED_BYTES]
    assert findings[1].expected == Digest.of(b"v2")


def test_a_sample_is_about_its_share_and_the_same_for_the_same_seed(memory: MemoryStore) -> None:
    """All samples together leave nothing unread; which versions are drawn depends on the seed."""
    generate(memory, Layout(), KEY, 400)
    read: dict[str, int] = {}
    for seed in ("one", "two", "one again"):
        counting = CountingStore(memory)
        _, report = run_check(counting, read_data=True, sample=0.1, seed=seed.split()[0])
        assert 15 <= report.versions_read <= 75
        read[seed] = hash(tuple(r.key for r in counting.requests if r.name == "get"))
        assert report.files_spared > 300
    first = drawn(memory, 0.5, "one")
    assert first == drawn(memory, 0.5, "one")
    assert first != drawn(memory, 0.5, "two")
    assert drawn(memory, 0.1, "one") < first


def drawn(store: Store, sample: float, seed: str) -> frozenset[VersionId]:
    """Return the versions that a sample draws."""
    from nbvc.repository.verifying import is_drawn

    return frozenset(
        entry.version_id
        for entry in entries(store, data_key())
        if is_drawn(entry, sample=sample, seed=seed)
    )


def test_bytes_that_were_damaged_on_the_way_are_no_finding(busy: MemoryStore) -> None:
    """Each version comes damaged at the first reading, and whole at the second."""
    assert run_check(Flaky(busy), read_data=True)[0] == []


def test_a_large_notebook_is_read_like_any_other(store: LocalStore) -> None:
    """Larger than what may be read at once."""
    write_settings(store)
    repository = open_repository(store)
    save(repository, b"x" * (17 * 1024 * 1024))
    findings, report = run_check(store, read_data=True)
    assert findings == []
    assert report.bytes_read == 17 * 1024 * 1024


# Published copies


def test_a_published_version_that_is_not_its_source_is_found(busy: MemoryStore) -> None:
    """Its record was made to say other than its source's, by somebody who sealed it well."""
    for key, number, source in ((KEY, 2, 19), (OTHER, 2, 22), (OTHER, 1, 3)):
        store = busy.clone()
        forged = records.parse(
            store.get(record_key(number, key, Area.PUBLISHED)).data, what="record"
        )
        forged = replace(forged, record=replace(forged.record, digest=Digest.of(b"evil")))
        if number == 1:
            purge(store, record_key(2, key, Area.PUBLISHED))
        rewrite(store, record_key(number, key, Area.PUBLISHED), records.encode(forged))
        findings, _ = run_check(store)
        found = [f for f in findings if f.kind is Kind.PUBLISHED_DIFFERS]
        assert named(found) == [(Kind.PUBLISHED_DIFFERS, key, number)]
        assert found[0].expected == Digest.of(b"v%d" % source)
        assert found[0].area is Area.PUBLISHED


def test_sources_under_an_earlier_name_cost_few_requests(memory: MemoryStore) -> None:
    """Their records are read once for all that lie close together."""
    repository = open_repository(memory)
    save_many(repository, 15)
    repository.rename(KEY, OTHER, act())
    for number in range(1, 16):
        repository.publish(find(repository, f"v{number}", OTHER), OTHER, act())
    counting = CountingStore(memory)
    assert run_check(counting, once=True)[0] == []
    assert counting.names.count("get") < 12


# What belongs to a scope


def test_one_notebook_is_checked_under_all_its_names(busy: MemoryStore) -> None:
    """Also under names outside of the folder that is checked; and nothing else is."""
    drop_record(busy, 2, KEY)
    drop_record(busy, 2, THIRD)
    findings, report = run_check(busy, key=OTHER, named=True)
    assert named(findings) == [(Kind.MISSING_RECORD, KEY, 2)]
    assert report.notebooks == 2
    repository = open_repository(busy)
    repository.rename(OTHER, NotebookKey("ana/mine.ipynb"), act())
    assert named(run_check(busy, prefix="ana/")[0]) == [(Kind.MISSING_RECORD, KEY, 2)]
    assert run_check(busy, prefix="ana/", areas=(Area.PUBLISHED,))[1].notebooks == 0


def test_a_prefix_is_text_and_a_folder_ends_in_a_slash(memory: MemoryStore) -> None:
    """As in ``ls``."""
    repository = open_repository(memory)
    for key in ODD_KEYS:
        save(repository, b"x", key=key)
    assert run_check(memory, prefix="k/a/")[1].notebooks == 1
    assert run_check(memory, prefix="k/a")[1].notebooks == 5
    assert run_check(memory)[1].notebooks == len(ODD_KEYS)


def test_a_notebook_that_nobody_has_is_not_found(memory: MemoryStore) -> None:
    """A typing error is no clean bill of health."""
    for options in ({"key": KEY}, {"prefix": "nobody/"}):
        with pytest.raises(NotebookNotFound, match=r"mine\.ipynb|nobody/"):
            run_check(memory, named=True, **options)
    assert run_check(memory, prefix="nobody/")[1].notebooks == 0


def test_a_notebook_whose_objects_are_all_gone_is_found_by_its_index(memory: MemoryStore) -> None:
    """Everything below ``workspace/`` was deleted: each record says what is missing."""
    save_many(open_repository(memory), 2)
    purge(memory, data_key())
    findings, report = run_check(memory)
    assert named(findings) == [(Kind.MISSING_VERSION, KEY, 1), (Kind.MISSING_VERSION, KEY, 2)]
    assert (report.notebooks, report.versions, report.records) == (1, 0, 2)


def test_a_bucket_of_bookstore_has_notes_and_no_errors() -> None:
    """Never prepared, no index: every version is unindexed, at no request for each."""
    store = MemoryStore()
    for number in range(50):
        put_foreign(store, b"%d" % number)
        put_foreign(store, b"%d" % number, OTHER, Area.PUBLISHED)
    overwrite(store, "workspace/readme.txt", b"not a notebook")
    counting = CountingStore(store)
    repository = open_repository(counting, prepared=False)
    findings = list(Check(repository.backend, replace(NOW, now=datetime(2099, 1, 1, tzinfo=UTC))))
    assert {finding.kind for finding in findings} == {Kind.UNINDEXED_VERSION}
    assert len(findings) == 100
    assert len(counting.requests) < 20


def test_keys_come_once_however_their_names_are_sorted(memory: MemoryStore) -> None:
    """The index sorts ``a.ipynb-old.ipynb/`` before ``a.ipynb/``, the notebooks the other way."""
    repository = open_repository(memory)
    for key in ODD_KEYS:
        save(repository, b"x", key=key)
        repository.publish(find(repository, "v1", key), key, act())
    scanned = list(scan(repository.backend, tuple(Area), "", failed=fail))
    assert sorted(each.key for each in scanned) == sorted(ODD_KEYS)
    for each in scanned:
        assert set(each.listings) == set(Area)
        assert all(len(x.versions) == 1 and len(x.index) == 1 for x in each.listings.values())
    assert run_check(memory)[0] == []


def fail(*_: object) -> None:
    """Be called by nobody."""
    raise AssertionError("a listing failed")


def test_objects_with_names_too_long_for_an_index_are_nobodys(memory: MemoryStore) -> None:
    """Another tool may keep such keys; nbvc never could."""
    overwrite(memory, f"workspace/{'x' * 1000}.ipynb", b"x")
    overwrite(memory, "workspace/a//b.ipynb", b"x")
    overwrite(memory, f".nbvc/workspace/{'y' * 990}.ipynb/v/1", b"x")
    findings, report = run_check(memory)
    assert findings == []
    assert report.notebooks == 0


# Settings


def test_settings_that_are_missing_or_of_another_store_are_named(memory: MemoryStore) -> None:
    """Whoever knew the store sees that it is not the one."""
    settings = decode(memory.get(STORE_FILE).data)
    overwrite(memory, STORE_FILE, encode(replace(settings, store_id="strange")))
    findings, _ = run_check(memory)
    assert [(f.kind, f.object_key) for f in findings] == [(Kind.DAMAGED_SETTINGS, STORE_FILE)]
    assert "another store" in findings[0].message


# Locks


def test_the_newest_version_that_is_not_locked_is_a_note_where_it_should_be() -> None:
    """Of a store that locks for 30 days: not of an older one, and not where nothing is locked."""
    now = datetime(2026, 8, 1, tzinfo=UTC)
    store = MemoryStore(now=lambda: now)
    write_settings(store)
    save_many(open_repository(store), 2)
    save_many(open_repository(store), 2, key=OTHER)
    until = Lock(days=30).from_moment(now)
    locked = store.put(
        data_key(THIRD),
        b"x",
        mode=Overwrite(),
        metadata={},
        content_type="x/y",
        retain_until=until,
    )
    assert store.head(data_key(THIRD), locked.version_id).locked_until is not None
    findings, report = run_check(store, now=now, lock=Lock(days=30))
    notes = [finding for finding in findings if finding.kind is Kind.NOT_LOCKED]
    assert named(notes) == [(Kind.NOT_LOCKED, KEY, 2), (Kind.NOT_LOCKED, OTHER, 2)]
    assert report.errors == 0
    for later, lock in ((now + timedelta(days=31), Lock(days=30)), (now, None)):
        findings, _ = run_check(store, now=later, lock=lock)
        assert Kind.NOT_LOCKED not in {finding.kind for finding in findings}


# Streams, memory, cost


def test_findings_come_before_the_whole_store_is_listed() -> None:
    """A stream: the first finding of 5,000 notebooks needs a few pages."""
    store = MemoryStore()
    write_settings(store)
    for number in range(5_000):
        put_foreign(store, b"x", NotebookKey(f"k/{number:05}.ipynb"))
    counting = CountingStore(store)
    found = iter(Check(open_repository(counting).backend, NOW))
    assert len(list(islice(found, 3))) == 3
    assert counting.names.count("list_versions") <= 5


def test_memory_does_not_grow_with_the_number_of_notebooks(tmp_path: Path) -> None:
    """Checking 6,000 notebooks takes hardly more than checking 1,500."""
    peaks = []
    for count in (1_500, 6_000):
        store = LocalStore(tmp_path / str(count), create=True, page_size=50)
        write_settings(store)
        with store._database.write() as connection:
            from tests.histories import _bulk_put

            put = _bulk_put(store, connection)
            for number in range(count):
                put(f"workspace/k/{number:06}.ipynb", b"x", {}, "application/json")
        backend = open_repository(store).backend
        gc.collect()
        tracemalloc.start()
        assert sum(1 for _ in Check(backend, NOW)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 60_000, peaks  # 13 bytes for each notebook more


def test_progress_is_told(busy: MemoryStore) -> None:
    """Versions and bytes grow to what the report says."""
    for read_data in (False, True):
        steps: list[tuple[int, int]] = []
        options = replace(NOW, read_data=read_data)
        backend = open_repository(busy).backend
        check = Check(backend, options, lambda *step, steps=steps: steps.append(step))
        assert list(check) == []
        assert steps == sorted(steps)
        assert steps[-1] == (29, check.report.bytes_read)


def test_a_check_costs_pages_and_not_versions(memory: MemoryStore) -> None:
    """10 notebooks of 100 versions: 4 listings together, 8 or so records for each."""
    keys = [NotebookKey(f"k/{number}.ipynb") for number in range(10)]
    for key in keys:
        generate(memory, Layout(), key, 100)
    counting = CountingStore(memory)
    findings, report = run_check(counting, once=True)
    assert findings == []
    assert report.versions == 1_000
    assert counting.names.count("list_versions") <= 8
    assert counting.names.count("get") <= 10 * 8 + 1
    assert len(counting.requests) <= 90
    assert report.files_spared >= 1_000 - 80


def test_a_check_of_a_long_history_costs_pages(memory: MemoryStore) -> None:
    """5,000 versions: 12 pages of listings and 40 records at most."""
    generate(memory, Layout(), KEY, 5_000)
    counting = CountingStore(memory)
    findings, report = run_check(counting, once=True)
    assert findings == []
    assert report.versions == 5_000
    assert len(counting.requests) <= 60


# Stores that fail


def test_a_store_that_is_not_reached_ends_the_check_with_its_error(busy: MemoryStore) -> None:
    """That is no finding: nothing is known then."""
    faulty = FaultyStore(busy)
    faulty.plan("get", None, None, Fail(StoreUnavailable("gone")))
    with pytest.raises(StoreUnavailable):
        run_check(faulty)


def damage_database(store: LocalStore, statement: str, *values: object) -> None:
    """Change the database of an embedded store behind its back."""
    folder = store._folder
    store.close()
    with sqlite3.connect(folder / "index.sqlite3") as connection:
        connection.execute(statement, values)
    connection.close()


@pytest.fixture
def embedded(store: LocalStore) -> LocalStore:
    """Return an embedded store with two notebooks, one of them large enough to be a file."""
    write_settings(store)
    repository = open_repository(store)
    save_many(repository, 3)
    for number in range(3):
        save(repository, b"%d" % number * 40_000, key=OTHER)
    return store


def test_a_damaged_or_lost_file_of_an_embedded_store_is_one_finding(embedded: LocalStore) -> None:
    """The versions beside it are read; the finding has both digests where there are bytes."""
    two, three = (
        embedded._blobs.path(read_record(embedded, n, OTHER).record.digest) for n in (2, 3)
    )
    two.write_bytes(b"damaged")
    three.unlink()
    findings, report = run_check(embedded, read_data=True)
    assert sorted(named(findings)) == [
        (Kind.DAMAGED_BYTES, OTHER, 2),
        (Kind.DAMAGED_BYTES, OTHER, 3),
    ]
    assert {finding.actual for finding in findings} == {Digest.of(b"damaged"), None}
    assert report.versions_read == 6


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("inline_data", b"other"),
        ("inline_data", "text"),
        ("metadata", "{"),
        ("metadata", '["a"]'),
    ],
)
def test_a_damaged_row_of_an_embedded_store_is_a_finding_and_no_crash(
    embedded: LocalStore, column: str, value: object
) -> None:
    """What one row holds is wrong: that version, or that record, is named, and the rest is read."""
    statement = f"UPDATE versions SET {column} = ? WHERE version_id = ?"
    version_id = read_record(embedded, 2).record.version_id
    record_id = entries(embedded, record_key(2))[0].version_id
    damage_database(embedded, statement, value, version_id)
    findings, report = run_check(embedded, read_data=True)
    assert named(findings) == [(Kind.DAMAGED_BYTES, KEY, 2)]
    assert report.versions_read == 6
    damage_database(embedded, statement, value, record_id)
    findings, _ = run_check(embedded, read_data=True)
    assert named(findings) == [(Kind.DAMAGED_RECORD, KEY, 2), (Kind.DAMAGED_BYTES, KEY, 2)]


@pytest.mark.parametrize(
    ("column", "value"),
    [("digest", "zz"), ("modified_microseconds", "soon"), ("modified_microseconds", 2**62)],
)
def test_a_listing_that_an_embedded_store_cannot_give_is_a_finding(
    embedded: LocalStore, column: str, value: object
) -> None:
    """What comes after it is not listed, and that is said; the other listings are read."""
    version_id = read_record(embedded, 2, OTHER).record.version_id
    damage_database(
        embedded, f"UPDATE versions SET {column} = ? WHERE version_id = ?", value, version_id
    )
    findings, report = run_check(embedded, once=True)
    assert Kind.DAMAGED_STORE in {finding.kind for finding in findings}
    assert report.records == 6


def test_a_broken_page_of_the_database_is_a_finding(embedded: LocalStore) -> None:
    """SQLite itself says that the file is malformed."""
    folder = embedded._folder
    embedded.close()
    with sqlite3.connect(folder / "index.sqlite3") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'versions'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with (folder / "index.sqlite3").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    store = LocalStore(folder)
    findings, _ = run_check(store)
    assert Kind.DAMAGED_STORE in {finding.kind for finding in findings}
