"""What the shell offers: commands, paths, versions, settings."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nbvc.cli import completion
from nbvc.model import Digest
from tests.command_line import CommandLine
from tests.notebook_samples import code, notebook

ONE, TWO = notebook(code("x = 1")), notebook(code("x = 2"))


@pytest.fixture
def churn(project: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return a workspace with some notebooks, which is the working directory."""
    for data in (ONE, TWO):
        project.write("churn.ipynb", data)
        project("save")
    project.write("other.ipynb", ONE)
    project.write("sub/deep.ipynb", ONE)
    project.write("notes.txt", b"")
    project("tag", "churn.ipynb@v1", "submitted")
    monkeypatch.chdir(project.folder)
    return project


def test_paths_of_notebooks_and_folders_are_offered(churn: CommandLine) -> None:
    """Nothing else, nothing hidden; absolute ones too."""
    assert completion.notebooks("") == ["churn.ipynb", "other.ipynb", "sub/"]
    assert completion.notebooks("ch") == ["churn.ipynb"]
    assert completion.notebooks("sub/") == ["sub/deep.ipynb"]
    assert completion.notebooks("nowhere/") == []
    assert completion.notebooks(f"{churn.folder}/ot") == [f"{churn.folder}/other.ipynb"]
    assert "/tmp/" in completion.notebooks("/tm")


def test_versions_are_offered_after_a_notebook(churn: CommandLine) -> None:
    """Numbers, digests, tags, and the words that always mean something."""
    offered = completion.refs("churn.ipynb@")
    expected = ["latest", "published", "submitted", "v2", "v1", Digest.of(TWO).short]
    assert [ref.removeprefix("churn.ipynb@") for ref in offered[:6]] == expected
    assert completion.refs("churn.ipynb@sub") == ["churn.ipynb@submitted"]
    assert completion.refs("ch") == ["churn.ipynb"]


def test_a_broken_workspace_offers_nothing_and_breaks_nothing(churn: CommandLine) -> None:
    """Completion is no place for errors."""
    (churn.folder / ".nbvc/config.toml").write_text("broken")
    assert completion.refs("churn.ipynb@") == []


def test_the_shell_gets_them(churn: CommandLine) -> None:
    """As bash and zsh ask for them."""
    variables = {
        "_NBVC_COMPLETE": "complete_bash",
        "COMP_WORDS": "nbvc log ch",
        "COMP_CWORD": "2",
    }
    script = "from nbvc.__main__ import main; import sys; sys.argv = ['nbvc']; main()"
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["churn.ipynb"]
