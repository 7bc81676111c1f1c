"""Publish, tag, rename and remove from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbvc.errors import (
    AlreadyExists,
    InvalidKey,
    InvalidRef,
    NotebookNotFound,
    UnsavedChanges,
    VersionNotFound,
)
from nbvc.model import Digest
from nbvc.workspace.core import Workspace
from tests.stores.counting import CountingStore
from tests.workspace.conftest import OpenShared
from tests.workspace.helpers import ONE, THREE, TWO, save, write


class TestPublish:
    """A copy inside the store, with a manifest of its own."""

    def test_the_latest_saved_version_is_published_for_two_requests(
        self, workspace: Workspace, file: Path, counting: CountingStore
    ) -> None:
        """No notebook travels; the result names source, digest and place."""
        counting.reset()
        result = workspace.publish(message="for everybody")
        assert counting.names == ["copy", "put"]
        assert (counting.read_bytes, result.source.number) == (0, 2)
        assert (result.digest, result.number) == (Digest.of(TWO), 1)
        assert [v.published for v in workspace.log()] == [True, False]

    def test_an_old_version_can_be_published(self, workspace: Workspace, file: Path) -> None:
        """The ref ``published`` then means that version."""
        workspace.publish("mine.ipynb", "v1")
        assert workspace.resolve("mine.ipynb", "published").number == 1

    def test_unsaved_changes_are_not_part_of_it_and_that_is_said(
        self, workspace: Workspace, file: Path
    ) -> None:
        """What is on disk alone is nobody else's business."""
        file.write_bytes(THREE)
        result = workspace.publish()
        assert result.unsaved_changes
        assert result.source.number == 2

    def test_publishing_again_makes_a_second_publication(
        self, workspace: Workspace, file: Path
    ) -> None:
        """The first stays in the store's history."""
        workspace.publish("mine.ipynb", "v1")
        assert workspace.publish("mine.ipynb", "v2").number == 2

    def test_it_can_be_taken_back_and_published_again(
        self, workspace: Workspace, file: Path
    ) -> None:
        """Twice is an error; the versions stay."""
        workspace.publish()
        workspace.unpublish()
        assert not any(version.published for version in workspace.log())
        with pytest.raises(NotebookNotFound, match="not published"):
            workspace.unpublish()
        assert workspace.publish().number == 2

    def test_what_was_never_saved_cannot_be_published(self, workspace: Workspace) -> None:
        """The hint is to save it."""
        write(workspace, "new.ipynb", ONE)
        with pytest.raises(NotebookNotFound) as caught:
            workspace.publish("new.ipynb")
        assert caught.value.hint == "nbvc save new.ipynb"


class TestTags:
    """Names for versions."""

    def test_a_tag_is_set_listed_moved_and_deleted(self, workspace: Workspace, file: Path) -> None:
        """Moving one needs a word of its own."""
        workspace.tag("submitted", "mine.ipynb", "v1")
        workspace.tag("submitted", "mine.ipynb", "v1")
        assert workspace.tags() == {"submitted": 1}
        with pytest.raises(AlreadyExists, match="at v1") as caught:
            workspace.tag("submitted", "mine.ipynb", "v2")
        assert caught.value.hint is not None
        assert "--force" in caught.value.hint
        workspace.tag("submitted", "mine.ipynb", "v2", move=True)
        assert workspace.resolve("mine.ipynb", "submitted").number == 2
        assert workspace.delete_tag("submitted") == 2
        with pytest.raises(VersionNotFound):
            workspace.delete_tag("submitted")

    @pytest.mark.parametrize("name", ["v3", "latest", "published", "3f", "a b", "-x", "", "a/b"])
    def test_what_means_something_else_cannot_be_a_tag(
        self, workspace: Workspace, file: Path, name: str
    ) -> None:
        """Nothing is written."""
        with pytest.raises(InvalidRef):
            workspace.tag(name, "mine.ipynb", "v1")
        assert workspace.tags() == {}


