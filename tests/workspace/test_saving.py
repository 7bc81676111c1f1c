"""Save from a folder: what is stored, what is left alone, what is never missed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nbvc.environment import Environment
from nbvc.errors import InvalidKey, InvalidNotebook, NotebookNotFound
from nbvc.manifest.metadata import Provenance, to_metadata
from nbvc.model import Digest, WriteId
from nbvc.stores.base import Capabilities, Overwrite
from nbvc.workspace.core import Workspace
from nbvc.workspace.files import stamp
from nbvc.workspace.results import SomeFailed
from tests.conftest import make_workspace
from tests.notebook_samples import code, notebook
from tests.stores.counting import CountingStore
from tests.stores.killing import Killed, KillingStore
from tests.workspace.conftest import OpenShared
from tests.workspace.helpers import ONE, THREE, TWO, run_python, save, write


def parents(workspace: Workspace, path: str) -> list[tuple[int | None, int | None]]:
    """Return number and parent of each version, newest first."""
    return [(version.number, version.parent) for version in workspace.log(path)]


def opened(environment: Environment) -> Workspace:
    """Return a new workspace."""
    make_workspace(environment)
    return Workspace.open(environment=environment)


@pytest.mark.parametrize("conditional", [True, False])
def test_a_save_that_was_killed_between_its_two_writes_is_recorded_by_the_next(
    workspace: Workspace, file: Path, conditional: bool
) -> None:
    """Whatever that saves; also where the store refuses no write upon what is not known here."""
    backend = workspace.repository.backend
    able = Capabilities(conditional_create=conditional, conditional_replace=conditional)
    killing = KillingStore(backend.store, 2, answered=False)
    workspace.repository._backend = replace(backend, store=killing, capabilities=able)
    with pytest.raises(Killed):
        save(workspace, file.name, THREE)
    workspace.repository._backend = replace(backend, capabilities=able)
    save(workspace, file.name, ONE)
    assert [(version.number, version.indexed) for version in workspace.log(file)] == [
        (number, True) for number in (4, 3, 2, 1)
    ]


class TestOneNotebook:
    """One notebook, saved again and again."""

    def test_a_save_records_the_exact_bytes_and_what_changed(self, workspace: Workspace) -> None:
        """The digest is that of the file; author, message and parent are kept."""
        save(workspace, "mine.ipynb", ONE, "first")
        result = save(workspace, "mine.ipynb", TWO, "second")
        assert (result.saved, result.number, result.digest) == (True, 2, Digest.of(TWO))
        newest = next(workspace.log("mine.ipynb"))
        assert (newest.author, newest.message, newest.parent) == ("ada", "second", 1)
        assert newest.changes is not None
        assert newest.changes.cells_changed == 1
        assert workspace.read(newest) == TWO

    @pytest.mark.parametrize(("author", "mine"), [("ada", True), ("ben", False)])
    def test_a_save_that_was_cut_off_is_finished_by_saving_again(
        self, workspace: Workspace, author: str, mine: bool
    ) -> None:
        """It makes no second version, and says "saved" only if the version is one's own."""
        save(workspace, "mine.ipynb", ONE)
        said = Provenance(digest=Digest.of(TWO), write_id=WriteId("w-dead"), author=author)
        workspace.repository.store.put(
            f"workspace/{workspace.key_of('mine.ipynb')}",
            TWO,
            mode=Overwrite(),
            metadata=to_metadata(said),
            content_type="",
        )
        result = save(workspace, "mine.ipynb", TWO, "again")
        assert (result.saved, result.number) == (mine, 2)
        assert [version.number for version in workspace.log("mine.ipynb")] == [2, 1]

    def test_a_changed_notebook_costs_two_requests_and_an_unchanged_one_none(
        self, workspace: Workspace, counting: CountingStore
    ) -> None:
        """Also when the file was written again with the same bytes."""
        save(workspace, "mine.ipynb", ONE)
        counting.reset()
        assert save(workspace, "mine.ipynb", TWO).saved
        assert counting.names == ["put", "put"]
        counting.reset()
        again = save(workspace, "mine.ipynb", TWO)
        assert (again.saved, again.number) == (False, 2)
        assert counting.requests == []

    def test_a_file_whose_stamp_is_remembered_is_not_read(self, environment: Environment) -> None:
        """What the index says of the stamp is believed, which is why it is kept so carefully."""
        later = replace(environment, now=lambda: datetime.now(UTC) + timedelta(hours=1))
        with opened(later) as workspace:
            save(workspace, "mine.ipynb", ONE)
            workspace.save("mine.ipynb")
            file = write(workspace, "mine.ipynb", TWO)
            entry = workspace.index.get("mine.ipynb")
            assert entry.stamp is not None
            workspace.index.put(replace(entry, stamp=stamp(file)))
            assert not workspace.save("mine.ipynb")[0].saved

    def test_a_change_of_the_same_size_and_time_is_seen(self, environment: Environment) -> None:
        """A program that sets the time of the file back cannot hide what it wrote."""
        later = replace(environment, now=lambda: datetime.now(UTC) + timedelta(hours=1))
        with opened(later) as workspace:
            file = write(workspace, "mine.ipynb", ONE)
            before = file.stat()
            workspace.save("mine.ipynb")
            file.write_bytes(TWO)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert file.stat().st_mtime_ns == before.st_mtime_ns
            assert workspace.save("mine.ipynb")[0].saved

    def test_a_stamp_of_the_last_two_seconds_is_not_relied_on(
        self, environment: Environment
    ) -> None:
        """The file may be written to again within what its file system can tell apart."""
        at_once = replace(environment, now=lambda: datetime.now(UTC))
        with opened(at_once) as workspace:
            save(workspace, "mine.ipynb", ONE)
            assert workspace.index.get("mine.ipynb").stamp is None

    def test_edits_in_quick_succession_are_all_recorded(self, environment: Environment) -> None:
        """Twenty of the same size within a moment make twenty versions."""
        at_once = replace(environment, now=lambda: datetime.now(UTC))
        with opened(at_once) as workspace:
            for number in range(10, 30):
                assert save(workspace, "mine.ipynb", notebook(code(f"x = {number}"))).saved
            assert next(workspace.log("mine.ipynb")).number == 20

    def test_what_was_remembered_can_be_lost_without_harm(self, environment: Environment) -> None:
        """Without its index a workspace saves nothing twice and goes on where the store is."""
        with opened(environment) as workspace:
            save(workspace, "mine.ipynb", ONE)
            save(workspace, "mine.ipynb", TWO)
        for left in (environment.cwd / ".nbvc").glob("workspace.sqlite3*"):
            left.unlink()
        with Workspace.open(environment=environment) as workspace:
            assert not workspace.save("mine.ipynb")[0].saved
            assert save(workspace, "mine.ipynb", THREE).number == 3
            assert next(workspace.log("mine.ipynb")).parent == 2

    def test_after_a_checkout_of_an_old_version_that_is_the_parent(
        self, workspace: Workspace
    ) -> None:
        """The log shows what the work was based on."""
        save(workspace, "mine.ipynb", ONE)
        save(workspace, "mine.ipynb", TWO)
        workspace.checkout("mine.ipynb", "v1")
        save(workspace, "mine.ipynb", THREE)
        assert parents(workspace, "mine.ipynb") == [(3, 1), (2, 1), (1, None)]

    def test_an_old_version_becomes_the_newest_only_when_it_is_named(
        self, workspace: Workspace
    ) -> None:
        """A save of everything leaves a checked out version alone; status calls it unchanged."""
        save(workspace, "mine.ipynb", ONE)
        save(workspace, "mine.ipynb", TWO)
        workspace.checkout("mine.ipynb", "v1")
        (everything,) = workspace.save()
        assert (everything.saved, everything.number) == (False, 1)
        assert workspace.status().notebooks[0].state == "unchanged"
        (named,) = workspace.save("mine.ipynb")
        assert (named.saved, named.number, named.parent) == (True, 3, 1)

    def test_a_notebook_may_be_named_by_any_path_that_leads_to_it(
        self, workspace: Workspace
    ) -> None:
        """Absolute, relative, through a link within the workspace: one history."""
        write(workspace, "real/mine.ipynb", ONE)
        (workspace.folder / "link.ipynb").symlink_to("real/mine.ipynb")
        (workspace.folder / "folder").symlink_to("real")
        for name in (
            "real/mine.ipynb",
            workspace.folder / "real" / "mine.ipynb",
            "link.ipynb",
            "folder/mine.ipynb",
            "real/../real/./mine.ipynb",
        ):
            (result,) = workspace.save(name)
            assert (result.path, result.number) == ("real/mine.ipynb", 1)


