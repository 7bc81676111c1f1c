"""``nbvc run``: execute a version, save the result as a version."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.cli.describing_runs import describe_run
from nbvc.workspace.core import Workspace
from tests.command_line import CommandLine
from tests.notebook_samples import runnable
from tests.scheduling.conftest import HALVE

LOOK = "Look at it with: nbvc show halve.run.ipynb@v1 --summary\n"


def cells_of(cli: CommandLine, ref: str) -> list[dict[str, object]]:
    """Return the cells of a version."""
    cells: list[dict[str, object]] = cli("show", ref).json["cells"]
    return cells


def test_the_result_is_a_version_beside_the_input(halving: CommandLine) -> None:
    """The input is left alone; the log of the result says what ran."""
    ran = halving("run", "halve.ipynb", "-p", "n", "3")
    digest = halving("resolve", "halve.run.ipynb", "--json").json["digest"][:7]
    saved = f"Saved the result as v1 {digest} of halve.run.ipynb\n"
    assert ran.stdout == f"Ran v1 of halve.ipynb\n{saved}{LOOK}"
    assert ran.stderr == ""
    assert [each["number"] for each in halving("log", "halve.ipynb", "--json").json] == [1]
    (row,) = halving("log", "halve.run.ipynb").stdout.splitlines()[1:]
    assert "halve.ipynb@v1 (latest) completed in " in row
    assert row.endswith("s, n=3")
    assert (halving.folder / "halve.ipynb").read_bytes() == HALVE
    assert not (halving.folder / "halve.run.ipynb").exists()


def test_a_result_is_no_file_of_the_folder(halving: CommandLine) -> None:
    """Commands for "the only notebook here" go on to mean the one that there is."""
    halving("run")
    assert [each["path"] for each in halving("status", "--json").json["notebooks"]] == [
        "halve.ipynb"
    ]
    assert halving("log", "--json").json[0]["key"] == "team/halve.ipynb"


def test_json_of_the_command_and_of_the_log_say_the_same(halving: CommandLine) -> None:
    """One object, with the version and the run."""
    halving("tag", "halve.ipynb@v1", "good")
    ran = halving("run", "halve.ipynb@good", "-p", "n", "1", "-m", "nightly", "--json").json
    (logged,) = halving("log", "halve.run.ipynb", "--json").json
    run = ran["run"]
    assert run == logged["run"]
    assert (run["outcome"], run["asked"], run["parameters"]) == ("completed", "good", {"n": 1})
    assert (run["input"]["key"], run["input"]["number"]) == ("team/halve.ipynb", 1)
    assert (ran["key"], ran["number"], ran["waiting"]) == ("team/halve.run.ipynb", 1, False)
    assert (ran["digest"], ran["version_id"]) == (logged["digest"], logged["version_id"])
    assert (logged["message"], logged["author"], logged["source"]) == ("nightly", "ada", None)


@pytest.mark.parametrize(
    ("output", "key"),
    [
        ("out.ipynb", "team/out.ipynb"),
        ("deep/out.ipynb", "team/deep/out.ipynb"),
        ("team/out.ipynb", "team/out.ipynb"),
        ("nbvc://reports/out.ipynb", "reports/out.ipynb"),
        ("halve.ipynb", "team/halve.ipynb"),
    ],
)
def test_the_result_goes_where_it_is_told(halving: CommandLine, output: str, key: str) -> None:
    """A path in the workspace, or a whole key; also that of the input."""
    ran = halving("run", "--output", output, "--json").json
    assert ran["key"] == key
    assert ran["number"] == (2 if output == "halve.ipynb" else 1)


def test_a_url_is_run_without_a_workspace(halving: CommandLine, tmp_path: Path) -> None:
    """The result goes into the store that the input is from, drafts and published ones alike."""
    url = (halving.folder / ".nbvc" / "store").as_uri()
    halving("publish", "halve.ipynb")
    for source in (f"{url}/workspace/team/halve.ipynb@v1", f"{url}/published/team/halve.ipynb"):
        ran = halving("run", source, "--json", cwd=tmp_path).json
        assert ran["key"] == "team/halve.run.ipynb"
    areas = [
        each["run"]["input"]["area"] for each in halving("log", "halve.run.ipynb", "--json").json
    ]
    assert areas == ["published", "workspace"]


def test_any_name_of_a_notebook_is_run(halving: CommandLine) -> None:
    """Papermill would put parameters where braces are."""
    name = "we{n}rd 100%.ipynb"
    halving.write(name, HALVE)
    halving("save")
    halving("run", name, "-p", "n", "1")
    (logged,) = halving("log", "we{n}rd 100%.run.ipynb", "--json").json
    assert logged["run"]["input"]["key"] == f"team/{name}"


def test_a_history_of_runs_can_be_moved_and_repaired(halving: CommandLine, tmp_path: Path) -> None:
    """Its records stay what they are, and no repair takes a result for the copy of its input."""
    halving("run", "-p", "n", "3")
    halving("run", "-p", "n", "0", exit_code=1)
    before = [each["run"] for each in halving("log", "halve.run.ipynb", "--json").json]
    halving("migrate", (tmp_path / "moved").as_uri())
    after = halving("log", "halve.run.ipynb", "--json").json
    assert [each["run"] for each in after] == before
    assert halving("check", "--read-data", "--json").json["findings"] == []
    assert halving("repair", "--json").json["mendings"] == []
    with closing(sqlite3.connect(tmp_path / "moved" / "index.sqlite3")) as database:
        metadata = database.execute(
            "SELECT metadata FROM versions WHERE key = 'workspace/team/halve.run.ipynb'"
        ).fetchall()
    assert len(metadata) == 2
    assert "source" not in str(metadata)


def test_parameters_come_from_files_and_from_what_is_typed(halving: CommandLine) -> None:
    """What is typed wins; ``--raw`` keeps text that looks like a number."""
    halving.write("p.yaml", b"n: 4\nregion: eu\n")
    given = ("-f", "p.yaml", "-p", "n", "1.5", "-r", "zip", "00123", "-p", "flag", "True")
    ran = halving("run", *given, "--json")
    assert ran.json["run"]["parameters"] == {"n": 1.5, "region": "eu", "zip": "00123", "flag": True}
    assert halving("run", "-p", "n", exit_code=2).stdout == ""


def test_a_secret_is_warned_of_and_not_recorded(halving: CommandLine) -> None:
    """The notebook has it, as papermill writes it there; neither the record nor the log does."""
    ran = halving("run", "-p", "n", "1", "-p", "api_key", "s3cret-value")
    assert "The value of api_key becomes part of the result" in ran.stderr
    assert "s3cret-value" not in ran.stdout + ran.stderr
    log = halving("log", "halve.run.ipynb")
    assert "api_key=(not recorded)" in log.stdout
    assert "s3cret" not in log.stdout
    assert "s3cret-value" in halving("show", "halve.run.ipynb").stdout


def test_a_notebook_that_fails_is_saved_and_fails_the_command(halving: CommandLine) -> None:
    """Exit code 1, the kernel's words, the version that holds what ran; the log shows it."""
    ran = halving("run", "-p", "n", "0", exit_code=1)
    assert ran.stdout.startswith("Ran, and it failed: v1 of halve.ipynb\nSaved the result as v1 ")
    assert "ZeroDivisionError('division by zero')\n" in ran.stderr
    assert ran.stderr.endswith("error: halve.ipynb@v1 failed in cell 5: ZeroDivisionError.\n")
    assert " failed in " in halving("log", "halve.run.ipynb").stdout
    again = halving("run", "-p", "n", "0", "--json", exit_code=1)
    run = again.json["run"]
    assert (run["outcome"], run["error"], run["failed_cell"]) == ("failed", "ZeroDivisionError", 5)
    assert again.error["kind"] == "run-failed"
    cell = cells_of(halving, "halve.run.ipynb@v2")[run["failed_cell"] - 1]
    assert cell["source"] == ["print(6 / n)"]


