"""Pack, unpack and forget among others at work: in any order of requests, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from nbvc.errors import Conflict, VersionNotFound
from nbvc.manifest.layout import Layout
from nbvc.model import Area
from nbvc.repository import adopting
from nbvc.repository.findings import Severity
from nbvc.repository.packed_store import packs_of
from nbvc.stores.base import Store
from tests.interleaving import SEED, run, sampled_schedules, stepping
from tests.repository.checks import run_check
from tests.repository.packing import LATER, content, fill, forget, pack, unpack
from tests.repository.support import KEY, NOON, act, open_repository, save, write_settings
from tests.stores.memory import MemoryStore

DATA_KEY = Layout().data_key(Area.WORKSPACE, KEY)
VERSIONS, NEXT = 5, 6
SCHEDULES = 40
MANY_SCHEDULES = 2_000
SIZES = pytest.mark.parametrize(
    "size",
    [SCHEDULES, pytest.param(MANY_SCHEDULES, marks=pytest.mark.slow)],
    ids=["some", "many"],
)


@pytest.fixture(autouse=True)
def one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every request be made by the writer itself, so that another one can come before it."""
    monkeypatch.setattr("nbvc.repository.core.REMOTE_WORKERS", 1)
    monkeypatch.setattr("nbvc.repository.packing.AT_ONCE", 1)
    monkeypatch.setattr(adopting, "SETTLING_PAUSES_SECONDS", ())


def saving(store: Store) -> None:
    """Save one version more."""
    save(open_repository(store), content(NEXT), now=NOON)


def tagging(store: Store) -> None:
    """Tag v2, unless that was let go of."""
    try:
        open_repository(store).set_tag(KEY, "good", 2, act(now=NOON))
    except VersionNotFound:
        return


def letting_go(store: Store) -> None:
    """Keep the last two versions."""
    forget(store, last=2)


def reading(store: Store) -> None:
    """Read everything that the log shows, and find it as it was saved, or let go of."""
    repository = open_repository(store)
    for version in repository.log(KEY):
        with suppress(VersionNotFound):  # let go of since
            assert version.number is None or repository.read(version) == content(version.number)


COMMANDS: dict[str, Callable[[Store], object]] = {
    "save": saving,
    "tag": tagging,
    "pack": pack,
    "unpack": unpack,
    "forget": letting_go,
    "read": reading,
}
SHRINKING = {"pack", "unpack", "forget"}
TOGETHER = (
    ("pack", "save"),
    ("unpack", "save"),
    ("forget", "save"),
    ("pack", "pack"),
    ("pack", "unpack"),
    ("pack", "forget"),
    ("unpack", "forget"),
    ("forget", "forget"),
    ("forget", "tag"),
    ("pack", "save", "read"),
    ("unpack", "forget", "read"),
)


@SIZES
@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("names", TOGETHER, ids="-".join)
def test_nothing_is_lost_doubled_or_brought_back(
    names: tuple[str, ...], is_packed: bool, size: int
) -> None:
    """Who is overtaken says so, and can be run again; what is current stays current."""
    base = MemoryStore(now=lambda: NOON)
    write_settings(base)
    fill(open_repository(base), VERSIONS - 1)
    if is_packed:
        pack(base)
    fill(open_repository(base), VERSIONS, first=VERSIONS)
    base.now = lambda: LATER  # as who packs says: what is made now is young
    for schedule in sampled_schedules(size):
        store = base.clone()
        try:
            run([_writer(store, name) for name in names], schedule)
            _check(store, names)
            for name in sorted({*names} & SHRINKING):
                COMMANDS[name](store)
                _check(store, names)
            if "forget" in names:
                assert _held(store) == set(_shown(store))
        except BaseException:
            print(f"schedule {schedule.choices} (seed {SEED})")  # noqa: T201
            raise


def _writer(store: MemoryStore, name: str) -> Callable[[], object]:
    def write() -> None:
        try:
            COMMANDS[name](stepping(store))
        except Conflict:
            assert name in SHRINKING

    return write


def _shown(store: MemoryStore) -> list[int]:
    """Return the numbers that the log shows, newest first, each with the bytes that it had."""
    repository = open_repository(store)
    numbers = []
    for version in repository.log(KEY):
        assert version.number is not None
        assert repository.read(version) == content(version.number)
        numbers.append(version.number)
    return numbers


def _check(store: MemoryStore, names: tuple[str, ...]) -> None:
    newest = NEXT if "save" in names else VERSIONS
    kept = {newest, newest - 1, *open_repository(store).tags(KEY).values()}
    shown = _shown(store)
    assert shown == sorted(set(shown), reverse=True)
    assert set(shown) >= (kept if "forget" in names else set(range(1, newest + 1)))
    assert store.get(DATA_KEY).data == content(newest)
    findings, _ = run_check(store, read_data=True)
    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []


def _held(store: MemoryStore) -> set[int]:
    """Return the numbers of the versions whose bytes are anywhere in the store."""
    number_of = {content(number): number for number in range(1, NEXT + 1)}
    held = {
        number_of[bytes(store.get(entry.key, entry.version_id).data)]
        for entry in store.list_versions(DATA_KEY)
    }
    packs = packs_of(open_repository(store).backend)
    for entry in store.list_versions(Layout().packs(Area.WORKSPACE, KEY)):
        _, table = packs.discover(Area.WORKSPACE, KEY, entry)
        held |= {packed.number for packed in table.versions if packed.plain_as is None}
    return held
