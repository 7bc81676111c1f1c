"""Versions that the store has lost: expired by a lifecycle rule, or deleted for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from nbvc.errors import VersionNotFound
from nbvc.model import Area, Digest
from nbvc.repository import Repository
from nbvc.repository.joining import LOOKAHEAD
from nbvc.repository.states import change_state
from tests.repository.support import (
    KEY,
    NOON,
    OTHER,
    act,
    find,
    open_repository,
    put_foreign,
    save,
    save_many,
)
from tests.stores.counting import CountingStore
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


def lose(repository: Repository, *numbers: int) -> None:
    """Delete the bytes of versions for good, as a lifecycle rule does."""
    for number in numbers:
        version = find(repository, f"v{number}")
        repository.store.delete_version(f"workspace/{version.key}", version.version_id)


def missing(repository: Repository, limit: int | None = None) -> list[int | None]:
    """Return the numbers that the log marks, newest first."""
    return [version.number for version in repository.log(KEY, limit=limit) if version.missing]


@pytest.mark.parametrize("lost", [[1], [5], [3], [5, 4, 3, 2, 1], [1, 2, 4]])
@pytest.mark.parametrize("count", [5, 40])
def test_the_log_marks_what_the_store_has_lost(
    repository: Repository, lost: list[int], count: int
) -> None:
    """Newest, oldest, in the middle, all of them: in their places, and none besides."""
    save_many(repository, count)
    lost = [number + count - 5 for number in lost]
    lose(repository, *lost)
    assert missing(repository) == sorted(lost, reverse=True)
    assert [version.number for version in repository.log(KEY)] == list(range(count, 0, -1))


def test_a_log_of_some_marks_them_too(repository: Repository) -> None:
    """With a limit the listing is cut off, and reaches far enough beyond to tell."""
    save_many(repository, 100)
    lose(repository, 100, 95, 92, 70)
    assert missing(repository, limit=20) == [100, 95, 92]
    assert missing(repository, limit=1) == [100]
    assert missing(repository, limit=8) == [100, 95]


def test_a_whole_run_of_lost_versions_hides_no_other(repository: Repository) -> None:
    """More in a row than are read ahead: those below keep their numbers, each shown once."""
    save_many(repository, 80)
    put_foreign(repository.store, b"foreign")
    lost = range(30, 30 + 3 * LOOKAHEAD)
    lose(repository, *lost)
    shown = [version.number for version in repository.log(KEY)]
    assert shown == [None, *range(80, 0, -1)]
    assert missing(repository) == sorted(lost, reverse=True)
    assert [v.number for v in repository.log(KEY, limit=20)] == [None, *range(80, 61, -1)]


def test_a_listing_of_thousands_tells_it_too(repository: Repository) -> None:
    """Pages of the listing are read one after the other, and compared as they come."""
    save_many(repository, 1_300)
    lost = [1_300, 1_299, 1_000, 300, 299, 298, 1]
    lose(repository, *lost)
    assert missing(repository) == lost


def test_what_others_save_while_the_log_is_read_is_not_missing() -> None:
    """The listing may be older than the records: it is looked at again before anything is said."""

    class Busy(WrappedStore):
        """Somebody saves after each listing of versions that the log asks for."""

        def around(self, request: Request, send: Callable[[], T]) -> T:
            reply = send()
            if request.name == "list_versions" and request.key == f"workspace/{KEY}":
                save_many(open_repository(self.inner), 3)
            return reply

    memory = MemoryStore()
    save_many(open_repository(memory), 3)
    repository = open_repository(Busy(memory))
    for _ in range(20):
        assert not any(version.missing for version in repository.log(KEY))


def test_writers_who_overtake_each_other_miss_nothing() -> None:
    """Numbers claimed in another order than that of storing: every version is found."""
    store = MemoryStore()
    repository = open_repository(store)
    save_many(repository, 20)
    stored = [put_foreign(store, b"slow %d" % number) for number in range(LOOKAHEAD)]
    known = save(repository, b"first to claim")
    assert known.file.record.number == 21 + len(stored)
    for limit in (None, 40, 20, 5, 1):
        assert missing(repository, limit=limit) == []


def test_a_complete_log_asks_for_no_more_than_before() -> None:
    """Only where something is missing: one more listing, and one more file of records at most."""
    store = CountingStore(MemoryStore())
    repository = open_repository(store)
    save_many(repository, 40)
    store.reset()
    list(repository.log(KEY, limit=20))
    complete = len(store.requests)
    lose(repository, 39, 38)
    store.reset()
    assert missing(repository, limit=20) == [39, 38]
    assert complete <= 6
    assert len(store.requests) <= complete + 2


def test_what_a_repair_acknowledged_is_marked_without_a_look(repository: Repository) -> None:
    """The newest state says which numbers are gone: also under an earlier name."""
    save_many(repository, 4)
    repository.rename(KEY, OTHER, act())
    change_state(
        repository.backend,
        Area.WORKSPACE,
        OTHER,
        lambda state: replace(state, gone=((2, 3),)),
        action="gone",
        author="ada",
        now=NOON,
        write_id=act().write_id,
    )
    shown = [(version.number, version.missing) for version in repository.log(OTHER)]
    assert shown == [(5, False), (4, False), (3, True), (2, True), (1, False)]


@pytest.mark.parametrize("command", ["read", "publish", "rename"])
def test_a_lost_version_is_explained(repository: Repository, command: str) -> None:
    """What happened, why, and how to see what is still there."""
    save_many(repository, 3)
    lose(repository, 3)
    version = find(repository, "v3")
    commands: dict[str, Callable[[], object]] = {
        "read": lambda: repository.read(version),
        "publish": lambda: repository.publish(version, KEY, act()),
        "rename": lambda: repository.rename(KEY, OTHER, act()),
    }
    with pytest.raises(VersionNotFound, match=r"v3 of .*mine.ipynb is missing") as caught:
        commands[command]()
    assert "lifecycle" in caught.value.message
    assert caught.value.hint == "nbvc log mine.ipynb shows which versions are still there."


def test_a_digest_leads_to_a_version_that_is_still_there(repository: Repository) -> None:
    """Of several versions with the same bytes one that the store has is as good."""
    known = save(repository, b"same")
    known = save(repository, b"between", known)
    save(repository, b"same", known)
    lose(repository, 3)
    version = find(repository, Digest.of(b"same")[:8])
    assert (version.number, repository.read(version)) == (1, b"same")


def test_the_next_save_goes_on_above_a_lost_version(repository: Repository) -> None:
    """Its number is taken, though its bytes are gone."""
    save_many(repository, 3)
    lose(repository, 3)
    assert save(repository, b"next").file.record.number == 4
    assert missing(repository) == [3]
