"""Every order in which the requests of several writers can reach a store keeps every version.

With conditional writes, and on stores that ignore conditions and answer success.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from typing import TypeVar

import pytest

from nbvc.manifest.records import check_chain
from nbvc.model import Area, Digest, WriteId
from nbvc.repository import Act, Known, adopting
from nbvc.repository.records import Manifest
from nbvc.repository.saving import record_maker
from nbvc.stores.base import Create
from tests.interleaving import (
    SEED,
    Schedule,
    every_schedule,
    run,
    sampled_schedules,
    stepping,
)
from tests.repository.support import (
    HOUR,
    KEY,
    NOON,
    act,
    chain_of,
    draft,
    open_repository,
    put_foreign,
    save_many,
)
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")
Writer = Callable[[], object]
BOTH = pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "unconditional"])
SAMPLE = 600
LARGE_SAMPLE = 5_000
SIZES = pytest.mark.parametrize(
    "size", [SAMPLE, pytest.param(LARGE_SAMPLE, marks=pytest.mark.slow)], ids=["some", "many"]
)


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adopt at once: the wait for writers at work would only make the orders more, not harder."""
    monkeypatch.setattr(adopting, "SETTLING_PAUSES_SECONDS", ())


def new_store(*, conditional: bool) -> MemoryStore:
    """Return an empty store whose clock stands still."""
    return MemoryStore(conditional=conditional, now=lambda: NOON)


def act_of(writer: int, now: datetime = NOON) -> Act:
    """Return the one act of *writer*, the same in every schedule."""
    return Act(author=f"w{writer}", message="", now=now, write_id=WriteId(f"w{writer}"))


def saver(store: MemoryStore, writer: int, known: Known | None, *, now: datetime = NOON) -> Writer:
    """Return a writer that saves once."""
    parent = known.file.record.number if known else None

    def write() -> None:
        repository = open_repository(stepping(store))
        repository.save(KEY, draft(b"by %d" % writer, parent), act_of(writer, now), known)

    return write


def appender(store: MemoryStore, writer: int, known: Known | None) -> Writer:
    """Return a writer that only claims a number, for a version that is stored already."""
    stored = put_foreign(store, b"by %d" % writer)
    made = record_maker(draft(b"by %d" % writer), act_of(writer), stored.version_id)

    def write() -> None:
        backend = open_repository(stepping(store)).backend
        Manifest(backend, Area.WORKSPACE, KEY).append(known.file if known else None, made)

    return write


def assert_kept(store: MemoryStore, before: int, writers: int) -> None:
    """Check the whole truth after a run: each version once, no gap, chained, readable."""
    repository = open_repository(store)
    manifest = Manifest(repository.backend, Area.WORKSPACE, KEY)
    newest = manifest.newest()
    assert newest is not None
    records = list(manifest.back_from(newest, 1))
    check_chain(records, what="manifest")
    assert [record.number for record in records] == list(range(before + writers, 0, -1))
    assert len({record.version_id for record in records}) == before + writers
    saved = {repository.store.get(f"workspace/{KEY}", r.version_id).data for r in records}
    assert saved >= {b"by %d" % writer for writer in range(writers)}
    versions = list(repository.log(KEY))
    assert [version.number for version in versions] == [record.number for record in records]
    for version in versions:
        assert Digest.of(repository.read(version)) == version.digest


def explore(
    base: MemoryStore,
    schedules: Iterator[Schedule],
    writers: Callable[[MemoryStore], list[Writer]],
    check: Callable[[MemoryStore], None],
) -> int:
    """Run the writers on a copy of *base* in each schedule, and check every outcome once.

    Returns:
        The number of schedules.
    """
    done = 0
    checked = set()
    for schedule in schedules:
        store = base.clone()
        try:
            run(writers(store), schedule)
            if (outcome := store.snapshot()) not in checked:
                checked.add(outcome)
                check(store)
        except BaseException:
            print(f"schedule {schedule.choices} (seed {SEED})")  # noqa: T201
            raise
        done += 1
    return done


def base_of(versions: int, *, conditional: bool) -> tuple[MemoryStore, Known | None]:
    """Return a store with so many versions, and the newest of them."""
    store = new_store(conditional=conditional)
    if versions == 0:
        return store, None
    return store, save_many(open_repository(store), versions)


