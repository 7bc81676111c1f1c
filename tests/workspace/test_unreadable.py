"""Folders and disks that do not say what is in them: nobody is told that all is saved."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nbvc import looking
from nbvc.errors import AccessDenied, NbvcError
from nbvc.workspace.core import Workspace
from nbvc.workspace.files import find_notebooks
from tests.workspace.helpers import ONE, run_python, write

SAVE = """
import json, os, sys
from nbvc import Workspace
from nbvc.workspace.results import SomeFailed
os.chmod("closed", 0)
try:
    with Workspace.open() as workspace:
        try:
            workspace.save()
        except SomeFailed as error:
            results = [(r.path, r.saved, r.error.kind if r.error else None) for r in error.results]
            print(json.dumps([error.exit_code, results]))
        states = [(each.path, each.state) for each in workspace.status().notebooks]
        print(json.dumps(states))
finally:
    os.chmod("closed", 0o700)
"""


def test_a_folder_that_may_not_be_read_is_told_and_the_others_are_saved(
    workspace: Workspace,
) -> None:
    """Like a file that may not be read: nobody knows what was to be saved there."""
    write(workspace, "open/a.ipynb", ONE)
    write(workspace, "closed/b.ipynb", ONE)
    found = run_python(SAVE, workspace.folder, bound=True)
    saved, states = found.stdout.splitlines()
    assert saved == '[6, [["open/a.ipynb", true, null], ["closed", false, "access-denied"]]]'
    assert states == '[["open/a.ipynb", "unchanged"], ["closed/", "unreadable"]]'


@pytest.mark.parametrize("name", ["exists", "is_file", "is_folder"])
def test_a_look_that_fails_is_no_answer(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What the disk cannot say is an error, and what is merely no path is not there."""

    def answer(number: int) -> None:
        def stat(path: Path, **_: object) -> object:
            raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(Path, "stat", stat)

    look, path = getattr(looking, name), Path("/somewhere/mine.ipynb")
    answer(errno.EIO)
    with pytest.raises(NbvcError, match="cannot be looked at"):
        look(path)
    answer(errno.EACCES)
    with pytest.raises(AccessDenied, match="may not be looked at"):
        look(path)
    for number in (errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR):
        answer(number)
        assert look(path) is False


def test_a_folder_that_the_disk_cannot_list_is_an_error(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a save would find nothing there, and say that all is saved."""

    def scandir(path: object) -> object:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    write(workspace, "a.ipynb", ONE)
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(NbvcError, match="cannot be read"):
        list(find_notebooks(workspace.folder))
