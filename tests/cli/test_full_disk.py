"""A disk without room: the error names it, nothing is lost, and work goes on once there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine
from tests.notebook_samples import code, notebook

ONE, TWO = notebook(code("1")), notebook(code("1"), code("2"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no small disk can be made here: {error}")
    if done.returncode:
        pytest.skip(f"no small disk can be made here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, left_bytes: int) -> Path:
    """Fill the disk of *folder* but for *left_bytes*; return the file that does."""
    path = folder / "fill"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(file.tell() - left_bytes)
    return path


@pytest.mark.parametrize("left_bytes", [0, 8_192, 32_768, 40_960, 65_536, 98_304])
def test_a_full_disk_is_named_and_loses_nothing(
    cli: CommandLine, small_disk: Path, left_bytes: int
) -> None:
    """However little room is left: saved or refused, never called damaged, and readable after."""
    cli.folder = small_disk
    file = cli.write("mine.ipynb", ONE)
    cli("init")
    cli("save")
    file.write_bytes(TWO)
    filling = fill(small_disk, left_bytes)
    for arguments in (["save"], ["log"], ["status"], ["checkout", "v1", "-o", "old.ipynb"]):
        # A process of its own each, as a person's: SQLite makes its shared memory anew.
        found = cli.process(*arguments, exit_code=None)
        assert found.exit_code in {0, 1, 7}, found.stderr
        assert found.exit_code == 0 or "full" in found.stderr
    assert file.read_bytes() == TWO
    filling.unlink()
    cli("save", "mine.ipynb")
    kept = [cli("show", f"mine.ipynb@v{each['number']}").data for each in log_of(cli)]
    # A save that failed between its notebook and its record was not acknowledged, and is kept.
    assert kept in ([TWO, ONE], [TWO, TWO, ONE])


def log_of(cli: CommandLine) -> Any:
    """Return the versions, newest first."""
    return cli("log", "mine.ipynb", "--json").json
