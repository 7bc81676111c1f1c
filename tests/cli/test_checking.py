"""``nbvc check``: what a person reads, what a script reads, and how it exits."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from pathlib import Path

import pytest

from nbvc.manifest.layout import STORE_FILE
from nbvc.model import Digest
from tests.cli.embedded import ONE, TWO, key_of, lose_a_version, store_of
from tests.command_line import CommandLine
from tests.repository.damaging import entries, overwrite, rewrite


def test_a_healthy_workspace_is_said_to_be_so(saved: CommandLine) -> None:
    """One sentence, and exit status 0."""
    assert saved("check").stdout == "Checked 5 versions of 2 notebooks: nothing is wrong.\n"
    assert saved("check", "mine.ipynb").stdout.startswith("Checked 3 versions of 1 notebook: ")
    assert saved("check", "sub").stdout.startswith("Checked 2 versions of 1 notebook: ")
    assert saved("check", ".", cwd=saved.folder / "sub").stdout.startswith("Checked 2 versions")
    read = saved("check", "--read-data").stdout
    assert re.fullmatch(r"Checked .*, read 5 versions, \S+ \w+: nothing is wrong.\n", read)


def test_a_finding_names_version_digests_and_the_next_step(saved: CommandLine) -> None:
    """One line with all that is known, then the sum, then what to type; exit status 8."""
    version_id = lose_a_version(saved)
    result = saved("check", exit_code=8)
    line, summary = result.stdout.splitlines()
    assert line.startswith("error missing-version: v1 of ")
    assert f"version ID {version_id}, expected {Digest.of(ONE)}" in line
    assert summary == "Checked 4 versions of 2 notebooks: 1 error, 0 notes."
    assert "nbvc repair" in result.stderr
    saved("check", "sub")
    assert "nbvc repair mine.ipynb" in saved("check", "mine.ipynb", exit_code=8).stderr


def test_notes_alone_are_no_failure(saved: CommandLine) -> None:
    """A version of another tool is told, and the exit status is 0."""
    store = store_of(saved)
    overwrite(store, f"workspace/{key_of(saved, 'mine.ipynb')}", b"foreign")
    result = saved("check")
    assert result.stdout.startswith("note unindexed-version: ")
    assert "0 errors, 1 note." in result.stdout
    assert result.stderr == ""
    store.close()


def test_json_has_the_counts_and_each_finding_whole(saved: CommandLine) -> None:
    """The fields that the reference promises."""
    version_id = lose_a_version(saved)
    result = saved("check", "--read-data", "--json", exit_code=8).json
    findings = result.pop("findings")
    assert result == {
        "notebooks": 2,
        "versions": 4,
        "records": 5,
        "errors": 1,
        "notes": 0,
        "versions_read": 4,
        "bytes_read": 2 * len(ONE) + 2 * len(TWO),
        "files_spared": 0,
        "sizes_only": False,
        "sample": 1.0,
        "seed": None,
    }
    (finding,) = findings
    key = key_of(saved, "sub/other.ipynb").replace("sub/other", "mine")
    assert finding == {
        "kind": "missing-version",
        "severity": "error",
        "area": "workspace",
        "key": key,
        "number": 1,
        "version_id": version_id,
        "object_key": f"workspace/{key}",
        "message": finding["message"],
        "expected": Digest.of(ONE),
        "actual": None,
    }


def test_a_sample_says_how_to_draw_it_again(saved: CommandLine) -> None:
    """The seed in the output draws the same versions."""
    first = saved("check", "--sample", "50%", "--json").json
    again = saved("check", "--sample", "50", "--seed", first["seed"], "--json").json
    assert again == first
    assert first["sample"] == 0.5
    assert (
        f"--seed {first['seed']}"
        in saved("check", "--sample", "50%", "--seed", first["seed"]).stdout
    )
    for wrong in ("0%", "101%", "-5", "half", "nan", "inf"):
        assert "share" in saved("check", f"--sample={wrong}", exit_code=2).stderr


def test_a_url_names_a_store_an_area_a_folder_or_a_notebook(saved: CommandLine) -> None:
    """From anywhere, without a workspace."""
    url = (saved.folder / ".nbvc" / "store").as_uri()
    key = key_of(saved, "mine.ipynb")
    elsewhere = saved.home
    for target, versions in {
        url: 5,
        f"{url}/workspace": 4,
        f"{url}/published": 1,
        f"{url}/workspace/{key.rpartition('/')[0]}": 4,
        f"{url}/workspace/{key.rpartition('/')[0]}/sub": 2,
        f"{url}/workspace/{key}": 2,
    }.items():
        found = saved("check", target, "--json", cwd=elsewhere).json
        assert found["versions"] == versions, target
    saved("check", f"{url}/workspace/nobody", cwd=elsewhere, exit_code=3)
    saved("check", f"{url}/workspace/{key}@v1", cwd=elsewhere, exit_code=2)
    saved("check", cwd=elsewhere, exit_code=3)


def test_all_is_the_whole_store(saved: CommandLine) -> None:
    """Also other people's namespaces."""
    store = store_of(saved)
    overwrite(store, "workspace/eve/x.ipynb", b"x")
    store.close()
    assert saved("check", "--json").json["notebooks"] == 2
    assert saved("check", "--all", "--json").json["notebooks"] == 3
    saved("check", "--all", "mine.ipynb", exit_code=2)


