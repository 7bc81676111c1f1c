"""What an editor did becomes versions, moves and removals, in order and whatever happens."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from nbvc.errors import Conflict, InvalidKey, NotebookNotFound, StoreUnavailable
from nbvc.manifest.metadata import from_metadata
from nbvc.model import Area
from nbvc.workspace import captures as captures_module
from nbvc.workspace.accepting import (
    accept,
    capture,
    capture_changed,
    capture_found,
    note_move,
    note_removal,
)
from nbvc.workspace.core import Workspace
from nbvc.workspace.migrating import migrate_workspace
from tests.notebook_samples import code, notebook
from tests.stores.counting import CountingStore
from tests.stores.switching import SwitchedStore
from tests.workspace.helpers import ONE, THREE, TWO, litter, save, switchable, write


def saved(workspace: Workspace, path: str, data: bytes, *, copy_of: str | None = None) -> None:
    """Write a notebook as an editor does, and capture it."""
    write(workspace, path, data)
    capture(workspace, path, copy_of=copy_of)


def history(workspace: Workspace, path: str) -> list[bytes]:
    """Return the bytes of all versions, oldest first."""
    return [workspace.read(version) for version in workspace.log(path)][::-1]


def names(workspace: Workspace) -> list[str]:
    """Return the kinds of files that are in the outbox."""
    return sorted(path.suffix for path in workspace.outbox.folder.glob("0*"))


@pytest.fixture
def switch(workspace: Workspace) -> SwitchedStore:
    """Return the store of *workspace* with a switch that takes it off the network."""
    return switchable(workspace)


def test_each_capture_becomes_a_version_in_order(workspace: Workspace) -> None:
    """Twenty saves between two looks are twenty versions, each based on the one before."""
    states = [notebook(code(f"x = {n}")) for n in range(20)]
    for state in states:
        saved(workspace, "mine.ipynb", state)
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == states
    found = list(workspace.log("mine.ipynb"))[::-1]
    assert [version.parent for version in found] == [None, *range(1, 20)]
    assert found[0].changes is not None
    assert found[0].changes.cells_added == 1
    assert found[1].changes is not None
    assert found[1].changes.cells_changed == 1
    assert names(workspace) == []


def test_a_capture_holds_the_bytes_of_its_moment(workspace: Workspace) -> None:
    """An editor writes into the same file again: the copy does not change with it."""
    saved(workspace, "mine.ipynb", ONE)
    with (workspace.folder / "mine.ipynb").open("r+b") as file:
        file.write(b"#")
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == [ONE]


def test_the_same_bytes_again_make_no_version(workspace: Workspace) -> None:
    """Only what differs from the save before counts; going back to older bytes does."""
    for data in (ONE, ONE, TWO, TWO, ONE):
        saved(workspace, "mine.ipynb", data)
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == [ONE, TWO, ONE]


def test_saving_what_was_checked_out_makes_it_the_newest_again(workspace: Workspace) -> None:
    """The newest version in the store is the last save, also if its bytes are old."""
    save(workspace, "mine.ipynb", ONE)
    save(workspace, "mine.ipynb", TWO)
    workspace.checkout("mine.ipynb", "v1")
    capture(workspace, "mine.ipynb")
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == [ONE, TWO, ONE]


def test_a_captured_save_costs_what_a_save_costs(
    workspace: Workspace, counting: CountingStore
) -> None:
    """2 requests for a changed notebook, none where nothing changed."""
    save(workspace, "mine.ipynb", ONE)
    counting.reset()
    saved(workspace, "mine.ipynb", TWO)
    workspace.deliver()
    assert counting.names == ["put", "put"]
    counting.reset()
    saved(workspace, "mine.ipynb", TWO)
    workspace.deliver()
    assert counting.names == []


def test_author_time_and_message_are_those_of_the_capture(workspace: Workspace) -> None:
    """A version says who saved it and when, not who delivered it and when."""
    write(workspace, "mine.ipynb", ONE)
    found = capture(workspace, "mine.ipynb", author="grace", message="by hand")
    workspace.deliver()
    (version,) = workspace.log("mine.ipynb")
    assert (version.author, version.message, version.saved_at) == ("grace", "by hand", found.at)


def test_captures_wait_while_the_store_is_away(workspace: Workspace, switch: SwitchedStore) -> None:
    """Nothing is lost, and the next process delivers it in order."""
    save(workspace, "mine.ipynb", ONE)
    switch.off()
    saved(workspace, "mine.ipynb", TWO)
    assert workspace.deliver().stopped is not None
    saved(workspace, "mine.ipynb", THREE)
    with Workspace.open(environment=workspace.session.environment) as later:
        assert history(later, "mine.ipynb") == [ONE, TWO, THREE]
        assert [version.parent for version in later.log("mine.ipynb")] == [2, 1, None]


def test_every_command_delivers_what_was_captured_first(workspace: Workspace) -> None:
    """A save by command after one in the editor is the newer version."""
    saved(workspace, "mine.ipynb", ONE)
    result = save(workspace, "mine.ipynb", TWO)
    assert (result.number, result.parent) == (2, 1)
    assert history(workspace, "mine.ipynb") == [ONE, TWO]


def test_status_counts_what_was_captured_as_waiting(workspace: Workspace) -> None:
    """Bytes that are safe in the outbox are no unsaved change."""
    save(workspace, "mine.ipynb", ONE)
    saved(workspace, "mine.ipynb", TWO)
    accept(workspace)
    assert names(workspace) == [".new"]
    assert [version.digest for version in workspace.outbox.waiting()]


@pytest.mark.parametrize("step", ["complete", "put", "finish"])
def test_a_crash_while_a_capture_is_accepted_leaves_one_version(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever the process dies, the next one finishes, with one version and its parent."""
    save(workspace, "mine.ipynb", ONE)
    saved(workspace, "mine.ipynb", TWO)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        owner = workspace.index if step == "put" else workspace.captures
        patch.setattr(owner, step, die)
        with pytest.raises(KeyboardInterrupt):
            accept(workspace)
    saved(workspace, "mine.ipynb", THREE)
    with Workspace.open(environment=workspace.session.environment) as later:
        assert history(later, "mine.ipynb") == [ONE, TWO, THREE]
        assert [version.parent for version in later.log("mine.ipynb")] == [2, 1, None]
        assert names(later) == []


