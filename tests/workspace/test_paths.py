"""Paths: what may be a notebook of a workspace, and what never leads out of it."""

from __future__ import annotations

import os
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.errors import Ambiguous, InvalidKey, NbvcError, NotebookNotFound, WorkspaceNotFound
from nbvc.workspace.core import Workspace
from nbvc.workspace.results import SomeFailed
from tests.conftest import make_workspace
from tests.notebook_samples import code, notebook
from tests.workspace.helpers import ONE, TWO, save, write

ODD = (
    "with blank.ipynb",
    "#hash.ipynb",
    "what?.ipynb",
    "100%.ipynb",
    "%20.ipynb",
    "a@b.ipynb",
    "a.ipynb@v1.ipynb",
    "you&me.ipynb",
    "plus+equals=.ipynb",
    "quote'\".ipynb",
    "$(id)`id`;.ipynb",
    "[a]{b}~1.ipynb",
    "-dash.ipynb",
    "--help.ipynb",
    "v3.ipynb",
    "latest.ipynb",
    "été/naïve.ipynb",
    "数据/分析.ipynb",
    "🙂.ipynb",
    "trailing .ipynb",
    "CASE.ipynb",
    "case.ipynb",
)


@pytest.mark.parametrize("path", ODD)
def test_an_odd_name_has_a_history_like_any_other(workspace: Workspace, path: str) -> None:
    """Save, log, resolve, publish, checkout, and back through its URL."""
    save(workspace, path, ONE)
    save(workspace, path, TWO)
    assert [version.number for version in workspace.log(path)] == [2, 1]
    assert workspace.publish(path).key == f"ada/project/{path}"
    workspace.checkout(path, "v1")
    assert (workspace.folder / path).read_bytes() == ONE
    assert workspace.notebooks() == [path]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems refuse such names")
def test_names_that_no_store_can_hold_are_named_and_keep_nothing_else_back(
    workspace: Workspace,
) -> None:
    """Not UTF-8, or with control characters: the others are saved, and status goes on."""
    for name in (os.fsdecode(b"caf\xe9.ipynb"), "new\nline.ipynb", "fine.ipynb"):
        write(workspace, name, ONE)
    with pytest.raises(SomeFailed, match="2 of 3") as caught:
        workspace.save()
    assert [result.path for result in caught.value.results if result.saved] == ["fine.ipynb"]
    found = workspace.status()
    assert found.unreachable is None
    assert sorted(entry.state for entry in found.notebooks) == ["invalid", "invalid", "unchanged"]


def test_two_forms_of_one_name_are_two_notebooks(workspace: Workspace) -> None:
    """Unicode's composed and decomposed forms stay what they are, as on S3."""
    composed = unicodedata.normalize("NFC", "é.ipynb")
    decomposed = unicodedata.normalize("NFD", "é.ipynb")
    save(workspace, composed, ONE)
    save(workspace, decomposed, TWO)
    assert workspace.read(workspace.resolve(composed)) == ONE
    assert workspace.read(workspace.resolve(decomposed)) == TWO


@pytest.mark.parametrize(
    "path",
    [
        "../outside.ipynb",
        "sub/../../outside.ipynb",
        "/etc/passwd.ipynb",
        ".nbvc/x.ipynb",
        ".git/x.ipynb",
        "sub/.Git/x.ipynb",
        ".ipynb_checkpoints/x.ipynb",
        "back\\slash.ipynb",
        "line\nbreak.ipynb",
        "escape\x1b[31m.ipynb",
        "nul\0.ipynb",
        "lone\udc80.ipynb",
        "notes.txt",
        ".",
        "",
        "x" * 5_000 + ".ipynb",
    ],
)
def test_a_path_that_can_be_no_notebook_is_refused(workspace: Workspace, path: str) -> None:
    """Before anything is read, asked or written."""
    for attempt in (
        lambda: workspace.relative(path),
        lambda: workspace.key(path),
        lambda: workspace.checkout(path, "v1", force=True),
        lambda: workspace.publish(path),
        lambda: workspace.rename(path, "new.ipynb"),
        lambda: workspace.rename("old.ipynb", path),
        lambda: workspace.remove(path),
    ):
        with pytest.raises(InvalidKey):
            attempt()


