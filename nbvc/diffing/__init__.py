"""Compare two notebooks: what changed, in nbdime's diff format.

Only ``render``, and ``load`` for formats before 4, import nbdime or nbformat, which takes a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbvc.lazy import lazy_names

if TYPE_CHECKING:
    from nbvc.diffing.cells import align_cells
    from nbvc.diffing.engine import DiffOptions, diff, diff_notebooks, to_json
    from nbvc.diffing.entries import Diff
    from nbvc.diffing.loading import Notebook, load
    from nbvc.diffing.rendering import render

__all__ = [
    "Diff",
    "DiffOptions",
    "Notebook",
    "align_cells",
    "diff",
    "diff_notebooks",
    "load",
    "render",
    "to_json",
]

_HOMES = {
    "Diff": "nbvc.diffing.entries",
    "DiffOptions": "nbvc.diffing.engine",
    "Notebook": "nbvc.diffing.loading",
    "align_cells": "nbvc.diffing.cells",
    "diff": "nbvc.diffing.engine",
    "diff_notebooks": "nbvc.diffing.engine",
    "load": "nbvc.diffing.loading",
    "render": "nbvc.diffing.rendering",
    "to_json": "nbvc.diffing.engine",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _HOMES)
