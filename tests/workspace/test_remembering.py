"""What a workspace remembers of its store's settings, and when it asks again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nbvc.errors import (
    AccessDenied,
    IntegrityError,
    NbvcError,
    StoreMisconfigured,
    StoreNotFound,
    StoreUnavailable,
)
from nbvc.repository.lock import Lock
from nbvc.repository.settings import StoreSettings
from nbvc.stores.base import Capabilities
from nbvc.workspace.index import Index
from nbvc.workspace.remembering import (
    READ_AGAIN_AFTER,
    TRY_AGAIN_AFTER,
    remember,
    store_settings,
)

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
BEFORE = StoreSettings(
    store_id="store",
    capabilities=Capabilities(conditional_create=True, conditional_replace=True),
    created_at=NOW,
)
AFTER = replace(BEFORE, lock=Lock(days=30))
SECOND = timedelta(seconds=1)


class Asked:
    """Answers with settings, or an error, and counts how often it was asked."""

    def __init__(self, answer: StoreSettings | NbvcError | None) -> None:
        self.answer = answer
        self.times = 0

    def __call__(self) -> StoreSettings | None:
        """Answer."""
        self.times += 1
        if isinstance(self.answer, NbvcError):
            raise self.answer
        return self.answer


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Return the index of a workspace that asked its store at ``NOW``."""
    index = Index(tmp_path / "index.sqlite3", "binding")
    remember(index, BEFORE, NOW)
    yield index
    index.close()


def test_within_a_day_the_store_is_not_asked(index: Index) -> None:
    """Its settings rarely change, and every command would pay for it."""
    asked = Asked(AFTER)
    for age in (timedelta(0), READ_AGAIN_AFTER - SECOND):
        assert store_settings(index, NOW + age, asked) == BEFORE
    assert asked.times == 0


def test_after_a_day_a_lock_that_a_colleague_set_is_known(index: Index) -> None:
    """For one request; then it is remembered for another day."""
    asked = Asked(AFTER)
    later = NOW + READ_AGAIN_AFTER
    assert store_settings(index, later, asked) == AFTER
    assert store_settings(index, later + SECOND, asked) == AFTER
    assert asked.times == 1


@pytest.mark.parametrize(
    "error",
    [StoreUnavailable("offline"), AccessDenied("no more"), IntegrityError("damaged")],
    ids=lambda error: error.kind,
)
def test_a_store_that_does_not_answer_leaves_what_is_remembered(
    index: Index, error: NbvcError
) -> None:
    """And is not waited for by every command: the next hour it is not asked again."""
    asked = Asked(error)
    later = NOW + READ_AGAIN_AFTER
    assert store_settings(index, later, asked) == BEFORE
    assert store_settings(index, later + TRY_AGAIN_AFTER - SECOND, asked) == BEFORE
    assert asked.times == 1
    assert store_settings(index, later + TRY_AGAIN_AFTER, Asked(AFTER)) == AFTER


def test_a_store_of_a_newer_release_is_not_written_to_by_old_rules(index: Index) -> None:
    """What it says cannot be understood here, so nothing is done by what it said before."""
    with pytest.raises(StoreMisconfigured):
        store_settings(index, NOW + READ_AGAIN_AFTER, Asked(StoreMisconfigured("format 2")))


def test_a_bucket_that_was_made_again_is_not_taken_for_the_old_one(index: Index) -> None:
    """Without its settings it is no prepared store, whatever is remembered."""
    assert store_settings(index, NOW + READ_AGAIN_AFTER, Asked(None)) is None
    with pytest.raises(StoreNotFound):
        store_settings(index, NOW + READ_AGAIN_AFTER, Asked(StoreNotFound("gone")))


def test_a_clock_that_went_back_asks_again(index: Index) -> None:
    """Or a time in the future would keep the store from ever being asked."""
    assert store_settings(index, NOW - SECOND, Asked(AFTER)) == AFTER


def test_where_nothing_is_remembered_the_store_must_answer(tmp_path: Path) -> None:
    """Without its settings no write is safe."""
    index = Index(tmp_path / "new.sqlite3", "binding")
    with pytest.raises(StoreUnavailable):
        store_settings(index, NOW, Asked(StoreUnavailable("offline")))
    assert store_settings(index, NOW, Asked(BEFORE)) == BEFORE
    index.close()


@pytest.mark.parametrize("name", ["store-settings", "store-settings-read-at"])
def test_a_memory_that_cannot_be_read_asks_again(index: Index, name: str) -> None:
    """It is worth no more than a request."""
    index.set_setting(name, b"\xff nonsense")
    assert store_settings(index, NOW, Asked(AFTER)) == AFTER
