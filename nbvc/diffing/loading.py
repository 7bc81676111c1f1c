"""Bring a notebook of any format, in memory only, into the shape that nbdime compares.

nbformat's own reader is not used: it gives cells without ids random ones, logs what it finds
invalid, and lets shapes through on which nbdime fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import nbformat
import nbformat.v3.rwbase
import nbformat.v4.convert
import nbformat.v4.rwbase

from nbvc.errors import InvalidNotebook
from nbvc.notebook.reading import DEFAULT_NAME, FIRST_FORMAT_WITH_CELLS, read_values

Notebook: TypeAlias = Any
"""An ``nbformat.NotebookNode`` of format 4; nbformat has no types."""

LAST_MINOR_WITHOUT_IDS = 4

_Change: TypeAlias = Callable[[Notebook], Notebook]
_to_node: Callable[[object], Notebook] = nbformat.from_dict
_rejoin_lines: _Change = nbformat.v4.rwbase.rejoin_lines
_rejoin_lines_of_format_3: _Change = nbformat.v3.rwbase.rejoin_lines
_strip_transient: _Change = nbformat.v4.rwbase.strip_transient
_upgrade_cell: _Change = nbformat.v4.convert.upgrade_cell

_TEXT_FORMATS = ("text/", "image/svg+xml", "application/javascript")
_UNEXPECTED = (AttributeError, KeyError, TypeError, ValueError, RecursionError)


def load(data: bytes, *, name: str = DEFAULT_NAME) -> Notebook:
    """Read a notebook as a format 4 node, upgrading formats 2 and 3.

    Equal bytes give equal nodes: no ids are made up, and ``NaN`` becomes a text. What a notebook
    must have and lacks (outputs, metadata, a source) is added empty.

    Args:
        data: The bytes of the notebook; they are not changed.
        name: What to call it in an error.

    Raises:
        InvalidNotebook: *data* is no notebook, or of a format that cannot be upgraded.
    """
    values = read_values(data, name=name)
    try:
        notebook = _to_node(values)
        if notebook.get("cells") is None:
            notebook = _upgrade(notebook)
        notebook.metadata = _mapping(notebook.get("metadata"))
        for cell in notebook.cells:
            _complete_cell(cell)
        return _strip_transient(_rejoin_lines(notebook))
    except _UNEXPECTED as error:
        raise InvalidNotebook(
            f"{name} cannot be compared: its parts are not what a notebook has "
            f"({type(error).__name__}).",
            hint="nbvc show prints its exact bytes.",
        ) from error


def _upgrade(notebook: Notebook) -> Notebook:
    if notebook.get("worksheets") is None:
        notebook["worksheets"] = []
    for sheet in notebook.worksheets:
        sheet.setdefault("cells", [])
        for cell in sheet.cells:
            cell.setdefault("cell_type", "raw")
            cell["outputs"] = [_complete_old_output(output) for output in _list(cell, "outputs")]
    notebook = _rejoin_lines_of_format_3(notebook)
    cells = [_upgrade_cell(cell) for sheet in notebook.pop("worksheets") for cell in sheet.cells]
    for cell in cells:
        del cell["id"]  # upgrade_cell draws a random one
    metadata = _mapping(notebook.get("metadata"))
    metadata.pop("name", None)
    return _to_node(
        {
            "nbformat": FIRST_FORMAT_WITH_CELLS,
            "nbformat_minor": LAST_MINOR_WITHOUT_IDS,
            "metadata": metadata,
            "cells": cells,
        }
    )


def _complete_old_output(output: object) -> Notebook:
    completed = _mapping(output)
    completed.setdefault("output_type", "unknown")
    return completed


def _complete_cell(cell: Notebook) -> None:
    cell.cell_type = str(cell.get("cell_type", "raw"))
    cell.metadata = _mapping(cell.get("metadata"))
    cell.source = _as_text(cell.get("source", ""))
    if "attachments" in cell:
        attachments = _mapping(cell.attachments)
        cell.attachments = _to_node({k: _mapping(v) for k, v in attachments.items()})
    if cell.cell_type == "code":
        cell.setdefault("execution_count", None)
        cell.outputs = [_complete_output(output) for output in _list(cell, "outputs")]


def _complete_output(output: object) -> Notebook:
    completed = _mapping(output)
    kind = completed.output_type = str(completed.get("output_type", "unknown"))
    if kind == "stream":
        completed.name = str(completed.get("name", "stdout"))
        completed.text = _as_text(completed.get("text", ""))
    elif kind == "error":
        completed.ename = str(completed.get("ename", ""))
        completed.evalue = str(completed.get("evalue", ""))
        completed.traceback = [_as_text(line) for line in _list(completed, "traceback")]
    elif kind in {"display_data", "execute_result"}:
        data = _mapping(completed.get("data"))
        completed.data = _to_node({mime: _as_data(mime, value) for mime, value in data.items()})
    return completed


def _as_data(mime: str, value: object) -> object:
    return _as_text(value) if mime.lower().startswith(_TEXT_FORMATS) else value


def _as_text(value: object) -> str:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value if isinstance(value, str) else json.dumps(value)


def _mapping(value: object) -> Notebook:
    if value is None or isinstance(value, dict):
        return _to_node(value or {})
    return _to_node({"value": value})


def _list(parent: Notebook, key: str) -> list[Any]:
    value = parent.get(key)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
