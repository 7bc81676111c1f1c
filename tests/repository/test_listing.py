"""Listings: every notebook once, in order, as a stream."""

from __future__ import annotations

from itertools import islice

from nbvc.model import Area, NotebookKey
from nbvc.repository import Repository
from tests.repository.support import KEY, OTHER, THIRD, act, open_repository, put_foreign, save
from tests.stores.contract import write
from tests.stores.counting import CountingStore
from tests.stores.memory import MemoryStore


def listed(repository: Repository, prefix: str = "") -> list[str]:
    """Return the keys of the workspace area."""
    return [each.key for each in repository.list_notebooks(prefix)]


def test_notebooks_are_listed_with_their_latest_version(repository: Repository) -> None:
    """Recorded and foreign ones, in key order; other objects are passed over."""
    save(repository, b"first", key=KEY)
    known = save(repository, b"a", key=OTHER)
    save(repository, b"bb", known, key=OTHER, message="second")
    put_foreign(repository.store, b"ccc", THIRD)
    write(repository.store, "workspace/kylek/data.csv")
    write(repository.store, "workspace/kylek/.ipynb_checkpoints/x.ipynb")
    write(repository.store, "elsewhere/x.ipynb")
    found = list(repository.list_notebooks())
    assert [(each.key, each.number, each.size_bytes) for each in found] == [
        (KEY, 1, 5),
        (OTHER, 2, 2),
        (THIRD, None, 3),
    ]
    assert (found[1].author, found[1].message) == ("ada", "second")
    assert listed(repository, "kylek/notebooks/") == [KEY, OTHER]
    assert listed(repository, "kylek/notebooks/o") == [OTHER]
    assert listed(repository, "nobody/") == []
    assert list(repository.list_notebooks(area=Area.PUBLISHED)) == []


def test_a_long_listing_is_a_stream() -> None:
    """The first notebooks of many cost a page, not the whole listing."""
    store = CountingStore(MemoryStore())
    for number in range(2_500):
        put_foreign(store, b"{}", NotebookKey(f"k/{number:05}.ipynb"))
    repository = open_repository(store)
    store.reset()
    first = list(islice(repository.list_notebooks(with_versions=False), 10))
    assert [each.key for each in first] == [f"k/{number:05}.ipynb" for number in range(10)]
    assert store.names == ["list_keys"]
    assert sum(1 for _ in repository.list_notebooks(with_versions=False)) == 2_500
    assert store.names == ["list_keys"] * 4


def test_removed_notebooks_are_listed_by_prefix(repository: Repository) -> None:
    """Only removed ones, foreign ones too, and not those that were renamed away."""
    for key in (KEY, OTHER):
        save(repository, b"{}", key=key)
    put_foreign(repository.store, b"{}", THIRD)
    renamed = NotebookKey("kylek/renamed.ipynb")
    repository.rename(OTHER, renamed, act())
    for key in (KEY, THIRD):
        repository.remove(key, act())
    assert [each.key for each in repository.list_removed()] == [KEY, THIRD]
    assert [each.key for each in repository.list_removed("kylek/t")] == [THIRD]
    assert listed(repository) == [renamed]
