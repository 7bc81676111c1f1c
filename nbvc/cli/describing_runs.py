"""A run in one line, for a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nbvc.text import printable_line

if TYPE_CHECKING:
    from nbvc.model import Run, Version

_PARAMETERS_ROOM = 40  # on a terminal


def describe_run(version: Version, *, may_cut: bool) -> str:
    """Return what made *version*: ``mine.ipynb@v3 (published) completed in 12 s, alpha=0.1``.

    Args:
        version: A version; of one that no run made there is nothing to say.
        may_cut: Whether a person reads it, who wants a short line.
    """
    run = version.run
    if run is None:
        return ""
    executed = run.input
    said = run.outcome
    if run.started_at is not None and version.saved_at >= run.started_at:
        said += f" in {round((version.saved_at - run.started_at).total_seconds()):,} s"
    if run.error is not None:
        said += f" ({run.error}{f' in cell {run.failed_cell}' if run.failed_cell else ''})"
    if executed is not None:
        number = f"v{executed.number}" if executed.number is not None else executed.version_id
        asked = f" ({run.asked})" if run.asked not in {None, number} else ""
        said = f"{PurePosixPath(executed.key).name}@{number}{asked} {said}"
    parameters = " ".join(_parameters(run))
    if may_cut and len(parameters) > _PARAMETERS_ROOM:
        parameters = parameters[: _PARAMETERS_ROOM - 1] + "…"
    return printable_line(f"{said}, {parameters}" if parameters else said)


def _parameters(run: Run) -> Iterator[str]:
    for name, value in run.parameters.items():
        yield f"{name}={value if isinstance(value, str) else json.dumps(value)}"
    for name in run.left_out:
        yield f"{name}=(not recorded)"
