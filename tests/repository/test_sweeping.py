"""Long histories are swept: what is sound is found so in little memory, what is odd is examined."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.manifest.layout import Layout
from nbvc.manifest.records import encode
from nbvc.model import Area, NotebookKey, Source
from nbvc.repository import Repository
from nbvc.repository.examining import Examination, examine_key
from nbvc.repository.published_copies import sources_of
from nbvc.repository.sweeping import sweep
from nbvc.stores.base import Store
from nbvc.stores.local import LocalStore
from tests.histories import generate
from tests.repository.checks import NOW, run_check
from tests.repository.damaging import (
    alter_record,
    data_key,
    drop_record,
    entries,
    overwrite,
    read_record,
    record_key,
    rewrite,
)
from tests.repository.packing import fill, forget, pack
from tests.repository.support import KEY, OTHER, act, find, open_repository, put_foreign, save_many
from tests.stores.memory import MemoryStore

LENGTHS = [1, 2, 15, 16, 17, 255, 256, 257, 271, 272, 513, 4_096, 4_097, 4_368]


def swept(
    repository: Repository, *, key: NotebookKey = KEY, sources: Iterable[Source] = ()
) -> Examination | None:
    """Sweep through the history of a notebook."""
    return sweep(repository.backend, Area.WORKSPACE, key, sources=sources)


def examined(repository: Repository) -> Examination:
    """Examine the notebook the usual way."""
    return examine_key(repository.backend, Area.WORKSPACE, KEY, now=NOW.now)


@pytest.fixture
def memory() -> MemoryStore:
    """Return a fresh store in memory."""
    return MemoryStore()


@pytest.fixture
def history(memory: MemoryStore) -> Repository:
    """Return a repository with 300 versions of the notebook."""
    generate(memory, Layout(), KEY, 300)
    return open_repository(memory)


@pytest.mark.parametrize("count", LENGTHS)
def test_a_sound_history_is_found_so_at_any_length(memory: MemoryStore, count: int) -> None:
    """Around the multiples at which a file carries more copies, too: all is counted."""
    generate(memory, Layout(), KEY, count)
    repository = open_repository(memory)
    found = swept(repository)
    assert found is not None
    assert found.tally == examined(repository).tally
    assert found.tally.versions == found.tally.records == count


def test_what_a_survey_needs_is_kept(history: Repository) -> None:
    """The newest version, the records at tags and of sources, and the state."""
    history.set_tag(KEY, "here", 44, act())
    for name in ("v7", "v260"):
        history.publish(find(history, name), KEY, act())
    published = examine_key(history.backend, Area.PUBLISHED, KEY, now=NOW.now)
    found, whole = swept(history, sources=sources_of(published)), examined(history)
    assert found is not None
    assert found.listed == whole.listed[:1]
    assert found.state == whole.state
    assert sorted(found.records.records) == [1, 7, 44, 260, 300]
    assert all(record == whole.records.records[n] for n, record in found.records.records.items())


def test_a_renamed_history_is_sound_under_both_names(memory: MemoryStore) -> None:
    """The later part begins with another number than 1."""
    repository = open_repository(memory)
    save_many(repository, 20)
    repository.rename(KEY, OTHER, act())
    save_many(repository, 20, key=OTHER)
    found = swept(repository, key=OTHER)
    assert found is not None
    assert found.records.firsts[21] == 21
    assert found.tally == examine_key(repository.backend, Area.WORKSPACE, OTHER, now=NOW.now).tally


def write_newest_again(store: Store) -> None:
    """Write over a record with the same bytes."""
    overwrite(store, record_key(300), bytes(store.get(record_key(300)).data))


def exchange(store: Store) -> None:
    """Put each of two records in the place of the other."""
    one, other = (bytes(store.get(record_key(n)).data) for n in (100, 101))
    rewrite(store, record_key(100), other)
    rewrite(store, record_key(101), one)


def claim_other_size(store: Store) -> None:
    """Let the newest record say another size than its version has."""
    file = read_record(store, 300)
    record = replace(file.record, size_bytes=file.record.size_bytes + 1)
    rewrite(store, record_key(300), encode(replace(file, record=record)))


def altered(number: int) -> Callable[[Store], None]:
    """Return what alters a record, and seals its file again."""

    def alter(store: Store) -> None:
        data = alter_record(store, number, lambda record: replace(record, author="Eve"))
        rewrite(store, record_key(number), data)

    return alter


ODD: dict[str, Callable[[Store], object]] = {
    "a record in the middle was altered": altered(150),
    "a record that is read was altered": altered(256),
    "the first record was altered": altered(1),
    "the newest record is missing": lambda store: drop_record(store, 300),
    "a record in the middle is missing": lambda store: drop_record(store, 200),
    "the first record is missing": lambda store: drop_record(store, 1),
    "a record was written over": lambda store: overwrite(store, record_key(9), b"{}"),
    "a record was written again": write_newest_again,
    "a record was deleted": lambda store: store.delete(record_key(9)),
    "two records were exchanged": exchange,
    "a record is no JSON": lambda store: rewrite(store, record_key(256), b"\xff[" * 9_999),
    "a record is nested deeply": lambda store: rewrite(store, record_key(256), b"[" * 99_999),
    "a version has another size": claim_other_size,
    "a version is missing": lambda store: store.delete_version(
        data_key(), entries(store, data_key())[40].version_id
    ),
    "another tool wrote": lambda store: put_foreign(store, b"another"),
    "the notebook was removed": lambda store: store.delete(data_key()),
}


@pytest.mark.parametrize("what", ODD)
def test_whatever_is_odd_ends_the_sweep(history: Repository, what: str) -> None:
    """And is told by the examination."""
    assert swept(history) is not None
    ODD[what](history.store)
    assert swept(history) is None
    run_check(history.store)


def test_a_dangling_tag_ends_the_sweep(history: Repository) -> None:
    """It is a finding."""
    history.set_tag(KEY, "here", 300, act())
    drop_record(history.store, 300)
    history.store.delete_version(data_key(), entries(history.store, data_key())[0].version_id)
    assert swept(history) is None
    assert run_check(history.store)[0]


def test_what_was_let_go_of_is_not_missed(memory: MemoryStore) -> None:
    """Its records are still there; its versions need not be, and may not."""
    repository = open_repository(memory)
    fill(repository, 20)
    gone = entries(memory, data_key())[12]
    forget(repository, last=3)
    found = swept(repository)
    assert found is not None
    assert (found.tally.versions, found.tally.records) == (3, 20)
    assert gone not in entries(memory, data_key())


def test_what_lies_in_packs_is_examined(memory: MemoryStore) -> None:
    """A sweep sees no packs."""
    repository = open_repository(memory)
    fill(repository, 20)
    pack(repository)
    assert swept(repository) is None
    assert run_check(memory)[1].versions == 20


def test_memory_does_not_grow_with_the_versions(tmp_path: Path) -> None:
    """Beyond the 4,096 records of a file it stays."""
    peaks = []
    for count in (4_400, 8_800):
        with closing(LocalStore(tmp_path / str(count), create=True)) as store:
            generate(store, Layout(), KEY, count)
            tracemalloc.start()
            assert swept(open_repository(store)) is not None
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
