"""A store that fails in the middle of saving several notebooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from nbvc.errors import AccessDenied, NbvcError, StoreUnavailable
from nbvc.repository import Repository
from nbvc.workspace.core import Workspace
from nbvc.workspace.results import SomeFailed
from tests.notebook_samples import code, notebook
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


class FailingStore(WrappedStore):
    """Fails once a notebook of a certain name is to be stored."""

    last = "workspace/ada/project/b.ipynb"
    error: NbvcError = StoreUnavailable("The store was not reached.")

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request*, unless it comes too late."""
        if request.name == "put" and request.key == self.last:
            raise self.error
        return send()


@pytest.fixture
def failing(workspace: Workspace) -> Workspace:
    """Return a workspace whose store fails for the notebook ``b.ipynb``."""
    backend = workspace.repository.backend
    workspace._repository = Repository(
        FailingStore(backend.store),
        settings=None,
        sleep=backend.sleep,
        jitter=backend.jitter,
    )
    workspace._repository.require_prepared = lambda: None  # type: ignore[method-assign]
    return workspace


def test_what_comes_after_the_store_failed_waits(failing: Workspace) -> None:
    """The first notebook is saved; the failing one and those after it wait, for the one reason."""
    for name in ("a", "b", "c"):
        (failing.folder / f"{name}.ipynb").write_bytes(notebook(code(name)))
    results = failing.save()
    assert [result.saved for result in results] == [True, False, False]
    assert [result.waiting for result in results] == [False, True, True]
    assert results[1].error is results[2].error


def test_what_was_saved_before_the_store_refused_is_reported(
    failing: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first notebook is saved, the refused one and those after it carry the one error."""
    monkeypatch.setattr(FailingStore, "error", AccessDenied("You may not."))
    for name in ("a", "b", "c"):
        (failing.folder / f"{name}.ipynb").write_bytes(notebook(code(name)))
    with pytest.raises(SomeFailed) as caught:
        failing.save()
    results = caught.value.results
    assert [result.saved for result in results] == [True, False, False]
    assert results[1].error is results[2].error
    assert caught.value.exit_code == AccessDenied.exit_code


def test_store_that_saved_nothing_is_the_error(
    failing: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no notebook was saved, the store's own error says it all."""
    monkeypatch.setattr(FailingStore, "error", AccessDenied("You may not."))
    (failing.folder / "b.ipynb").write_bytes(notebook(code("b")))
    (failing.folder / "c.ipynb").write_bytes(notebook(code("c")))
    with pytest.raises(AccessDenied):
        failing.save()
