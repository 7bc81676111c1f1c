"""Unpack: packed versions are plain again, for every tool, and stay the versions that they were."""

from __future__ import annotations

from typing import TypeVar

import pytest

from nbvc.errors import Conflict
from nbvc.manifest.layout import Layout
from nbvc.model import Area
from nbvc.repository.findings import Kind, Severity
from nbvc.repository.migration import migrate
from tests.repository.checks import run_check
from tests.repository.packing import (
    assert_contents,
    content,
    fill,
    forget,
    pack,
    pack_keys,
    plain_ids,
    reads_a_pack,
    stores_a_pack,
    unpack,
)
from tests.repository.support import (
    KEY,
    NOON,
    OTHER,
    act,
    find,
    open_repository,
    put_foreign,
    save,
    write_settings,
)
from tests.stores.memory import MemoryStore
from tests.stores.overtaken import Overtaken

T = TypeVar("T")
DATA_KEY = Layout().data_key(Area.WORKSPACE, KEY)


@pytest.fixture(params=[True, False], ids=["conditional", "oldest wins"])
def packed(request: pytest.FixtureRequest) -> MemoryStore:
    """Return a store with 8 versions, of which all but the newest are packed."""
    store = MemoryStore(conditional=request.param, now=lambda: NOON)
    write_settings(store)
    fill(open_repository(store), 8)
    pack(store)
    return store


def errors(store: MemoryStore) -> list[Kind]:
    """Return what a thorough check calls an error."""
    findings, _ = run_check(store, read_data=True)
    return [finding.kind for finding in findings if finding.severity is Severity.ERROR]


def test_unpacked_versions_are_plain_and_keep_their_numbers(packed: MemoryStore) -> None:
    """Any tool reads them in the order of their numbers, and what was current still is."""
    before = [(v.number, v.digest, v.version_id) for v in open_repository(packed).log(KEY)]
    (report,) = unpack(packed)
    assert (report.versions, pack_keys(packed)) == (7, pack_keys(packed)[:1])
    assert packed.get(DATA_KEY).data == content(8)
    there = [packed.get(DATA_KEY, version_id).data for version_id in plain_ids(packed)]  # type: ignore[arg-type]
    assert there == [content(8), *map(content, range(7, 0, -1)), content(8)]
    assert [(v.number, v.digest, v.version_id) for v in open_repository(packed).log(KEY)] == before
    assert_contents(packed, range(1, 9))
    assert errors(packed) == []


def test_a_dry_run_writes_nothing(packed: MemoryStore) -> None:
    """It says the same as the run that follows."""
    before = packed.snapshot()
    planned = unpack(packed, apply=False)
    assert packed.snapshot() == before
    assert unpack(packed) == planned
    assert unpack(packed) == []


def test_saves_after_an_unpacking_are_the_next_numbers(packed: MemoryStore) -> None:
    """By who knows the newest version, and by who knows nothing: nothing is recorded twice."""
    known = save(open_repository(packed), content(9))
    pack(packed)
    unpack(packed)
    known = save(open_repository(packed), content(10), known)
    save(open_repository(packed), content(11))
    assert_contents(packed, range(1, 12))
    assert packed.get(DATA_KEY).data == content(11)
    assert errors(packed) == []
    del known


def test_the_same_bytes_are_not_saved_twice_after_an_unpacking(packed: MemoryStore) -> None:
    """By who knows no version either: on top is the newest one, under another version ID."""
    unpack(packed)
    before = packed.snapshot()
    save(open_repository(packed), content(8))
    assert packed.snapshot() == before


def test_unpacked_versions_can_be_packed_again(packed: MemoryStore) -> None:
    """The plain ones go, whatever version IDs they have now."""
    for _ in range(3):
        unpack(packed)
        assert len(plain_ids(packed)) >= 8
        (report,) = pack(packed)
        assert report.versions == 7
        assert_contents(packed, range(1, 9))
        assert errors(packed) == []
    by_number = {content(8)}
    assert {packed.get(DATA_KEY, i).data for i in plain_ids(packed)} == by_number  # type: ignore[arg-type]


def test_versions_are_let_go_of_after_an_unpacking_too(packed: MemoryStore) -> None:
    """They are deleted under the version IDs that they have now."""
    unpack(packed)
    forget(packed, last=2)
    assert_contents(packed, (7, 8))
    bodies = {packed.get(DATA_KEY, i).data for i in plain_ids(packed)}  # type: ignore[arg-type]
    assert bodies == {content(7), content(8)}
    assert errors(packed) == []