def test_a_capture_that_was_delivered_and_not_removed_is_no_second_version(
    workspace: Workspace,
) -> None:
    """Another process may deliver the version while the one that accepted it dies."""
    saved(workspace, "mine.ipynb", ONE)
    (file,) = workspace.outbox.folder.glob("*.saved")
    copy = file.read_bytes()
    workspace.deliver()
    file.write_bytes(copy)
    saved(workspace, "mine.ipynb", TWO)
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == [ONE, TWO]


def test_what_a_loss_of_power_left_of_a_capture_is_set_aside(workspace: Workspace) -> None:
    """Zeros where a notebook was are no version, and hold up nothing."""
    saved(workspace, "mine.ipynb", ONE)
    (file,) = workspace.outbox.folder.glob("*.saved")
    head, _, rest = file.read_bytes().partition(b"\n")
    file.write_bytes(head + b"\n" + bytes(len(rest)))
    saved(workspace, "mine.ipynb", TWO)
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == [TWO]
    assert len(workspace.outbox.damaged()) == 1


def test_what_the_user_saved_is_kept_even_if_it_is_no_notebook(workspace: Workspace) -> None:
    """A text editor can save anything under the name: it is on disk like this, so it is kept."""
    saved(workspace, "mine.ipynb", b"no notebook")
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == [b"no notebook"]


def test_what_a_stranger_left_is_not_delivered(workspace: Workspace) -> None:
    """Captures that came with a folder wait for a push, as all that came with it."""
    saved(workspace, "mine.ipynb", ONE)
    key = workspace.session.environment.user_config_file.with_name("outbox.key")
    key.write_text("somebody else's key, which is long enough")
    with Workspace.open(environment=workspace.session.environment) as other:
        assert other.deliver().delivered == ()
        assert names(other) == [".saved"]
        other.push()
        assert history(other, "mine.ipynb") == [ONE]


