"""A notebook of 200 MB takes hardly more memory than a small one, wherever it is kept.

What counts is the memory of the process's own. The pages of a mapped file are the system's, which
takes them back when it needs the room.
"""

from __future__ import annotations

import os
import shutil
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
    not Path("/proc/self/status").exists(), reason="asks Linux for the memory of a process"
)

MEGABYTE = 1_000_000
ALLOWED_BYTES = 40 * MEGABYTE
"""What a large notebook may take more than a small one: buffers, threads, digests of parts."""

SCRIPT = """
import resource, sys, threading
from pathlib import Path
from nbvc import Workspace

threading.stack_size(512 * 1024)  # which counts as memory, used or not
act, path, limit = sys.argv[1:]
if limit != "0":
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit), int(limit)))
with Workspace.open() as workspace:
    if act == "save":
        workspace.save(path)
    elif act == "checkout":
        workspace.checkout(path, "v1")
    elif act == "clone":
        from nbvc.workspace.cloning import clone
        clone(workspace.session, path, "copies")
    else:
        twice = [Path(path).read_bytes() for _ in range(2)]  # with all that S3 takes beside
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")))
"""


def write_notebook(path: Path, megabytes: int, text: str) -> None:
    """Write a notebook with one figure of a megabyte for each cell."""
    figure = "iVBORw0K" * (MEGABYTE // 8)
    cells = [
        code(f"plot({number}, {text!r})", outputs=[display({"image/png": figure})])
        for number in range(megabytes)
    ]
    path.write_bytes(notebook(*cells))


class Limited:
    """Runs acts in processes of their own that may take only so much memory.

    Args:
        folder: The workspace.
        variables: Environment variables for it.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self._variables = {**os.environ, **variables, "PYTHONPATH": str(PROJECT)}
        folder.mkdir()

    def run(self, *command: str, fails: bool = False) -> str:
        """Run Python in the workspace, and return what it prints."""
        found = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (found.returncode != 0) is fails, found.stderr
        return found.stderr if fails else found.stdout

    def act(self, act: str, path: str, limit_bytes: int = 0, *, fails: bool = False) -> str:
        """Do one act, and return what it prints: the memory of its process."""
        return self.run("-c", SCRIPT, act, path, str(limit_bytes), fails=fails)

    def forget(self) -> None:
        """Empty the cache, so that the store is asked."""
        shutil.rmtree(self._variables["NBVC_CACHE_DIR"], ignore_errors=True)

    def check(self, megabytes: int) -> None:
        """Save a large notebook twice, check out the first, and clone it, within the limit."""
        small, large = self.folder / "small.ipynb", self.folder / "large.ipynb"
        limit = 0
        for text in ("first", "second"):
            write_notebook(small, 0, text)
            small.write_bytes(small.read_bytes() + b"\n" * len(text))
            limit = int(self.act("save", small.name)) + ALLOWED_BYTES
            write_notebook(large, megabytes, text)
            self.act("save", large.name, limit)
        assert "MemoryError" in self.act("hold", large.name, limit, fails=True)
        before = large.read_bytes()
        self.forget()
        self.act("checkout", large.name, limit)
        assert large.read_bytes() == before.replace(b"second", b"first")
        self.forget()
        self.act("clone", "ada/project/large.ipynb", limit)
        assert (self.folder / "copies" / "large.ipynb").read_bytes() == before


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
def embedded(tmp_path: Path, variables: Mapping[str, str]) -> Limited:
    """Return a workspace on an embedded store."""
    limited = Limited(tmp_path / "project", variables)
    limited.run("-m", "nbvc", "init", "--namespace", "ada/project")
    return limited


@pytest.fixture
def on_s3(tmp_path: Path, variables: Mapping[str, str]) -> Iterator[Limited]:
    """Return a workspace on a bucket of a server in this process."""
    with serve_moto() as endpoint:
        store = new_bucket(endpoint)
        limited = Limited(tmp_path / "project", {**variables, **aws_variables(endpoint)})
        limited.run("-m", "nbvc", "init", store.url, "--namespace", "ada/project")
        yield limited
        store.close()


def test_a_large_notebook_on_the_embedded_store(embedded: Limited) -> None:
    """The smaller form of the next test."""
    embedded.check(60)


@pytest.mark.slow
def test_a_notebook_of_200_megabytes_on_the_embedded_store(embedded: Limited) -> None:
    """Saved twice, brought back over the second, and cloned."""
    embedded.check(200)


def test_a_large_notebook_on_s3(on_s3: Limited) -> None:
    """The smaller form of the next test."""
    on_s3.check(60)


@pytest.mark.slow
def test_a_notebook_of_200_megabytes_on_s3(on_s3: Limited) -> None:
    """Saved twice, brought back over the second, and cloned."""
    on_s3.check(200)
