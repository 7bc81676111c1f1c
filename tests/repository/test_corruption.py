"""Every byte of a small index damaged: readers say so or see no difference, and check names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest

from nbvc.errors import IntegrityError, NbvcError, NotFound, StoreMisconfigured
from nbvc.manifest.layout import STORE_FILE
from nbvc.model import Area
from nbvc.refs import parse_selector
from nbvc.repository import Repository
from nbvc.repository.checking import CheckOptions
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.settings import read_settings
from nbvc.repository.settings_check import check_settings
from nbvc.stores.base import Store
from nbvc.stores.local import LocalStore
from tests.manifest.damage import damaged
from tests.repository.checks import run_check
from tests.repository.damaging import overwrite, purge, record_key, rewrite, state_key
from tests.repository.support import (
    KEY,
    OTHER,
    act,
    find,
    open_repository,
    save,
    save_many,
    write_settings,
)
from tests.stores.memory import MemoryStore

NAMES = ("v1", "v2", "v3", "v4", "v5", "latest", "latest~4", "good", "published")
Outcome = object


def fill(store: Store) -> None:
    """Make three versions, a tag, a rename, one more version, and a publication."""
    write_settings(store)
    repository = open_repository(store)
    save_many(repository, 3)
    repository.set_tag(KEY, "good", 2, act())
    known = repository.rename(KEY, OTHER, act())
    save(repository, b"v5", known, key=OTHER)
    repository.publish(find(repository, "v2", OTHER), OTHER, act())


def index_keys(store: Store) -> list[str]:
    """Return the keys of all records and states."""
    return [entry.key for entry in store.list_keys(".nbvc/") if entry.key != STORE_FILE]


def readings(repository: Repository) -> dict[str, Callable[[], Outcome]]:
    """Return everything that can be read of the notebook, by what it is called."""

    def whole_log(key: str, area: Area) -> Outcome:
        return [(v, repository.read(v)) for v in repository.log(key, area=area)]  # type: ignore[arg-type]

    commands: dict[str, Callable[[], Outcome]] = {
        f"log {key} {area}": partial(whole_log, key, area)
        for key, area in (
            (KEY, Area.WORKSPACE),
            (OTHER, Area.WORKSPACE),
            (OTHER, Area.PUBLISHED),
        )
    }
    commands |= {
        f"resolve {name}": partial(repository.resolve, OTHER, parse_selector(name))
        for name in NAMES
    }
    commands["tags"] = lambda: dict(repository.tags(OTHER))
    commands["ls"] = lambda: list(repository.list_notebooks())
    commands["ls --published"] = lambda: list(repository.list_notebooks(area=Area.PUBLISHED))
    commands["ls --removed"] = lambda: list(repository.list_removed())
    return commands


def outcomes(store: Store) -> dict[str, Outcome]:
    """Return what each reading command gives, or its error; another error than ours is a crash."""
    found: dict[str, Outcome] = {}
    for name, read in readings(open_repository(store)).items():
        try:
            found[name] = read()
        except NbvcError as error:
            found[name] = error
    return found


def check(store: Store, *, read_data: bool = False) -> list[Finding]:
    """Return the findings of a check of the whole store."""
    return run_check(store, CheckOptions(now=datetime.now(UTC), read_data=read_data))[0]


def assert_exact(store: Store, key: str, healthy: dict[str, Outcome], what: str) -> None:
    """Check that readers of a damaged store say so or see no difference, and check names *key*."""
    for name, outcome in outcomes(store).items():
        if isinstance(outcome, NbvcError):
            assert isinstance(outcome, IntegrityError | StoreMisconfigured), (
                f"{what}: {name} gives {outcome!r}"
            )
        else:
            assert outcome == healthy[name], f"{what}: {name} gives {outcome}"
    findings = check(store)
    damage = [f for f in findings if f.kind is not Kind.UNINDEXED_VERSION]
    assert damage, f"{what}: check finds nothing"
    for finding in damage:
        assert finding.object_key == key, f"{what}: {finding}"


@pytest.fixture(scope="module")
def filled() -> MemoryStore:
    """Return a filled store, to be cloned."""
    store = MemoryStore()
    fill(store)
    return store


def test_the_undamaged_store_is_read_and_checked_without_a_finding(filled: MemoryStore) -> None:
    """The sweep compares with this: no reading fails, and check is clean both ways."""
    healthy = outcomes(filled)
    assert not any(isinstance(outcome, Exception) for outcome in healthy.values())
    assert len(healthy["log kylek/notebooks/other.ipynb workspace"]) == 5  # type: ignore[arg-type]
    assert check(filled) == []
    assert check(filled, read_data=True) == []
    assert len(index_keys(filled)) == 9


def sweep(store: Store, keys: list[str], choose: Callable[[int, bytes], bool]) -> int:
    """Damage the index of *store*, one byte at a time, and bring it back; return how often.

    Args:
        store: The store.
        keys: The objects to damage.
        choose: Which damage to do, by its number: six ways for each byte.
    """
    healthy = outcomes(store)
    cases = 0
    for key in keys:
        data = store.get(key).data
        for number, form in enumerate(damaged(data)):
            if form == data or not choose(number, form):
                continue
            # Every third time the undamaged bytes stay stored as an older version.
            put = overwrite if cases % 3 == 0 else rewrite
            put(store, key, form)
            assert_exact(store, key, healthy, f"{put.__name__} of {key}, form {number}")
            rewrite(store, key, data)
            cases += 1
    return cases


def test_each_byte_of_an_index_damaged_shows_exactly(filled: MemoryStore) -> None:
    """Never a crash, never silently fewer versions: each 67th byte, in six ways."""
    keys = index_keys(filled)
    assert sweep(filled.clone(), keys, lambda number, _: number // 6 % 67 == 0) > 500


def test_an_embedded_store_shows_the_same_damage(store: LocalStore) -> None:
    """A few bytes of each object, in a real database."""
    fill(store)
    assert sweep(store, index_keys(store), lambda number, _: number % 1009 == 5) > 30


@pytest.mark.slow
@pytest.mark.parametrize("position", range(9))
def test_every_byte_of_an_index_damaged_shows_exactly(filled: MemoryStore, position: int) -> None:
    """Every byte of every record and state, with one bit flipped, and removed."""
    keys = index_keys(filled)[position : position + 1]
    assert sweep(filled.clone(), keys, lambda number, _: number % 6 in {0, 3}) > 500


def test_every_byte_of_the_settings_damaged_is_refused_and_named(filled: MemoryStore) -> None:
    """Whoever opens the store is told, and check says which file it is."""
    data = filled.get(STORE_FILE).data
    store = filled.clone()
    backend = open_repository(store).backend
    for form in damaged(data):
        if form == data:
            continue
        rewrite(store, STORE_FILE, form)
        with pytest.raises((IntegrityError, StoreMisconfigured)):
            read_settings(store)
        assert [f.kind for f in check_settings(backend)] == [Kind.DAMAGED_SETTINGS]
    purge(store, STORE_FILE)
    assert [f.object_key for f in check(store)] == [STORE_FILE]


@pytest.mark.parametrize("position", range(9))
def test_an_object_of_the_index_deleted_for_good_shows(filled: MemoryStore, position: int) -> None:
    """Readers give an error or all versions, and check finds it: but for the end of a sequence.

    That a notebook was renamed away is said by the newest state of its earlier name alone.
    """
    healthy = outcomes(filled)
    store = filled.clone()
    key = index_keys(store)[position]
    purge(store, key)
    for name, outcome in outcomes(store).items():
        if isinstance(outcome, NbvcError):
            was_newest = key == record_key(5, OTHER) and name == "resolve v5"
            assert was_newest or isinstance(outcome, IntegrityError), name
        elif name.startswith("log"):
            assert sorted(bytes_of(outcome)) == sorted(bytes_of(healthy[name])), name
    assert check(store) or key == state_key(2), f"without {key} nothing is found"


def bytes_of(outcome: Outcome) -> list[bytes]:
    """Return the bytes of the versions of a log."""
    return [data for _, data in outcome]  # type: ignore[attr-defined]


def exchange(store: Store, one: str, other: str) -> None:
    """Put each of two objects in the place of the other one."""
    first, second = store.get(one).data, store.get(other).data
    rewrite(store, one, second)
    rewrite(store, other, first)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (record_key(1), record_key(2)),
        (record_key(2), record_key(3)),
        (record_key(4, OTHER), record_key(5, OTHER)),
        (state_key(1), state_key(2)),
        (record_key(1), state_key(1)),
        (state_key(1), state_key(1, OTHER)),
        (record_key(3), record_key(5, OTHER)),
        (record_key(1), record_key(1, OTHER, Area.PUBLISHED)),
    ],
)
def test_exchanged_objects_of_an_index_show(filled: MemoryStore, one: str, other: str) -> None:
    """Each is well sealed, and lies in the wrong place: readers notice, and check names both.

    Or, where it is the first of its sequence and carries no name, what no longer fits it.
    """
    healthy = outcomes(filled)
    store = filled.clone()
    exchange(store, one, other)
    for name, outcome in outcomes(store).items():
        if isinstance(outcome, NbvcError):
            assert isinstance(outcome, IntegrityError | NotFound), name
        elif name.startswith("log"):
            assert sorted(bytes_of(outcome)) == sorted(bytes_of(healthy[name])), name
    named = [finding.object_key or "" for finding in check(store)]
    for key in (one, other):
        notebook = key.removeprefix(".nbvc/").rpartition("/v/" if "/v/" in key else "/s/")[0]
        assert any(notebook in name for name in named), f"{key}: {named}"
