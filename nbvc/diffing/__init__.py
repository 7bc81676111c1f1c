"""Compare two notebooks with nbdime, without its process-wide settings.

Importing this imports nbdime and nbformat, which takes a second: do it when a diff is asked for.
"""

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
