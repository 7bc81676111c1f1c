"""Pack: what is cold moves together, and every reader finds it as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from nbvc.errors import IntegrityError, VersionNotFound
from nbvc.manifest.layout import Layout
from nbvc.manifest.packs import MAX_VERSION_BYTES, Packed, Packer
from nbvc.model import Area, Digest, WriteId
from nbvc.repository import Repository
from nbvc.repository.findings import Kind, Severity
from nbvc.repository.mendings import MendingKind
from nbvc.repository.migration import migrate
from nbvc.repository.packing import PackRules
from nbvc.stores.base import Create, Overwrite
from tests.repository.checks import NOW, run_check, run_repair
from tests.repository.packing import (
    COLD,
    LATER,
    assert_contents,
    content,
    fill,
    pack,
    pack_keys,
    plain_ids,
)
from tests.repository.support import (
    HOUR,
    KEY,
    NOON,
    OTHER,
    DictCache,
    act,
    find,
    open_repository,
    put_foreign,
    save,
    write_settings,
)
from tests.stores.counting import CountingStore
from tests.stores.memory import MemoryStore

DATA_KEY = Layout().data_key(Area.WORKSPACE, KEY)
LATER_CHECK = replace(NOW, now=LATER)


@pytest.fixture(params=[True, False], ids=["conditional", "oldest wins"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    """Return an empty prepared store, with conditional writes and without."""
    store = MemoryStore(conditional=request.param, now=lambda: NOON)
    write_settings(store)
    return store


@pytest.fixture
def packed(store: MemoryStore) -> MemoryStore:
    """Return a store with 12 versions, of which all but the newest are packed."""
    fill(open_repository(store), 12)
    (report,) = pack(store)
    assert (report.versions, report.locked, report.skipped) == (11, 0, 0)
    return store


def test_packed_versions_are_read_as_before(packed: MemoryStore) -> None:
    """The log, each version's bytes, and its metadata: as if nothing had happened."""
    assert len(plain_ids(packed)) == 1
    assert len(pack_keys(packed)) == 1
    assert_contents(packed, range(1, 13))
    repository = open_repository(packed)
    assert find(repository, "v3").message == "run 3"
    assert repository.read(find(repository, Digest.of(content(4))[:8])) == content(4)
    head = repository.store.head(DATA_KEY, find(repository, "v5").version_id)
    assert head.metadata["nbvc-message"] == "run 5"


def test_a_dry_run_says_what_would_be_packed_and_writes_nothing(store: MemoryStore) -> None:
    """The same numbers, but for the size of the packs, which nobody knows yet."""
    fill(open_repository(store), 6)
    before = store.snapshot()
    (planned,) = pack(store, apply=False)
    assert store.snapshot() == before
    (done,) = pack(store)
    assert planned == replace(done, packed_bytes=0)
    assert 0 < done.packed_bytes < done.plain_bytes == sum(len(content(n)) for n in range(1, 6))


def test_warm_named_and_published_versions_stay_plain(store: MemoryStore) -> None:
    """The newest ones, the young ones, tagged ones, the published one; and always the newest."""
    repository = open_repository(store)
    fill(repository, 12)
    repository.set_tag(KEY, "good", 3, act())
    repository.publish(find(repository, "v5"), KEY, act())
    young = PackRules(
        older_than=timedelta(hours=4), keep_newest=1, now=NOON + 12 * HOUR + timedelta(minutes=1)
    )
    (report,) = pack(store, young)
    assert report.versions == 6  # v1, v2, v4, v6, v7, v8
    pack(store, replace(COLD, keep_newest=2))
    plain = set(plain_ids(store))
    recorded = {v.number: v.version_id for v in open_repository(store).log(KEY)}
    assert {number for number, version_id in recorded.items() if version_id in plain} == {
        3,
        5,
        11,
        12,
    }
    pack(store, replace(COLD, keep_newest=0))
    assert recorded[12] in plain_ids(store)
    assert store.get(DATA_KEY).data == content(12)


def test_packing_again_finds_nothing_to_do(packed: MemoryStore) -> None:
    """Idempotent: not one more object, not one more state."""
    before = packed.snapshot()
    assert pack(packed) == []
    assert packed.snapshot() == before


