"""Repair where several objects of one index are damaged, and each alone would be easy."""

from __future__ import annotations

import pytest

from nbvc.repository.findings import Kind
from nbvc.repository.mendings import MendingKind
from tests.repository.checks import named, run_check, run_repair
from tests.repository.damaging import drop_record, record_key, rewrite
from tests.repository.support import (
    KEY,
    OTHER,
    contents,
    open_repository,
    save_many,
    write_settings,
)
from tests.repository.test_repairing import assert_clean, index
from tests.stores.memory import MemoryStore


@pytest.fixture(params=[True, False], ids=["conditional", "oldest wins"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    """Return a prepared store, with and without conditional writes."""
    store = MemoryStore(conditional=request.param)
    write_settings(store)
    return store


@pytest.mark.parametrize("missing", [(3,), (2, 3), (1, 2, 3)])
def test_a_damaged_newest_record_does_not_hide_that_those_below_are_missing(
    store: MemoryStore, missing: tuple[int, ...]
) -> None:
    """No good record says that they were there; every one comes back under its number."""
    save_many(open_repository(store), 4)
    before = index(store)
    for number in missing:
        drop_record(store, number)
    rewrite(store, record_key(4), b"{}")
    mendings, report = run_repair(store)
    assert {mending.kind for mending in mendings} == {MendingKind.REBUILT_RECORD}
    assert report.remaining == ()
    assert index(store) == before
    assert contents(open_repository(store)) == [b"v4", b"v3", b"v2", b"v1"]
    assert_clean(store)


def test_the_newest_record_of_another_notebook_brings_no_other_history(store: MemoryStore) -> None:
    """Sealed well and with copies of its own, it names no version that this notebook has."""
    repository = open_repository(store)
    save_many(repository, 4)
    save_many(repository, 4, key=OTHER)
    before = index(store)
    rewrite(store, record_key(4), store.get(record_key(4, OTHER)).data)
    findings, _ = run_check(store)
    assert named(findings) == [(Kind.ALTERED_RECORD, KEY, 4), (Kind.UNINDEXED_VERSION, KEY, None)]
    mendings, report = run_repair(store)
    assert [(m.kind, m.number) for m in mendings] == [(MendingKind.REBUILT_RECORD, 4)]
    assert report.remaining == ()
    assert index(store) == before
    assert_clean(store)
