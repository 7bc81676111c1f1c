"""A store that fails in the middle of saving several notebooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from nbvc.errors import StoreUnavailable
from nbvc.repository import Repository
from nbvc.workspace.core import Workspace
from nbvc.workspace.results import SomeFailed
from tests.notebook_samples import code, notebook
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


class FailingStore(WrappedStore):
    """Is not reached any more once a notebook of a certain name is to be stored."""

    last = "workspace/ada/project/b.ipynb"

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request*, unless it comes too late."""
        if request.name == "put" and request.key == self.last:
            raise StoreUnavailable("The store was not reached.")
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


def test_what_was_saved_before_the_store_failed_is_reported(failing: Workspace) -> None:
    """The first notebook is saved, the failing one and those after it carry the one error."""
    for name in ("a", "b", "c"):
        (failing.folder / f"{name}.ipynb").write_bytes(notebook(code(name)))
    with pytest.raises(SomeFailed) as caught:
        failing.save()
    results = caught.value.results
    assert [result.saved for result in results] == [True, False, False]
    assert results[1].error is results[2].error
    assert caught.value.exit_code == StoreUnavailable.exit_code


def test_store_that_saved_nothing_is_the_error(failing: Workspace) -> None:
    """Where no notebook was saved, the store's own error says it all."""
    (failing.folder / "b.ipynb").write_bytes(notebook(code("b")))
    (failing.folder / "c.ipynb").write_bytes(notebook(code("c")))
    with pytest.raises(StoreUnavailable):
        failing.save()