def test_a_kernel_that_dies_is_a_failed_run(halving: CommandLine) -> None:
    """What ran before is saved."""
    halving.write("halve.ipynb", runnable("print('so far')", "kernel_dies()"))
    halving("save")
    ran = halving("run", exit_code=1)
    assert ran.stderr.endswith("error: halve.ipynb@v2 failed: Kernel died.\n")
    assert b"so far" in halving("show", "halve.run.ipynb").data
    run = halving("log", "halve.run.ipynb", "--json").json[0]["run"]
    assert (run["outcome"], run["error"]) == ("failed", "KernelDied")


def test_ctrl_c_saves_what_is_there(halving: CommandLine) -> None:
    """And ends with exit code 130."""
    halving.write("halve.ipynb", runnable("print('so far')", "stop()"))
    halving("save")
    ran = halving("run", exit_code=130)
    assert ran.stdout.startswith("Interrupted: v2 of halve.ipynb\nSaved the result as v1 ")
    assert b"so far" in halving("show", "halve.run.ipynb").data
    assert halving("log", "halve.run.ipynb", "--json").json[0]["run"]["outcome"] == "interrupted"


def test_a_notebook_without_a_kernel_says_how_to_name_one(halving: CommandLine) -> None:
    """Nothing ran, so that nothing is saved."""
    notebook = json.loads(HALVE)
    del notebook["metadata"]["kernelspec"]
    halving.write("halve.ipynb", json.dumps(notebook).encode())
    halving("save")
    ran = halving("run", exit_code=1)
    assert "hint: Name one that is installed here: nbvc run -k python3" in ran.stderr
    halving("log", "halve.run.ipynb", exit_code=3)
    halving("run", "-k", "python3")


