"""Draw a view of a diff: lines of text, each of pieces that a terminal may give a style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from nbvc.text import counted, printable_line

if TYPE_CHECKING:
    from nbvc.diffing.view import CellView, Line, View

MAX_CELLS = 2_000
"""Most cells that are shown of one diff."""

MAX_NAMED_CELLS = 5
"""Most cells whose numbers are named for what they have in common."""

MAX_PATHS = 8
"""Most places in metadata that are named at once."""

Style = Literal["", "bold", "dim", "cyan", "red", "green", "removed", "added"]


class Piece(NamedTuple):
    """A piece of a line, safe to print, and how it looks."""

    text: str
    style: Style = ""


Drawn = tuple[Piece, ...]
"""A line."""

Row = tuple[str, str, str, str, str, str]

STAT_HEADERS: Row = ("CELL", "TYPE", "WHAT", "LINES", "IN", "FIRST LINE")

_SEEN = frozenset({"type", "source", "outputs", "attachments", "metadata"})
_FOLDED = {
    "addresses": "only memory addresses changed in the outputs of {}",
    "execution_count": "execution counts changed in {}",
    "id": "ids changed in {}",
    "other": "other fields changed in {}",
}
_SIGNS: dict[str, tuple[Style, Style]] = {
    " ": ("", ""),
    "-": ("red", "removed"),
    "+": ("green", "added"),
}


def draw(view: View, names: tuple[str, str]) -> Iterator[Drawn]:
    """Yield the lines that show *view*.

    Every line that comes from a notebook begins with a blank, ``-``, ``+`` or ``*``, so that none
    can pass for another.

    Args:
        view: What to show.
        names: What to call the old and the new notebook.
    """
    old, new = map(printable_line, names)
    yield (Piece(f"--- {old}", "bold"),)
    yield (Piece(f"+++ {new}", "bold"),)
    for cell in islice(view.listed, MAX_CELLS):
        yield ()
        yield _heading(cell)
        yield from _body(cell)
    more = len(view.listed) - MAX_CELLS
    if more > 0:
        yield ()
        yield (
            Piece(f"{counted(more, 'cell')} more changed: nbvc diff --stat lists them.", "cyan"),
        )
    notes = list(folded(view))
    if notes:
        yield ()
        yield (Piece("notebook", "bold"),)
        yield from (_note(note) for note in notes)


def names_a_cell(drawn: Drawn) -> bool:
    """Return whether a line names a cell by its first line, the end of which may be left out."""
    return len(drawn) == 2 and drawn[0].style == "bold"


def draw_stat(view: View) -> Iterator[Row]:
    """Yield a row for each cell that ``draw`` shows, under ``STAT_HEADERS``."""
    for cell in view.listed:
        yield (
            _name(cell),
            cell.cell_type,
            _what(cell),
            _lines_changed(cell),
            ", ".join(part for part in cell.parts if part in _SEEN),
            cell.first_line,
        )


def summary(view: View) -> str:
    """Return the last line of the rows: how many cells changed, and how many lines."""
    cells = view.listed
    counts = Counter(cell.kind for cell in cells if cell.is_edited)
    words = [
        (counts["changed"], "changed"),
        (counts["added"], "added"),
        (counts["removed"], "removed"),
        (sum(cell.is_moved for cell in cells), "moved"),
    ]
    named = [f"{count:,} {verb}" for count, verb in words if count]
    if not named:
        return "no cell listed"
    count, verb = next((count, verb) for count, verb in words if count)
    lines = _signed(
        sum(cell.lines_added for cell in cells), sum(cell.lines_removed for cell in cells)
    )
    text = ", ".join([f"{counted(count, 'cell')} {verb}", *named[1:]])
    return f"{text}; {lines} lines" if lines else text


def folded(view: View) -> Iterator[str]:
    """Yield a line for each thing that changed in the notebook itself, or alike in many cells."""
    if view.metadata:
        yield f"metadata changed: {_name_paths(view.metadata)}"
    yield from view.fields
    yield from _cell_metadata(view.cells)
    for part, said in _FOLDED.items():
        cells = [cell for cell in view.cells if part in cell.parts]
        if cells:
            yield said.format(_named(cells))


def _cell_metadata(cells: Iterable[CellView]) -> Iterator[str]:
    """Yield a line for each set of cells in which the same places of the metadata changed."""
    places: dict[tuple[str, ...], list[CellView]] = {}
    for cell in cells:
        if cell.metadata:
            places.setdefault(cell.metadata, []).append(cell)
    ordered = sorted(places.items(), key=lambda item: -len(item[1]))
    for paths, among in ordered[:MAX_NAMED_CELLS]:
        yield f"metadata changed in {_named(among)}: {_name_paths(paths)}"
    rest = [cell for _, among in ordered[MAX_NAMED_CELLS:] for cell in among]
    if rest:
        yield f"other metadata changed in {_named(rest)}"


def _name_paths(paths: Sequence[str]) -> str:
    named = ", ".join(paths[:MAX_PATHS])
    more = len(paths) - MAX_PATHS
    return f"{named} and {more:,} more" if more > 0 else named


def _named(cells: list[CellView]) -> str:
    if len(cells) > MAX_NAMED_CELLS:
        return counted(len(cells), "cell")
    numbers = ", ".join(_number(cell) for cell in cells)
    return f"cell{'s' if len(cells) > 1 else ''} {numbers}"


def _heading(cell: CellView) -> Drawn:
    title = f"{_name(cell)} ({cell.cell_type}) {_what(cell)}"
    if not cell.first_line or (cell.hunks and cell.kind != "changed"):  # it follows at once
        return (Piece(title, "bold"),)
    return Piece(f"{title}:", "bold"), Piece(f" {cell.first_line}")


def _what(cell: CellView) -> str:
    if cell.is_moved:
        return f"moved from {cell.old_number}{', changed' if cell.is_edited else ''}"
    return cell.kind


def _name(cell: CellView) -> str:
    return f"{'old ' if cell.kind == 'removed' else ''}cell {_number(cell)}"


def _number(cell: CellView) -> str:
    return str(cell.new_number or cell.old_number)


def _body(cell: CellView) -> Iterator[Drawn]:
    for number, hunk in enumerate(cell.hunks):
        if number or hunk.start > 1:
            yield (Piece(f"@@ line {hunk.start:,} @@", "cyan"),)
        yield from map(_line, hunk.lines)
    if cell.cut:
        yield _note(f"{cell.cut:,} more lines that were added or removed")
    yield from map(_note, cell.notes)


def _line(line: Line) -> Drawn:
    plain, emphasised = _SIGNS[line.sign]
    pieces = (
        Piece(text, emphasised if number % 2 else plain) for number, text in enumerate(line.parts)
    )
    return Piece(line.sign, plain), *pieces


def _note(text: str) -> Drawn:
    return (Piece(f"* {text}", "cyan"),)


def _lines_changed(cell: CellView) -> str:
    return _signed(cell.lines_added, cell.lines_removed)


def _signed(added: int, removed: int) -> str:
    return " ".join(
        text for count, text in ((added, f"+{added:,}"), (removed, f"-{removed:,}")) if count
    )
