"""A repair that is cut off or raced, and any damage at all: nothing gets worse, all comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import TypeVar

import pytest

from nbvc.errors import IntegrityError, NbvcError, OutcomeUnknown
from nbvc.manifest.layout import entry_number
from nbvc.repository import adopting, examining_versions
from nbvc.repository.repairing import Repair
from nbvc.repository.sequence import read_entry
from nbvc.stores.base import Blob, Store
from tests.faults.ledger import Ledger
from tests.faults.oracle import assert_settled
from tests.interleaving import Schedule, run, sampled_schedules, stepping
from tests.manifest.damage import damaged
from tests.repository.checks import NOW, run_check, run_repair
from tests.repository.damaging import (
    alter_record,
    drop_record,
    overwrite,
    purge,
    read_record,
    record_key,
    rewrite,
    state_key,
)
from tests.repository.support import (
    KEY,
    NOON,
    OTHER,
    act,
    contents,
    draft,
    open_repository,
    put_foreign,
    save_many,
    write_settings,
)
from tests.repository.test_corruption import bytes_of, fill, index_keys, outcomes
from tests.stores.killing import Killed, KillingStore
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")
BOTH = pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "oldest wins"])


def spoilt(*, conditional: bool) -> tuple[MemoryStore, Ledger]:
    """Return a store with one of each damage that can be mended, and what users were told of it."""
    store, ledger = MemoryStore(conditional=conditional, now=lambda: NOON), Ledger()
    write_settings(store)
    repository = open_repository(store)
    save_many(repository, 19)
    repository.set_tag(KEY, "good", 4, act())
    repository.rename(KEY, OTHER, act())
    for number in range(1, 20):
        for key in (KEY, OTHER):
            ledger.acknowledge(key, b"v%d" % number, number)
    ledger.acknowledge(OTHER, b"v19", 20)
    ledger.tag(OTHER, "good", 4)
    purge(store, record_key(3))
    overwrite(store, record_key(5), b"garbage")
    rewrite(store, record_key(6), b"garbage")
    rewrite(store, record_key(9), alter_record(store, 9, lambda r: replace(r, author="mallory")))
    drop_record(store, 19)
    purge(store, state_key(1, OTHER))
    put_foreign(store, b"foreign", OTHER)
    ledger.attempt(OTHER, b"foreign")
    return store, ledger


@BOTH
@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def test_a_repair_that_is_killed_at_any_request_is_finished_by_the_next(
    conditional: bool, answered: bool, step: int
) -> None:
    """Whatever was written until then: nothing is lost, doubled or renumbered."""
    spoiled, ledger = spoilt(conditional=conditional)
    for at in count(1, step):
        store = spoiled.clone()
        killing = KillingStore(store, at, answered=answered)
        try:
            run_repair(killing)
        except Killed:
            _, report = run_repair(store)
            assert report.remaining == ()
            assert_settled(store, ledger)
            findings, _ = run_check(store, read_data=True)
            assert [f for f in findings if f.severity == "error"] == []
        else:
            break
    assert at > 60


@BOTH
def test_a_repair_whose_reply_is_lost_is_finished_by_the_next(conditional: bool) -> None:
    """Each write in turn is done and not acknowledged."""
    spoiled, ledger = spoilt(conditional=conditional)

    class Losing(WrappedStore):
        def __init__(self, inner: Store, at: int) -> None:
            super().__init__(inner)
            self.writes, self.at = 0, at

        def around(self, request: Request, send: Callable[[], T]) -> T:
            reply = send()
            self.writes += request.name in {"put", "delete_version"}
            if request.name in {"put", "delete_version"} and self.writes == self.at:
                raise OutcomeUnknown("the reply was lost")
            return reply

    for at in count(1):
        store = spoiled.clone()
        try:
            run_repair(Losing(store, at))
        except OutcomeUnknown:
            _, report = run_repair(store)
            assert report.remaining == ()
            assert_settled(store, ledger)
        else:
            break
    assert at > 8


@BOTH
def test_repairs_and_saves_at_once_keep_every_version(
    conditional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who repair and one who saves, in 150 orders: all versions, each once, chained."""
    for module in (adopting, examining_versions):
        monkeypatch.setattr(module, "SETTLING_PAUSES_SECONDS", ())
    source = MemoryStore(conditional=conditional, now=lambda: NOON)
    write_settings(source)
    known = save_many(open_repository(source), 4)
    rewrite(source, record_key(2), b"garbage")
    purge(source, record_key(1))
    put_foreign(source, b"foreign")
    drop_record(source, 4)

    def explore(schedule: Schedule) -> None:
        store = source.clone()

        def repair() -> None:
            backend = open_repository(stepping(store)).backend
            list(Repair(backend, NOW, act("repair"), apply=True))

        def save() -> None:
            open_repository(stepping(store)).save(KEY, draft(b"mine", 4), act(), known)

        run([repair, repair, save], schedule)
        run_repair(store)
        found = sorted(contents(open_repository(store)))
        assert found == [b"foreign", b"mine", b"v1", b"v2", b"v3", b"v4"]
        assert read_record(store, 3) == read_record(source, 3)
        findings, _ = run_check(store, read_data=True)
        assert [f for f in findings if f.severity == "error"] == []

    for schedule in sampled_schedules(150):
        explore(schedule)