class TestSeveralNotebooks:
    """Folders, and many notebooks at once."""

    def test_a_folder_means_the_notebooks_in_it(self, workspace: Workspace) -> None:
        """At any depth, but not in hidden folders, control folders or other workspaces."""
        for path in ("a.ipynb", "sub/b.ipynb", "sub/deep/c.ipynb", "sub/.hidden/d.ipynb"):
            write(workspace, path, ONE)
        write(workspace, "sub/.ipynb_checkpoints/b-checkpoint.ipynb", ONE)
        write(workspace, "sub/other/.nbvc/config.toml", b"")
        write(workspace, "sub/other/e.ipynb", ONE)
        write(workspace, "sub/notes.txt", b"no notebook")
        saved = [result.path for result in workspace.save("sub")]
        assert saved == ["sub/b.ipynb", "sub/deep/c.ipynb"]
        everything = [(result.path, result.saved) for result in workspace.save()]
        assert everything == [
            ("a.ipynb", True),
            ("sub/b.ipynb", False),
            ("sub/deep/c.ipynb", False),
        ]

    def test_links_are_passed_over_when_notebooks_are_looked_for(
        self, workspace: Workspace, tmp_path: Path
    ) -> None:
        """One inside would be saved twice, one outside is not the workspace's; named, it errs."""
        write(workspace, "mine.ipynb", ONE)
        outside = tmp_path / "outside.ipynb"
        outside.write_bytes(TWO)
        (workspace.folder / "alias.ipynb").symlink_to("mine.ipynb")
        (workspace.folder / "stranger.ipynb").symlink_to(outside)
        assert [result.path for result in workspace.save()] == ["mine.ipynb"]
        with pytest.raises(InvalidKey, match="outside"):
            workspace.save("stranger.ipynb")

    def test_one_broken_notebook_keeps_no_other_from_being_saved(
        self, workspace: Workspace
    ) -> None:
        """The error says how many failed, holds all results, and has the exit code of the first."""
        write(workspace, "a.ipynb", ONE)
        write(workspace, "broken.ipynb", b"no JSON")
        write(workspace, "c.ipynb", TWO)
        with pytest.raises(SomeFailed, match="1 of 3") as caught:
            workspace.save()
        results = caught.value.results
        assert [result.saved for result in results] == [True, False, True]
        assert isinstance(results[1].error, InvalidNotebook)
        assert caught.value.exit_code == InvalidNotebook.exit_code

    def test_a_notebook_that_does_not_exist_is_an_error_with_the_nearest_name(
        self, workspace: Workspace
    ) -> None:
        """And nothing is saved, for the user may have meant something else."""
        write(workspace, "churn.ipynb", ONE)
        with pytest.raises(NotebookNotFound) as caught:
            workspace.save(["churn.ipynb", "chrun.ipynb"])
        assert caught.value.hint == "Did you mean churn.ipynb?"
        assert not workspace.status().notebooks[0].number

    def test_one_file_that_may_not_be_read_keeps_no_other_from_being_saved(
        self, workspace: Workspace
    ) -> None:
        """A permission of one file says nothing about the store."""
        write(workspace, "a.ipynb", ONE).chmod(0)
        write(workspace, "b.ipynb", TWO)
        script = """
import sys
from nbvc import Workspace
from nbvc.workspace.results import SomeFailed
try:
    Workspace.open(sys.argv[1]).save()
except SomeFailed as error:
    print([(r.path, r.saved, r.error and r.error.kind) for r in error.results], error.exit_code)
"""
        found = run_python(script, workspace.folder, bound=True)
        expected = "[('a.ipynb', False, 'access-denied'), ('b.ipynb', True, None)] 6\n"
        assert found.stdout == expected, found.stderr

    def test_nothing_at_all_is_nothing_to_save(self, workspace: Workspace) -> None:
        """An empty workspace is no error."""
        assert workspace.save() == []


