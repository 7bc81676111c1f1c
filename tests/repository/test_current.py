"""What a plain read of a notebook gives stays what it is, whatever number that version has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from nbvc.model import Area, Version, VersionId
from nbvc.repository import Repository
from nbvc.repository.findings import Kind
from nbvc.repository.migration import MigrationReport, migrate
from nbvc.repository.repeats import REACH
from nbvc.stores.base import Overwrite
from tests.repository.checks import run_check, run_repair
from tests.repository.damaging import data_key
from tests.repository.packing import content, forget, pack, plain_ids, unpack
from tests.repository.support import (
    KEY,
    act,
    contents,
    find,
    numbers,
    open_repository,
    put_foreign,
    save,
    write_settings,
)
from tests.stores.memory import MemoryStore
from tests.stores.overtaken import Overtaken
from tests.stores.wrapping import WrappedStore

T = TypeVar("T")
DRAFT, PUBLISHED = data_key(), data_key(area=Area.PUBLISHED)


@pytest.fixture
def store() -> MemoryStore:
    """Return a store in which v2 is current, and v3 and v4 are older than it."""
    return with_late_numbers(1)


def with_late_numbers(count: int) -> MemoryStore:
    """Return a store in which so many versions, and one more, got numbers later than v2 did."""
    store = MemoryStore()
    write_settings(store)
    first = save(open_repository(store), content(1))
    for number in range(count):
        put_foreign(store, content(number + 3))
    put_foreign(store, content(1))  # what looks like v1, so that the next save notices nothing
    save(open_repository(store), content(2), first)
    run_repair(store)
    return store


def target_of(store: MemoryStore) -> MemoryStore:
    """Return a fresh store to which *store* was migrated."""
    target = MemoryStore(url=f"{store.url}-moved", first_id=10_000 * len(store.url))
    write_settings(target)
    migrate_to(target, store)
    return target


def migrate_to(target: MemoryStore, store: MemoryStore) -> MigrationReport:
    """Migrate everything."""
    return migrate(open_repository(store), open_repository(target), prefix="")


def pack_and_unpack(store: MemoryStore) -> MemoryStore:
    """Return *store* after both."""
    pack(store)
    unpack(store)
    return store


def bodies(store: MemoryStore) -> list[bytes]:
    """Return the bytes of all that the store itself lists under the notebook's key."""
    return [bytes(store.get(DRAFT, VersionId(each)).data) for each in plain_ids(store)]


def history(repository: Repository, area: Area = Area.WORKSPACE) -> list[tuple[object, ...]]:
    """Return what a log says of each version, newest first."""

    def shown(version: Version) -> tuple[object, ...]:
        return version.number, version.digest, version.parent, version.published

    return [shown(version) for version in repository.log(KEY, area=area)]


def assert_sound(store: MemoryStore) -> None:
    """Check that a thorough check finds nothing."""
    assert run_check(store, read_data=True)[0] == []


def test_a_migration_leaves_current_what_was_current(store: MemoryStore) -> None:
    """Not the version with the newest number, which is an older one; and once is enough."""
    before = history(open_repository(store))
    assert store.get(DRAFT).data == content(2)
    target = target_of(store)
    for _ in range(2):
        assert target.get(DRAFT).data == content(2)
        assert history(open_repository(target)) == before
        assert_sound(target)
        written = target.snapshot()
        migrate_to(target, store)
        assert target.snapshot() == written


def test_a_migration_leaves_published_what_was_published() -> None:
    """Two published at once, and claimed their numbers in another order than that of the copies."""
    store = MemoryStore()
    write_settings(store)
    first = save(open_repository(store), content(1))
    save(open_repository(store), content(2), first)
    publish(Overtaken(store, lambda: publish(store, "v2"), after=1), "v1")
    assert store.get(PUBLISHED).data == content(2)
    before = history(open_repository(store), Area.PUBLISHED)
    assert [number for number, *_ in before] == [2, 1]
    target = target_of(store)
    assert target.get(PUBLISHED).data == content(2)
    assert history(open_repository(target), Area.PUBLISHED) == before
    assert [published for *_, published in history(open_repository(target))] == [True, False]
    assert_sound(target)


def test_what_is_current_may_lie_far_below_the_newest_number() -> None:
    """As where a repair gave numbers to all that another tool wrote long ago."""
    target = target_of(with_late_numbers(REACH + 10))
    count = REACH + 13
    assert numbers(open_repository(target)) == list(range(count, 0, -1))
    assert_sound(target)
    save(open_repository(target), content(999))
    assert numbers(open_repository(target)) == list(range(count + 1, 0, -1))


