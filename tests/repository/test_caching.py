"""The cache keeps what never changes: nothing damaged, and nothing longer than it is believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbvc.errors import IntegrityError
from tests.repository.damaging import alter_record, record_key, rewrite, state_key
from tests.repository.support import (
    KEY,
    DictCache,
    act,
    contents,
    numbers,
    open_repository,
    save,
    save_many,
)
from tests.stores.counting import CountingStore
from tests.stores.memory import MemoryStore


def test_a_damaged_file_of_the_cache_costs_a_request_and_no_more() -> None:
    """Records and states are asked for again, and the cache is right after that."""
    store, cache = CountingStore(MemoryStore()), DictCache()
    save_many(open_repository(store), 20)
    open_repository(store).set_tag(KEY, "good", 3, act())
    repository = open_repository(store, cache=cache)
    whole = contents(repository)
    assert repository.tags(KEY) == {"good": 3}
    for name in cache.kept:
        cache.kept[name] = b"rotten"
    store.reset()
    assert contents(repository) == whole
    assert repository.tags(KEY) == {"good": 3}
    store.reset()
    assert numbers(repository) == list(range(20, 0, -1))
    assert store.names.count("get") == 0


@pytest.mark.parametrize("key", [record_key(3), state_key(1)])
def test_what_is_damaged_in_the_store_is_never_kept(key: str) -> None:
    """So whoever met the damage reads on at once when it was mended."""
    store, cache = MemoryStore(), DictCache()
    save_many(open_repository(store), 3)
    open_repository(store).set_tag(KEY, "good", 3, act())
    repository = open_repository(store, cache=cache)
    good = store.get(key).data
    rewrite(store, key, good[:-9])
    with pytest.raises(IntegrityError):
        list(repository.log(KEY))
    rewrite(store, key, good)
    assert numbers(repository) == [3, 2, 1]
    assert repository.tags(KEY) == {"good": 3}


@pytest.mark.parametrize("altered", [24, 8])
def test_an_altered_record_in_the_cache_gives_way_to_the_mended_one(altered: int) -> None:
    """It is well sealed, so only the chain shows it; the store is asked before anybody is told."""
    store, cache = MemoryStore(), DictCache()
    save_many(open_repository(store), 40)
    repository = open_repository(store, cache=cache)
    whole = contents(open_repository(store))
    good = store.get(record_key(altered)).data
    forged = alter_record(store, altered, lambda record: replace(record, message="forged"))
    rewrite(store, record_key(altered), forged)
    with pytest.raises(IntegrityError):
        contents(repository)
    assert cache.kept[f"store/{record_key(altered)}"] == forged
    rewrite(store, record_key(altered), good)
    assert contents(repository) == whole
    assert cache.kept[f"store/{record_key(altered)}"] == good


def test_an_index_that_was_made_anew_replaces_what_the_cache_has() -> None:
    """Another history under the same numbers, as after a loss: records and states are read anew."""
    store, cache = MemoryStore(), DictCache()
    save_many(open_repository(store), 20)
    open_repository(store).set_tag(KEY, "good", 3, act())
    repository = open_repository(store, cache=cache)
    assert contents(repository)
    assert repository.tags(KEY) == {"good": 3}
    for entry in list(store.list_versions(".nbvc/")) + list(store.list_versions("workspace/")):
        store.delete_version(entry.key, entry.version_id)
    known = None
    for number in range(1, 21):
        known = save(open_repository(store), b"new %d" % number, known)
    open_repository(store).set_tag(KEY, "other", 5, act())
    assert contents(repository) == [b"new %d" % number for number in range(20, 0, -1)]
    assert repository.tags(KEY) == {"other": 5}
