"""What the shell offers: commands, paths, versions, settings."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

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
    """As bash asks for them."""
    variables = {
        "_NBVC_COMPLETE": "complete_bash",
        "COMP_WORDS": "nbvc log ch",
        "COMP_CWORD": "2",
    }
    assert run_nbvc(variables).split() == ["churn.ipynb"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nbvc stat", "status"),
        ("nbvc show chu", "churn.ipynb"),
        ("nbvc show churn.ipynb@sub", "churn.ipynb@submitted"),
    ],
)
def test_bash_completes_commands_paths_and_versions(
    churn: CommandLine, tmp_path: Path, line: str, expected: str
) -> None:
    """With the script that ``--install-completion`` installs, cut into words as bash does it."""
    script = run_nbvc(
        {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}, "--show-completion", "bash"
    )
    program = tmp_path / "bin" / "nbvc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m nbvc "$@"\n')
    program.chmod(0o755)
    # Readline itself is not at hand here; what it does is to split at COMP_WORDBREAKS.
    asking = f"""
{script}
IFS="$COMP_WORDBREAKS" read -ra COMP_WORDS <<< {shlex.quote(line)}
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_nbvc_completion nbvc
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    found = subprocess.run(
        [
            "bash",
            "--norc",
            "--noprofile",
            "-c",
            f"COMP_WORDBREAKS=$' \\t\\n\"\\'@><=;|&(:'\n{asking}",
        ],
        cwd=churn.folder,
        env={**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout.split() == [expected], found.stderr


def run_nbvc(variables: Mapping[str, str], *arguments: str) -> str:
    """Run the program under its own name, and return what it prints."""
    script = "import sys; sys.argv[0] = 'nbvc'; from nbvc.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
