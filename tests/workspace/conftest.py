"""Fixtures of the tests of workspaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.environment import Environment
from nbvc.workspace.core import Workspace
from tests.conftest import make_workspace
from tests.stores.counting import CountingStore
from tests.workspace.helpers import ONE, TWO, save

OpenShared = Callable[[str], Workspace]


@pytest.fixture
def file(workspace: Workspace) -> Path:
    """Return a notebook with two versions, the file as the second one."""
    save(workspace, "mine.ipynb", ONE)
    save(workspace, "mine.ipynb", TWO)
    return workspace.folder / "mine.ipynb"


@pytest.fixture
def counting(workspace: Workspace) -> CountingStore:
    """Return a store that counts what *workspace* asks of it."""
    backend = workspace.repository.backend
    counting = CountingStore(backend.store)
    workspace.repository._backend = replace(backend, store=counting)
    return counting


@pytest.fixture
def open_shared(environment: Environment, tmp_path: Path) -> Iterator[OpenShared]:
    """Return what opens the folder of a person: all of them share one store and one namespace."""
    with ExitStack() as stack:

        def open_folder(person: str) -> Workspace:
            folder = tmp_path / person
            folder.mkdir()
            own = replace(environment, cwd=folder, variables={"NBVC_AUTHOR": person})
            make_workspace(own, str(tmp_path / "shared-store"), namespace="team/notebooks")
            return stack.enter_context(Workspace.open(environment=own))

        yield open_folder
