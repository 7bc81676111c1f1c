"""Init: a folder gets a store and a namespace, once."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.environment import Environment
from nbvc.errors import Conflict, InvalidInput, InvalidKey
from nbvc.workspace.accepting import capture
from nbvc.workspace.agreeing import has_agreed
from nbvc.workspace.binding import InitResult, default_namespace, init
from nbvc.workspace.core import Workspace
from nbvc.workspace.migrating import migrate_workspace
from nbvc.workspace.session import Session
from tests.workspace.helpers import ONE, TWO, save


def initialise(
    environment: Environment, url: str | None = None, namespace: str | None = None
) -> InitResult:
    """Make the working directory a workspace."""
    return init(
        environment.cwd,
        url,
        namespace=namespace,
        create=False,
        ask=lambda _: False,
        environment=environment,
        flags={},
    )


def test_a_folder_keeps_its_versions_in_itself_by_default(environment: Environment) -> None:
    """Git is told to leave that alone; the namespace is <login>/<folder>."""
    found = initialise(environment)
    assert (found.embedded, found.namespace, found.again) == (True, "ada/project", False)
    assert found.store == (environment.cwd / ".nbvc/store").as_uri()
    assert (environment.cwd / ".nbvc/.gitignore").read_text() == "*\n"


def test_init_again_changes_nothing(environment: Environment) -> None:
    """Not even when it is told the same once more."""
    initialise(environment)
    with Workspace.open(environment=environment) as workspace:
        save(workspace, "mine.ipynb", ONE)
    before = (environment.cwd / ".nbvc/config.toml").read_bytes()
    assert initialise(environment).again
    assert initialise(environment, namespace="ada/project/").again
    assert (environment.cwd / ".nbvc/config.toml").read_bytes() == before
    with Workspace.open(environment=environment) as workspace:
        assert next(workspace.log("mine.ipynb")).number == 1


def test_a_folder_may_have_all_keys_of_the_area(environment: Environment, tmp_path: Path) -> None:
    """With the namespace / a path is its key, as in a bucket of bookstore; also after a move."""
    initialise(environment, namespace="/")
    assert initialise(environment, namespace="/").again
    with Workspace.open(environment=environment) as workspace:
        assert has_agreed(workspace)
        save(workspace, "mine.ipynb", ONE)
        save(workspace, "sub/other.ipynb", ONE)
        capture(workspace, "sub/other.ipynb", author="ada")
        workspace.push()
        assert workspace.key("mine.ipynb") == "mine.ipynb"
        listed = [found.key for found in workspace.repository.list_notebooks()]
        assert listed == ["mine.ipynb", "sub/other.ipynb"]
    url = str(tmp_path / "shared")
    migrate_workspace(
        Session(environment, environment.cwd),
        url,
        create=True,
        ask=lambda _: False,
        dry_run=False,
        flags={},
    )
    with Workspace.open(environment=environment) as workspace:
        assert workspace.namespace == ""
        assert [version.number for version in workspace.log("sub/other.ipynb")] == [1]
        (environment.cwd / "mine.ipynb").write_bytes(TWO)
        capture(workspace, "mine.ipynb", author="ada")
        workspace.push()
        assert [version.key for version in workspace.log("mine.ipynb")] == ["mine.ipynb"] * 2


def test_a_bound_folder_is_not_bound_to_something_else(
    environment: Environment, tmp_path: Path
) -> None:
    """Its history would be out of sight; the hint says how to move it."""
    initialise(environment)
    for arguments in (
        {"url": str(tmp_path / "elsewhere")},
        {"url": "s3://bucket"},
        {"namespace": "somebody/else"},
    ):
        with pytest.raises(Conflict) as caught:
            initialise(environment, **arguments)
        assert caught.value.hint is not None
        assert "nbvc migrate" in caught.value.hint
        assert "bound to its embedded store" in str(caught.value)


def test_a_store_may_be_any_folder(environment: Environment, tmp_path: Path) -> None:
    """Named by a path, with odd characters, or by its URL."""
    found = initialise(environment, "../my store #1%")
    assert found.store == (tmp_path / "my store #1%").as_uri()
    other = tmp_path / "other"
    other.mkdir()
    again = initialise(replace(environment, cwd=other), found.store)
    assert again.store == found.store
    with Workspace.open(environment=environment) as workspace:
        assert save(workspace, "mine.ipynb", ONE).number == 1


@pytest.mark.parametrize("namespace", ["../x", "a//b", ".git", "a\\b", "x\n"])
def test_a_namespace_that_can_be_no_key_is_refused(
    environment: Environment, namespace: str
) -> None:
    """Before anything is made."""
    with pytest.raises(InvalidKey):
        initialise(environment, namespace=namespace)
    assert not (environment.cwd / ".nbvc").exists()


@pytest.mark.parametrize("url", ["http://x", "s3://", "s3://a b", "s3://b/../c", "gs://b"])
def test_what_is_no_store_is_refused(environment: Environment, url: str) -> None:
    """Before anything is made."""
    with pytest.raises(InvalidInput):
        initialise(environment, url)
    assert not (environment.cwd / ".nbvc").exists()


@pytest.mark.parametrize(
    ("login", "folder", "namespace"),
    [
        ("ada", "my notes", "ada/my-notes"),
        ("DOMAIN\\ada", "a", "DOMAIN-ada/a"),
        ("ada@example.org", "été", "ada@example.org/été"),
        ("..", ".hidden", "notebooks/hidden"),
        ("ada", "", "ada/notebooks"),
    ],
)
def test_any_login_and_folder_give_a_namespace(login: str, folder: str, namespace: str) -> None:
    """What a key should not hold is replaced."""
    assert default_namespace(login, Path("/home") / folder if folder else Path("/")) == namespace


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_author_is_who_one_says_else_who_is_known(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Setting, JupyterHub user, git's user name, login; in this order."""
    config = tmp_path / "gitconfig"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    bare = replace(environment, variables={})
    assert Session(bare).author == "ada"
    subprocess.run(["git", "config", "--file", config, "user.name", "Ada of git"], check=True)
    assert Session(bare).author == "Ada of git"
    hub = replace(environment, variables={"JUPYTERHUB_USER": "hub-ada"})
    assert Session(hub).author == "hub-ada"
    assert Session(hub, flags={"author": "Ada L"}).author == "Ada L"