class BadLine(WrappedStore):
    """Every reply with bytes arrives damaged, for ever."""

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Answer *request*, but give no bytes."""
        reply = send()
        if isinstance(reply, Blob):
            raise IntegrityError("damaged on the way")
        return reply


@BOTH
def test_a_repair_over_a_line_that_damages_everything_removes_nothing(conditional: bool) -> None:
    """What it takes for rotten stays stored, and a repair over a good line has it back."""
    store = MemoryStore(conditional=conditional)
    fill(store)
    keys = index_keys(store)
    before = {key: store.get(key).data for key in keys}
    entries = {(e.key, e.version_id) for e in store.list_versions("")}
    with suppress(IntegrityError):
        run_repair(BadLine(store))
    assert {(e.key, e.version_id) for e in store.list_versions("")} >= entries
    run_repair(store)
    backend = open_repository(store).backend
    for key in keys:
        number = entry_number(key.rpartition("/")[0] + "/", key)
        assert number is not None
        found = read_entry(backend, key.rpartition("/")[0] + "/", number, bytes)
        assert found == before[key] or "/s/" in key
    findings, _ = run_check(store, read_data=True)
    assert [f for f in findings if f.severity == "error"] == []


def sweep(source: MemoryStore, keys: Sequence[str], choose: Callable[[int], bool]) -> int:
    """Damage the index of *source* one byte at a time, and repair it; return how often.

    Args:
        source: A filled store.
        keys: The objects to damage.
        choose: Which damage to do, by its number: six ways for each byte.
    """
    healthy, cases = outcomes(source), 0
    for key in keys:
        data = source.get(key).data
        for number, form in enumerate(damaged(data)):
            if form == data or not choose(number):
                continue
            store = source.clone()
            # Every third time the undamaged bytes stay stored as an older version.
            put = overwrite if cases % 3 == 0 else rewrite
            put(store, key, form)
            what = f"{put.__name__} of {key}, form {number}"
            _, report = run_repair(store)
            assert report.remaining == (), what
            for name, outcome in outcomes(store).items():
                assert not isinstance(outcome, NbvcError), f"{what}: {name} gives {outcome!r}"
                if name.startswith("log"):
                    assert bytes_of(outcome) == bytes_of(healthy[name]), f"{what}: {name}"
                elif "/v/" in key:
                    assert outcome == healthy[name], f"{what}: {name}"
            cases += 1
    return cases


@BOTH
def test_each_byte_of_an_index_damaged_is_mended(conditional: bool) -> None:
    """Every version comes back under its number: each 251st byte, in six ways."""
    store = MemoryStore(conditional=conditional)
    fill(store)
    assert sweep(store, index_keys(store), lambda number: number // 6 % 251 == 0) > 100


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("position", range(9))
def test_every_byte_of_an_index_damaged_is_mended(conditional: bool, position: int) -> None:
    """With one bit flipped, and removed."""
    store = MemoryStore(conditional=conditional)
    fill(store)
    keys = index_keys(store)[position : position + 1]
    assert sweep(store, keys, lambda number: number % 6 in {0, 3}) > 500