class TestRename:
    """The history follows."""

    def test_file_and_history_get_the_new_name(self, workspace: Workspace, file: Path) -> None:
        """Numbers, tags and unsaved changes come along; the next save goes on."""
        workspace.tag("submitted", "mine.ipynb", "v1")
        file.write_bytes(THREE)
        workspace.rename("mine.ipynb", "sub/new.ipynb")
        assert not file.exists()
        assert (workspace.folder / "sub/new.ipynb").read_bytes() == THREE
        assert [v.number for v in workspace.log("sub/new.ipynb")] == [3, 2, 1]
        assert workspace.tags("sub/new.ipynb") == {"submitted": 1}
        (saved,) = workspace.save("sub/new.ipynb")
        assert (saved.saved, saved.number, saved.parent) == (True, 4, 3)
        workspace.checkout("sub/new.ipynb", "submitted")
        assert (workspace.folder / "sub/new.ipynb").read_bytes() == ONE

    def test_an_unchanged_notebook_stays_unchanged(self, workspace: Workspace, file: Path) -> None:
        """A rename is no edit."""
        workspace.rename("mine.ipynb", "new.ipynb")
        assert not workspace.save("new.ipynb")[0].saved
        assert [entry.state for entry in workspace.status().notebooks] == ["unchanged"]

    def test_a_name_that_is_taken_is_refused(self, workspace: Workspace, file: Path) -> None:
        """By a file here, or by a history in the store."""
        save(workspace, "other.ipynb", THREE)
        with pytest.raises(AlreadyExists, match="exists"):
            workspace.rename("mine.ipynb", "other.ipynb")
        (workspace.folder / "other.ipynb").unlink()
        with pytest.raises(AlreadyExists, match="of its own"):
            workspace.rename("mine.ipynb", "other.ipynb")
        assert file.read_bytes() == TWO
        assert [v.number for v in workspace.log("mine.ipynb")] == [2, 1]

    def test_what_is_not_there_cannot_be_renamed(self, workspace: Workspace, file: Path) -> None:
        """Neither a missing file, nor one without versions, nor to something else than .ipynb."""
        write(workspace, "new.ipynb", ONE)
        with pytest.raises(NotebookNotFound):
            workspace.rename("none.ipynb", "x.ipynb")
        with pytest.raises(NotebookNotFound):
            workspace.rename("new.ipynb", "x.ipynb")
        with pytest.raises(InvalidKey):
            workspace.rename("mine.ipynb", "mine.txt")
        assert (workspace.folder / "new.ipynb").exists()

    def test_a_rename_that_was_cut_off_is_finished_by_the_next(
        self, workspace: Workspace, file: Path
    ) -> None:
        """The store knows the new name, the file still has the old one."""
        workspace.repository.rename(
            workspace.key("mine.ipynb"), workspace.key("new.ipynb"), workspace.session.act()
        )
        workspace.rename("mine.ipynb", "new.ipynb")
        assert not file.exists()
        assert [v.number for v in workspace.log("new.ipynb")] == [3, 2, 1]

    def test_a_rename_that_was_cut_off_with_both_names_there_is_finished_by_the_next(
        self, workspace: Workspace, file: Path
    ) -> None:
        """A file gets its new name before it loses the old one."""
        new = workspace.folder / "new.ipynb"
        new.hardlink_to(file)
        workspace.rename("mine.ipynb", "new.ipynb")
        assert (file.exists(), new.read_bytes()) == (False, TWO)

    def test_a_copy_under_the_new_name_is_another_file(
        self, workspace: Workspace, file: Path
    ) -> None:
        """Equal bytes alone do not make it the one that was moved."""
        write(workspace, "new.ipynb", TWO)
        with pytest.raises(AlreadyExists, match="exists"):
            workspace.rename("mine.ipynb", "new.ipynb")
        assert file.exists()


class TestRemove:
    """Out of sight, never lost."""

    def test_file_and_listing_lose_it_and_a_checkout_brings_it_back(
        self, workspace: Workspace, file: Path
    ) -> None:
        """All versions stay."""
        workspace.remove("mine.ipynb")
        assert not file.exists()
        assert list(workspace.repository.list_notebooks()) == []
        (removed,) = workspace.repository.list_removed()
        assert removed.number == 2
        workspace.checkout("mine.ipynb")
        assert file.read_bytes() == TWO

    def test_unsaved_changes_are_refused(self, workspace: Workspace, file: Path) -> None:
        """Unless the file is to stay."""
        file.write_bytes(THREE)
        with pytest.raises(UnsavedChanges):
            workspace.remove("mine.ipynb")
        assert len(list(workspace.repository.list_notebooks())) == 1
        workspace.remove("mine.ipynb", keep_file=True)
        assert file.read_bytes() == THREE

    def test_saving_again_brings_it_back_with_its_history(
        self, workspace: Workspace, file: Path
    ) -> None:
        """The number goes on."""
        workspace.remove("mine.ipynb", keep_file=True)
        save(workspace, "mine.ipynb", THREE)
        assert [v.number for v in workspace.log("mine.ipynb")] == [3, 2, 1]

    def test_what_the_store_does_not_know_is_not_removed(self, workspace: Workspace) -> None:
        """A file that was never saved stays."""
        file = write(workspace, "new.ipynb", ONE)
        with pytest.raises(UnsavedChanges):
            workspace.remove("new.ipynb")
        with pytest.raises(NotebookNotFound):
            workspace.remove("new.ipynb", keep_file=True)
        assert file.exists()


def test_a_colleague_sees_what_was_published_tagged_and_renamed(open_shared: OpenShared) -> None:
    """All of it is in the store, nothing in the folder alone."""
    ana, ben = open_shared("ana"), open_shared("ben")
    save(ana, "mine.ipynb", ONE)
    ana.tag("release", "mine.ipynb", "v1")
    ana.publish("mine.ipynb")
    ana.rename("mine.ipynb", "new.ipynb")
    versions = list(ben.log("new.ipynb"))
    assert [(v.number, v.tags) for v in versions] == [(2, ()), (1, ("release",))]
    assert ben.resolve("new.ipynb", "release").digest == Digest.of(ONE)
