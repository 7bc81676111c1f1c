"""Compare two notebooks, and show what changed, for people and for programs.

Only ``render``, and ``load`` for formats before 4, import nbdime or nbformat, which takes a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbvc.lazy import lazy_names

if TYPE_CHECKING:
    from nbvc.diffing.cells import align_cells
    from nbvc.diffing.engine import cell_differ, diff, diff_notebooks, to_json
    from nbvc.diffing.entries import Diff
    from nbvc.diffing.loading import Notebook, load
    from nbvc.diffing.options import DiffOptions
    from nbvc.diffing.rendering import render
    from nbvc.diffing.view import CellView, View
    from nbvc.diffing.viewing import view_of

__all__ = [
    "CellView",
    "Diff",
    "DiffOptions",
    "Notebook",
    "View",
    "align_cells",
    "cell_differ",
    "diff",
    "diff_notebooks",
    "load",
    "render",
    "to_json",
    "view_of",
]

_HOMES = {
    "CellView": "nbvc.diffing.view",
    "Diff": "nbvc.diffing.entries",
    "DiffOptions": "nbvc.diffing.options",
    "Notebook": "nbvc.diffing.loading",
    "View": "nbvc.diffing.view",
    "align_cells": "nbvc.diffing.cells",
    "cell_differ": "nbvc.diffing.engine",
    "diff": "nbvc.diffing.engine",
    "diff_notebooks": "nbvc.diffing.engine",
    "load": "nbvc.diffing.loading",
    "render": "nbvc.diffing.rendering",
    "to_json": "nbvc.diffing.engine",
    "view_of": "nbvc.diffing.viewing",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _HOMES)
