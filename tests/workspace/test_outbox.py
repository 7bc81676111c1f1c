"""Saves that the store cannot take: they wait, survive, and are delivered once and in order."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbvc.environment import Environment
from nbvc.errors import (
    AccessDenied,
    Conflict,
    InvalidNotebook,
    NbvcError,
    NotebookNotFound,
    OutcomeUnknown,
    StoreUnavailable,
    VersioningOff,
)
from nbvc.manifest.sealing import seal, unseal
from nbvc.model import Area, Digest, Run, Version
from nbvc.stores.base import Overwrite
from nbvc.workspace.cloning import clone
from nbvc.workspace.core import Workspace
from nbvc.workspace.outbox import Outbox, Waiting
from nbvc.workspace.owning import KEY_FILE
from nbvc.workspace.results import SomeFailed
from nbvc.workspace.session import Session
from tests.conftest import make_workspace
from tests.notebook_samples import code, notebook
from tests.stores.switching import SwitchedStore
from tests.workspace.helpers import ONE, THREE, TWO, litter, save, switchable, write

DEFERRABLE = [
    StoreUnavailable("The store was not reached."),
    OutcomeUnknown("No reply came."),
    VersioningOff("The bucket keeps no versions."),
]


@pytest.fixture
def store(workspace: Workspace) -> SwitchedStore:
    """Return the store of *workspace*, which can be switched off."""
    return switchable(workspace)


def history(workspace: Workspace, path: str = "mine.ipynb") -> list[Version]:
    """Return the versions of a notebook, oldest first."""
    return list(workspace.log(workspace.folder / path))[::-1]


def add(workspace: Workspace, path: str, data: bytes, *, sent: bool) -> Waiting:
    """Put a version of *path* into the outbox."""
    act = workspace.session.act("")
    version = Waiting(
        store=workspace.store_setting,
        key=workspace.key_of(path),
        path=path,
        digest=Digest.of(data),
        size_bytes=len(data),
        author=act.author,
        message=act.message,
        saved_at=act.now,
        write_id=act.write_id,
        before=0,
    )
    return workspace.outbox.add(version, data, sent=sent)


def digests(versions: list[Version]) -> list[str | None]:
    """Return the digests of *versions*."""
    return [version.digest for version in versions]


def test_a_waiting_result_of_a_run_is_delivered_as_one(workspace: Workspace) -> None:
    """Its record says how it was made; and no file of the folder is taken to be based on it."""
    run = Run(outcome="failed", parameters={"alpha": 0.1}, error="ZeroDivisionError")
    waiting = add(workspace, "mine.ipynb", ONE, sent=False)
    workspace.outbox.remove(waiting)
    workspace.outbox.add(replace(waiting, run=run), ONE, sent=False)
    assert [each.run for each in workspace.outbox.waiting()] == [run]
    workspace.push()
    assert [version.run for version in history(workspace)] == [run]
    assert workspace.index.paths() == []


@pytest.fixture
def stranger(workspace: Workspace, store: SwitchedStore) -> SwitchedStore:
    """Return the store, off no more, of a workspace whose outbox somebody else has filled."""
    config = workspace.session.environment.user_config_file
    store.off()
    save(workspace, "mine.ipynb", ONE, "trust me")
    config.with_name(KEY_FILE).unlink()
    for name in ("outbox", "owner"):
        workspace.__dict__.pop(name)
    store.on()
    return store


# -- what came with a folder ----------------------------------------------------------------------


def test_what_came_with_a_folder_is_delivered_by_push_alone(
    workspace: Workspace, stranger: SwitchedStore
) -> None:
    """Who only looks into a stranger's folder writes nothing into a store."""
    save(workspace, "other.ipynb", TWO)
    assert [version.path for version in workspace.status().waiting] == ["mine.ipynb"]
    with pytest.raises(NotebookNotFound):
        history(workspace)
    (waiting,) = workspace.outbox.waiting()
    assert not waiting.own
    (delivered,) = workspace.push().delivered
    assert delivered.record.message == "trust me"
    assert workspace.outbox.is_empty()


