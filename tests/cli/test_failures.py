"""What goes wrong: exit codes, kinds, hints, candidates, and never a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nbvc.model import Digest
from tests.command_line import CommandLine
from tests.notebook_samples import code, notebook

ONE, TWO, THREE = (notebook(code(f"x = {n}")) for n in (1, 2, 3))


@pytest.fixture
def churn(project: CommandLine) -> CommandLine:
    """Return a workspace with one notebook of two versions."""
    for data in (ONE, TWO):
        project.write("churn.ipynb", data)
        project("save")
    return project


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "hint"),
    [
        (["checkout", "v9"], 3, "version-not-found", "nbvc log churn.ipynb lists"),
        (["log", "none.ipynb"], 3, "notebook-not-found", "nbvc status lists"),
        (["log", "chrun.ipynb"], 3, "notebook-not-found", "Did you mean churn.ipynb?"),
        (["log", "churn"], 3, "version-not-found", "Did you mean churn.ipynb?"),
        (["resolve", "lates"], 3, "version-not-found", "Did you mean latest?"),
        (["save", "chrun.ipynb"], 3, "notebook-not-found", "Did you mean churn.ipynb?"),
        (["save", "/elsewhere.ipynb"], 2, "invalid-key", "Use a path inside it"),
        (["show", "v0"], 3, "version-not-found", ""),
        (["show", "3f"], 2, "invalid-ref", "A version is v3"),
        (["show", "churn.ipynb@"], 2, "invalid-ref", "A version is v3"),
        (["log", "--since", "whenever"], 2, "invalid-ref", "Write 2026-08-01"),
        (["tag", "v1", "latest"], 2, "invalid-ref", "as in: release-1.0"),
        (["tag", "-d", "churn.ipynb", "none"], 3, "version-not-found", "nbvc tag churn.ipynb"),
        (["unpublish"], 3, "notebook-not-found", "nbvc ls --published"),
        (["mv", "churn.ipynb", "churn.txt"], 2, "invalid-key", "keeps versions of .ipynb"),
        (["mv", "none.ipynb", "new.ipynb"], 3, "notebook-not-found", "nbvc status"),
        (["config", "get", "auhtor"], 2, "invalid-config", "Did you mean author?"),
        (["clone", "s3://bucket"], 2, "invalid-input", "for drafts"),
        (["clone", "nobody/nothing"], 3, "notebook-not-found", "nbvc ls URL"),
        (["init", "ftp://x"], 2, "invalid-input", "s3://bucket"),
        (["init", "--namespace", "other"], 5, "conflict", "nbvc migrate"),
        (["diff", "v1", "v2", "v3", "v4"], 2, "invalid-input", "nbvc diff mine.ipynb v1 v2"),
    ],
)
def test_each_error_has_its_exit_code_kind_and_hint(
    churn: CommandLine, arguments: list[str], code: int, kind: str, hint: str
) -> None:
    """For a person on stderr: what, and what next; for a program the same as JSON."""
    found = churn(*arguments, exit_code=code)
    assert found.stdout == ""
    lines = found.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert "Traceback" not in found.stderr
    assert not hint or any(line.startswith("hint: ") and hint in line for line in lines)
    if arguments[0] not in {"show", "config"}:
        with_json = churn(*arguments, "--json", exit_code=code)
        assert with_json.stdout == ""
        assert with_json.error["kind"] == kind
        assert hint in (with_json.error["hint"] or "")


def test_changes_that_no_version_holds_are_a_conflict(churn: CommandLine) -> None:
    """Exit code 5, and both ways on."""
    churn.write("churn.ipynb", THREE)
    found = churn("checkout", "v1", exit_code=5)
    assert found.stderr == (
        "error: churn.ipynb has changes that no version holds.\n"
        "hint: nbvc save churn.ipynb, or nbvc checkout --force churn.ipynb@v1\n"
    )


def test_a_file_that_exists_is_a_conflict(churn: CommandLine) -> None:
    """Exit code 5."""
    assert "exists" in churn("checkout", "v1", "-o", "churn.ipynb", exit_code=5).stderr


@pytest.mark.parametrize(
    "arguments",
    [["log"], ["status"], ["save"], ["checkout", "v1"], ["diff"], ["ls"], ["publish"], ["tag"]],
)
def test_without_a_workspace_the_hint_is_to_make_one(
    cli: CommandLine, arguments: list[str]
) -> None:
    """Exit code 3."""
    found = cli(*arguments, exit_code=3)
    assert "is not in an nbvc workspace" in found.stderr
    assert "hint: nbvc init makes this folder one (no bucket needed)." in found.stderr


@pytest.mark.parametrize(
    "arguments", [["log"], ["checkout", "v1"], ["diff"], ["publish"], ["resolve"], ["show"]]
)
def test_several_notebooks_are_listed_when_none_is_named(
    churn: CommandLine, arguments: list[str]
) -> None:
    """Exit code 4; as JSON they are candidates."""
    churn.write("other.ipynb", ONE)
    found = churn(*arguments, exit_code=4)
    assert found.stderr.splitlines() == [
        "error: There are 2 notebooks here: which one?",
        "  churn.ipynb",
        "  other.ipynb",
        "hint: Name one, as in: nbvc log churn.ipynb",
    ]


def test_an_ambiguous_digest_lists_the_candidates_with_time_and_message(
    project: CommandLine,
) -> None:
    """Exit code 4; a longer prefix, or the number, decides."""
    twins = two_with_the_same_first_digits()
    for name, data in zip(("one", "two"), twins, strict=True):
        project.write("a.ipynb", data)
        project("save", "-m", f"twin {name}")
    prefix = Digest.of(twins[0])[:4]
    found = project("show", f"a.ipynb@{prefix}", exit_code=4)
    lines = found.stderr.splitlines()
    assert lines[0].startswith(f"error: {prefix} fits 2 versions")
    assert [line.split()[0] for line in lines[1:3]] == ["v2", "v1"]
    assert "twin two" in lines[1]
    assert Digest.of(twins[1]) in lines[1]
    assert "at least 5 digits" in lines[3]
    error = project("resolve", prefix, "--json", exit_code=4).error
    assert [candidate["ref"] for candidate in error["candidates"]] == ["v2", "v1"]
    assert project("show", Digest.of(twins[0])[:12]).data == twins[0]


def two_with_the_same_first_digits() -> tuple[bytes, bytes]:
    """Return two notebooks whose digests begin with the same four digits."""
    seen: dict[str, bytes] = {}
    for number in range(5_000):
        data = notebook(code(f"x = {number}"))
        prefix = Digest.of(data)[:4]
        if prefix in seen and not prefix.isdecimal():
            return seen[prefix], data
        seen[prefix] = data
    raise AssertionError("no two digests begin alike")


def test_a_mistyped_command_or_option_is_a_usage_error_with_the_nearest_one(
    cli: CommandLine,
) -> None:
    """Exit code 2."""
    assert "Did you mean 'status'?" in cli("statsu", exit_code=2).stderr
    assert "--message" in cli("save", "--mesage", "x", exit_code=2).stderr
    cli("checkout", exit_code=2)
    cli("log", "-n", "0", exit_code=2)


def test_one_broken_notebook_is_named_and_the_others_are_saved(project: CommandLine) -> None:
    """Exit code 2, as for the broken one alone."""
    project.write("a.ipynb", ONE)
    project.write("broken.ipynb", b'{"cells": [')
    found = project("save", exit_code=2)
    assert "of a.ipynb" in found.stdout
    assert "error: broken.ipynb is not a notebook: it is not JSON" in found.stderr
    assert "error: 1 of 2 notebooks could not be saved." in found.stderr


def test_a_store_that_is_gone_is_said(churn: CommandLine) -> None:
    """Exit code 3; status says what it knows all the same."""
    shutil.rmtree(churn.folder / ".nbvc/store")
    assert "error: " in churn("log", exit_code=3).stderr
    found = churn("status")
    assert "churn.ipynb" in found.stdout
    assert "error: " in found.stderr


def test_damage_in_the_store_has_an_exit_code_of_its_own(churn: CommandLine) -> None:
    """Exit code 8, and nothing is written."""
    large = notebook(code("#" * 100_000))
    churn.write("churn.ipynb", large)
    churn("save")
    churn("checkout", "v2")
    damaged = [
        blob
        for blob in (churn.folder / ".nbvc/store").rglob("*")
        if blob.is_file() and blob.stat().st_size == len(large)
    ]
    assert damaged
    for blob in damaged:
        blob.chmod(0o644)
        blob.write_bytes(large.replace(b"#", b"!", 1))
    found = churn("checkout", "v3", exit_code=8)
    assert "damaged" in found.stderr or "digest" in found.stderr
    assert (churn.folder / "churn.ipynb").read_bytes() == TWO


def test_a_damaged_index_of_the_workspace_says_how_to_go_on(churn: CommandLine) -> None:
    """It holds nothing that the store does not."""
    index = churn.folder / ".nbvc/workspace.sqlite3"
    for left in index.parent.glob("workspace.sqlite3-*"):
        left.unlink()
    index.write_bytes(b"x" * 10_000)
    found = churn("save", exit_code=8)
    assert f"rm {index}" in found.stderr
    index.unlink()
    assert "unchanged since v2" in churn("save").stdout


def test_a_hostile_configuration_is_refused_by_every_command(churn: CommandLine) -> None:
    """Exit code 2; no request is sent anywhere."""
    config = churn.folder / ".nbvc/config.toml"
    config.write_text(config.read_text() + 'endpoint_url = "http://evil"\n')
    for arguments in (["log"], ["save"], ["status"], ["config", "list"], ["init"]):
        found = churn(*arguments, exit_code=2)
        assert "which a workspace may not set" in found.stderr


def test_what_nobody_expected_is_one_line_and_a_log(churn: CommandLine, tmp_path: Path) -> None:
    """No traceback; it is in the file that the message names, and only the user can read that."""
    poison = tmp_path / "poison"
    poison.mkdir()
    (poison / "sitecustomize.py").write_text(
        "import nbvc.refs\n"
        "def broken(*_, **__):\n"
        "    raise ZeroDivisionError('poisoned')\n"
        "nbvc.refs.parse_ref = broken\n"
    )
    path = f"{poison}{os.pathsep}{churn.variables['PYTHONPATH']}"
    found = churn.process("show", "v1", exit_code=1, variables={"PYTHONPATH": path})
    assert found.data == b""
    assert "Traceback" not in found.stderr
    assert found.stderr.startswith("error: Something unexpected went wrong (ZeroDivisionError).")
    (log,) = (churn.cache / "debug").glob("*.log")
    assert str(log) in found.stderr
    assert "poisoned" in log.read_text()
    assert log.parent.stat().st_mode & 0o077 == 0
    shown = churn.process(
        "--debug", "show", "v1", exit_code=1, variables={"PYTHONPATH": path}
    ).stderr
    assert "Traceback" in shown


def test_a_working_directory_that_is_gone_is_said(cli: CommandLine, tmp_path: Path) -> None:
    """It can happen to a shell in another window."""
    gone = tmp_path / "gone"
    gone.mkdir()
    shell = f"rmdir {gone}; exec {' '.join(cli.command('status'))}"
    found = subprocess.run(
        ["sh", "-c", shell], cwd=gone, capture_output=True, text=True, check=False
    )
    assert found.returncode == 3
    assert "does not exist any more" in found.stderr


def test_another_folder_is_used_as_if_started_there(churn: CommandLine, tmp_path: Path) -> None:
    """-C; one that does not exist is an error."""
    assert churn("-C", churn.folder, "log", "--json", cwd=tmp_path).json[0]["number"] == 2
    churn("-C", churn.folder, "checkout", "v1", "-o", "old.ipynb", cwd=tmp_path)
    assert (churn.folder / "old.ipynb").read_bytes() == ONE
    assert churn("-C", tmp_path / "none", "log", exit_code=3).stderr.startswith("error: ")
    assert "mkdir -p" in churn("-C", tmp_path / "none", "init", exit_code=2).stderr
