"""Checkout: all or nothing, and never at the cost of bytes that no version holds."""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import replace
from pathlib import Path

import pytest

from nbvc import durable
from nbvc.errors import (
    AlreadyExists,
    IntegrityError,
    InvalidKey,
    NotebookNotFound,
    UnsavedChanges,
    VersionNotFound,
)
from nbvc.workspace.accepting import capture
from nbvc.workspace.checkout import put_in_place
from nbvc.workspace.core import Workspace
from nbvc.workspace.files import create_file, stamp, write_file
from tests.notebook_samples import code, notebook
from tests.stores.counting import CountingStore
from tests.workspace.conftest import OpenShared
from tests.workspace.helpers import ONE, THREE, TWO, litter, run_python, save, write


class TestSafety:
    """What is in the way."""

    def test_a_version_replaces_a_file_that_some_version_holds(
        self, workspace: Workspace, file: Path
    ) -> None:
        """Back and forth; nothing is left beside it."""
        workspace.checkout("mine.ipynb", "v1")
        assert file.read_bytes() == ONE
        workspace.checkout("mine.ipynb")
        assert file.read_bytes() == TWO
        assert litter(workspace.folder) == []

    def test_unsaved_changes_are_refused_and_kept(self, workspace: Workspace, file: Path) -> None:
        """The hint says both ways on."""
        file.write_bytes(THREE)
        with pytest.raises(UnsavedChanges) as caught:
            workspace.checkout("mine.ipynb", "v1")
        assert file.read_bytes() == THREE
        assert caught.value.hint == ("nbvc save mine.ipynb, or nbvc checkout --force mine.ipynb@v1")

    def test_force_saves_what_was_there_first(self, workspace: Workspace, file: Path) -> None:
        """As a version based on the one it was made from."""
        file.write_bytes(THREE)
        result = workspace.checkout("mine.ipynb", "v1", force=True)
        assert file.read_bytes() == ONE
        assert result.rescued is not None
        assert (result.rescued.number, result.rescued.parent) == (3, 2)
        assert workspace.read(workspace.resolve("mine.ipynb", "v3")) == THREE

    def test_force_saves_even_what_is_no_notebook(self, workspace: Workspace, file: Path) -> None:
        """Broken bytes are somebody's bytes."""
        file.write_bytes(b"half a notebo")
        workspace.checkout("mine.ipynb", "v1", force=True)
        assert workspace.read(workspace.resolve("mine.ipynb", "v3")) == b"half a notebo"

    def test_what_an_editor_saved_just_before_is_one_version_of_its_own(
        self, workspace: Workspace, file: Path
    ) -> None:
        """It is put in its place in the history first, and neither repeated nor put on top."""
        assert workspace.repository  # open already, as in a server: nothing is delivered by that
        file.write_bytes(THREE)
        capture(workspace, "mine.ipynb")
        workspace.checkout("mine.ipynb", "v1")
        workspace.deliver()
        assert [workspace.read(version) for version in workspace.log("mine.ipynb")] == [
            THREE,
            TWO,
            ONE,
        ]
        assert workspace.index.get("mine.ipynb").base.number == 1

    def test_bytes_of_an_old_version_are_safe_to_replace(
        self, workspace: Workspace, file: Path
    ) -> None:
        """Some version holds them, whichever the file was based on."""
        file.write_bytes(ONE)
        workspace.checkout("mine.ipynb", "v2")
        assert file.read_bytes() == TWO

    def test_bytes_of_a_version_older_than_what_is_remembered_are_safe(
        self, workspace: Workspace, file: Path
    ) -> None:
        """The store is asked, where memory does not reach."""
        for number in range(20):
            save(workspace, "mine.ipynb", notebook(code(f"y = {number}")))
        file.write_bytes(ONE)
        workspace.checkout("mine.ipynb", "v2")
        assert file.read_bytes() == TWO

    def test_bytes_that_only_a_colleague_saved_are_safe(self, open_shared: OpenShared) -> None:
        """What counts is that the store has them."""
        ana, ben = open_shared("ana"), open_shared("ben")
        save(ana, "mine.ipynb", ONE)
        save(ana, "mine.ipynb", TWO)
        write(ben, "mine.ipynb", TWO)
        ben.checkout("mine.ipynb", "v1")
        assert (ben.folder / "mine.ipynb").read_bytes() == ONE

    def test_a_file_that_changes_in_between_is_left_as_it_is(
        self, workspace: Workspace, file: Path
    ) -> None:
        """The last look is just before the file is replaced."""
        before = stamp(file)
        version = workspace.resolve("mine.ipynb", "v1")
        file.write_bytes(THREE)
        with pytest.raises(UnsavedChanges, match="just now"):
            put_in_place(workspace, "mine.ipynb", version, ONE, before)
        assert file.read_bytes() == THREE
        assert litter(workspace.folder) == []

    def test_a_file_that_is_gone_comes_back(self, workspace: Workspace, file: Path) -> None:
        """Also when its folder is gone."""
        save(workspace, "sub/deep/other.ipynb", THREE)
        (workspace.folder / "sub/deep/other.ipynb").unlink()
        (workspace.folder / "sub/deep").rmdir()
        file.unlink()
        workspace.checkout("mine.ipynb", "v1")
        workspace.checkout("sub/deep/other.ipynb")
        assert file.read_bytes() == ONE
        assert (workspace.folder / "sub/deep/other.ipynb").read_bytes() == THREE

    def test_a_folder_in_the_way_is_left_alone(self, workspace: Workspace, file: Path) -> None:
        """With and without force."""
        file.unlink()
        file.mkdir()
        (file / "keep.txt").write_text("mine")
        for force in (False, True):
            with pytest.raises(AlreadyExists, match="no file"):
                workspace.checkout("mine.ipynb", "v1", force=force)
        assert (file / "keep.txt").read_text() == "mine"

    def test_a_file_where_a_folder_is_needed_is_left_alone(self, workspace: Workspace) -> None:
        """The notebook cannot be put below it."""
        save(workspace, "sub/mine.ipynb", ONE)
        (workspace.folder / "sub/mine.ipynb").unlink()
        (workspace.folder / "sub").rmdir()
        (workspace.folder / "sub").write_text("a file now")
        with pytest.raises(AlreadyExists, match="in the way"):
            workspace.checkout("sub/mine.ipynb")
        assert (workspace.folder / "sub").read_text() == "a file now"

    def test_a_link_stays_a_link(self, workspace: Workspace, file: Path) -> None:
        """The notebook that it leads to is the one that is written."""
        link = workspace.folder / "link.ipynb"
        link.symlink_to("mine.ipynb")
        workspace.checkout("link.ipynb", "v1")
        assert link.is_symlink()
        assert file.read_bytes() == ONE

    def test_a_link_that_leads_outside_is_refused(
        self, workspace: Workspace, file: Path, tmp_path: Path
    ) -> None:
        """What it leads to is not touched."""
        outside = tmp_path / "outside.ipynb"
        outside.write_bytes(THREE)
        file.unlink()
        file.symlink_to(outside)
        with pytest.raises(InvalidKey, match="outside"):
            workspace.checkout("mine.ipynb", "v1", force=True)
        assert outside.read_bytes() == THREE

    def test_an_unknown_version_touches_nothing(self, workspace: Workspace, file: Path) -> None:
        """Nor does an unknown notebook; the hint names a near one."""
        with pytest.raises(VersionNotFound, match="v9"):
            workspace.checkout("mine.ipynb", "v9")
        with pytest.raises(NotebookNotFound) as caught:
            workspace.checkout("mien.ipynb", "v1")
        assert caught.value.hint == "Did you mean mine.ipynb?"
        assert file.read_bytes() == TWO

    def test_damage_in_the_store_never_reaches_the_file(
        self, workspace: Workspace, file: Path
    ) -> None:
        """The digest is compared before anything is written."""
        version = workspace.resolve("mine.ipynb", "v1")
        damaged = replace(version, digest=workspace.resolve("mine.ipynb", "v2").digest)
        with pytest.raises(IntegrityError):
            workspace.read(damaged)
        assert file.read_bytes() == TWO

    def test_a_near_tag_is_offered(self, workspace: Workspace, file: Path) -> None:
        """For a name that no version has."""
        workspace.tag("submitted", "mine.ipynb", "v1")
        with pytest.raises(VersionNotFound) as caught:
            workspace.checkout("mine.ipynb", "submited")
        assert caught.value.hint == "Did you mean submitted?"

    def test_a_remembered_version_costs_one_request(
        self, workspace: Workspace, file: Path, counting: CountingStore
    ) -> None:
        """Besides finding it."""
        version = workspace.resolve("mine.ipynb", "v1")
        counting.reset()
        workspace.read(version)
        assert counting.names == ["get"]

    def test_what_is_put_back_over_a_newer_version_of_somebody_else_is_a_new_version(
        self, open_shared: OpenShared
    ) -> None:
        """Ada takes over Bob's version, and then makes of it what she had saved before."""
        ada, bob = open_shared("ada"), open_shared("bob")
        save(ada, "mine.ipynb", ONE)
        save(bob, "mine.ipynb", TWO)
        ada.checkout("mine.ipynb")
        result = save(ada, "mine.ipynb", ONE)
        assert (result.saved, result.number, result.parent) == (True, 3, 2)


