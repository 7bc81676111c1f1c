"""Forget: versions go for good by the rules, what is named stays, and no number comes twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta, timezone
from itertools import count

import pytest

from nbvc.errors import InvalidInput, VersionNotFound
from nbvc.manifest.layout import Layout
from nbvc.model import Area, NotebookKey, Version, VersionId
from nbvc.repository.findings import Kind, Severity
from nbvc.repository.migration import migrate
from nbvc.repository.thinning import KeepRules, thin
from nbvc.stores.base import Create
from tests.repository.checks import run_check, run_repair
from tests.repository.packing import (
    LATER,
    assert_contents,
    content,
    fill,
    forget,
    pack,
    pack_keys,
    plain_ids,
    reads_a_pack,
    unpack,
)
from tests.repository.support import (
    HOUR,
    KEY,
    NOON,
    OTHER,
    THIRD,
    act,
    chain_of,
    find,
    open_repository,
    save,
    write_settings,
)
from tests.stores.killing import Killed, KillingStore
from tests.stores.memory import Entry, MemoryStore
from tests.stores.overtaken import Overtaken

DATA_KEY = Layout().data_key(Area.WORKSPACE, KEY)


@pytest.fixture(params=[True, False], ids=["conditional", "oldest wins"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    """Return a store with 10 versions, an hour apart."""
    store = MemoryStore(conditional=request.param, now=lambda: NOON)
    write_settings(store)
    fill(open_repository(store), 10)
    return store


def errors(store: MemoryStore) -> list[Kind]:
    """Return what a thorough check calls an error."""
    findings, _ = run_check(store, read_data=True)
    return [finding.kind for finding in findings if finding.severity is Severity.ERROR]


def numbers(store: MemoryStore, key: NotebookKey = KEY) -> list[int | None]:
    """Return the numbers that the log shows, newest first."""
    return [version.number for version in open_repository(store).log(key)]


def test_what_the_rules_keep_stays_and_the_rest_is_gone(store: MemoryStore) -> None:
    """From the log, and from the bucket; the records stay, so that the chain is whole."""
    (report,) = forget(store, last=3)
    assert (report.forgotten, report.versions) == (((1, 7),), 7)
    assert report.freed_bytes == sum(len(content(n)) for n in range(1, 8))
    assert len(plain_ids(store)) == 3
    assert_contents(store, (8, 9, 10))
    assert chain_of(open_repository(store)) == list(range(10, 0, -1))
    assert errors(store) == []
    assert run_check(store)[0] == []


def test_a_dry_run_writes_nothing_and_says_what_goes(store: MemoryStore) -> None:
    """The numbers and the bytes of the run that follows."""
    before = store.snapshot()
    planned = forget(store, last=3, apply=False)
    assert store.snapshot() == before
    assert forget(store, last=3) == planned


def test_the_latest_tagged_and_published_versions_always_stay(store: MemoryStore) -> None:
    """Whatever the rules say."""
    repository = open_repository(store)
    repository.set_tag(KEY, "good", 2, act())
    repository.publish(find(repository, "v4"), KEY, act())
    (report,) = forget(store, tagged=True)
    assert [(k.version.number, k.reasons) for k in report.kept] == [
        (10, ("latest",)),
        (4, ("published",)),
        (2, ("tagged",)),
    ]
    assert_contents(store, (2, 4, 10))


def test_who_asks_for_a_forgotten_version_learns_what_became_of_it(store: MemoryStore) -> None:
    """Read, tag and publish say so; its number is never given again."""
    forget(store, last=2)
    repository = open_repository(store)
    with pytest.raises(VersionNotFound, match="nbvc forget"):
        repository.read(find(repository, "v3"))
    with pytest.raises(VersionNotFound, match="nbvc forget"):
        repository.set_tag(KEY, "x", 3, act())
    with pytest.raises(VersionNotFound, match="nbvc forget"):
        repository.publish(find(repository, "v3"), KEY, act())
    assert save(repository, content(11)).file.record.number == 11


def test_packed_versions_are_forgotten_out_of_their_packs(store: MemoryStore) -> None:
    """The pack is made anew without them, and the old one is gone."""
    pack(store)
    (old,) = pack_keys(store)
    repository = open_repository(store)
    repository.set_tag(KEY, "good", 2, act())
    (report,) = forget(store, last=3)
    assert report.versions == 6
    (new,) = pack_keys(store)
    assert new != old
    assert_contents(store, (2, 8, 9, 10))
    assert errors(store) == []
    forget(store, last=1)
    assert_contents(store, (2, 10))
    repository.delete_tag(KEY, "good", act())
    forget(store, last=1)
    assert_contents(store, (10,))
    assert pack_keys(store) == []
    assert errors(store) == []


def test_locked_versions_stay(store: MemoryStore) -> None:
    """The store would refuse; so it is said beforehand."""
    store.lock(DATA_KEY, find(open_repository(store), "v2").version_id, LATER + HOUR)
    (report,) = forget(store, last=1)
    assert [(k.version.number, k.reasons) for k in report.kept] == [
        (10, ("latest", "last")),
        (2, ("locked",)),
    ]
    assert_contents(store, (2, 10))


def test_earlier_names_are_thinned_with_the_rest(store: MemoryStore) -> None:
    """A rename continues a history; its older part lies under the older name."""
    repository = open_repository(store)
    repository.rename(KEY, OTHER, act())
    save(repository, content(12), key=OTHER, now=NOON + 20 * HOUR)
    forget(store, keys=[OTHER], last=3)
    repository = open_repository(store)
    versions = list(repository.log(OTHER))
    assert [version.number for version in versions] == [12, 11, 10]
    assert [repository.read(v) for v in versions] == [content(12), content(10), content(10)]
    assert errors(store) == []
    repository.rename(OTHER, KEY, act())
    assert [version.number for version in open_repository(store).log(KEY)] == [13, 12, 11, 10]


def test_a_former_name_is_thinned_under_the_present_one_alone(store: MemoryStore) -> None:
    """Or what is tagged, published or kept there would go by the rules for here."""
    repository = open_repository(store)
    repository.rename(KEY, OTHER, act())
    before = store.snapshot()
    assert forget(store, keys=[KEY], last=1) == []
    assert store.snapshot() == before


def test_a_name_that_is_used_again_keeps_what_the_other_notebook_has(store: MemoryStore) -> None:
    """Somebody saved under the old name after the rename: each has its own, and what they share."""
    repository = open_repository(store)
    repository.rename(KEY, OTHER, act())
    for number in (11, 12):
        save(open_repository(store), content(number))
    repository.set_tag(OTHER, "good", 2, act())
    (report,) = forget(store, last=1)
    assert report.forgotten == ((11, 11),)
    assert numbers(store, OTHER) == list(range(11, 0, -1))
    repository.set_tag(KEY, "ours", 3, act())
    (report,) = forget(store, keys=[OTHER], last=1)
    assert report.forgotten == ((1, 1), (4, 10))
    assert numbers(store) == [12, 3]
    assert numbers(store, OTHER) == [11, 3, 2]
    assert open_repository(store).read(find(open_repository(store), "v2")) == content(2)
    for key in (KEY, OTHER):
        for version in open_repository(store).log(key):
            open_repository(store).read(version)
    assert run_check(store, read_data=True)[0] == []


def test_what_is_published_under_an_earlier_name_stays(store: MemoryStore) -> None:
    """A rename does not publish anew, and takes nothing back."""
    repository = open_repository(store)
    repository.publish(find(repository, "v2"), KEY, act())
    repository.rename(KEY, OTHER, act())
    forget(store, keys=[OTHER], last=1)
    assert numbers(store, OTHER) == [11, 2]


def test_every_name_of_a_notebook_leaves_out_what_is_forgotten(store: MemoryStore) -> None:
    """Also one between the first and the present one, whose state nobody has changed."""
    open_repository(store).rename(KEY, OTHER, act())
    open_repository(store).rename(OTHER, THIRD, act())
    forget(store, keys=[THIRD], last=1)
    assert [numbers(store, key) for key in (KEY, OTHER, THIRD)] == [[], [], [12]]


def test_forgotten_versions_stay_forgotten_in_another_store(store: MemoryStore) -> None:
    """Their records come along, as of what is lost; nobody is told that they are missing."""
    forget(store, last=2)
    target = MemoryStore(url="file:///target", first_id=1_000)
    write_settings(target)
    migrate(open_repository(store), open_repository(target), prefix="")
    assert_contents(target, (9, 10))
    assert errors(target) == []


def test_repair_does_not_bring_back_nor_mourn_what_was_forgotten(store: MemoryStore) -> None:
    """They are not marked as gone, for nobody lost them."""
    pack(store)
    forget(store, last=2)
    mendings, report = run_repair(store)
    assert (mendings, report.remaining) == ([], ())


def test_what_a_cut_off_run_left_is_deleted_by_the_next(store: MemoryStore) -> None:
    """Its versions are hidden already; check notes that they are there."""
    hidden = find(open_repository(store), "v3")
    data = store.get(DATA_KEY, hidden.version_id)
    forget(store, last=2)
    entry = Entry(
        version_id=hidden.version_id,
        data=data.data,
        etag=data.etag,
        metadata=data.metadata,
        modified_at=data.modified_at,
    )
    store.bring_back(DATA_KEY, entry)
    assert Kind.FORGOTTEN_VERSION in {finding.kind for finding in run_check(store)[0]}
    assert [v.number for v in open_repository(store).log(KEY)] == [10, 9]
    (report,) = forget(store, last=2)
    assert (report.versions, report.finished) == (0, 1)
    assert hidden.version_id not in plain_ids(store)
    assert run_check(store)[0] == []


@pytest.mark.parametrize("prepare", [lambda store: store, pack], ids=["plain", "packed"])
def test_a_cut_off_run_under_a_new_name_is_finished_by_the_next(
    store: MemoryStore, prepare: Callable[[MemoryStore], object]
) -> None:
    """Wherever it was: what only the new name says is let go of goes from the earlier one too."""
    prepare(store)
    open_repository(store).rename(KEY, OTHER, act())
    for at in count(1):
        copy = store.clone()
        try:
            forget(KillingStore(copy, at, answered=False), keys=[OTHER], last=1)
        except Killed:
            pass
        else:
            break
        forget(copy, keys=[OTHER], last=1)
        assert (numbers(copy), numbers(copy, OTHER)) == ([], [11])
        assert (plain_ids(copy), pack_keys(copy)) == ([], [])
        assert run_check(copy)[0] == []
    assert at > 2


def test_who_packs_what_is_let_go_of_at_this_moment_says_nothing_of_it(store: MemoryStore) -> None:
    """The pack is there and not named yet, and somebody removes it with what it holds."""
    overtaken = Overtaken(store, lambda: forget(store, last=1), when=reads_a_pack)
    (report,) = pack(overtaken)
    assert overtaken.after < 0
    assert (report.versions, pack_keys(store), numbers(store)) == (0, [], [10])
    assert run_check(store)[0] == []


def test_what_is_let_go_of_while_it_is_unpacked_is_gone(store: MemoryStore) -> None:
    """What he who unpacks has listed already is removed; what is current stays that."""
    pack(store)
    overtaken = Overtaken(
        store,
        lambda: forget(store, last=1),
        when=lambda request: request.name == "head" and len(plain_ids(store)) == 10,
        after=1,
    )
    unpack(overtaken)
    assert overtaken.after < 0
    assert store.get(DATA_KEY).data == content(10)
    assert (numbers(store), pack_keys(store)) == ([10], [])
    assert run_check(store)[0] == []


def _die() -> None:
    raise Killed


def test_what_is_published_anew_since_a_cut_off_run_stays(store: MemoryStore) -> None:
    """Under the earlier name, which showed it still."""
    open_repository(store).rename(KEY, OTHER, act())
    cut_off = Overtaken(store, _die, after=1)
    with pytest.raises(Killed):
        forget(cut_off, keys=[OTHER], last=1)
    repository = open_repository(store)
    repository.publish(find(repository, "v3"), KEY, act())
    (report,) = forget(store, keys=[OTHER], last=1)
    assert (report.versions, report.finished) == (0, 9)
    assert (numbers(store), numbers(store, OTHER)) == ([3], [11])
    assert open_repository(store).read(find(open_repository(store), "v3")) == content(3)


def test_a_pack_that_a_cut_off_run_left_goes_with_what_it_holds(store: MemoryStore) -> None:
    """Though no version goes: the next run finds the old pack, which no state names any more."""
    pack(store)
    (old,) = pack_keys(store)
    blob = store.get(old)
    open_repository(store).set_tag(KEY, "good", 3, act())
    forget(store, last=1)
    store.now = lambda: LATER
    store.put(old, blob.data, mode=Create(), metadata={}, content_type="application/zstd")
    assert forget(store, last=1)[0].versions == 0
    assert old not in pack_keys(store)
    assert_contents(store, (3, 10))


def test_a_pack_with_the_only_copy_of_a_version_is_never_unused(store: MemoryStore) -> None:
    """All states are lost, and a year later somebody packs before anybody repairs."""
    pack(store)
    for entry in list(store.list_versions(Layout().states(Area.WORKSPACE, KEY))):
        store.delete_version(entry.key, entry.version_id)
    fill(open_repository(store), 12, first=11)
    pack(store)
    run_repair(store)
    assert_contents(store, range(1, 13))


def test_no_rule_is_an_error() -> None:
    """Or everything but the latest version would go for want of a word."""
    with pytest.raises(InvalidInput, match="what to keep"):
        KeepRules(zone=UTC)


def version(number: int, hours: float, *, tags: tuple[str, ...] = ()) -> Version:
    """Return a version that was saved so many hours after noon of 2026-08-01, a Saturday."""
    return Version(
        key=KEY,
        number=number,
        digest=None,
        version_id=VersionId(f"id{number}"),
        size_bytes=1,
        saved_at=NOON + timedelta(hours=hours),
        tags=tags,
    )


def kept(hours: list[float], **rules: object) -> dict[int, tuple[str, ...]]:
    """Return which of versions at these hours, oldest first, stay, and why."""
    versions = [version(number, hour) for number, hour in enumerate(hours, start=1)][::-1]
    found = thin(versions, KeepRules(**{"zone": UTC, **rules}))  # type: ignore[arg-type]
    return {k.version.number or 0: k.reasons for k in found if k.reasons}


def test_each_day_keeps_its_last_version() -> None:
    """Days without versions do not count; days begin at midnight where the person is."""
    hours = [0, 6, 11.9, 12.1, 13, 12 + 24 * 5]
    assert set(kept(hours, daily=1)) == {6}
    assert set(kept(hours, daily=2)) == {6, 5}
    assert set(kept(hours, daily=3)) == {6, 5, 3}
    assert set(kept(hours, daily=99)) == {6, 5, 3}
    east = timezone(timedelta(hours=12))  # noon in UTC is midnight there
    assert set(kept(hours, daily=99, zone=east)) == {6, 5, 4 + 1}


def test_weeks_begin_on_monday_and_months_on_their_first_day() -> None:
    """By the calendar, across the end of a year too."""
    day = 24
    hours = [0, day, 2 * day, 8 * day, 30 * day, 31 * day, 152 * day, 153 * day]
    # Sat 1, Sun 2, Mon 3, Sun 9, Mon 31 August, Tue 1 September, Thu 31 December, Fri 1 January
    assert set(kept(hours, weekly=99)) == {8, 6, 4, 2}
    assert set(kept(hours, monthly=99)) == {8, 7, 6, 5}
    assert set(kept(hours, monthly=2)) == {8, 7}


def test_a_version_stays_if_any_rule_keeps_it() -> None:
    """Each rule counts by itself, and the reasons are told in one order."""
    found = kept([0, 1, 30, 31, 60], last=2, daily=2, monthly=1)
    assert found == {5: ("latest", "last", "daily", "monthly"), 4: ("last", "daily")}
