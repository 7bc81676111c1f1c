"""Files that another program writes while nbvc talks to the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from nbvc.environment import Environment
from nbvc.errors import AlreadyExists, UnsavedChanges
from nbvc.repository import Repository
from nbvc.repository.settings import read_settings
from nbvc.workspace.core import Workspace
from tests.conftest import make_workspace
from tests.notebook_samples import code, notebook
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")
OLD, NEW = notebook(code("1")), notebook(code("typed just now"))


class BusyFolder(WrappedStore):
    """Lets another program write a file whenever something is deleted in the store."""

    file: Path

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request*; the other program acts beside a deletion."""
        if request.name == "delete":
            self.file.write_bytes(NEW)
        return send()


@pytest.fixture
def busy(workspace: Workspace) -> BusyFolder:
    """Return the store of a workspace with one saved notebook."""
    (workspace.folder / "mine.ipynb").write_bytes(OLD)
    workspace.save()
    backend = workspace.repository.backend
    store = BusyFolder(backend.store)
    workspace._repository = Repository(
        store, settings=read_settings(store), sleep=backend.sleep, jitter=backend.jitter
    )
    return store


def test_rename_leaves_a_file_that_appeared_meanwhile(
    workspace: Workspace, busy: BusyFolder
) -> None:
    """Neither file is lost, and the command can be run again once one is out of the way."""
    busy.file = workspace.folder / "yours.ipynb"
    with pytest.raises(AlreadyExists):
        workspace.rename("mine.ipynb", "yours.ipynb")
    assert busy.file.read_bytes() == NEW
    assert (workspace.folder / "mine.ipynb").read_bytes() == OLD
    busy.file.unlink()
    busy.file = workspace.folder / "elsewhere.ipynb"
    assert workspace.rename("mine.ipynb", "yours.ipynb").number == 2
    assert (workspace.folder / "yours.ipynb").read_bytes() == OLD
    assert not (workspace.folder / "mine.ipynb").exists()


def test_remove_leaves_a_file_that_was_changed_meanwhile(
    workspace: Workspace, busy: BusyFolder
) -> None:
    """What was typed while the store was asked stays on disk."""
    busy.file = workspace.folder / "mine.ipynb"
    with pytest.raises(UnsavedChanges):
        workspace.remove("mine.ipynb")
    assert busy.file.read_bytes() == NEW


def test_init_remembers_its_store_under_its_own_name(environment: Environment) -> None:
    """A store named by a variable is not taken to be the one that the folder was bound to."""
    variables = {**environment.variables, "NBVC_STORE": "s3://another"}
    make_workspace(replace(environment, variables=variables))
    with Workspace.open(environment=environment) as workspace:
        assert workspace.index.setting("store-settings") is not None
    with Workspace.open(environment=replace(environment, variables=variables)) as workspace:
        assert workspace.index.setting("store-settings") is None