def test_saves_tags_and_publishing_go_on(packed: MemoryStore) -> None:
    """A packed version can be named, promoted and built upon."""
    repository = open_repository(packed)
    repository.set_tag(KEY, "good", 2, act())
    assert repository.read(find(repository, "good")) == content(2)
    repository.publish(find(repository, "v2"), KEY, act())
    published = Layout().data_key(Area.PUBLISHED, KEY)
    assert packed.get(published).data == content(2)
    save(repository, content(13))
    assert_contents(packed, range(1, 14))
    pack(packed)
    assert_contents(packed, range(1, 14))
    assert len(pack_keys(packed)) == 2
    assert [f for f in run_check(packed)[0] if f.severity is Severity.ERROR] == []


def test_versions_under_earlier_names_are_packed_where_they_are(store: MemoryStore) -> None:
    """A rename continues a history; its older part lies under the older name."""
    repository = open_repository(store)
    fill(repository, 5)
    repository.rename(KEY, OTHER, act())
    reports = pack(store, keys=[OTHER])
    assert {report.key: report.versions for report in reports} == {KEY: 5}
    repository = open_repository(store)
    versions = list(repository.log(OTHER))
    assert [version.number for version in versions] == [6, 5, 4, 3, 2, 1]
    assert [repository.read(v) for v in versions] == [content(5), *map(content, (5, 4, 3, 2, 1))]
    assert run_check(store, read_data=True)[0] == []


def test_a_read_costs_one_range_and_a_second_one_of_its_neighbour_none(
    packed: MemoryStore,
) -> None:
    """The plain version is asked for first; then the state, the table and one frame are read."""
    counting = CountingStore(packed)
    repository = open_repository(counting, cache=DictCache())
    third, fourth = find(repository, "v3"), find(repository, "v4")
    counting.requests.clear()
    assert repository.read(third) == content(3)
    names = [request.name for request in counting.requests]
    assert names.count("get") == 4
    assert len(names) == 5 + (not packed.capabilities.conditional_create)
    counting.requests.clear()
    assert repository.read(fourth) == content(4)
    assert counting.requests == []


def test_a_notebook_with_few_versions_costs_one_request(store: MemoryStore) -> None:
    """Most notebooks are such; a nightly run over thousands of them must end."""
    fill(open_repository(store), 3)
    counting = CountingStore(store)
    rules = replace(COLD, keep_newest=3)
    assert list(open_repository(counting).pack([KEY], rules, act(), apply=True)) == []
    assert len(counting.requests) == 1


def test_a_log_costs_no_more_requests_than_without_packs(store: MemoryStore) -> None:
    """What is packed is known from the state, which every log reads."""
    fill(open_repository(store), 12)

    def requests() -> int:
        counting = CountingStore(store)
        assert len(list(open_repository(counting).log(KEY, limit=20))) == 12
        return len(counting.requests)

    open_repository(store).set_tag(KEY, "good", 12, act())
    before = requests()
    pack(store)
    assert requests() == before


def test_check_verifies_what_is_packed(packed: MemoryStore) -> None:
    """Every version counts, and every byte is read."""
    findings, report = run_check(packed, read_data=True)
    assert findings == []
    assert (report.versions, report.versions_read) == (12, 12)


def test_migration_brings_packed_versions_over_as_plain_ones(packed: MemoryStore) -> None:
    """Into a store without packs; a second run finds everything there."""
    repository = open_repository(packed)
    repository.set_tag(KEY, "good", 2, act())
    target = MemoryStore(url="file:///target", first_id=1_000)
    write_settings(target)
    for copied in (12, 0):
        report = migrate(open_repository(packed), open_repository(target), prefix="")
        assert (report.versions_copied, report.versions_present) == (copied, 12 - copied)
    assert len(plain_ids(target)) == 12
    assert_contents(target, range(1, 13))
    assert open_repository(target).tags(KEY) == {"good": 2}
    assert run_check(target, read_data=True)[0] == []
    pack(target)
    assert_contents(target, range(1, 13))


def test_what_is_locked_stays_plain(store: MemoryStore) -> None:
    """A lock is a promise to the owner of the bucket; packing would break it, or try in vain."""
    repository = open_repository(store)
    fill(repository, 4)
    locked = find(repository, "v2").version_id
    store.lock(DATA_KEY, locked, LATER + HOUR)
    (report,) = pack(store)
    assert (report.versions, report.locked) == (2, 1)
    assert locked in plain_ids(store)
    assert_contents(store, range(1, 5))