def test_a_removed_notebook_stays_removed(packed: MemoryStore) -> None:
    """Its versions are plain again, below the delete marker."""
    open_repository(packed).remove(KEY, act())
    unpack(packed)
    history = open_repository(packed).open_history(KEY)
    assert history.removed
    assert_contents(packed, range(1, 9))


def test_migration_after_an_unpacking_brings_each_version_once(packed: MemoryStore) -> None:
    """The second copies are no versions."""
    unpack(packed)
    target = MemoryStore(url="file:///target", first_id=1_000)
    write_settings(target)
    migrate(open_repository(packed), open_repository(target), prefix="")
    assert_contents(target, range(1, 9))
    assert len(plain_ids(target)) == 8
    assert errors(target) == []


def test_what_another_tool_wrote_last_is_not_doubled(packed: MemoryStore) -> None:
    """It is put on top again, as often as one unpacks: all who read know it as one version."""
    put_foreign(packed, b"foreign")
    first = open_repository(packed)
    known = [(version.number, version.version_id) for version in first.log(KEY)]
    for _ in range(2):
        unpack(packed)
        assert packed.get(DATA_KEY).data == b"foreign"
        shown = list(open_repository(packed).log(KEY))
        assert [(version.number, version.version_id) for version in shown] == known
        kinds = [finding.kind for finding in run_check(packed)[0]]
        assert kinds.count(Kind.UNINDEXED_VERSION) == 1
        pack(packed)
    unpack(packed)
    target = MemoryStore(url="file:///target", first_id=1_000)
    write_settings(target)
    migrate(open_repository(packed), open_repository(target), prefix="")
    save(open_repository(packed), content(10))
    for store, newest in ((packed, [content(10), b"foreign"]), (target, [b"foreign"])):
        repository = open_repository(store)
        versions = list(repository.log(KEY))
        assert [version.number for version in versions] == list(range(len(versions), 0, -1))
        read = [repository.read(version) for version in versions]
        assert read == [*newest, *map(content, range(len(known) - 1, 0, -1))]


def test_earlier_names_are_unpacked_too(packed: MemoryStore) -> None:
    """A notebook is all its names."""
    open_repository(packed).rename(KEY, OTHER, act())
    (report,) = unpack(packed, keys=[OTHER])
    assert (report.key, report.versions) == (KEY, 7)
    assert errors(packed) == []
    assert open_repository(packed).open_history(KEY).removed


@pytest.mark.parametrize("at", range(1, 11))
def test_a_save_meanwhile_is_what_is_current_afterwards(packed: MemoryStore, at: int) -> None:
    """Whenever it comes: it has the next number, and is what other tools read."""
    saving = Overtaken(packed, lambda: save(open_repository(packed), content(9)), after=at - 1)
    unpack(saving)
    if saving.after >= 0:
        pytest.skip(f"an unpacking has {at - 1 - saving.after} writes")  # pragma: no cover
    assert_contents(packed, range(1, 10))
    assert packed.get(DATA_KEY).data == content(9)
    assert errors(packed) == []


def test_two_who_unpack_at_once_end_with_one_result(packed: MemoryStore) -> None:
    """The second one takes what the first one has written so far."""
    unpack(Overtaken(packed, lambda: unpack(packed), when=stores_a_pack))
    assert len(plain_ids(packed)) == 7 + 3
    assert_contents(packed, range(1, 9))
    assert packed.get(DATA_KEY).data == content(8)
    assert errors(packed) == []


def test_who_is_overtaken_by_one_who_lets_go_says_so(packed: MemoryStore) -> None:
    """Nothing that is left is lost, nothing comes back, and the command can be run again."""
    with pytest.raises(Conflict):
        unpack(Overtaken(packed, lambda: forget(packed, last=4), when=stores_a_pack))
    assert_contents(packed, range(5, 9))
    assert packed.get(DATA_KEY).data == content(8)
    save(open_repository(packed), content(9))
    assert_contents(packed, range(5, 10))
    unpack(packed)
    forget(packed, last=5)
    bodies = {packed.get(DATA_KEY, i).data for i in plain_ids(packed)}  # type: ignore[arg-type]
    assert bodies == set(map(content, range(5, 10)))
    assert_contents(packed, range(5, 10))
    assert packed.get(DATA_KEY).data == content(9)
    assert errors(packed) == []


def test_what_is_made_plain_while_its_pack_is_looked_up_is_not_taken_for_lost(
    packed: MemoryStore,
) -> None:
    """A save that met the plain copy of a packed version took it for a version of its own."""
    reader = open_repository(Overtaken(packed, lambda: unpack(packed), when=reads_a_pack))
    version = find(open_repository(packed), "v2")
    assert reader.read(version) == content(2)
