"""What a person sees of a diff, as values that can be kept; all text is safe to print."""

from __future__ import annotations

from typing import Literal

from nbvc.values import dataclass

Kind = Literal["added", "removed", "changed"]

_QUIET = frozenset({"addresses", "metadata", "execution_count", "id", "other"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a hunk, safe to print.

    Attributes:
        sign: ``-`` was taken out, ``+`` was put in; a blank stands before both.
        parts: The text, by turns plain and emphasised.
    """

    sign: Literal[" ", "-", "+"]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """Lines that changed, with those around.

    Attributes:
        start: Number of the first line, from 1, in the new source; in the old one where there is
            no new one.
        lines: At least one.
    """

    start: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """What happened to one cell; all text is safe to print.

    Attributes:
        kind: ``added``, ``removed`` or ``changed``.
        old_number: Position in the old notebook, from 1; ``None`` for an added cell.
        new_number: Position in the new notebook, from 1; ``None`` for a removed cell.
        cell_type: Type of the cell, in the new notebook unless it was removed.
        first_line: First line of its source that is not blank.
        parts: What differs in a changed cell; ``order`` where it was moved.
        metadata: Places in its metadata that changed.
        lines_added: Lines put into its source, shown or not.
        lines_removed: Lines taken out of it.
        hunks: What is shown of the source.
        cut: Lines that are not shown.
        notes: A line for whatever else changed.
    """

    kind: Kind
    old_number: int | None
    new_number: int | None
    cell_type: str
    first_line: str
    parts: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    lines_added: int = 0
    lines_removed: int = 0
    hunks: tuple[Hunk, ...] = ()
    cut: int = 0
    notes: tuple[str, ...] = ()

    @property
    def is_moved(self) -> bool:
        """Whether it stands elsewhere among the cells that both notebooks have."""
        return "order" in self.parts

    @property
    def is_edited(self) -> bool:
        """Whether it was added or removed, or anything changed in it that a reader looks at."""
        return self.kind != "changed" or not _QUIET.issuperset({*self.parts} - {"order"})

    @property
    def is_listed(self) -> bool:
        """Whether it is shown by itself; what is not is only counted."""
        return self.is_edited or self.is_moved


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What happened between two notebooks.

    Attributes:
        cells: Each cell that is not the same, in the order of the new notebook.
        metadata: Places in the metadata of the notebook that changed.
        fields: Other members of the notebook that changed, each in words.
    """

    cells: tuple[CellView, ...]
    metadata: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def is_different(self) -> bool:
        """Whether anything changed."""
        return bool(self.cells or self.metadata or self.fields)

    @property
    def listed(self) -> list[CellView]:
        """The cells that are shown one by one."""
        return [cell for cell in self.cells if cell.is_listed]