@BOTH
@pytest.mark.parametrize("before", [0, 1, 15], ids=["new", "one", "fifteen"])
def test_two_writers_who_claim_numbers_keep_both_records(conditional: bool, before: int) -> None:
    """Every schedule of two claims gives two numbers in a row, and one chain."""
    base, known = base_of(before, conditional=conditional)
    done = explore(
        base,
        every_schedule(2_000),
        lambda store: [appender(store, writer, known) for writer in range(2)],
        lambda store: assert_kept(store, before, 2),
    )
    assert done >= 2


@BOTH
@pytest.mark.parametrize("before", [0, 2], ids=["new", "known"])
def test_two_people_who_save_at_once_keep_both_versions(conditional: bool, before: int) -> None:
    """Every schedule of two saves on top of the same version.

    Of the first two saves without conditions, which have over 40,000 schedules, a sample.
    """
    base, known = base_of(before, conditional=conditional)
    too_many = before == 0 and not conditional
    done = explore(
        base,
        sampled_schedules(4 * SAMPLE) if too_many else every_schedule(6_000),
        lambda store: [saver(store, writer, known) for writer in range(2)],
        lambda store: assert_kept(store, before, 2),
    )
    assert done >= 18


@BOTH
def test_a_save_with_stale_knowledge_loses_nothing(conditional: bool) -> None:
    """One knows the newest version, one an older one, in every schedule."""
    base, _ = base_of(0, conditional=conditional)
    stale = save_many(open_repository(base), 1)
    known = save_many(open_repository(base), 2, known=stale)
    explore(
        base,
        every_schedule(6_000),
        lambda store: [saver(store, 0, known), saver(store, 1, stale)],
        lambda store: assert_kept(store, 3, 2),
    )


@BOTH
@SIZES
def test_three_writers_keep_all_records(conditional: bool, size: int) -> None:
    """A seeded sample of the schedules of three claims."""
    base, known = base_of(1, conditional=conditional)
    explore(
        base,
        sampled_schedules(size),
        lambda store: [appender(store, writer, known) for writer in range(3)],
        lambda store: assert_kept(store, 1, 3),
    )


@BOTH
@SIZES
@pytest.mark.parametrize("before", [0, 2], ids=["new", "known"])
def test_three_people_who_save_at_once_keep_all_versions(
    conditional: bool, before: int, size: int
) -> None:
    """A seeded sample of the schedules of three saves."""
    base, known = base_of(before, conditional=conditional)
    explore(
        base,
        sampled_schedules(size),
        lambda store: [saver(store, writer, known) for writer in range(3)],
        lambda store: assert_kept(store, before, 3),
    )


@BOTH
def test_a_writer_whose_version_is_adopted_meanwhile_records_it_once(conditional: bool) -> None:
    """The other one's clock is an hour ahead, so it takes the slow one for dead and adopts."""
    base, known = base_of(2, conditional=conditional)
    explore(
        base,
        every_schedule(8_000),
        lambda store: [saver(store, 0, known), saver(store, 1, None, now=NOON + HOUR)],
        lambda store: assert_kept(store, 2, 2),
    )


@BOTH
def test_two_who_adopt_the_same_version_record_it_once(conditional: bool) -> None:
    """A version of another tool, and two saves at once that both find it without a record."""
    base, _ = base_of(2, conditional=conditional)
    put_foreign(base, b"foreign")

    def check(store: MemoryStore) -> None:
        assert_kept(store, 3, 2)

    explore(
        base,
        sampled_schedules(SAMPLE),
        lambda store: [saver(store, writer, None) for writer in range(2)],
        check,
    )


def reader(store: MemoryStore) -> Writer:
    """Return a reader that lists the versions and reads each of them."""

    def read() -> None:
        repository = open_repository(stepping(store))
        seen = []
        for version in repository.log(KEY):
            assert repository.read(version).startswith((b"by ", b"v"))
            seen.append(version.version_id)
        assert len(seen) == len(set(seen))
        assert len(seen) >= 2

    return read