def test_a_path_that_leads_nowhere_is_an_error_and_no_clean_bill(saved: CommandLine) -> None:
    """What is not there, what is outside, and what is no path."""
    saved("check", "typo.ipynb", exit_code=3)
    saved("check", "typo", exit_code=3)
    saved("check", "../elsewhere", exit_code=2)
    saved("check", "../elsewhere.ipynb", exit_code=2)


def test_a_version_is_no_part_of_a_store(saved: CommandLine) -> None:
    """All versions of a notebook are checked, so that naming one is a mistake."""
    found = saved("check", "mine.ipynb@v1", exit_code=2)
    assert "error: mine.ipynb@v1 names one version." in found.stderr
    assert "hint: Name the notebook" in found.stderr


def test_a_workspace_without_a_version_is_clean(project: CommandLine) -> None:
    """There is nothing to lose yet."""
    assert "Checked 0 versions of 0 notebooks" in project("check").stdout


@pytest.mark.parametrize("remembered", [True, False])
def test_damaged_settings_of_the_store_are_a_finding(saved: CommandLine, remembered: bool) -> None:
    """The check goes on; also where nobody remembers what they said."""
    store = store_of(saved)
    rewrite(store, STORE_FILE, b"{}")
    store.close()
    if not remembered:
        for file in (saved.folder / ".nbvc").glob("workspace.sqlite3*"):
            file.unlink()
    result = saved("check", exit_code=8)
    assert result.stdout.startswith("error damaged-settings: ")
    assert "Checked 5 versions of 2 notebooks: 1 error" in result.stdout
    url = (saved.folder / ".nbvc" / "store").as_uri()
    assert "damaged-settings" in saved("check", url, exit_code=8).stdout


def test_a_check_delivers_nothing_and_writes_nothing(saved: CommandLine) -> None:
    """Read-only, down to the last row of the store."""
    index = saved.folder / ".nbvc" / "store" / "index.sqlite3"

    def rows() -> list[object]:
        with sqlite3.connect(index) as connection:
            found = connection.execute("SELECT * FROM versions ORDER BY sequence").fetchall()
        connection.close()
        return found

    lose_a_version(saved)
    before = rows()
    saved("check", "--read-data", exit_code=8)
    assert rows() == before


def test_hostile_names_and_texts_are_printed_harmlessly(saved: CommandLine) -> None:
    """Escape codes in a version ID, a key or an error do not reach the terminal."""
    store = store_of(saved)
    key = "workspace/" + key_of(saved, "mine.ipynb").replace("mine", "\u202ered")
    overwrite(store, key, b"x")
    assert entries(store, key)
    store.close()
    result = saved("check")
    assert "\\u202e" in result.stdout
    assert "\u202e" not in result.stdout


def test_a_closed_pipe_is_no_traceback(saved: CommandLine) -> None:
    """``nbvc check | head -1`` ends quietly."""
    store = store_of(saved)
    for number in range(50):
        overwrite(store, f"workspace/{key_of(saved, 'mine.ipynb')}", b"%d" % number)
    store.close()
    command = " ".join(saved.command("check")).replace(sys.executable, "$PYTHON")
    code = os.spawnle(
        os.P_WAIT,
        "/bin/sh",
        "sh",
        "-c",
        f"cd '{saved.folder}' && {command} 2>'{saved.home}/err' | head -1 > '{saved.home}/out'",
        {**os.environ, "PYTHON": sys.executable},
    )
    assert code == 0
    assert Path(saved.home / "out").read_text().startswith("note unindexed-version")
    assert "Traceback" not in Path(saved.home / "err").read_text()