def test_changes_that_no_version_has_do_not_run(halving: CommandLine) -> None:
    """A version is what runs; who expects the file to is told."""
    halving.write("halve.ipynb", HALVE.replace(b"6 / n", b"8 / n"))
    ran = halving("run")
    assert "halve.ipynb as it is now differs from v1, which runs" in ran.stderr
    assert halving("run", "halve.ipynb@v1").stderr == ""


def test_the_kernel_starts_where_the_command_does(halving: CommandLine) -> None:
    """Or where it is told to."""
    halving.write("halve.ipynb", runnable("import os; print(os.getcwd())"))
    halving("save")
    (halving.folder / "data").mkdir()
    halving("run")
    halving("run", "--cwd", "data")
    outputs = [
        json.dumps(cells_of(halving, f"halve.run.ipynb@v{number}")[0]["outputs"])
        for number in (1, 2)
    ]
    assert f"{halving.folder}\\n" in outputs[0]
    assert f"{halving.folder}/data\\n" in outputs[1]


def test_a_version_that_does_not_exist_is_not_found(halving: CommandLine) -> None:
    """Before papermill sees anything."""
    assert "has no version v9" in halving("run", "halve.ipynb@v9", exit_code=3).stderr


def test_without_papermill_the_error_says_what_to_install(
    halving: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra, which who only saves does not need."""
    monkeypatch.setitem(sys.modules, "papermill", None)
    ran = halving("run", exit_code=1)
    assert "nbvc run needs papermill" in ran.stderr
    assert ran.stderr.endswith("hint: pip install 'nbvc[run]'\n")


def test_parameters_take_little_room_in_a_table(halving: CommandLine) -> None:
    """On a terminal; elsewhere they are whole."""
    halving("run", "-p", "n", "1", "-p", "text", "x" * 100)
    with Workspace.open(halving.folder) as workspace:
        version = workspace.resolve(workspace.folder / "halve.run.ipynb")
    assert "x" * 100 in describe_run(version, may_cut=False)
    assert len(describe_run(version, may_cut=True)) < 100
    assert describe_run(version, may_cut=True).endswith("…")
    assert describe_run(replace(version, run=None), may_cut=True) == ""


def test_a_folder_that_has_all_keys_shows_and_takes_paths(cli: CommandLine, instant: None) -> None:
    """As one that was bookstore's: its paths are the keys."""
    cli("init", "--namespace", "/")
    cli.write("halve.ipynb", HALVE)
    cli("save")
    assert f"of halve.run.ipynb\n{LOOK}" in cli("run", "-p", "n", "3").stdout
    cli("run", "halve.ipynb", "--output", "sub/out.ipynb")
    assert cli("log", "sub/out.ipynb", "--json").json[0]["key"] == "sub/out.ipynb"
