"""The parent of a version, where the one that the file was based on got its number only later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.environment import Environment
from nbvc.manifest.metadata import from_metadata
from nbvc.workspace.cloning import clone
from nbvc.workspace.core import Workspace
from nbvc.workspace.outbox import Waiting
from nbvc.workspace.session import Session
from tests.notebook_samples import code, notebook
from tests.repository.damaging import data_key, overwrite, record_key
from tests.stores.switching import SwitchedStore
from tests.workspace.conftest import OpenShared
from tests.workspace.helpers import ONE, THREE, TWO, save, write

MANY = 40
"""More versions than the newest record carries copies of."""


@pytest.fixture
def ana(open_shared: OpenShared) -> Workspace:
    """Return a workspace on a shared store, into which another tool wrote a notebook."""
    ana = open_shared("ana")
    write_with_another_tool(ana, ONE)
    return ana


@pytest.fixture
def ben(ana: Workspace, environment: Environment, tmp_path: Path) -> Iterator[Workspace]:
    """Return a clone of that: its file is based on a version without a number."""
    own = replace(
        environment,
        cwd=tmp_path,
        cache_dir=tmp_path / "cache-of-ben",
        variables={"NBVC_AUTHOR": "ben"},
    )
    url = f"{ana.store_url}/workspace/{ana.namespace}"
    folder = clone(Session(own), url, "ben").folder
    with Workspace.open(folder, environment=replace(own, cwd=folder)) as workspace:
        yield workspace


@pytest.fixture
def line(ben: Workspace) -> SwitchedStore:
    """Return the store as ben reaches it, which can be switched off."""
    backend = ben.repository.backend
    switched = SwitchedStore(backend.store)
    ben.repository._backend = replace(backend, store=switched)
    return switched


@pytest.fixture
def cut_off(ben: Workspace, line: SwitchedStore) -> Workspace:
    """Return that workspace with a version in its outbox, which the next push delivers."""
    line.off()
    assert save(ben, "mine.ipynb", TWO).waiting
    line.on()
    return ben


@pytest.fixture
def overtaken(ana: Workspace, cut_off: Workspace, line: SwitchedStore) -> Workspace:
    """Return it with a second version; of the first, somebody else has saved the same bytes."""
    line.off()
    assert save(cut_off, "mine.ipynb", THREE).waiting
    line.on()
    assert save(ana, "mine.ipynb", TWO).number == 2
    return cut_off


def write_with_another_tool(workspace: Workspace, data: bytes) -> None:
    """Put a notebook into the store, and nothing else."""
    overwrite(workspace.repository.store, data_key(workspace.key_of("mine.ipynb")), data)


def save_many(workspace: Workspace, count: int) -> None:
    """Save other bytes so often: the first time, what another tool wrote becomes v1."""
    for number in range(count):
        save(workspace, "mine.ipynb", notebook(code(f"ana = {number}")))


def rename_there_and_back(workspace: Workspace) -> None:
    """Save a version, and rename the notebook twice."""
    save_many(workspace, 1)
    workspace.rename("mine.ipynb", "other.ipynb")
    workspace.rename("other.ipynb", "mine.ipynb")


def damage_old_records(workspace: Workspace) -> None:
    """Write over the records of the older half of the history."""
    for number in range(1, MANY // 2):
        key = record_key(number, workspace.key_of("mine.ipynb"))
        overwrite(workspace.repository.store, key, b"{}")


def parent_of_newest(workspace: Workspace, path: str = "mine.ipynb") -> int | None:
    """Return the parent of the newest version, which ben saved."""
    newest = next(workspace.log(path))
    assert newest.author == "ben"
    return newest.parent


def test_what_waited_keeps_its_parent_however_many_versions_came_since(
    ana: Workspace, cut_off: Workspace
) -> None:
    """No fault, only a long time without the store: what ben started from is v1 by now."""
    save_many(ana, MANY)
    cut_off.push()
    assert parent_of_newest(ana) == 1


def test_what_waited_says_its_parent_before_it_has_a_record(
    ana: Workspace, cut_off: Workspace
) -> None:
    """Who is cut off between the two writes leaves that to whoever adopts the version."""
    save_many(ana, 1)
    cut_off.push()
    stored = ana.repository.store.head(data_key(ana.key_of("mine.ipynb")))
    assert from_metadata(stored.metadata).parent == 1


def test_what_waited_keeps_its_parent_from_before_a_rename_there_and_back(
    ana: Workspace, cut_off: Workspace
) -> None:
    """The record lies in an earlier part of the history by now."""
    rename_there_and_back(ana)
    cut_off.push()
    assert parent_of_newest(ana) == 1


def test_a_save_keeps_its_parent_from_before_a_rename_there_and_back(
    ana: Workspace, ben: Workspace
) -> None:
    """The same where the store can be asked."""
    rename_there_and_back(ana)
    assert save(ben, "mine.ipynb", TWO).parent == 1


def test_a_notebook_that_is_renamed_before_its_base_was_asked_for_keeps_its_parent(
    ana: Workspace, ben: Workspace
) -> None:
    """The record lies under the former name."""
    save_many(ana, 1)
    write(ben, "mine.ipynb", TWO)
    ben.rename("mine.ipynb", "other.ipynb")
    (status,) = ben.status().notebooks
    assert (status.state, status.number, status.latest) == ("changed", 1, 3)
    ben.save("other.ipynb")
    assert parent_of_newest(ben, "other.ipynb") == 1


def test_a_save_that_adopts_its_base_with_many_others_has_it_as_its_parent(
    ana: Workspace, ben: Workspace
) -> None:
    """All of them were written by another tool, and get their numbers in this very save."""
    for number in range(MANY):
        write_with_another_tool(ana, notebook(code(f"tool = {number}")))
    result = save(ben, "mine.ipynb", TWO)
    assert (result.number, result.parent) == (MANY + 2, 1)


def test_damage_far_back_keeps_nothing_from_being_delivered(
    ana: Workspace, cut_off: Workspace
) -> None:
    """Then the parent cannot be found; the notebook is stored all the same."""
    save_many(ana, MANY)
    damage_old_records(ana)
    cut_off.push()
    assert cut_off.outbox.is_empty()
    assert parent_of_newest(cut_off) is None


def test_damage_far_back_keeps_nobody_from_saving(ana: Workspace, ben: Workspace) -> None:
    """The same where nothing had to wait."""
    save_many(ana, MANY)
    damage_old_records(ana)
    result = save(ben, "mine.ipynb", TWO)
    assert (result.saved, result.parent) == (True, None)


def test_what_waited_is_based_on_what_others_saved_with_the_same_bytes(
    ana: Workspace, overtaken: Workspace
) -> None:
    """The first version is ana's, and no other: so that is the parent of the second."""
    assert [each.record.number for each in overtaken.push().delivered] == [2, 3]
    assert parent_of_newest(ana) == 2


def test_that_is_remembered_where_the_delivery_stops_in_between(
    ana: Workspace,
    overtaken: Workspace,
    line: SwitchedStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first version waits no more by then, and has no record of its own."""
    remove = overtaken.outbox.remove

    def remove_and_lose_the_line(version: Waiting) -> None:
        remove(version)
        line.off()

    monkeypatch.setattr(overtaken.outbox, "remove", remove_and_lose_the_line)
    assert [each.record.number for each in overtaken.push().delivered] == [2]
    line.on()
    with Workspace(overtaken.session) as again:
        again.push()
    assert parent_of_newest(ana) == 2


def test_a_damaged_version_behind_such_a_one_is_set_aside(
    ana: Workspace, overtaken: Workspace
) -> None:
    """As ever; what goes before it is delivered."""
    (_, second) = overtaken.outbox.waiting()
    second.file.write_bytes(second.file.read_bytes()[:-1])
    assert overtaken.push().error is None
    assert (overtaken.outbox.waiting(), len(overtaken.outbox.damaged())) == ([], 1)
    assert [version.number for version in ana.log("mine.ipynb")] == [2, 1]
