"""What a command imports before it does anything: heavy libraries are loaded when they are used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = frozenset(
    {"boto3", "botocore", "nbdime", "nbformat", "jsonschema", "pydantic", "papermill", "fsspec"}
)
TRACE = "import time:"
NOTEBOOK = b"""{
 "cells": [
  {"cell_type": "code", "execution_count": null, "id": "a1", "metadata": {}, "outputs": [],
   "source": "print(1)"}
 ],
 "metadata": {},
 "nbformat": 4,
 "nbformat_minor": 5
}
"""


def run_python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run this Python with a home of its own, and fail with its output if it fails."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**kept, "HOME": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in ran.stderr.splitlines() if not line.startswith(TRACE)]
    assert ran.returncode == 0, "\n".join([ran.stdout, *said])
    return ran


def imported_by(*arguments: str, cwd: Path) -> set[str]:
    """Return the top-level packages that a run of Python imports, as its import trace shows them.

    A line of the trace reads ``import time:   214 |   1234 |   package.module``.
    """
    trace = run_python("-X", "importtime", *arguments, cwd=cwd).stderr
    lines = [line for line in trace.splitlines() if line.startswith(TRACE)]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Return a folder bound to an embedded store that holds one version of one notebook."""
    (tmp_path / "mine.ipynb").write_bytes(NOTEBOOK)
    run_python("-m", "nbvc", "init", cwd=tmp_path)
    run_python("-m", "nbvc", "save", "mine.ipynb", "-m", "First", cwd=tmp_path)
    return tmp_path


def test_import_trace_shows_what_is_imported(tmp_path: Path) -> None:
    """The check can fail: heavy libraries that are imported are seen."""
    seen = imported_by("-c", "import nbformat, jsonschema", cwd=tmp_path)
    assert {"nbformat", "jsonschema"} <= seen


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_no_heavy_library(option: str, tmp_path: Path) -> None:
    """What people type most, and what shells call for completion, starts at once."""
    seen = imported_by("-m", "nbvc", option, cwd=tmp_path)
    assert "nbvc" in seen
    assert seen & HEAVY == set()


def test_log_on_an_embedded_store_imports_no_heavy_library(workspace: Path) -> None:
    """A list of versions needs neither the notebook libraries nor those of S3."""
    seen = imported_by("-m", "nbvc", "log", "mine.ipynb", cwd=workspace)
    assert "nbvc" in seen
    assert seen & HEAVY == set()


def test_nbdimes_print_compiles_no_grammar_of_addresses(workspace: Path) -> None:
    """It needs nbformat, but not the grammar that jsonschema would compile for a second."""
    (workspace / "mine.ipynb").write_bytes(NOTEBOOK.replace(b"print(1)", b"print(2)"))
    seen = imported_by("-m", "nbvc", "diff", "mine.ipynb", "--nbdime", cwd=workspace)
    assert {"nbdime", "jsonschema"} <= seen
    assert "lark" not in seen


def test_the_store_on_s3_imports_no_more_of_the_aws_libraries_than_it_needs(tmp_path: Path) -> None:
    """What boto3 adds to botocore, for uploads of its own and resources, takes a fifth more."""
    seen = imported_by("-c", "import nbvc.stores.s3", cwd=tmp_path)
    assert "botocore" in seen
    assert seen & {"boto3", "s3transfer", "multiprocessing"} == set()


def test_comparing_two_notebooks_imports_no_heavy_library(tmp_path: Path) -> None:
    """A diff in nbdime's format is made without nbdime; only formats before 4 need nbformat."""
    (tmp_path / "a.ipynb").write_bytes(NOTEBOOK)
    program = (
        "from pathlib import Path; from nbvc import diffing; "
        "old = Path('a.ipynb').read_bytes(); new = old.replace(b'print', b'show'); "
        "assert diffing.to_json(diffing.diff(old, new))"
    )
    assert imported_by("-c", program, cwd=tmp_path) & HEAVY == set()


@pytest.mark.parametrize("option", ["--source-only", "--stat", "--json"])
def test_a_diff_imports_no_heavy_library(workspace: Path, option: str) -> None:
    """Neither to find it nor to show it."""
    (workspace / "mine.ipynb").write_bytes(NOTEBOOK.replace(b"print(1)", b"print(2)"))
    seen = imported_by("-m", "nbvc", "diff", option, cwd=workspace)
    assert "nbvc" in seen
    assert seen & HEAVY == set()


def test_import_of_the_package_imports_no_heavy_library(tmp_path: Path) -> None:
    """``import nbvc`` costs next to nothing; its public names load what they need."""
    seen = imported_by("-c", "import nbvc", cwd=tmp_path)
    assert seen & HEAVY == set()


def test_a_command_hardly_looks_for_garbage(workspace: Path) -> None:
    """Python's own threshold makes it do so a hundred times, and once more for all as it ends."""
    code = """
import atexit, gc, sys
from nbvc.__main__ import main
found = lambda: print(gc.get_freeze_count(), gc.get_stats()[0]["collections"])
atexit.register(found)
sys.argv[1:] = ["status"]
main()
"""
    frozen, looked = map(int, run_python("-c", code, cwd=workspace).stdout.split()[-2:])
    assert frozen > 10_000
    assert looked < 30


def test_the_handler_for_papermill_imports_next_to_nothing(tmp_path: Path) -> None:
    """As papermill imports it whenever it starts, whatever it reads and writes."""
    seen = imported_by("-c", "import nbvc.scheduling.papermill_handler", cwd=tmp_path)
    assert seen & (HEAVY | {"msgspec", "sqlite3", "filelock"}) == set()
