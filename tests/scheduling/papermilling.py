"""Run notebooks with papermill, as a program does, and look at what came of it."""

from __future__ import annotations

import json
from typing import Any

import papermill

from nbvc.model import Run, Version
from nbvc.workspace.core import Workspace

INPUT, OUTPUT = "nbvc://team/halve.ipynb", "nbvc://team/out.ipynb"


def run(input_path: str = INPUT, output_path: str | None = OUTPUT, **options: Any) -> Any:
    """Run a notebook as a program does that uses papermill."""
    return papermill.execute_notebook(input_path, output_path, progress_bar=False, **options)


def results(workspace: Workspace, path: str = "out.ipynb") -> list[Version]:
    """Return the versions of a result, newest first."""
    return list(workspace.log(workspace.folder / path))


def made_by(version: Version) -> Run:
    """Return the run that made a version."""
    assert version.run is not None
    return version.run


def outputs(workspace: Workspace, version: Version) -> list[str]:
    """Return what the cells of a version printed."""
    cells = json.loads(workspace.read(version))["cells"]
    printed = [output.get("text", "") for cell in cells for output in cell.get("outputs", [])]
    return ["".join(text) for text in printed]