def test_a_save_queues_up_behind_what_came_with_a_folder(
    workspace: Workspace, stranger: SwitchedStore
) -> None:
    """So that the order stays; it says that push is what delivers both."""
    result = save(workspace, "mine.ipynb", TWO)
    assert (result.waiting, result.error and result.error.hint) == (True, "nbvc push")
    workspace.status()
    assert [version.own for version in workspace.outbox.waiting()] == [False, True]
    assert len(workspace.push().delivered) == 2
    assert digests(history(workspace)) == [Digest.of(ONE), Digest.of(TWO)]


def test_a_disk_that_fails_for_a_moment_hides_no_waiting_version(
    workspace: Workspace, store: SwitchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that could not read what waits at once does not say that nothing is left."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    (waiting,) = workspace.outbox.waiting()
    store.on()
    failures, read = [OSError(errno.EIO, "Input/output error")], Path.open

    def fail_once(path: Path, *arguments: Any, **named: Any) -> Any:
        if path == waiting.file and failures:
            raise failures.pop()
        return read(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", fail_once)
    assert len(workspace.push().delivered) == 1
    assert failures == []


def test_a_waiting_version_that_was_altered_is_no_more_the_users_own(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """Whoever can seal a document cannot sign it."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    (waiting,) = workspace.outbox.waiting()
    assert waiting.own
    header, _, data = waiting.file.read_bytes().partition(b"\n")
    document = unseal(header, what="header")
    for forged in ({**document, "author": "bob"}, {**document, "owner": "é"}, {"owner": 1}):
        waiting.file.write_bytes(seal({**document, **forged}) + b"\n" + data)
        assert [version.own for version in workspace.outbox.waiting()] == [False]


def test_without_a_place_for_a_key_versions_wait_for_push(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """A home that cannot be written to costs no save."""
    key = workspace.session.environment.user_config_file.with_name(KEY_FILE)
    key.unlink()  # the one of init
    key.mkdir()
    store.off()
    assert save(workspace, "mine.ipynb", ONE).needs_push
    store.on()
    assert len(workspace.status().waiting) == 1
    assert len(workspace.push().delivered) == 1


@pytest.mark.parametrize("then", ["saved again", "delivered"])
def test_what_was_left_by_who_came_to_no_end_is_removed(
    workspace: Workspace, store: SwitchedStore, then: str
) -> None:
    """Beside the key and in the queue, by the next one who comes by."""
    folders = (workspace.session.environment.user_config_file.parent, workspace.outbox.folder)
    store.off()
    save(workspace, "mine.ipynb", ONE)
    for folder in folders:
        (folder / ".nbvc-left.tmp").touch()
    del workspace.outbox  # as for another process
    if then == "delivered":
        store.on()
        assert len(workspace.push().delivered) == 1
    else:
        assert save(workspace, "mine.ipynb", TWO).waiting
    assert [litter(folder) for folder in folders] == [[], []]


def test_the_key_is_readable_by_its_owner_alone(workspace: Workspace, store: SwitchedStore) -> None:
    """And it is not in the workspace, which others may get."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    key = workspace.session.environment.user_config_file.with_name(KEY_FILE)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert not key.is_relative_to(workspace.folder)


# -- keeping --------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", DEFERRABLE, ids=lambda error: error.kind)
def test_a_version_that_the_store_cannot_take_waits(
    workspace: Workspace, store: SwitchedStore, error: NbvcError
) -> None:
    """The save succeeds, says that the version waits and why; its bytes are in the outbox."""
    store.off(error)
    result = save(workspace, "mine.ipynb", ONE, "first")
    assert (result.saved, result.waiting, result.number) == (False, True, None)
    assert result.error is error
    (waiting,) = workspace.outbox.waiting()
    assert (waiting.path, waiting.message, waiting.digest) == (
        "mine.ipynb",
        "first",
        Digest.of(ONE),
    )
    assert workspace.outbox.read(waiting) == ONE


def test_what_waiting_cannot_mend_is_an_error_and_does_not_wait(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """Missing permission is told at once: a queue would only hide it."""
    store.off(AccessDenied("You may not."))
    with pytest.raises(AccessDenied):
        save(workspace, "mine.ipynb", ONE)
    assert workspace.outbox.is_empty()


def test_where_the_store_is_required_the_version_waits_and_the_save_fails(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """The exit code is that of the store's error, and still nothing is lost."""
    store.off()
    write(workspace, "mine.ipynb", ONE)
    with pytest.raises(SomeFailed) as caught:
        workspace.save("mine.ipynb", require_store=True)
    assert caught.value.exit_code == 7
    assert len(workspace.outbox.waiting()) == 1


def test_every_save_waits_as_a_version_of_its_own(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """Saves are never merged; the same bytes again are no new version."""
    store.off()
    for data in (ONE, TWO, TWO, ONE):
        save(workspace, "mine.ipynb", data)
    assert [waiting.digest for waiting in workspace.outbox.waiting()] == [
        Digest.of(data) for data in (ONE, TWO, ONE)
    ]


def test_the_store_is_tried_once_for_many_notebooks(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """After the first one failed the others go into the outbox without a request."""
    for name in "abcdef":
        write(workspace, f"{name}.ipynb", notebook(code(name)))
    store.off(only="put")
    before = store.requests
    results = workspace.save()
    assert [result.waiting for result in results] == [True] * 6
    assert store.requests - before <= 2


def test_a_cloned_notebook_is_saved_without_a_store_too(
    workspace: Workspace, store: SwitchedStore, tmp_path: Path
) -> None:
    """Its number was never asked for, and cannot be now: the version waits all the same."""
    save(workspace, "mine.ipynb", ONE)
    cloned = clone(workspace.session, f"{workspace.namespace}/", str(tmp_path / "cloned"))
    environment = replace(workspace.session.environment, cwd=cloned.folder)
    with Workspace(Session(environment, cloned.folder)) as other:
        backend = other.repository.backend
        switched = SwitchedStore(backend.store)
        other.repository._backend = replace(backend, store=switched)
        switched.off()
        assert save(other, "mine.ipynb", TWO).waiting
        switched.on()
        other.push()
        assert digests(history(other)) == [Digest.of(ONE), Digest.of(TWO)]


def test_an_invalid_notebook_among_those_that_wait_is_still_an_error(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """What waits is no failure; what cannot be saved at all is one, and only that."""
    write(workspace, "bad.ipynb", b"no notebook")
    write(workspace, "good.ipynb", ONE)
    store.off()
    with pytest.raises(SomeFailed) as caught:
        workspace.save()
    assert caught.value.exit_code == InvalidNotebook.exit_code
    assert [waiting.path for waiting in workspace.outbox.waiting()] == ["good.ipynb"]


def test_the_outbox_is_readable_by_its_owner_alone(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """Others on the machine cannot read what waits."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    assert stat.S_IMODE(workspace.outbox.folder.stat().st_mode) == 0o700


def test_the_files_of_the_outbox_are_private_in_a_folder_that_is_not(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """A folder that was there, as one out of an archive, stays as it is."""
    workspace.outbox.folder.mkdir(mode=0o755)
    store.off()
    save(workspace, "mine.ipynb", ONE)
    store.on()
    store.off(OutcomeUnknown("No reply came."))
    workspace.push()
    (waiting,) = workspace.outbox.waiting()
    assert stat.S_IMODE(waiting.file.stat().st_mode) == 0o600


def test_what_waits_can_be_brought_back_by_hand(workspace: Workspace, store: SwitchedStore) -> None:
    """All but the first line of the file is the notebook, byte for byte."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    (waiting,) = workspace.outbox.waiting()
    plain = subprocess.run(["tail", "-n", "+2", waiting.file], capture_output=True, check=True)
    assert plain.stdout == ONE


def test_checkout_force_keeps_what_it_replaces_in_the_outbox(
    workspace: Workspace, store: SwitchedStore, file: Path
) -> None:
    """Bytes that wait are safe, so a file that has them may be replaced."""
    file.write_bytes(THREE)
    first = workspace.resolve(file, "v1")
    data = workspace.read(first)
    store.off(only="put")
    result = workspace.checkout(file, "v1", force=True)
    assert result.rescued is not None
    assert result.rescued.waiting
    assert file.read_bytes() == data
    assert [waiting.digest for waiting in workspace.outbox.waiting()] == [Digest.of(THREE)]


# -- delivering -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", DEFERRABLE, ids=lambda error: error.kind)
@pytest.mark.parametrize("replies_lost", [False, True], ids=["not sent", "replies lost"])
def test_what_waits_is_delivered_in_order_and_once(
    workspace: Workspace, store: SwitchedStore, error: NbvcError, replies_lost: bool
) -> None:
    """Whether the store had it already or not, each version is in the log once, with its parent."""
    save(workspace, "mine.ipynb", ONE)
    store.off(error, only="put", replies_lost=replies_lost)
    save(workspace, "mine.ipynb", TWO, "second")
    save(workspace, "mine.ipynb", THREE, "third")
    store.on()
    delivery = workspace.push()
    assert [each.record.number for each in delivery.delivered] == [2, 3]
    assert (delivery.waiting, delivery.error) == ((), None)
    versions = history(workspace)
    assert digests(versions) == [Digest.of(data) for data in (ONE, TWO, THREE)]
    assert [version.parent for version in versions] == [None, 1, 2]
    assert [version.message for version in versions] == ["", "second", "third"]


@pytest.mark.parametrize("only", ["put", "head", "list_keys", "list_versions", "get"])
@pytest.mark.parametrize("replies_lost", [False, True])
def test_a_delivery_that_fails_half_way_goes_on_later(
    workspace: Workspace, store: SwitchedStore, only: str, replies_lost: bool
) -> None:
    """Whichever request fails, and however often: in the end each version is there once."""
    store.off()
    for data in (ONE, TWO, THREE):
        save(workspace, "mine.ipynb", data)
    for _ in range(3):
        store.off(OutcomeUnknown("No reply came."), only=only, replies_lost=replies_lost)
        workspace.push()
    store.on()
    assert workspace.push().error is None
    versions = history(workspace)
    assert digests(versions) == [Digest.of(data) for data in (ONE, TWO, THREE)]
    assert [version.number for version in versions] == [1, 2, 3]
    assert workspace.outbox.is_empty()


def test_a_save_does_not_overtake_what_waits(workspace: Workspace, store: SwitchedStore) -> None:
    """The next save that reaches the store delivers first; then its own version follows."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    save(workspace, "mine.ipynb", TWO)
    store.on()
    result = save(workspace, "mine.ipynb", THREE)
    assert (result.saved, result.number, result.parent) == (True, 3, 2)
    assert digests(history(workspace)) == [Digest.of(data) for data in (ONE, TWO, THREE)]


def test_opening_the_store_delivers_first(workspace: Workspace, store: SwitchedStore) -> None:
    """Whoever reads sees what had waited, without having to know of the outbox."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    with Workspace(workspace.session) as again:
        assert digests(history(again)) == [Digest.of(ONE)]
        assert [each.record.number for each in again.delivered] == [1]


def test_versions_of_others_meanwhile_are_kept_beside(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """Somebody saved while this workspace was cut off: both histories stay, with true parents."""
    save(workspace, "mine.ipynb", ONE)
    store.off()
    save(workspace, "mine.ipynb", TWO)
    save(workspace, "mine.ipynb", THREE)
    store.on()
    other_bytes = notebook(code("other"))
    file = workspace.folder / "mine.ipynb"
    kept = file.read_bytes()
    waiting = workspace.outbox.folder.rename(workspace.folder / "aside")
    with Workspace(workspace.session) as other:
        other.index.forget("mine.ipynb")
        assert save(other, "mine.ipynb", other_bytes).number == 2
        other.index.forget("mine.ipynb")
    file.write_bytes(kept)
    waiting.rename(workspace.outbox.folder)
    workspace.push()
    versions = history(workspace)
    assert digests(versions) == [Digest.of(data) for data in (ONE, other_bytes, TWO, THREE)]
    assert [version.parent for version in versions] == [None, None, 1, 3]


def test_the_next_save_is_based_on_what_was_delivered(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """After the delivery the working copy is based on a numbered version, and is unchanged."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    assert [entry.state for entry in workspace.status().notebooks] == ["waiting"]
    store.on()
    workspace.push()
    (entry,) = workspace.status().notebooks
    assert (entry.state, entry.number, entry.latest) == ("unchanged", 1, 1)
    assert save(workspace, "mine.ipynb", ONE).saved is False


def test_a_week_offline_is_delivered_in_order(workspace: Workspace, store: SwitchedStore) -> None:
    """Hundreds of saves of several notebooks come through as they were made."""
    store.off()
    contents: dict[str, list[bytes]] = {"a.ipynb": [], "b.ipynb": [], "c.ipynb": []}
    for number in range(60):
        for path, saved in contents.items():
            saved.append(notebook(code(f"{path} {number}")))
            save(workspace, path, saved[-1])
    store.on()
    with Workspace(workspace.session) as again:
        delivery = again.push()
        assert len(delivery.delivered) == 180
        for path, saved in contents.items():
            versions = history(again, path)
            assert digests(versions) == [Digest.of(data) for data in saved]
            assert [version.parent for version in versions] == [None, *range(1, 60)]


def test_an_error_of_one_notebook_does_not_hold_up_the_others(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """A damaged manifest stops its own notebook only; the error is kept and shown."""
    save(workspace, "a.ipynb", ONE)
    store.off()
    save(workspace, "a.ipynb", TWO)
    save(workspace, "b.ipynb", TWO)
    store.on()
    prefix = workspace.repository.layout.records(Area.WORKSPACE, workspace.key("a.ipynb"))
    (record,) = store.inner.list_keys(prefix)
    damage(store, record.key)
    workspace.index.forget("a.ipynb")
    delivery = workspace.push()
    assert [each.waited.path for each in delivery.delivered] == ["b.ipynb"]
    assert [waiting.path for waiting in delivery.waiting] == ["a.ipynb"]
    assert delivery.error is not None
    assert workspace.status().failure is not None


def test_versions_that_were_put_into_the_outbox_at_once_keep_files_of_their_own(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two may get one place; when one of them is sent, it never takes the other's name."""
    both = threading.Barrier(2)
    look = Outbox.names

    def look_together(outbox: Outbox) -> list[str]:
        found = look(outbox)
        both.wait(timeout=60)
        return found

    monkeypatch.setattr(Outbox, "names", look_together)
    with ThreadPoolExecutor(2) as threads:
        asked = threads.submit(add, workspace, "asked.ipynb", ONE, sent=True)
        new = threads.submit(add, workspace, "new.ipynb", TWO, sent=False)
        versions = [asked.result(), new.result()]
    monkeypatch.setattr(Outbox, "names", look)
    assert {version.place for version in versions} == {1}
    sent = workspace.outbox.mark_sent(versions[1])
    workspace.outbox.remove(versions[0])
    assert [version.path for version in workspace.outbox.waiting()] == ["new.ipynb"]
    assert workspace.outbox.read(sent) == TWO


def test_a_file_of_the_outbox_without_a_write_id_in_its_name_is_delivered(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """Earlier builds named files by their place alone."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    (waiting,) = workspace.outbox.waiting()
    waiting.file.rename(waiting.file.with_stem("0000000001"))
    store.on()
    workspace.push()
    assert digests(history(workspace)) == [Digest.of(ONE)]


def test_bytes_that_the_disk_damaged_are_set_aside(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """They are never delivered and never removed, and hold up nothing behind them."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    save(workspace, "mine.ipynb", TWO)
    first = workspace.outbox.waiting()[0]
    first.file.write_bytes(first.file.read_bytes()[:-2] + b"!}")
    store.on()
    workspace.push()
    assert digests(history(workspace)) == [Digest.of(TWO)]
    (left,) = workspace.status().damaged
    assert left.read_bytes().endswith(b"!}")


@pytest.mark.parametrize("length", [0, 1, 40, 200])
def test_a_torn_header_is_shown_and_delivered_never(
    workspace: Workspace, store: SwitchedStore, length: int
) -> None:
    """A file that does not say what it is stays where it is, and is named by status."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    (waiting,) = workspace.outbox.waiting()
    waiting.file.write_bytes(waiting.file.read_bytes()[:length])
    store.on()
    workspace.push()
    assert workspace.outbox.waiting() == []
    assert workspace.status().damaged == (waiting.file,)
    assert save(workspace, "mine.ipynb", ONE).number == 1


def test_what_was_taken_out_by_hand_is_saved_again(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """A version that is neither in the outbox nor in the store does not count as saved."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    workspace.outbox.waiting()[0].file.unlink()
    store.on()
    assert save(workspace, "mine.ipynb", ONE).saved


def test_what_waits_for_another_store_stays(workspace: Workspace, store: SwitchedStore) -> None:
    """With NBVC_STORE pointing elsewhere, nothing is delivered there by mistake."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    elsewhere = (workspace.folder.parent / "elsewhere").as_uri()
    make_workspace(
        replace(workspace.session.environment, cwd=make(workspace.folder.parent / "other")),
        elsewhere,
    )
    with Workspace.open(
        environment=workspace.session.environment, flags={"store": elsewhere}
    ) as other:
        delivery = other.push()
        assert (delivery.delivered, len(delivery.waiting)) == ((), 1)
    store.on()
    assert len(workspace.push().delivered) == 1


@pytest.mark.parametrize("act", ["rename", "remove"])
def test_a_notebook_of_which_a_version_waits_is_not_renamed_or_removed(
    workspace: Workspace, store: SwitchedStore, file: Path, act: str
) -> None:
    """Delivered later, the version would bring the old name back."""
    store.off(only="put")
    save(workspace, "mine.ipynb", THREE)
    acts = {
        "rename": lambda: workspace.rename(file, "other.ipynb"),
        "remove": lambda: workspace.remove(file),
    }
    with pytest.raises(Conflict):
        acts[act]()
    assert file.read_bytes() == THREE
    store.on()
    workspace.push()
    assert len(history(workspace)) == 3


def test_publishing_delivers_first_and_means_what_was_delivered(
    workspace: Workspace, store: SwitchedStore, file: Path
) -> None:
    """The latest version saved from here is the one that waited; the file is based on it then."""
    store.off()
    save(workspace, "mine.ipynb", THREE)
    store.on()
    with Workspace(workspace.session) as again:
        assert again.publish("mine.ipynb").source.number == 3
        (entry,) = again.status().notebooks
        assert (entry.state, entry.number) == ("unchanged", 3)


def test_a_notebook_is_not_renamed_to_a_name_under_which_a_version_waits(
    workspace: Workspace, store: SwitchedStore, file: Path
) -> None:
    """Delivered later, the version would be mixed into another notebook's history."""
    store.off()
    save(workspace, "other.ipynb", THREE)
    (workspace.folder / "other.ipynb").unlink()
    store.on()
    with pytest.raises(Conflict):
        workspace.rename(file, "other.ipynb")
    workspace.push()
    assert digests(history(workspace)) == [Digest.of(ONE), Digest.of(TWO)]
    assert digests(history(workspace, "other.ipynb")) == [Digest.of(THREE)]


def test_a_version_that_arrived_before_its_notebook_was_renamed_there_and_back_is_not_doubled(
    workspace: Workspace, store: SwitchedStore, file: Path
) -> None:
    """The reply was lost, and the record lies in an earlier part of the history by now."""
    store.off(OutcomeUnknown("No reply came."), only="put", replies_lost=True)
    save(workspace, "mine.ipynb", THREE)
    store.on()
    waiting = workspace.outbox.folder.rename(workspace.folder / "aside")
    with Workspace(workspace.session) as other:
        other.index.forget("mine.ipynb")
        assert save(other, "mine.ipynb", THREE).number == 3
        other.rename("mine.ipynb", "other.ipynb")
        other.rename("other.ipynb", "mine.ipynb")
    shutil.rmtree(workspace.outbox.folder, ignore_errors=True)
    waiting.rename(workspace.outbox.folder)
    (delivered,) = workspace.push().delivered
    assert delivered.record.number == 3
    assert [version.number for version in history(workspace)] == [1, 2, 3, 4, 5]


# -- several processes ----------------------------------------------------------------------------


def test_while_another_process_delivers_a_push_waits_and_then_says_so(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """Nothing is delivered twice, and once the other one is done, the next push goes on."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    store.on()
    with workspace.outbox.held(0) as alone:
        assert alone
        delivery = workspace.deliver()
        assert isinstance(delivery.stopped, StoreUnavailable)
        assert len(delivery.waiting) == 1
    assert len(workspace.deliver().delivered) == 1


def _push(folder: str, environment: dict[str, str], together: Callable[[], None]) -> None:
    os.environ.update(environment)
    surroundings = replace(Environment.current(), cwd=Path(folder))
    with Workspace.open(environment=surroundings) as workspace:
        together()
        workspace.push()


def test_many_processes_deliver_each_version_once(
    workspace: Workspace, store: SwitchedStore, environment: Environment
) -> None:
    """Four processes push forty versions at once: the log has forty, in order."""
    store.off()
    contents = [notebook(code(f"x = {number}")) for number in range(40)]
    for data in contents:
        save(workspace, "mine.ipynb", data)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    variables = {
        "NBVC_CONFIG": str(environment.user_config_file),
        "NBVC_CACHE_DIR": str(environment.cache_dir),
        "NBVC_AUTHOR": "ada",
    }
    processes = [
        context.Process(target=_push, args=(str(workspace.folder), variables, barrier.wait))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
    with Workspace(workspace.session) as again:
        assert digests(history(again)) == [Digest.of(data) for data in contents]
        assert again.outbox.is_empty()


@pytest.fixture
def holder(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    """Return a process that holds the outbox as one that delivers does."""
    workspace.outbox.folder.mkdir(parents=True, exist_ok=True)
    script = (
        "import sys, time; from pathlib import Path; from nbvc.workspace.outbox import Outbox\n"
        "with Outbox(Path(sys.argv[1])).held(5) as alone:\n"
        "    print(alone, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, workspace.outbox.folder], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_deliverer_that_was_killed_holds_up_nobody(
    workspace: Workspace, store: SwitchedStore, holder: subprocess.Popen[str]
) -> None:
    """The system lets go of the outbox when the process dies."""
    store.off()
    save(workspace, "mine.ipynb", ONE)
    store.on()
    assert workspace.deliver().stopped is not None
    holder.kill()
    holder.wait()
    assert len(workspace.deliver().delivered) == 1


def damage(store: SwitchedStore, key: str) -> None:
    """Write other bytes over an object of the index."""
    store.inner.put(key, b"damaged", mode=Overwrite(), metadata={}, content_type="application/json")


def make(folder: Path) -> Path:
    """Make a folder and return it."""
    folder.mkdir()
    return folder


@pytest.mark.parametrize("count", [6, 24])
def test_files_of_other_notebooks_are_read_no_more_than_once(
    workspace: Workspace,
    store: SwitchedStore,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    """To save a folder without a network takes twice as long for twice as many notebooks."""
    read: list[str] = []
    usual = Outbox._read_header

    def counted(outbox: Outbox, name: str) -> object:
        read.append(name)
        return usual(outbox, name)

    monkeypatch.setattr(Outbox, "_read_header", counted)
    store.off()
    for number in range(count):
        write(workspace, f"n{number}.ipynb", ONE)
    workspace.save()
    assert len(workspace.outbox.waiting()) == count
    assert len(read) <= 4 * count