def test_a_sibling_whose_name_begins_alike_is_outside(workspace: Workspace, tmp_path: Path) -> None:
    """``project-evil`` is not in ``project`` (CVE-2026-35397 of jupyter_server)."""
    evil = tmp_path / "project-evil"
    evil.mkdir()
    (evil / "x.ipynb").write_bytes(ONE)
    for path in ("../project-evil/x.ipynb", evil / "x.ipynb"):
        with pytest.raises(InvalidKey, match="outside"):
            workspace.save(path)


def test_a_key_has_at_most_1024_bytes_with_all_that_belongs_to_it(workspace: Workspace) -> None:
    """The longest that fits is saved; one byte more is refused, and says by how much."""
    overhead = len(".nbvc/workspace/ada/project/") + len("/v/0000000000.json")
    folders = "/".join(["d" * 200] * 4)
    room = 1024 - overhead - len(folders) - len("/.ipynb")
    save(workspace, f"{folders}/{'x' * room}.ipynb", ONE)
    write(workspace, f"{folders}/{'x' * (room + 1)}.ipynb", ONE)
    with pytest.raises(InvalidKey, match="1 bytes too long"):
        workspace.save(f"{folders}/{'x' * (room + 1)}.ipynb")


class TestChoosing:
    """Which notebook is meant when none is named."""

    def test_the_only_one_is_meant(self, workspace: Workspace) -> None:
        """Also when only the store has it."""
        save(workspace, "sub/mine.ipynb", ONE)
        assert workspace.choose(None) == "sub/mine.ipynb"
        (workspace.folder / "sub/mine.ipynb").unlink()
        assert workspace.choose(None) == "sub/mine.ipynb"

    def test_several_are_listed(self, workspace: Workspace) -> None:
        """No guess is made."""
        for name in ("a.ipynb", "b.ipynb"):
            write(workspace, name, ONE)
        with pytest.raises(Ambiguous) as caught:
            workspace.publish()
        assert caught.value.candidates == [{"path": "a.ipynb"}, {"path": "b.ipynb"}]
        assert caught.value.exit_code == 4

    def test_the_working_directory_narrows_the_choice(self, workspace: Workspace) -> None:
        """The only one below it is meant, and paths are relative to it."""
        save(workspace, "a.ipynb", ONE)
        save(workspace, "sub/b.ipynb", TWO)
        there = replace(workspace.session.environment, cwd=workspace.folder / "sub")
        with Workspace.open(environment=there) as inner:
            assert inner.choose(None) == "sub/b.ipynb"
            assert inner.relative("b.ipynb") == "sub/b.ipynb"
            assert inner.relative("../a.ipynb") == "a.ipynb"

    def test_none_is_an_error(self, workspace: Workspace) -> None:
        """With an example of how to name one."""
        with pytest.raises(NotebookNotFound) as caught:
            workspace.log()
        assert caught.value.hint == "Name one, as in: nbvc log mine.ipynb"


class TestFindingTheWorkspace:
    """From any folder inside it."""

    def test_it_is_found_from_below_and_through_links(
        self, workspace: Workspace, tmp_path: Path
    ) -> None:
        """The innermost one counts."""
        inner = workspace.folder / "sub" / "inner"
        inner.mkdir(parents=True)
        (tmp_path / "link").symlink_to(inner)
        environment = workspace.session.environment
        for start in (inner, tmp_path / "link"):
            with Workspace.open(start, environment=environment) as found:
                assert found.folder == workspace.folder
        make_workspace(replace(environment, cwd=inner))
        with Workspace.open(inner, environment=environment) as found:
            assert found.folder == inner

    def test_elsewhere_there_is_none(self, workspace: Workspace, tmp_path: Path) -> None:
        """The hint says how to make one."""
        with pytest.raises(WorkspaceNotFound) as caught:
            Workspace.open(tmp_path, environment=workspace.session.environment)
        assert caught.value.exit_code == 3
        assert caught.value.hint is not None
        assert "nbvc init" in caught.value.hint


def test_a_notebook_without_versions_says_so(workspace: Workspace) -> None:
    """One that exists here is to be saved; one that does not may be a typing error."""
    write(workspace, "mine.ipynb", notebook(code("")))
    cases: list[tuple[str, str]] = [
        ("mine.ipynb", "nbvc save mine.ipynb"),
        ("miin.ipynb", "Did you mean mine.ipynb?"),
        ("completely-else.ipynb", "nbvc status lists the notebooks here."),
    ]
    for path, hint in cases:
        with pytest.raises(NbvcError) as caught:
            workspace.log(path)
        assert isinstance(caught.value, NotebookNotFound)
        assert caught.value.hint == hint
