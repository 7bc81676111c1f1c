"""What the tests of workspaces share: small notebooks, and how they are written and saved."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.workspace.core import Workspace
from nbvc.workspace.results import SaveResult
from tests.command_line import PROJECT
from tests.conftest import is_root
from tests.notebook_samples import code, notebook
from tests.stores.switching import SwitchedStore

ONE, TWO, THREE = (notebook(code(f"x = {n}")) for n in (1, 2, 3))


def write(workspace: Workspace, path: str, data: bytes) -> Path:
    """Write a file of the workspace."""
    file = workspace.folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def save(workspace: Workspace, path: str, data: bytes, message: str = "") -> SaveResult:
    """Write a notebook and save it."""
    write(workspace, path, data)
    (result,) = workspace.save(path, message=message)
    return result


def switchable(workspace: Workspace) -> SwitchedStore:
    """Return the store of *workspace* with a switch that takes it off the network."""
    backend = workspace.repository.backend
    switched = SwitchedStore(backend.store)
    workspace.repository._backend = replace(backend, store=switched)
    return switched


def run_python(
    script: str, folder: Path, *arguments: str | Path, bound: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own.

    Args:
        script: What it does.
        folder: Its working directory, which it also finds first in ``sys.argv``.
        arguments: What follows there.
        bound: Whether permissions must bind it, even if root runs the tests.
    """
    command = [sys.executable, "-c", script, str(folder), *map(str, arguments)]
    if bound and is_root():
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root is bound by no permission here, and there is no setpriv")
        command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", *command]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "NBVC_AUTHOR": "ada"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def litter(folder: Path) -> list[str]:
    """Return the names of what writing may have left in *folder*."""
    return sorted(path.name for path in folder.rglob("*.tmp"))
