"""What whole folders cost: requests in step with the number of notebooks, and many at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import pytest

from nbvc.repository.checking import Check, CheckOptions
from nbvc.repository.core import REMOTE_WORKERS
from nbvc.repository.parallel import Parallel
from nbvc.repository.settings import STORE_FILE
from nbvc.stores.base import Store
from nbvc.workspace import cloning
from nbvc.workspace.core import Workspace
from nbvc.workspace.index import Index
from nbvc.workspace.session import Session
from tests.stores.counting import CountingStore
from tests.stores.wrapping import Request
from tests.workspace.helpers import write

T = TypeVar("T")
SIZES = (20, 40)
"""Numbers of notebooks: both more than there are requests at once."""


class WatchedStore(CountingStore):
    """Counts also how many requests are under way at once.

    A request about one notebook waits until there are as many as there should be; where that does
    not come true once, none waits any more.

    Attributes:
        most_at_once: The most requests that were under way together.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._changed = threading.Condition()
        self._under_way = 0
        self.most_at_once = 0
        self._waits = True

    def _are_enough(self) -> bool:
        return self.most_at_once >= REMOTE_WORKERS

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request*, and look around."""
        with self._changed:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            self._changed.notify_all()
            if request.name in {"get", "put"} and request.key != STORE_FILE:
                self._waits = self._waits and self._changed.wait_for(self._are_enough, 20)
        try:
            return super().around(request, send)
        finally:
            with self._changed:
                self._under_way -= 1


@pytest.fixture(params=SIZES)
def count(request: pytest.FixtureRequest) -> int:
    """Return how many notebooks there are."""
    size: int = request.param
    return size


@pytest.fixture
def watched(workspace: Workspace) -> WatchedStore:
    """Return the store of *workspace*, which is as far away as a bucket."""
    backend = workspace.repository.backend
    store = WatchedStore(backend.store)
    workspace.repository._backend = replace(backend, store=store, parallel=Parallel(REMOTE_WORKERS))
    return store


def fill(workspace: Workspace, count: int, text: str) -> None:
    """Write *count* notebooks."""
    for number in range(count):
        cell = f'{{"cell_type":"raw","metadata":{{}},"source":"{text} {number}"}}'
        data = f'{{"cells":[{cell}],"metadata":{{}},"nbformat":4,"nbformat_minor":4}}'
        write(workspace, f"f{number % 3}/n{number}.ipynb", data.encode())


@pytest.fixture
def saved(workspace: Workspace, watched: WatchedStore, count: int) -> Workspace:
    """Return the workspace with *count* notebooks that were saved once."""
    fill(workspace, count, "first")
    workspace.save()
    forget(watched)
    return workspace


def forget(watched: WatchedStore) -> None:
    """Count from zero."""
    watched.reset()
    watched.most_at_once = 0


def test_a_save_of_many_new_notebooks_costs_three_requests_each(
    workspace: Workspace, watched: WatchedStore, count: int
) -> None:
    """The notebook, its record, and a look whether there is an index already."""
    fill(workspace, count, "first")
    forget(watched)
    workspace.save()
    assert len(watched.requests) == 3 * count
    assert watched.most_at_once == REMOTE_WORKERS


def test_a_save_of_many_changed_notebooks_costs_two_requests_each(
    saved: Workspace, watched: WatchedStore, count: int
) -> None:
    """And nothing for those that did not change."""
    fill(saved, count, "second")
    saved.save()
    assert len(watched.requests) == 2 * count
    assert watched.most_at_once == REMOTE_WORKERS
    forget(watched)
    saved.save()
    assert watched.requests == []


def test_a_listing_of_many_notebooks_costs_two_requests_each(
    saved: Workspace, watched: WatchedStore, count: int
) -> None:
    """And one for the page of names."""
    assert len(list(saved.repository.list_notebooks(f"{saved.namespace}/"))) == count
    assert len(watched.requests) == 2 * count + 1
    assert watched.most_at_once == REMOTE_WORKERS


def test_a_clone_of_many_notebooks_costs_one_request_each(
    saved: Workspace, watched: WatchedStore, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what it asks once."""
    monkeypatch.setattr(Session, "open_repository", lambda *_: saved.repository)
    session = Session(replace(saved.session.environment, cwd=saved.folder.parent))
    cloned = cloning.clone(session, str(saved.folder), "copy")
    assert len(cloned.files) == count
    assert len(watched.requests) <= count + 3
    assert watched.most_at_once == REMOTE_WORKERS


def test_a_check_of_many_notebooks_costs_one_request_each(
    saved: Workspace, watched: WatchedStore, count: int
) -> None:
    """And the four listings, and the settings; with every byte, one more each."""
    for read_data, each in ((False, 1), (True, 2)):
        forget(watched)
        now = saved.session.environment.now()
        check = Check(saved.repository.backend, CheckOptions(now=now, read_data=read_data))
        assert list(check) == []
        assert check.report.versions == count
        assert len(watched.requests) == each * count + 5
        assert watched.most_at_once == REMOTE_WORKERS


def test_threads_that_open_the_index_together_get_one(workspace: Workspace) -> None:
    """Two that make it at once would find it in use: a clone of a folder failed now and then."""
    together = threading.Barrier(8)

    def open_index(_: int) -> Index:
        together.wait(60)
        return fresh.index

    with Workspace(workspace.session) as fresh, ThreadPoolExecutor(8) as threads:
        assert len(set(map(id, threads.map(open_index, range(8))))) == 1