class TestElsewhere:
    """checkout -o."""

    def test_another_file_is_written_and_the_notebook_stays(
        self, workspace: Workspace, file: Path, tmp_path: Path
    ) -> None:
        """Even one that holds unsaved changes; folders are made."""
        file.write_bytes(THREE)
        workspace.checkout("mine.ipynb", "v1", output="old/first.ipynb")
        workspace.checkout("mine.ipynb", "v2", output=tmp_path / "second.ipynb")
        assert (workspace.folder / "old/first.ipynb").read_bytes() == ONE
        assert (tmp_path / "second.ipynb").read_bytes() == TWO
        assert file.read_bytes() == THREE

    @pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
    def test_what_exists_is_never_overwritten(
        self, workspace: Workspace, file: Path, kind: str
    ) -> None:
        """Whatever it is."""
        target = workspace.folder / "taken.ipynb"
        if kind == "file":
            target.write_bytes(THREE)
        elif kind == "folder":
            target.mkdir()
        else:
            target.symlink_to("nowhere.ipynb")
        with pytest.raises(AlreadyExists, match="exists"):
            workspace.checkout("mine.ipynb", "v1", output="taken.ipynb", force=True)
        assert not (workspace.folder / "nowhere.ipynb").exists()
        assert litter(workspace.folder) == []


