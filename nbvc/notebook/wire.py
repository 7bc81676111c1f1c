"""The shape of a notebook file, with its large parts left as views of the bytes.

Imported only when a notebook is read, because msgspec costs start-up time.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from nbvc.notebook.reading import join_lines

MAX_NORMALISED_BYTES = 1_000_000
"""Larger parts are hashed as they stand, so that no large part is ever decoded."""

MAX_SHORT_BYTES = 1_000
"""Longest cell id, cell type or language, in JSON, that is taken to be one."""

_FORMATS_WITH_WORKSHEETS = (2, 3)
_ABSENT = Raw(b"")
_EMPTY: tuple[object, ...] = (None, [], {})


class Cell(msgspec.Struct):
    """One cell of format 2, 3 or 4; a part that is not there is empty."""

    id: Raw = _ABSENT
    cell_type: Raw = _ABSENT
    source: Raw = _ABSENT
    input: Raw = _ABSENT
    attachments: Raw = _ABSENT
    level: Raw = _ABSENT
    language: Raw = _ABSENT
    metadata: Raw = _ABSENT
    outputs: Raw = _ABSENT
    execution_count: Raw = _ABSENT
    prompt_number: Raw = _ABSENT


class Worksheet(msgspec.Struct):
    """A group of cells in formats 2 and 3."""

    cells: list[Cell] = []


class Notebook(msgspec.Struct):
    """A whole notebook of any format; ``cells`` is ``None`` only where it is no notebook."""

    nbformat: int
    nbformat_minor: Raw = _ABSENT
    metadata: Raw = _ABSENT
    cells: list[Cell] | None = None
    worksheets: list[Worksheet] | None = None

    def __post_init__(self) -> None:
        """Put the cells of all worksheets into ``cells``, as format 4 has them."""
        if self.cells is None and self.worksheets is not None:
            self.cells = [cell for sheet in self.worksheets for cell in sheet.cells]
        elif self.cells is None and self.nbformat in _FORMATS_WITH_WORKSHEETS:
            self.cells = []  # as Jupyter reads it


DecodeError = msgspec.DecodeError
ValidationError = msgspec.ValidationError
decode_notebook = msgspec.json.Decoder(Notebook).decode


def short_value(raw: Raw) -> object:
    """Return the value of a part that is small by nature, or ``None`` where it is not small."""
    view = memoryview(raw)
    return value_of(raw) if len(view) <= MAX_SHORT_BYTES else None


def value_of(raw: Raw) -> object:
    """Return the value of a part, or ``None`` where it is absent or beyond what msgspec reads."""
    view = memoryview(raw)
    if not view:
        return None
    try:
        return msgspec.json.decode(view)
    except (DecodeError, RecursionError):
        return None


def normalised(raw: Raw) -> bytes | memoryview:
    """Return bytes that are the same for equal values, however they are indented or ordered.

    Empty is the same as absent, as it is to Jupyter.
    Parts over ``MAX_NORMALISED_BYTES``, and those with numbers beyond what msgspec reads, are
    returned as they stand.
    """
    view = memoryview(raw)
    if not 0 < len(view) <= MAX_NORMALISED_BYTES:
        return view
    try:
        value = msgspec.json.decode(view)
        return b"" if value in _EMPTY else msgspec.json.encode(value, order="sorted")
    except (DecodeError, RecursionError, OverflowError):
        return view


def source_of(cell: Cell) -> Raw:
    """Return the source, which code cells of formats 2 and 3 call input."""
    return cell.source if memoryview(cell.source) else cell.input


def source_text(cell: Cell, *, nbformat: int) -> str | None:
    """Return the source of a cell as one text, whether stored as text or as lines.

    ``None`` where it is neither, or over ``MAX_NORMALISED_BYTES``.
    """
    raw = source_of(cell)
    if len(memoryview(raw)) > MAX_NORMALISED_BYTES:
        return None
    value = value_of(raw)
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return join_lines(value, nbformat=nbformat)
    return value if isinstance(value, str) else None