def test_a_file_that_changes_all_the_time_is_no_version(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one save and half of the next never become a version; the caller is told."""
    file = write(workspace, "mine.ipynb", ONE)
    copy = captures_module._copy

    def copy_and_write(source: int, target: int) -> None:
        copy(source, target)
        with file.open("ab") as opened:
            opened.write(b" ")

    monkeypatch.setattr(captures_module, "_copy", copy_and_write)
    with pytest.raises(Conflict):
        capture(workspace, "mine.ipynb")
    assert names(workspace) == []
    assert litter(workspace.folder) == []


def test_without_help_of_the_system_the_same_bytes_are_copied(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two kinds of disks, bytes go through the process."""
    monkeypatch.setattr(os, "copy_file_range", None, raising=False)
    with monkeypatch.context() as patch:
        patch.delattr(os, "copy_file_range")
        saved(workspace, "mine.ipynb", ONE)
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == [ONE]


def test_a_name_that_cannot_be_a_key_is_refused(workspace: Workspace) -> None:
    """The caller learns that this notebook can have no versions."""
    write(workspace, "odd.ipynb/mine.ipynb", ONE)
    with pytest.raises(InvalidKey):
        capture(workspace, "odd.ipynb/mine.ipynb")


def test_what_is_only_found_is_a_version_if_it_is_a_new_notebook(workspace: Workspace) -> None:
    """Not what is known already, nor an older version that was checked out, nor half a file."""
    save(workspace, "mine.ipynb", ONE)
    save(workspace, "mine.ipynb", TWO)
    for data in (TWO, ONE, THREE, THREE[:-10]):
        write(workspace, "mine.ipynb", data)
        capture_found(workspace, "mine.ipynb")
    write(workspace, "mine.ipynb", THREE)
    workspace.checkout("mine.ipynb", "v1")
    capture_found(workspace, "mine.ipynb")
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == [ONE, TWO, ONE, THREE]
    assert workspace.outbox.damaged() == []


def test_known_notebooks_that_were_changed_are_found(workspace: Workspace) -> None:
    """One that is as it was costs no copy; one that nobody saved, or that is gone, is left out."""
    for path in ("changed.ipynb", "same.ipynb", "gone.ipynb"):
        save(workspace, path, ONE)
    write(workspace, "changed.ipynb", TWO)
    write(workspace, "never.ipynb", ONE)
    (workspace.folder / "gone.ipynb").unlink()
    capture_changed(workspace)
    assert [found.path for found in workspace.captures.pending()] == ["changed.ipynb"]
    workspace.deliver()
    assert history(workspace, "changed.ipynb") == [ONE, TWO]


def test_what_was_saved_and_not_captured_is_found_beside_what_waits(workspace: Workspace) -> None:
    """Killed right after the second save of a new notebook, before anybody looked at the first."""
    saved(workspace, "mine.ipynb", ONE)
    saved(workspace, "yours.ipynb", ONE)
    write(workspace, "mine.ipynb", TWO)
    capture_changed(workspace)
    assert history(workspace, "mine.ipynb") == [ONE, TWO]
    assert history(workspace, "yours.ipynb") == [ONE]


def test_a_capture_that_cannot_be_read_holds_up_those_behind_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails for a moment puts no later save before an earlier one."""
    saved(workspace, "mine.ipynb", ONE)
    saved(workspace, "mine.ipynb", TWO)
    unreadable, read = min(workspace.outbox.folder.glob("*.saved")), Path.open

    def fail(path: Path, *arguments: Any, **named: Any) -> Any:
        if path == unreadable:
            raise OSError(errno.EIO, "Input/output error")
        return read(path, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fail)
        assert workspace.deliver().stopped is not None
    workspace.deliver()
    assert history(workspace, "mine.ipynb") == [ONE, TWO]


# Moves, removals, copies


def move(workspace: Workspace, old: str, new: str) -> None:
    """Give a file or folder another name as an editor does, and note it."""
    target = workspace.folder / new
    target.parent.mkdir(parents=True, exist_ok=True)
    (workspace.folder / old).rename(target)
    note_move(workspace, old, new)


def test_a_move_takes_the_history_along(workspace: Workspace) -> None:
    """What was saved before and after is one history, under the new name."""
    saved(workspace, "old.ipynb", ONE)
    move(workspace, "old.ipynb", "new.ipynb")
    saved(workspace, "new.ipynb", TWO)
    workspace.deliver()
    assert history(workspace, "new.ipynb") == [ONE, ONE, TWO]
    assert [version.number for version in workspace.log("new.ipynb")] == [3, 2, 1]
    assert next(workspace.log("new.ipynb")).parent == 2
    assert names(workspace) == []


def test_saves_after_a_move_wait_until_it_is_done(
    workspace: Workspace, switch: SwitchedStore
) -> None:
    """Without the store neither comes first: the new name begins no history of its own."""
    save(workspace, "old.ipynb", ONE)
    switch.off()
    move(workspace, "old.ipynb", "new.ipynb")
    saved(workspace, "new.ipynb", TWO)
    assert workspace.status().captured == 2
    assert isinstance(workspace.push().stopped, StoreUnavailable)
    saved(workspace, "other.ipynb", ONE)
    switch.on()
    workspace.deliver()
    assert history(workspace, "new.ipynb") == [ONE, ONE, TWO]
    assert history(workspace, "other.ipynb") == [ONE]


def test_a_name_can_be_used_again_and_again(workspace: Workspace) -> None:
    """Each Untitled.ipynb that gets a name of its own keeps a history of its own."""
    for number, name in enumerate(("a", "b", "c")):
        saved(workspace, "Untitled.ipynb", notebook(code(f"x = {number}")))
        move(workspace, "Untitled.ipynb", f"{name}.ipynb")
    workspace.deliver()
    for number, name in enumerate(("a", "b", "c")):
        assert set(history(workspace, f"{name}.ipynb")) == {notebook(code(f"x = {number}"))}


def test_a_folder_moves_with_all_its_histories(workspace: Workspace) -> None:
    """Also with notebooks in folders below it, and those that have no version yet."""
    saved(workspace, "old/one.ipynb", ONE)
    saved(workspace, "old/deep/two.ipynb", TWO)
    write(workspace, "old/never.ipynb", THREE)
    move(workspace, "old", "new")
    workspace.deliver()
    assert history(workspace, "new/one.ipynb")[0] == ONE
    assert history(workspace, "new/deep/two.ipynb")[0] == TWO
    with pytest.raises(NotebookNotFound):
        list(workspace.log("new/never.ipynb"))
    assert names(workspace) == []


def test_a_move_onto_a_removed_name_keeps_both_histories(workspace: Workspace) -> None:
    """The name goes on with the history that it has; the other one can be recovered."""
    save(workspace, "taken.ipynb", ONE)
    workspace.remove("taken.ipynb")
    saved(workspace, "mine.ipynb", TWO)
    move(workspace, "mine.ipynb", "taken.ipynb")
    workspace.deliver()
    assert history(workspace, "taken.ipynb") == [ONE, TWO]
    assert next(workspace.log("taken.ipynb")).message == "renamed from mine.ipynb"
    assert history(workspace, "mine.ipynb") == [TWO]
    assert names(workspace) == []


def test_a_removed_notebook_can_be_recovered(workspace: Workspace) -> None:
    """It is not listed any more, and every version is still there."""
    saved(workspace, "mine.ipynb", ONE)
    (workspace.folder / "mine.ipynb").unlink()
    note_removal(workspace, "mine.ipynb")
    workspace.deliver()
    repository = workspace.repository
    assert list(repository.list_notebooks(f"{workspace.namespace}/")) == []
    assert [listed.key for listed in repository.list_removed()] == [workspace.key("mine.ipynb")]
    workspace.checkout("mine.ipynb", "v1")
    assert (workspace.folder / "mine.ipynb").read_bytes() == ONE


def test_a_removed_folder_removes_what_was_in_it(workspace: Workspace) -> None:
    """And nothing whose name only begins alike."""
    for path in ("gone/one.ipynb", "gone/deep/two.ipynb", "gone-not/three.ipynb"):
        saved(workspace, path, ONE)
    note_removal(workspace, "gone")
    workspace.deliver()
    left = [listed.key for listed in workspace.repository.list_notebooks()]
    assert left == [workspace.key("gone-not/three.ipynb")]


def test_a_notebook_made_again_after_its_removal_is_there(workspace: Workspace) -> None:
    """The removal comes first, the new save second, as they were done."""
    saved(workspace, "mine.ipynb", ONE)
    note_removal(workspace, "mine.ipynb")
    saved(workspace, "mine.ipynb", TWO)
    workspace.deliver()
    assert [listed.key for listed in workspace.repository.list_notebooks()] == [
        workspace.key("mine.ipynb")
    ]
    assert history(workspace, "mine.ipynb") == [ONE, TWO]


def test_a_copy_begins_a_history_that_names_its_origin(workspace: Workspace) -> None:
    """Also where the original still waits: it is delivered first."""
    saved(workspace, "a.ipynb", ONE)
    saved(workspace, "a.ipynb", TWO)
    saved(workspace, "a-Copy1.ipynb", TWO, copy_of="a.ipynb")
    saved(workspace, "a-Copy1.ipynb", THREE)
    workspace.deliver()
    first, second = list(workspace.log("a-Copy1.ipynb"))[::-1]
    assert first.source is not None
    assert (first.source.area, first.source.key) == (Area.WORKSPACE, workspace.key("a.ipynb"))
    assert first.source.number == 2
    assert second.source is None
    assert [finding.kind for finding in workspace.check(read_data=True)] == []


def test_a_copy_that_moves_to_another_store_is_no_renamed_notebook(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Its record names its origin there too, and its object does not: that is how renames do it."""
    save(workspace, "a.ipynb", ONE)
    saved(workspace, "a-Copy1.ipynb", ONE, copy_of="a.ipynb")
    workspace.deliver()
    migrate_workspace(
        workspace.session,
        str(tmp_path / "new"),
        create=True,
        ask=lambda _: False,
        dry_run=False,
        flags={},
    )
    with Workspace.open(environment=workspace.session.environment) as moved:
        (version,) = moved.log("a-Copy1.ipynb")
        assert version.source is not None
        assert (version.source.key, version.source.number) == (moved.key("a.ipynb"), 1)
        store = moved.repository.store
        said = store.head(moved.repository.layout.data_key(Area.WORKSPACE, version.key)).metadata
        assert from_metadata(said).source_version_id is None
        assert list(moved.check(read_data=True)) == []


def test_a_copy_of_what_has_no_version_names_nothing(workspace: Workspace) -> None:
    """There is nothing to name, and the copy is a version all the same."""
    saved(workspace, "copy.ipynb", ONE, copy_of="never.ipynb")
    workspace.deliver()
    (version,) = workspace.log("copy.ipynb")
    assert version.source is None


def test_what_is_to_be_renamed_by_command_waits_for_what_was_captured(
    workspace: Workspace,
) -> None:
    """A command finds the history as it is after all that the editor did."""
    saved(workspace, "old.ipynb", ONE)
    workspace.rename("old.ipynb", "new.ipynb")
    assert history(workspace, "new.ipynb") == [ONE, ONE]


def test_a_copy_under_a_name_that_was_removed_goes_on_with_its_numbers(
    workspace: Workspace,
) -> None:
    """Its origin is named all the same, and nobody takes it for a renamed notebook."""
    save(workspace, "a.ipynb", ONE)
    saved(workspace, "a-Copy1.ipynb", ONE, copy_of="a.ipynb")
    (workspace.folder / "a-Copy1.ipynb").unlink()
    note_removal(workspace, "a-Copy1.ipynb")
    save(workspace, "a.ipynb", TWO)
    saved(workspace, "a-Copy1.ipynb", TWO, copy_of="a.ipynb")
    workspace.deliver()
    newest, oldest = workspace.log("a-Copy1.ipynb")
    assert (newest.number, newest.source and newest.source.number) == (2, 2)
    assert (oldest.number, oldest.source and oldest.source.number) == (1, 1)
    assert list(workspace.check(read_data=True)) == []
    assert list(workspace.repair()) == []
