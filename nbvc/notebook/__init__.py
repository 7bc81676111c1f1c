"""What nbvc knows of notebooks without nbformat or nbdime: bytes in, values out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbvc.lazy import lazy_names

if TYPE_CHECKING:
    from nbvc.notebook.comparing import CellChange, compare
    from nbvc.notebook.describing import describe_changes
    from nbvc.notebook.outline import CellOutline, Outline, read_outline
    from nbvc.notebook.reading import read_values
    from nbvc.notebook.summary import CellSummary, summarize

__all__ = [
    "CellChange",
    "CellOutline",
    "CellSummary",
    "Outline",
    "compare",
    "describe_changes",
    "read_outline",
    "read_values",
    "summarize",
]

_HOMES = {
    "CellChange": "nbvc.notebook.comparing",
    "CellOutline": "nbvc.notebook.outline",
    "CellSummary": "nbvc.notebook.summary",
    "Outline": "nbvc.notebook.outline",
    "compare": "nbvc.notebook.comparing",
    "describe_changes": "nbvc.notebook.describing",
    "read_outline": "nbvc.notebook.outline",
    "read_values": "nbvc.notebook.reading",
    "summarize": "nbvc.notebook.summary",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _HOMES)
