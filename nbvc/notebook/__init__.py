"""What nbvc knows of notebooks without nbformat or nbdime: bytes in, values out.

Importing this costs nothing that ``nbvc --version`` would notice; the parser is imported when the
first notebook is read.
"""

from nbvc.notebook.comparing import CellChange, compare, describe_changes, stat
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
    "stat",
    "summarize",
]
