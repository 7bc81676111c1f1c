"""Status: where each notebook stands, here and in the store."""

from __future__ import annotations

import os
import shutil
from urllib.parse import urlsplit

from nbvc.errors import StoreNotFound
from nbvc.workspace.core import Workspace
from nbvc.workspace.results import NotebookStatus
from tests.workspace.conftest import OpenShared
from tests.workspace.helpers import ONE, TWO, save, write


def only(workspace: Workspace) -> NotebookStatus:
    """Return the status of the only notebook."""
    (found,) = workspace.status().notebooks
    return found


def test_a_notebook_goes_from_new_to_unchanged_to_changed_to_missing(workspace: Workspace) -> None:
    """And is told apart by its bytes alone, not by the time of its file."""
    file = write(workspace, "mine.ipynb", ONE)
    assert (only(workspace).state, only(workspace).number) == ("new", None)
    workspace.save()
    assert (only(workspace).state, only(workspace).number) == ("unchanged", 1)
    os.utime(file)
    assert only(workspace).state == "unchanged"
    file.write_bytes(TWO)
    assert (only(workspace).state, only(workspace).number) == ("changed", 1)
    file.write_bytes(ONE)
    assert only(workspace).state == "unchanged"
    file.unlink()
    assert only(workspace).state == "missing"


def test_what_is_no_notebook_has_a_status_too(workspace: Workspace) -> None:
    """Looking at it breaks nothing."""
    write(workspace, "broken.ipynb", b"")
    assert only(workspace).state == "new"


def test_an_older_version_is_behind(workspace: Workspace) -> None:
    """After a checkout, the newest number in the store is said."""
    save(workspace, "mine.ipynb", ONE)
    save(workspace, "mine.ipynb", TWO)
    assert not only(workspace).behind
    workspace.checkout("mine.ipynb", "v1")
    found = only(workspace)
    assert (found.state, found.number, found.latest, found.behind) == ("unchanged", 1, 2, True)


def test_what_a_colleague_saved_shows_as_newer(open_shared: OpenShared) -> None:
    """Also where the notebook here was never saved."""
    ana, ben = open_shared("ana"), open_shared("ben")
    save(ana, "mine.ipynb", ONE)
    write(ben, "mine.ipynb", TWO)
    found = only(ben)
    assert (found.state, found.number, found.latest, found.behind) == ("new", None, 1, True)


def test_a_store_that_is_gone_is_said_beside_what_is_known_here(open_shared: OpenShared) -> None:
    """The local part does not need it."""
    ana = open_shared("ana")
    save(ana, "mine.ipynb", ONE)
    ana.close()
    shutil.rmtree(urlsplit(ana.store_url).path)
    with Workspace.open(environment=ana.session.environment) as again:
        found = again.status()
    assert isinstance(found.unreachable, StoreNotFound)
    assert [(entry.state, entry.latest) for entry in found.notebooks] == [("unchanged", None)]
