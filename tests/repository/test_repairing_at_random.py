"""Repair after random histories and random damage to the index: everything is where it was."""

from __future__ import annotations

import random

import pytest

from nbvc.errors import NbvcError, NotebookNotFound
from nbvc.model import Area, NotebookKey, VersionId
from nbvc.repository import Repository
from nbvc.stores.base import Store
from tests.faults.ledger import Ledger
from tests.faults.oracle import assert_kept
from tests.repository.checks import run_check, run_repair
from tests.repository.damaging import data_key, entries, overwrite, purge, rewrite
from tests.repository.support import (
    KEY,
    OTHER,
    THIRD,
    DictCache,
    act,
    draft,
    open_repository,
    write_settings,
)
from tests.repository.test_repairing import index
from tests.stores.memory import MemoryStore

SEED = 20261128
KEYS = (KEY, OTHER, THIRD)
PLACES = [(area, key) for area in Area for key in KEYS]
ACTS = ("save",) * 9 + ("fork", "fork", "tag", "tag", "rename", "publish", "remove", "unpublish")
Logs = dict[tuple[Area, NotebookKey], list[tuple[int | None, NotebookKey, VersionId]]]


def work(repository: Repository, dice: random.Random, *, names_return: bool) -> None:
    """Do what people do with three notebooks, some of which is refused.

    Args:
        repository: Where.
        dice: Decides what.
        names_return: Whether a notebook may be renamed to a name that was used before.
    """
    for number in range(dice.randint(3, 30)):
        what, key = dice.choice(ACTS), dice.choice(KEYS)
        try:
            versions = list(repository.log(key)) if what != "save" else []
            chosen = dice.choice(versions) if versions else None
            if what in {"save", "fork"}:
                parent = chosen.number if chosen is not None else None
                repository.save(key, draft(b"bytes %d" % number, parent), act(what))
            elif what == "rename":
                new = dice.choice([k for k in KEYS if k != key])
                if names_return or not entries(repository.store, data_key(new)):
                    repository.rename(key, new, act())
            elif what == "remove":
                repository.remove(key, act())
            elif what == "unpublish":
                repository.unpublish(key, act())
            elif chosen is not None and what == "publish":
                repository.publish(chosen, key, act())
            elif chosen is not None and chosen.number is not None:
                repository.set_tag(key, dice.choice("ab"), chosen.number, act(), move=True)
        except NbvcError:
            continue


def damage(store: Store, dice: random.Random, *, everything: bool) -> list[str]:
    """Delete or spoil some objects of the index, or delete all of it; return their keys."""
    keys = sorted(index(store))
    some = len(keys) if everything else dice.choice([1, 1, 2, 3, len(keys) // 3])
    chosen = dice.sample(keys, min(some, len(keys)))
    for key in chosen:
        data = store.get(key).data
        how = dice.choice(["deleted", "purged", "written over", "emptied", "cut short"])
        if how == "deleted":
            store.delete(key)
        elif how == "purged" or everything:
            purge(store, key)
        elif how == "written over":
            overwrite(store, key, b"{}")
        else:
            rewrite(store, key, b"" if how == "emptied" else data[:-9])
    return chosen


def logs(store: Store, cache: DictCache | None = None) -> Logs:
    """Return what the log of each notebook shows, in each area."""
    found: Logs = {}
    for area, key in PLACES:
        try:
            repository = open_repository(store, cache=cache)
            repository.log(key, area=area)  # which leaves out what another notebook has too
            versions = list(repository.open_history(key, area=area).versions())
        except NotebookNotFound:
            versions = []
        found[area, key] = [(v.number, v.key, v.version_id) for v in versions]
    return found


def told(store: Store, shown: Logs, *, with_tags: bool) -> Ledger:
    """Return what the users of *store* were told: its log, and where the states are whole, tags."""
    ledger, repository = Ledger(), open_repository(store)
    for (area, key), versions in shown.items():
        for number, place, version_id in versions:
            data = store.get(repository.layout.data_key(area, place), version_id).data
            ledger.acknowledge(key, data, number, area=area)
        if with_tags and area is Area.WORKSPACE and versions:
            for name, number in repository.tags(key).items():
                ledger.tag(key, name, number)
    return ledger


def run(seed: int) -> None:
    """Make one store, damage it, repair it, and compare."""
    dice = random.Random(seed)
    store = MemoryStore(conditional=dice.random() < 0.5)
    write_settings(store)
    cache = DictCache()
    # From the bucket alone, a name that was left and taken again shows no earlier history.
    everything = dice.random() < 0.2
    work(open_repository(store, cache=cache), dice, names_return=not everything)
    shown, whole = logs(store), store.clone()
    damaged = damage(store, dice, everything=everything)
    before = store.snapshot()
    dry, _ = run_repair(store, apply=False)
    assert store.snapshot() == before
    done, report = run_repair(store)
    assert report.remaining == ()
    assert [mending.message for mending in dry if mending not in done] == []
    findings, _ = run_check(store, read_data=True)
    assert [finding.message for finding in findings if finding.severity == "error"] == []
    after = store.snapshot()
    assert run_repair(store)[0] == []
    assert store.snapshot() == after
    assert logs(store) == shown
    assert logs(store, cache) == shown
    with_tags = not any("/s/" in key for key in damaged)
    assert_kept(store, told(whole, shown, with_tags=with_tags))
    for key in KEYS:
        numbers = [number for number, *_ in shown[Area.WORKSPACE, key] if number is not None]
        known = open_repository(store).save(key, draft(b"after " + key.encode()), act())
        assert known.file.record.number > max(numbers, default=0)


@pytest.mark.parametrize("seed", range(SEED, SEED + 120))
def test_whatever_is_lost_of_an_index_comes_back(seed: int) -> None:
    """The log, numbers and refs are as before, and a second repair does nothing."""
    run(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_whatever_is_lost_of_an_index_comes_back_each_time(block: int) -> None:
    """1,000 programs more."""
    for seed in range(SEED + 1_000 + 100 * block, SEED + 1_100 + 100 * block):
        try:
            run(seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