@BOTH
@SIZES
def test_a_reader_sees_no_version_that_it_cannot_read(conditional: bool, size: int) -> None:
    """Listed while two people save: every version is there, whole, and listed once."""
    base, known = base_of(2, conditional=conditional)
    explore(
        base,
        sampled_schedules(size),
        lambda store: [saver(store, 0, known), saver(store, 1, known), reader(store)],
        lambda store: assert_kept(store, 2, 2),
    )


class Killed(BaseException):
    """The process ends here."""


class DyingStore(WrappedStore):
    """Kills its writer after the first write."""

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send, and die if it was a write."""
        reply = send()
        if request.name == "put":
            raise Killed
        return reply


def dying_saver(store: MemoryStore, writer: int, known: Known | None) -> Writer:
    """Return a writer that is killed after its notebook is stored and before its record is."""

    def write() -> None:
        repository = open_repository(DyingStore(stepping(store)))
        try:
            repository.save(KEY, draft(b"by %d" % writer), act_of(writer), known)
        except Killed:
            return
        raise AssertionError("it was not killed")

    return write


def assert_kept_once_at_most(store: MemoryStore) -> None:
    """Check that the dead writer's version is shown, unindexed or adopted, and no other is lost."""
    repository = open_repository(store)
    shown = [repository.read(version) for version in repository.log(KEY)]
    assert sorted(shown) == [b"by 0", b"by 1", b"v1", b"v2"]
    numbers = chain_of(repository)
    assert numbers in ([4, 3, 2, 1], [3, 2, 1])
    unindexed = [v for v in repository.log(KEY) if not v.indexed]
    assert len(unindexed) == 4 - len(numbers)
    for version in unindexed:
        assert (version.author, version.digest) == ("w0", Digest.of(b"by 0"))
    # The next save that looks finds it, if it is newer than all records, and adopts it once.
    for round_number in (5, 6):
        now = NOON + round_number * HOUR
        known = repository.save(KEY, draft(b"later %d" % round_number), act(now=now), None)
        versions = list(repository.log(KEY))
        assert len(versions) == round_number
        assert chain_of(repository) == list(range(known.file.record.number, 0, -1))
        recorded = [version.version_id for version in versions if version.indexed]
        assert len(recorded) == len(set(recorded)) == known.file.record.number


@BOTH
@pytest.mark.parametrize("late", [False, True], ids=["at once", "an hour later"])
def test_the_version_of_a_writer_that_died_is_shown_and_adopted_once(
    conditional: bool, late: bool
) -> None:
    """Every schedule of a save that is cut off and another one, whatever the clock says."""
    base, known = base_of(2, conditional=conditional)
    now = NOON + HOUR if late else NOON
    explore(
        base,
        every_schedule(4_000),
        lambda store: [dying_saver(store, 0, known), saver(store, 1, known, now=now)],
        assert_kept_once_at_most,
    )


def test_the_explorer_finds_a_lost_update() -> None:
    """The oracle is worth something: a store that lies about its conditions loses a number."""
    base = new_store(conditional=False)
    lying = type(
        "Lying", (MemoryStore,), {"capabilities": new_store(conditional=True).capabilities}
    )
    assert lying().capabilities.conditional_create

    def writers(store: MemoryStore) -> list[Writer]:
        store.__class__ = lying
        return [appender(store, writer, None) for writer in range(2)]

    with pytest.raises(AssertionError):
        explore(base, every_schedule(100), writers, lambda store: assert_kept(store, 0, 2))


def test_all_schedules_of_two_times_two_requests_are_tried() -> None:
    """The explorer enumerates: (2+2)! / (2! 2!) orders, each once."""

    def writers(store: MemoryStore) -> list[Writer]:
        order: list[int] = []
        seen_by.append(order)
        stepped = stepping(store)

        def write(writer: int) -> None:
            for number in count():
                if number == 2:
                    return
                stepped.put(f"{writer}/{number}", b"", mode=Create(), metadata={}, content_type="")
                order.append(writer)

        return [lambda: write(0), lambda: write(1)]

    seen_by: list[list[int]] = []
    done = explore(new_store(conditional=True), every_schedule(100), writers, lambda _: None)
    seen = {tuple(order) for order in seen_by}
    assert done == len(seen) == 6
