"""The demonstration: it runs anywhere, tells its story to the end, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "demo"
STORY = (
    '$ nbvc save -m "Load the data"',
    "Saved v1 f51e2a9 of anscombe.ipynb (3 cells added)",
    "Saved v3 436cfef of anscombe.ipynb (1 cell changed, 1 added)",
    "+The summaries agree, yet only set I is what they suggest: **always plot the data first**.",
    "error: anscombe.ipynb has changes that no version holds.",
    "hint: nbvc save anscombe.ipynb, or nbvc checkout --force anscombe.ipynb@v2",
    "  [exit status 5]",
    "Saved v4 4f1cef2 of anscombe.ipynb (2 cells changed)",
    "Wrote v2 93f43fa to anscombe.ipynb.",
    "Published v3 of anscombe.ipynb as file://",
    "[published]  Plot it: the sets differ",
    "anscombe.ipynb: written (v1 436cfef).",
    "  [no difference]",
    "nbvc init",
)
"""What a reader must see, in this order."""


def run_demo(
    *arguments: str, temporary: Path, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the demonstration with this environment and no surroundings but a PATH."""
    temporary.mkdir(exist_ok=True)
    base = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(temporary),
        "NBVC_DEMO_ENVIRONMENT": sys.prefix,
    }
    return subprocess.run(
        [SCRIPT, *arguments],
        cwd=cwd,
        env={**base, **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_demo_tells_its_story_without_a_home_and_removes_its_folder(tmp_path: Path) -> None:
    """From the root folder, in the C locale, every step does what the text beside it says."""
    ran = run_demo(temporary=tmp_path / "a b", cwd=Path("/"), LC_ALL="C")
    assert (ran.returncode, ran.stderr) == (0, "")
    place = 0
    for part in STORY:
        place = ran.stdout.find(part, place) + 1
        assert place > 0, f"{part!r} is missing, or comes too early, in:\n{ran.stdout}"
    assert list((tmp_path / "a b").iterdir()) == []


def test_demo_neither_reads_nor_writes_the_settings_of_its_caller(tmp_path: Path) -> None:
    """Settings that would send versions elsewhere are not heeded, and HOME stays empty."""
    home = tmp_path / "home"
    home.mkdir()
    ran = run_demo(
        "--keep",
        temporary=tmp_path / "kept",
        cwd=home,
        HOME=str(home),
        NBVC_STORE="s3://somebody-elses-bucket",
        NBVC_NAMESPACE="elsewhere",
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(home.iterdir()) == []
    (folder,) = (tmp_path / "kept").iterdir()
    assert f"What this made is in {folder}" in ran.stdout
    assert (folder / "analysis" / ".nbvc" / "store" / "index.sqlite3").is_file()
    assert (folder / "colleague" / "anscombe.ipynb").is_file()


def test_demo_fails_when_a_step_fails(tmp_path: Path) -> None:
    """A command that ends otherwise than the story says ends the demonstration with an error."""
    broken = tmp_path / "environment" / "bin" / "nbvc"
    broken.parent.mkdir(parents=True)
    broken.write_text('#!/bin/sh\n[ "$1" != save ] || exit 7\n')
    broken.chmod(0o755)
    ran = run_demo(
        temporary=tmp_path / "t", cwd=tmp_path, NBVC_DEMO_ENVIRONMENT=str(tmp_path / "environment")
    )
    assert ran.returncode == 1
    assert "exit status 7 instead of 0" in ran.stderr
    assert list((tmp_path / "t").iterdir()) == []


@pytest.mark.parametrize("arguments", [("--kep",), ("--keep", "more")])
def test_demo_refuses_what_it_does_not_know(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A wrong option is a usage error, before anything is set up."""
    ran = run_demo(*arguments, temporary=tmp_path / "t", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "usage: scripts/demo [--keep]\n"
