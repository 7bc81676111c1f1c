"""Fixtures of the tests of the repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbvc.repository import Repository
from nbvc.stores.local import LocalStore
from tests.repository.support import open_repository


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
