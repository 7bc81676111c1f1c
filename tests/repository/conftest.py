"""Fixtures of the tests of the repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbvc.repository import Repository
from nbvc.stores.local import LocalStore
from tests.repository.support import open_repository


@pytest.fixture(autouse=True)
def stores_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the stores that a test opened: from Python 3.13 on, an open database is a warning."""
    opened: list[LocalStore] = []
    make = LocalStore.__init__

    def make_and_note(self: LocalStore, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        opened.append(self)

    monkeypatch.setattr(LocalStore, "__init__", make_and_note)
    yield
    for store in opened:
        store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    """Return a fresh embedded store."""
    store = LocalStore(tmp_path / "store", create=True)
    yield store
    store.close()


@pytest.fixture
def repository(store: LocalStore) -> Repository:
    """Return a repository on a fresh embedded store."""
    return open_repository(store)
