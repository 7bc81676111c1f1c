"""A readable view of a notebook: its sources in full, each output as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbvc.notebook.reading import (
    DEFAULT_NAME,
    FIRST_FORMAT_WITH_CELLS,
    join_lines,
    read_values,
)
from nbvc.text import printable, printable_line
from nbvc.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE = 200
"""Longest line for an output, in characters."""

MAX_FORMATS = 5
"""Most representations named for one output."""

_BASE64_BYTES_PER_CHARACTER = 3 / 4
_FORMAT_3_NAMES = {
    "text": "text/plain",
    "html": "text/html",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "latex": "text/latex",
    "json": "application/json",
    "javascript": "application/javascript",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSummary:
    """One cell as a reader wants to see it; all text is safe to print.

    Attributes:
        number: Position in the notebook, from 1.
        cell_type: ``code``, ``markdown``, ``raw`` or ``heading``.
        execution_count: The number in brackets beside a code cell, where it has one.
        source: The lines of the source, without line ends.
        outputs: One line for each output.
    """

    number: int
    cell_type: str
    execution_count: int | None
    source: tuple[str, ...]
    outputs: tuple[str, ...]


def summarize(data: bytes, *, name: str = DEFAULT_NAME) -> list[CellSummary]:
    """Return the cells of a notebook of format 2, 3 or 4 for reading on a terminal.

    Args:
        data: The bytes of the notebook.
        name: What to call it in an error.

    Raises:
        InvalidNotebook: *data* is no notebook.
    """
    values = read_values(data, name=name)
    nbformat = values["nbformat"]
    return [
        _summarize_cell(number, cell, nbformat) for number, cell in enumerate(_cells(values), 1)
    ]


def _cells(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    cells = values.get("cells")
    if cells is not None:
        yield from cells
        return
    for sheet in values.get("worksheets") or []:
        yield from sheet.get("cells", [])


def _summarize_cell(number: int, cell: dict[str, Any], nbformat: int) -> CellSummary:
    count = cell.get("execution_count", cell.get("prompt_number"))
    source = cell.get("source", cell.get("input", ""))
    outputs = cell.get("outputs")
    return CellSummary(
        number=number,
        cell_type=printable_line(str(cell.get("cell_type", "unknown"))[:MAX_LINE]),
        execution_count=count if isinstance(count, int) else None,
        source=tuple(printable(line) for line in _text(source, nbformat).splitlines()),
        outputs=tuple(
            _describe_output(output) for output in (outputs if isinstance(outputs, list) else [])
        ),
    )


def _describe_output(output: object) -> str:
    if not isinstance(output, dict):
        return "unreadable output"
    kind = str(output.get("output_type", "unknown"))
    if kind == "stream":
        stream = output.get("name", output.get("stream", "stdout"))
        line = f"stream {stream}, {_count_lines(_text(output.get('text', '')))}"
    elif kind in {"error", "pyerr"}:
        line = f"error {output.get('ename', '')}: {output.get('evalue', '')}"
    else:
        line = _describe_data(output) or kind
    return printable_line(line[:MAX_LINE])


def _describe_data(output: dict[str, Any]) -> str:
    data = output.get("data")
    if not isinstance(data, dict):
        data = {mime: output[key] for key, mime in _FORMAT_3_NAMES.items() if key in output}
    named = [
        f"{mime} {describe_size(size_of(mime, value))}"
        for mime, value in list(data.items())[:MAX_FORMATS]
    ]
    more = len(data) - len(named)
    return ", ".join([*named, f"{more} more"] if more else named)


def size_of(mime: str, value: object) -> int:
    """Return the size of a representation in bytes, of an image without its base64."""
    text = _text(value)
    if mime.startswith("image/") and mime != "image/svg+xml":
        return int(len("".join(text.split())) * _BASE64_BYTES_PER_CHARACTER)
    return len(text.encode(errors="surrogatepass"))


def describe_size(size_bytes: int) -> str:
    """Return a size in few characters: ``45 kB``."""
    import humanize

    text = humanize.naturalsize(size_bytes, format="%.0f")
    return text.replace("Bytes", "B").replace("Byte", "B")


def _count_lines(text: str) -> str:
    lines = len(text.splitlines())
    return f"{lines} line" if lines == 1 else f"{lines} lines"


def _text(value: object, nbformat: int = FIRST_FORMAT_WITH_CELLS) -> str:
    if isinstance(value, list):
        return join_lines([str(line) for line in value], nbformat=nbformat)
    return value if isinstance(value, str) else str(value)