class TestWriting:
    """The files themselves."""

    def test_permissions_are_kept(self, workspace: Workspace, file: Path) -> None:
        """A private notebook stays private."""
        file.chmod(0o640)
        workspace.checkout("mine.ipynb", "v1")
        assert file.stat().st_mode & 0o777 == 0o640

    def test_the_longest_name_can_be_written(self, workspace: Workspace) -> None:
        """The temporary file beside it has a name of its own."""
        name = "ü" * 124 + ".ipynb"
        save(workspace, name, ONE)
        save(workspace, name, TWO)
        workspace.checkout(name, "v1")
        assert (workspace.folder / name).read_bytes() == ONE

    def test_what_killed_processes_left_is_swept_away(self, tmp_path: Path) -> None:
        """At once; what somebody is still writing is left alone."""
        abandoned, busy = tmp_path / ".nbvc-abandoned.tmp", tmp_path / ".nbvc-busy.tmp"
        abandoned.write_bytes(b"half")
        with durable.written(busy, b"half"):
            write_file(tmp_path / "a.ipynb", ONE, token="token")
            assert litter(tmp_path) == [".nbvc-busy.tmp"]
        assert litter(tmp_path) == []

    def test_a_save_sweeps_the_folders_that_it_goes_through(self, workspace: Workspace) -> None:
        """Also those in which nobody writes any more."""
        old = workspace.folder / "old"
        save(workspace, "mine.ipynb", ONE)
        workspace.checkout("mine.ipynb", "v1", output="old/copy.ipynb")
        (old / ".nbvc-abandoned.tmp").write_bytes(b"half")
        with durable.written(old / ".nbvc-busy.tmp", b"half"):
            workspace.status()
            assert litter(old) == [".nbvc-abandoned.tmp", ".nbvc-busy.tmp"]
            workspace.save()
            assert litter(old) == [".nbvc-busy.tmp"]

    def test_without_locks_only_what_is_an_hour_old_is_swept_away(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Younger files may belong to somebody who is still writing."""

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOLCK, "no locks here")

        monkeypatch.setattr(fcntl, "flock", refuse)
        old, young = tmp_path / ".nbvc-old.tmp", tmp_path / ".nbvc-young.tmp"
        for left in (old, young):
            left.write_bytes(b"half")
        os.utime(old, (1, 1))
        write_file(tmp_path / "a.ipynb", ONE, token="token")
        assert litter(tmp_path) == [".nbvc-young.tmp"]

    def test_a_new_file_is_never_created_over_another(self, tmp_path: Path) -> None:
        """Not even over one that appears at the last moment."""
        path = tmp_path / "a.ipynb"
        create_file(path, ONE, token="first")
        with pytest.raises(AlreadyExists):
            create_file(path, TWO, token="second")
        assert path.read_bytes() == ONE
        assert path.stat().st_nlink == 1
        assert litter(tmp_path) == []

    @pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
    def test_a_kill_while_writing_leaves_the_old_file(
        self, workspace: Workspace, file: Path, step: str
    ) -> None:
        """SIGKILL before the bytes are durable, or before they are in place."""
        script = f"""
import os, signal, sys
from nbvc import Workspace
workspace = Workspace.open(sys.argv[1])
version = workspace.resolve("mine.ipynb", "v1")
data = workspace.read(version)
{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from nbvc.workspace.files import write_file
write_file(workspace.folder / "mine.ipynb", data, token="killed")
"""
        assert run_python(script, workspace.folder).returncode == -9
        assert file.read_bytes() == TWO
        assert len(litter(workspace.folder)) == 1
        assert [entry.path for entry in workspace.status().notebooks] == ["mine.ipynb"]
        workspace.checkout("mine.ipynb", "v1")
        assert file.read_bytes() == ONE
        assert litter(workspace.folder) == []

    def test_a_full_disk_is_said_and_leaves_the_old_file(
        self, workspace: Workspace, file: Path
    ) -> None:
        """A limit on the size of files stands for the disk."""
        large = notebook(code("#" * 2_000_000))
        save(workspace, "mine.ipynb", large)
        workspace.checkout("mine.ipynb", "v1")
        script = """
import resource, signal, sys
from nbvc import Workspace, NbvcError
workspace = Workspace.open(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    workspace.checkout("mine.ipynb", "v3")
except NbvcError as error:
    print(type(error).__name__, error.message, error.hint)
"""
        found = run_python(script, workspace.folder)
        assert "is full" in found.stdout, found.stderr
        assert "Nothing was changed" in found.stdout
        assert file.read_bytes() == ONE
        assert litter(workspace.folder) == []

    def test_a_read_only_folder_is_said_and_keeps_the_file(
        self, workspace: Workspace, file: Path
    ) -> None:
        """Exit code 6, and how to look at the permissions."""
        save(workspace, "sub/mine.ipynb", ONE)
        save(workspace, "sub/mine.ipynb", TWO)
        folder = workspace.folder / "sub"
        folder.chmod(0o555)
        script = """
import sys
from nbvc import Workspace, NbvcError
try:
    Workspace.open(sys.argv[1]).checkout(sys.argv[1] + "/sub/mine.ipynb", "v1")
except NbvcError as error:
    print(type(error).__name__, error.exit_code, error.hint)
"""
        found = run_python(script, workspace.folder, bound=True)
        folder.chmod(0o755)
        assert found.stdout == f"AccessDenied 6 ls -ld {folder}\n", found.stderr
        assert (folder / "mine.ipynb").read_bytes() == TWO
