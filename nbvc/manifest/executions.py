"""The member ``run`` of a record: how a version was made by executing another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbvc.manifest.members import integer, text
from nbvc.manifest.sealing import canonical, format_time, parse_time
from nbvc.manifest.sources import source_from_document, source_to_document
from nbvc.model import Run

MAX_PARAMETERS_BYTES = 1_024
"""Limit of the canonical JSON of the recorded parameters, and of the names of those left out: a
record is carried by up to fifteen others, and has to stay small."""

MAX_WORD_LENGTH = 200
"""Limit of every other text."""


def run_to_document(run: Run) -> dict[str, Any]:
    """Return *run* as plain values; what is empty is left out."""
    document: dict[str, Any] = {
        "outcome": run.outcome,
        "input": source_to_document(run.input) if run.input else None,
        "started_at": format_time(run.started_at) if run.started_at else None,
        "asked": run.asked,
        "parameters": dict(run.parameters),
        "left_out": list(run.left_out),
        "error": run.error,
        "failed_cell": run.failed_cell,
    }
    return {name: value for name, value in document.items() if value not in (None, {}, [])}


def run_from_document(document: Mapping[str, Any]) -> Run:
    """Return the run that :func:`run_to_document` described.

    Raises one of ``MALFORMED`` where *document* does not describe one.
    """
    executed, failed_cell = document.get("input"), document.get("failed_cell")
    started_at = document.get("started_at")
    run = Run(
        outcome=_word(document["outcome"]),
        input=None if executed is None else source_from_document(executed),
        started_at=None if started_at is None else parse_time(started_at),
        asked=_word_or_none(document.get("asked")),
        parameters=_parameters(document.get("parameters", {})),
        left_out=tuple(text(name) for name in document.get("left_out", ())),
        error=_word_or_none(document.get("error")),
        failed_cell=None if failed_cell is None else integer(failed_cell, 1),
    )
    if run_to_document(run) != document:  # or the hash of the record would be another one
        raise ValueError("a run has members that do not belong to one")
    return run


def _parameters(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"not an object: {value!r}")
    if len(canonical(value)) > MAX_PARAMETERS_BYTES:
        raise ValueError("the parameters of a run are too long")
    return value


def _word(value: object) -> str:
    found = text(value)
    if not found or len(found) > MAX_WORD_LENGTH:
        raise ValueError("a text of a run is empty or too long")
    return found


def _word_or_none(value: object) -> str | None:
    return None if value is None else _word(value)
