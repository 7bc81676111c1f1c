"""A notebook of 200 MB takes at most three times its size in memory, wherever it is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.command_line import PROJECT
from tests.moto_server import aws_variables, serve_moto
from tests.notebook_samples import code, display, notebook
from tests.s3_server import isolate_aws_settings, new_bucket

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="asks Linux for the peak of a process"
)

MEGABYTE = 1_000_000
LIMIT = 3
SCRIPT = """
import sys
from pathlib import Path
from nbvc import Workspace

def peak():  # ru_maxrss would tell that of who started us, if that was higher
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

act, path = sys.argv[1:]
with Workspace.open() as workspace:
    if act == "save":
        workspace.save(path)
    else:
        workspace.checkout(path, "v1")
print(peak())
"""


def write_notebook(path: Path, megabytes: int, text: str) -> None:
    """Write a notebook with one figure of a megabyte for each cell."""
    figure = "iVBORw0K" * (MEGABYTE // 8)
    cells = [
        code(f"plot({number}, {text!r})", outputs=[display({"image/png": figure})])
        for number in range(megabytes)
    ]
    path.write_bytes(notebook(*cells))


class Peaks:
    """Runs one act in a process of its own, and tells the most memory that it took.

    Args:
        folder: The workspace.
        variables: Environment variables for it.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self._variables = {**os.environ, **variables, "PYTHONPATH": str(PROJECT)}
        folder.mkdir()

    def run(self, *command: str) -> str:
        """Run Python in the workspace, and return what it prints."""
        found = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    def bytes_for(self, act: str, path: str) -> int:
        """Return the peak of one act, in bytes."""
        return int(self.run("-c", SCRIPT, act, path))

    def check(self, megabytes: int) -> None:
        """Save a large notebook twice and check the first out again, each within the limit."""
        small, large = self.folder / "small.ipynb", self.folder / "large.ipynb"
        peaks: dict[str, int] = {}
        for text in ("first", "second"):
            for file, cells in ((small, 0), (large, megabytes)):
                write_notebook(file, cells, text)
                file.write_bytes(file.read_bytes() + b"\n" * len(text))
                peaks[f"save {file.stem}"] = self.bytes_for("save", file.name)
            self.assert_within("save", peaks, large.stat().st_size)
        for file in (small, large):
            peaks[f"checkout {file.stem}"] = self.bytes_for("checkout", file.name)
        self.assert_within("checkout", peaks, large.stat().st_size)

    @staticmethod
    def assert_within(act: str, peaks: Mapping[str, int], size_bytes: int) -> None:
        """Compare the peak of the large notebook with that of the small one."""
        times = (peaks[f"{act} large"] - peaks[f"{act} small"]) / size_bytes
        assert times <= LIMIT, f"{act} took {times:.2f} times the size of the notebook"


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Return what keeps the processes apart from the settings of who runs the tests."""
    isolate_aws_settings(monkeypatch, tmp_path)
    return {
        "NBVC_CONFIG": str(tmp_path / "config.toml"),
        "NBVC_CACHE_DIR": str(tmp_path / "cache"),
        "NBVC_AUTHOR": "ada",
    }


@pytest.fixture
def embedded(tmp_path: Path, variables: Mapping[str, str]) -> Peaks:
    """Return a workspace on an embedded store."""
    peaks = Peaks(tmp_path / "project", variables)
    peaks.run("-m", "nbvc", "init")
    return peaks


@pytest.fixture
def on_s3(tmp_path: Path, variables: Mapping[str, str]) -> Iterator[Peaks]:
    """Return a workspace on a bucket of a server in this process."""
    with serve_moto() as endpoint:
        store = new_bucket(endpoint)
        peaks = Peaks(tmp_path / "project", {**variables, **aws_variables(endpoint)})
        peaks.run("-m", "nbvc", "init", store.url)
        yield peaks
        store.close()


def test_a_large_notebook_on_the_embedded_store(embedded: Peaks) -> None:
    """The smaller form of the next test."""
    embedded.check(50)


@pytest.mark.slow
def test_a_notebook_of_200_megabytes_on_the_embedded_store(embedded: Peaks) -> None:
    """Saved twice, and brought back over the second."""
    embedded.check(200)


def test_a_large_notebook_on_s3(on_s3: Peaks) -> None:
    """The smaller form of the next test."""
    on_s3.check(50)


@pytest.mark.slow
def test_a_notebook_of_200_megabytes_on_s3(on_s3: Peaks) -> None:
    """Saved twice, and brought back over the second."""
    on_s3.check(200)
