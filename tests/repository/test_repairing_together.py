"""Repair where several objects of one index are damaged, and each alone would be easy."""

from __future__ import annotations

import pytest

from nbvc.repository.mendings import MendingKind
from tests.repository.checks import run_repair
from tests.repository.damaging import drop_record, record_key, rewrite
from tests.repository.support import contents, open_repository, save_many, write_settings
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
