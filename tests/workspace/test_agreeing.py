"""An editor sends notebooks only to a store that the user chose."""

from __future__ import annotations

from dataclasses import replace

from nbvc.environment import Environment
from nbvc.workspace.agreeing import NOTE, has_agreed
from nbvc.workspace.core import Workspace
from nbvc.workspace.settings import CONTROL_FOLDER
from tests.conftest import make_workspace


def agreed(environment: Environment) -> bool:
    """Return whether the user of *environment* has agreed to the store of the folder."""
    with Workspace.open(environment=environment) as workspace:
        return has_agreed(workspace)


def test_who_bound_a_folder_has_agreed_to_its_store(environment: Environment) -> None:
    """Init leaves a note, which holds wherever the folder is moved to."""
    make_workspace(environment, str(environment.cwd.parent / "store"))
    assert agreed(environment)
    moved = environment.cwd.rename(environment.cwd.with_name("moved"))
    assert agreed(replace(environment, cwd=moved))


def test_a_folder_that_came_from_a_stranger_asks_for_an_agreement(
    environment: Environment,
) -> None:
    """The note of another user's key counts for nothing, and init gives the user's own."""
    stranger = replace(environment, user_config_file=environment.cwd.parent / "other" / "c.toml")
    make_workspace(stranger, str(environment.cwd.parent / "store"))
    assert not agreed(environment)
    make_workspace(environment)
    assert agreed(environment)


def test_a_note_is_for_one_store_and_one_namespace(environment: Environment) -> None:
    """Whoever changes the configuration afterwards cannot use the note that was there."""
    store = environment.cwd.parent / "store"
    make_workspace(environment, str(store), namespace="ada/mine")
    config = environment.cwd / CONTROL_FOLDER / "config.toml"
    before = config.read_text()
    for old, new in (("ada/mine", "ada/other"), (store.as_uri(), "s3://elsewhere")):
        config.write_text(before.replace(old, new))
        assert not agreed(environment)


def test_a_note_that_cannot_be_read_is_none(environment: Environment) -> None:
    """Whatever is in the file, the answer is no, and no error."""
    make_workspace(environment, str(environment.cwd.parent / "store"))
    note = environment.cwd / CONTROL_FOLDER / NOTE
    for data in (b"", b"{}", b"[1]", b"\xff" * 20_000):
        note.write_bytes(data)
        assert not agreed(environment)


def test_the_embedded_store_and_a_variable_need_no_agreement(environment: Environment) -> None:
    """What stays in the folder goes nowhere, and a variable was set by the user."""
    make_workspace(environment)
    (environment.cwd / CONTROL_FOLDER / NOTE).unlink()
    assert agreed(environment)
    config = environment.cwd / CONTROL_FOLDER / "config.toml"
    config.write_text('store = "s3://elsewhere"\nnamespace = "ada"\n')
    assert not agreed(environment)
    assert agreed(replace(environment, variables={"NBVC_STORE": "s3://mine"}))