def test_a_migration_goes_on_after_further_saves(store: MemoryStore) -> None:
    """Then the new version is current there too, and again what was put on top is no version."""
    target = target_of(store)
    save(open_repository(store), content(9))
    migrate_to(target, store)
    assert target.get(DRAFT).data == content(9)
    assert history(open_repository(target)) == history(open_repository(store))
    assert_sound(target)


def test_a_history_that_was_moved_is_moved_on_and_saved_to(store: MemoryStore) -> None:
    """What was put on top is no version there either."""
    third = target_of(target_of(store))
    assert third.get(DRAFT).data == content(2)
    assert history(open_repository(third)) == history(open_repository(store))
    save(open_repository(third), content(9))
    assert contents(open_repository(third))[0] == third.get(DRAFT).data == content(9)
    assert numbers(open_repository(third)) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("prepare", [lambda store: store, target_of], ids=["there", "moved"])
def test_packing_and_unpacking_leave_current_what_was_current(
    store: MemoryStore, prepare: Callable[[MemoryStore], MemoryStore]
) -> None:
    """As often as one does so, and always the same versions are packed."""
    store = prepare(store)
    before = history(open_repository(store))
    for _ in range(3):
        (report,) = pack(store)
        assert report.versions == 2  # v1 and v3
        unpack(store)
        assert store.get(DRAFT).data == content(2)
        assert history(open_repository(store)) == before
        assert_sound(store)


@pytest.mark.parametrize("prepare", [lambda store: store, target_of], ids=["there", "moved"])
def test_what_is_current_is_not_let_go_of(
    store: MemoryStore, prepare: Callable[[MemoryStore], MemoryStore]
) -> None:
    """Whatever the rules say: they keep the newest number, and this is another one."""
    store = prepare(store)
    (report,) = forget(store, last=1)
    kept = [(each.version.number, each.reasons) for each in report.kept]
    assert kept == [(4, ("latest", "last")), (2, ("current",))]
    assert store.get(DRAFT).data == content(2)
    assert numbers(open_repository(store)) == [4, 2]
    assert_sound(store)


@pytest.mark.parametrize("prepare", [pack_and_unpack, target_of], ids=["unpacked", "moved"])
def test_no_copy_of_what_was_let_go_of_is_left(
    store: MemoryStore, prepare: Callable[[MemoryStore], MemoryStore]
) -> None:
    """What was put on top once holds the same bytes; once it is covered, it goes as well."""
    store = prepare(store)
    assert bodies(store).count(content(2)) == 2
    save(open_repository(store), content(9))
    forget(store, last=1)
    assert bodies(store) == [content(9)]
    assert_sound(store)


def test_a_copy_that_was_left_is_named_by_a_check_and_goes_with_the_next_run(
    store: MemoryStore,
) -> None:
    """Other bytes, of another tool that kept what was said of a copy, stay."""
    moved = target_of(store)
    left = moved.get(DRAFT)
    save(open_repository(moved), content(9))
    forget(moved, last=1)
    moved.put(DRAFT, left.data, mode=Overwrite(), metadata=left.metadata, content_type="")
    save(open_repository(moved), content(10))
    other = left.data[::-1]
    moved.put(DRAFT, other, mode=Overwrite(), metadata=left.metadata, content_type="")
    found = [finding.kind for finding in run_check(moved)[0]]
    assert Kind.FORGOTTEN_VERSION in found
    (report,) = forget(moved, last=2)
    assert report.finished == 1
    assert bodies(moved) == [other, content(10), content(9)]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_save_while_what_was_moved_is_unpacked_is_current_afterwards(
    store: MemoryStore, after: int
) -> None:
    """Two versions are written, and then the copy of what was current, which may cover it."""
    moved = target_of(store)
    pack(moved)
    saving = Overtaken(moved, lambda: save(open_repository(moved), content(9)), after=after)
    unpack(saving)
    assert saving.after < 0
    assert moved.get(DRAFT).data == content(9)
    assert numbers(open_repository(moved)) == [5, 4, 3, 2, 1]
    assert_sound(moved)


def publish(store: MemoryStore | WrappedStore, ref: str) -> None:
    """Publish a version, as a process of its own."""
    repository = open_repository(store)
    repository.publish(find(repository, ref), KEY, act())
