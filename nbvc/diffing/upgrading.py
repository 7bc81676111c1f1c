"""Upgrade a notebook of format 2 or 3 with nbformat's own converters.

Importing this imports nbformat, which takes a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import nbformat
import nbformat.v3.rwbase
import nbformat.v4.convert

from nbvc.notebook.reading import FIRST_FORMAT_WITH_CELLS

LAST_MINOR_WITHOUT_IDS = 4

_Node: TypeAlias = Any
"""An ``nbformat.NotebookNode``; nbformat has no types."""

_Change: TypeAlias = Callable[[_Node], _Node]
_to_node: Callable[[object], _Node] = nbformat.from_dict
_rejoin_lines: _Change = nbformat.v3.rwbase.rejoin_lines
_upgrade_cell: _Change = nbformat.v4.convert.upgrade_cell


def upgrade(values: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook of format 4, from one with worksheets, or with nothing at all.

    No ids are made up for its cells.
    """
    notebook = _to_node(values)
    if notebook.get("worksheets") is None:
        notebook["worksheets"] = []
    for sheet in notebook.worksheets:
        sheet.setdefault("cells", [])
        for cell in sheet.cells:
            cell.setdefault("cell_type", "raw")
            cell["outputs"] = [_complete(output) for output in _list(cell.get("outputs"))]
    notebook = _rejoin_lines(notebook)
    cells = [_upgrade_cell(cell) for sheet in notebook.worksheets for cell in sheet.cells]
    for cell in cells:
        del cell["id"]  # upgrade_cell draws a random one
    return {
        "nbformat": FIRST_FORMAT_WITH_CELLS,
        "nbformat_minor": LAST_MINOR_WITHOUT_IDS,
        "metadata": _without_name(notebook.get("metadata")),
        "cells": cells,
    }


def _complete(output: object) -> _Node:
    completed = _to_node(output if isinstance(output, dict) else {"value": output})
    completed.setdefault("output_type", "unknown")
    return completed


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _without_name(metadata: object) -> object:
    if not isinstance(metadata, dict):
        return metadata
    return {key: value for key, value in metadata.items() if key != "name"}
