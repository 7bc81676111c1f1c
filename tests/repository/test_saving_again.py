"""Saving again what a save that was cut off has stored already: the same bytes, no new version."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from nbvc.model import Area, Digest
from nbvc.repository import Known, Repository
from nbvc.repository.records import Manifest
from nbvc.repository.saving import record_maker
from nbvc.repository.settings import StoreSettings
from nbvc.stores.base import Overwrite, Store
from tests.repository.support import (
    KEY,
    NOON,
    act,
    chain_of,
    contents,
    draft,
    find,
    open_repository,
    put_foreign,
    save,
    save_many,
)
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")
DATA_KEY = f"workspace/{KEY}"
KNOWING = pytest.mark.parametrize("knowing", [True, False], ids=["known", "unknown"])


class Killed(BaseException):
    """The process ends here."""


class DyingStore(WrappedStore):
    """Ends its process before the first record is written."""

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send, unless it is a record."""
        if request.name == "put" and request.key.startswith(".nbvc/"):
            raise Killed
        return send()


def save_and_die(store: Store, known: Known | None, data: bytes = b"mine") -> None:
    """Save, and be killed between notebook and record."""
    parent = known.file.record.number if known else None
    with pytest.raises(Killed):
        open_repository(DyingStore(store)).save(KEY, draft(data, parent), act("first try"), known)


@KNOWING
@pytest.mark.parametrize("before", [0, 3])
def test_a_save_that_died_before_its_record_is_finished_by_the_same_save(
    knowing: bool, before: int
) -> None:
    """One version, with what the first try said of it; the caller learns that it was finished."""
    store = MemoryStore()
    known = save_many(open_repository(store), before) if before else None
    save_and_die(store, known)
    again = save(open_repository(store), b"mine", known if knowing else None, message="again")
    record = again.file.record
    assert again.finished
    assert (record.number, record.message) == (before + 1, "first try")
    assert again.etag == store.head(DATA_KEY).etag
    assert contents(open_repository(store))[:1] == [b"mine"]
    assert chain_of(open_repository(store)) == list(range(before + 1, 0, -1))
    # And the next save goes on from it with two requests, as from any other.
    assert save(open_repository(store), b"next", again).file.record.number == before + 2


@KNOWING
def test_what_lies_below_it_is_recorded_first(knowing: bool) -> None:
    """Versions of other tools and of other dead writers get the earlier numbers."""
    store = MemoryStore()
    known = save_many(open_repository(store), 1)
    put_foreign(store, b"foreign")
    save_and_die(store, None, b"other")
    save_and_die(store, None)
    again = save(open_repository(store), b"mine", known if knowing else None)
    assert again.file.record.number == 4
    assert contents(open_repository(store)) == [b"mine", b"other", b"foreign", b"v1"]
    assert chain_of(open_repository(store)) == [4, 3, 2, 1]


@KNOWING
def test_a_version_above_it_makes_it_a_save_of_its_own(knowing: bool) -> None:
    """Somebody saved something else since: these bytes are the newest again only if saved again."""
    store = MemoryStore()
    known = save_many(open_repository(store), 1)
    save_and_die(store, known)
    save(open_repository(store), b"other")
    again = save(open_repository(store), b"mine", known if knowing else None)
    assert not again.finished
    assert contents(open_repository(store)) == [b"mine", b"other", b"mine", b"v1"]
    assert chain_of(open_repository(store)) == [4, 3, 2, 1]


def test_who_knows_an_older_version_stores_the_newest_bytes_no_second_time() -> None:
    """Two people came to the same bytes: one version, which the second one learns of."""
    store = MemoryStore()
    known = save_many(open_repository(store), 1)
    theirs = save(open_repository(store), b"same", known)
    mine = save(open_repository(store), b"same", known)
    assert (mine.file, mine.finished) == (theirs.file, False)
    assert contents(open_repository(store)) == [b"same", b"v1"]


def test_without_conditional_writes_an_unknowing_save_looks_as_well() -> None:
    """There nothing is refused, so it looks before it writes."""
    store = MemoryStore(conditional=False)
    known = save_many(open_repository(store), 2)
    save_and_die(store, known)
    again = save(open_repository(store), b"mine")
    assert (again.finished, again.file.record.number) == (True, 3)
    assert not save(open_repository(store), b"mine").finished
    assert contents(open_repository(store)) == [b"mine", b"v2", b"v1"]


@pytest.mark.parametrize("size", [4, 5], ids=["same size", "another size"])
def test_bytes_that_only_claim_to_be_the_same_are_not_taken_for_them(size: int) -> None:
    """The metadata says so, the bytes differ: what was to be saved is stored."""
    store = MemoryStore()
    known = save_many(open_repository(store), 1)
    metadata = {"nbvc-digest": Digest.of(b"mine"), "nbvc-write-id": "w-other"}
    store.put(DATA_KEY, b"m" * size, mode=Overwrite(), metadata=metadata, content_type="")
    again = save(open_repository(store), b"mine", known)
    assert not again.finished
    repository = open_repository(store)
    assert repository.read(find(repository, "latest")) == b"mine"


def test_a_writer_at_work_is_given_the_time_to_record_it() -> None:
    """The same bytes at the same moment: its record comes while the other one waits, and holds."""
    store = MemoryStore()
    known = save_many(open_repository(store), 1)
    theirs = act("theirs")
    metadata = {"nbvc-digest": Digest.of(b"mine"), "nbvc-write-id": theirs.write_id}
    stored = store.put(DATA_KEY, b"mine", mode=Overwrite(), metadata=metadata, content_type="")
    make = record_maker(draft(b"mine"), theirs, stored.version_id)
    manifest = Manifest(open_repository(store).backend, Area.WORKSPACE, KEY)
    settings = StoreSettings(store_id="store", capabilities=store.capabilities, created_at=NOON)

    def record_it(_: float) -> None:
        manifest.append(known.file, make)

    waiting = Repository(store, settings=settings, sleep=record_it, jitter=lambda: 0.5)
    again = save(waiting, b"mine", known)
    assert again.file.record.message == "theirs"
    assert contents(open_repository(store)) == [b"mine", b"v1"]