def test_a_version_that_turns_out_to_be_locked_is_packed_and_stays(store: MemoryStore) -> None:
    """Where the store does not tell, the deletion is refused; the version lies in both places."""
    repository = open_repository(store)
    fill(repository, 4)
    version_id = find(repository, "v2").version_id
    store.lock(DATA_KEY, version_id, LATER)
    rules = replace(COLD, now=LATER + HOUR)  # by our clock it has ended
    store.now = lambda: LATER - HOUR
    work = list(open_repository(store).pack([KEY], rules, act(now=LATER + HOUR), apply=True))
    assert [(report.versions, report.locked) for report in work] == [(3, 1)]
    assert version_id in plain_ids(store)
    assert_contents(store, range(1, 5))
    assert [f for f in run_check(store)[0] if f.severity is Severity.ERROR] == []


def test_damaged_and_large_versions_are_left_as_they_are(store: MemoryStore) -> None:
    """What cannot be verified is not moved, and what would cost too much to read is not either."""
    repository = open_repository(store)
    fill(repository, 4)
    large = b"x" * (MAX_VERSION_BYTES + 1)
    save(repository, large, key=OTHER, now=NOON)
    save(repository, b"y", key=OTHER, now=NOON)
    damaged = find(repository, "v2").version_id
    store.damage(DATA_KEY, damaged, b"other")
    reports = pack(store, keys=[KEY, OTHER])
    assert [(r.key, r.versions, r.skipped) for r in reports] == [(KEY, 2, 1), (OTHER, 0, 1)]
    assert damaged in plain_ids(store)
    assert len(plain_ids(store, OTHER)) == 2


def test_unindexed_versions_stay_and_are_shown(packed: MemoryStore) -> None:
    """Another tool's version has no record, so it is not for packing."""
    put_foreign(packed, b"foreign")
    assert pack(packed) == []
    versions = list(open_repository(packed).log(KEY))
    assert [version.number for version in versions] == [None, *range(12, 0, -1)]


def test_a_reader_who_knows_an_older_state_finds_the_versions(store: MemoryStore) -> None:
    """It has resolved a version, and someone packs it before it reads."""
    fill(open_repository(store), 6)
    reader = open_repository(store, cache=DictCache())
    versions = list(reader.log(KEY))
    pack(store)
    assert [reader.read(version) for version in versions] == list(map(content, range(6, 0, -1)))


def test_two_who_pack_at_once_lose_nothing(store: MemoryStore) -> None:
    """The second one finds the versions packed when it comes to claim, and deletes nothing."""
    fill(open_repository(store), 8)
    inner: list[object] = []

    class Meanwhile(CountingStore):
        def put(self, key: str, data: bytes, **options: object) -> object:  # type: ignore[override]
            if "/p/" in key and not inner:
                inner.extend(pack(store, replace(COLD, keep_newest=3)))
            return super().put(key, data, **options)  # type: ignore[arg-type]

    list(open_repository(Meanwhile(store)).pack([KEY], COLD, act(now=LATER), apply=True))
    assert inner
    assert_contents(store, range(1, 9))
    assert [f for f in run_check(store, read_data=True)[0] if f.severity == "error"] == []


@pytest.mark.parametrize("offset", [0, 20, 60, -1, -5, -30, -90])
def test_damage_to_a_pack_is_told_and_never_read(packed: MemoryStore, offset: int) -> None:
    """Each version comes back whole, or as an error; check says which."""
    (key,) = pack_keys(packed)
    blob = packed.get(key)
    data = bytearray(blob.data)
    data[offset] ^= 0x10
    assert blob.version_id is not None
    packed.damage(key, blob.version_id, bytes(data))
    repository = open_repository(packed)
    lost = 0
    for version in repository.log(KEY):
        try:
            assert repository.read(version) == content(version.number or 0)
        except (IntegrityError, VersionNotFound):
            lost += 1
    findings, _ = run_check(packed, read_data=True)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    assert bool(lost) == bool(errors)


def erase(store: MemoryStore, key: str) -> None:
    """Remove an object with all its versions."""
    for entry in list(store.list_versions(key)):
        store.delete_version(key, entry.version_id)


def hide(store: MemoryStore, key: str) -> None:
    """Hide an object behind a delete marker."""
    store.delete(key)


def write_over(store: MemoryStore, key: str) -> None:
    """Write garbage over an object."""
    store.put(key, b"junk", mode=Overwrite(), metadata={}, content_type="text/plain")


@pytest.mark.parametrize("harm", [hide, write_over])
def test_a_pack_that_was_hidden_or_written_over_is_put_back(
    packed: MemoryStore, harm: Callable[[MemoryStore, str], None]
) -> None:
    """The store keeps what was there; nothing is marked as gone meanwhile."""
    (key,) = pack_keys(packed)
    harm(packed, key)
    kinds = {finding.kind for finding in run_check(packed)[0]}
    assert kinds & {Kind.MISSING_PACK, Kind.DAMAGED_PACK}
    mendings, report = run_repair(packed)
    assert [made.kind for made in mendings] == [MendingKind.RESTORED_PACK]
    assert report.remaining == ()
    assert_contents(packed, range(1, 13))


