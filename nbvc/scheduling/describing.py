"""Runs as JSON values, with the field names that scripts rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbvc.manifest.executions import run_to_document

if TYPE_CHECKING:
    from nbvc.scheduling.results import SavedRun


def ran(result: SavedRun) -> dict[str, Any]:
    """Return the result of a run as ``run --json`` prints it."""
    described: dict[str, Any] = {
        "key": result.key,
        "number": result.number,
        "digest": result.digest,
        "version_id": result.version_id,
        "waiting": result.waiting,
        "run": run_to_document(result.run),
    }
    if result.error is not None:
        described["error"] = result.error.to_dict()
    return described