class TestTwoPeople:
    """Two folders of one namespace on one store."""

    def test_both_versions_are_kept_each_with_its_parent(self, open_shared: OpenShared) -> None:
        """Who saved from v1 at once are v2 and v3, both with parent 1; the log shows the fork."""
        ana, ben = open_shared("ana"), open_shared("ben")
        save(ana, "mine.ipynb", ONE)
        write(ben, "mine.ipynb", ONE)
        ben.checkout("mine.ipynb", "v1")
        save(ana, "mine.ipynb", TWO)
        save(ben, "mine.ipynb", THREE)
        found = [(v.number, v.parent, v.author) for v in ana.log("mine.ipynb")]
        assert found == [(3, 1, "ben"), (2, 1, "ana"), (1, None, "ana")]
        assert [ana.read(version) for version in ana.log("mine.ipynb")] == [THREE, TWO, ONE]

    def test_saves_at_the_same_moment_are_all_kept(self, open_shared: OpenShared) -> None:
        """Two threads, ten saves each, one notebook: twenty versions, each once."""
        people = [open_shared("ana"), open_shared("ben")]
        contents = {
            workspace.folder.name: [
                notebook(code(f"{workspace.folder.name} {n}")) for n in range(10)
            ]
            for workspace in people
        }

        def work(workspace: Workspace) -> None:
            for data in contents[workspace.folder.name]:
                save(workspace, "mine.ipynb", data)

        with ThreadPoolExecutor(2) as executor:
            list(executor.map(work, people))
        versions = list(people[0].log("mine.ipynb"))
        assert [version.number for version in versions] == list(range(20, 0, -1))
        stored = [people[0].read(version) for version in versions]
        assert sorted(stored) == sorted(data for own in contents.values() for data in own)
        for name, own in contents.items():
            mine = [version for version in versions if version.author == name]
            assert [people[0].read(version) for version in mine] == own[::-1]
            numbers = [version.number for version in mine]
            assert [version.parent for version in mine[:-1]] == numbers[1:]

    def test_a_file_that_is_unchanged_never_undoes_what_others_saved(
        self, open_shared: OpenShared
    ) -> None:
        """It stays unchanged, named or not, however far the store has moved on."""
        ana, ben = open_shared("ana"), open_shared("ben")
        save(ana, "mine.ipynb", ONE)
        write(ben, "mine.ipynb", ONE)
        assert not ben.save("mine.ipynb")[0].saved
        save(ana, "mine.ipynb", TWO)
        assert not ben.save()[0].saved
        assert not ben.save("mine.ipynb")[0].saved
        assert next(ben.log("mine.ipynb")).digest == Digest.of(TWO)