def test_a_pack_of_which_nothing_is_left_is_said_to_be_lost(packed: MemoryStore) -> None:
    """Its versions are marked as gone, and the rest of the history goes on."""
    (key,) = pack_keys(packed)
    erase(packed, key)
    kinds = {finding.kind for finding in run_check(packed)[0]}
    assert kinds == {Kind.MISSING_PACK, Kind.MISSING_VERSION}
    mendings, report = run_repair(packed)
    assert {made.kind for made in mendings} == {MendingKind.DROPPED_PACK, MendingKind.NOTED_GONE}
    assert report.remaining == ()
    versions = list(open_repository(packed).log(KEY))
    assert [version.missing for version in versions] == [False, *[True] * 11]


def test_a_pack_that_no_state_names_any_more_is_found_again(packed: MemoryStore) -> None:
    """All states are lost: the pack itself says what it holds, and that nothing else has it."""
    for entry in list(packed.list_versions(Layout().states(Area.WORKSPACE, KEY))):
        packed.delete_version(entry.key, entry.version_id)
    assert Kind.UNLISTED_PACK in {finding.kind for finding in run_check(packed)[0]}
    mendings, report = run_repair(packed)
    assert MendingKind.NAMED_PACK in {made.kind for made in mendings}
    assert report.remaining == ()
    assert_contents(packed, range(1, 13))
    assert run_check(packed, read_data=True)[0] == []


def test_a_whole_index_is_made_again_from_packs_and_plain_versions(packed: MemoryStore) -> None:
    """Records and states are gone; numbers, messages and bytes come back."""
    before = [(v.number, v.message, v.digest) for v in open_repository(packed).log(KEY)]
    for prefix in (Layout().records, Layout().states):
        for entry in list(packed.list_versions(prefix(Area.WORKSPACE, KEY))):
            packed.delete_version(entry.key, entry.version_id)
    _, report = run_repair(packed)
    assert report.remaining == ()
    assert [(v.number, v.message, v.digest) for v in open_repository(packed).log(KEY)] == before
    assert_contents(packed, range(1, 13))


def test_an_unused_pack_is_noted_and_removed_once_it_can_be_nobodys(store: MemoryStore) -> None:
    """A run that was cut off leaves one; a later one takes it away, a week by the store's clock."""
    repository = open_repository(store)
    fill(repository, 4)
    first = find(repository, "v1")
    blob = store.get(DATA_KEY, first.version_id)
    left = Packed(
        number=1,
        digest=Digest.of(blob.data),
        version_id=first.version_id,
        size_bytes=len(blob.data),
        modified_at=blob.modified_at,
        etag=blob.etag,
        metadata=blob.metadata,
    )
    (file,) = Packer(Area.WORKSPACE, KEY, WriteId("left")).pack([(left, blob.data)])
    stray = Layout().pack_key(Area.WORKSPACE, KEY, file.pack.digest)
    store.put(stray, file.data, mode=Create(), metadata={}, content_type="application/zstd")
    assert run_check(store, replace(NOW, now=NOON + HOUR))[0] == []  # somebody may be at work
    findings, _ = run_check(store, LATER_CHECK)
    assert [finding.kind for finding in findings] == [Kind.UNUSED_PACK]
    pack(store)  # a year later by the clock of who packs, and no time at all by the store's
    assert stray in pack_keys(store)
    for days, stays in ((6, True), (8, False)):
        moment = NOON + timedelta(days=days)
        store.now = lambda moment=moment: moment  # type: ignore[misc]
        save(open_repository(store), content(5 if stays else 6), now=NOON)
        pack(store)
        assert (stray in pack_keys(store)) is stays
    assert_contents(store, range(1, 7))


def test_old_releases_refuse_a_notebook_that_has_packs(packed: MemoryStore) -> None:
    """They would take its versions for lost: the state says that it is of a newer format."""
    states = Layout().states(Area.WORKSPACE, KEY)
    (entry,) = packed.list_keys(states)
    assert json.loads(packed.get(entry.key).data)["format"] == 2
    repository: Repository = open_repository(packed)
    repository.set_tag(OTHER, "x", 1, act())
    (entry,) = packed.list_keys(Layout().states(Area.WORKSPACE, OTHER))
    assert json.loads(packed.get(entry.key).data)["format"] == 1
