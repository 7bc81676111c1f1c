"""Say what changed between two notebooks, in cells, from their outlines alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nbvc.model import Changes
from nbvc.notebook.pairing import pair_cells
from nbvc.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbvc.notebook.outline import CellOutline, Outline

Kind = Literal["added", "removed", "changed"]
Part = Literal["source", "outputs", "metadata", "order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """What happened to one cell.

    Attributes:
        kind: ``added``, ``removed`` or ``changed``.
        old_number: Position in the old notebook, from 1; ``None`` for an added cell.
        new_number: Position in the new notebook, from 1; ``None`` for a removed cell.
        cell_type: Type of the cell, in the new notebook unless it was removed.
        parts: What differs in a changed cell; ``order`` where it was moved.
    """

    kind: Kind
    old_number: int | None
    new_number: int | None
    cell_type: str
    parts: tuple[Part, ...] = ()


def compare(old: Outline | None, new: Outline) -> Changes:
    """Count what *new* changed against *old*; without *old*, every cell counts as added.

    A moved cell counts as changed, and so does not leave ``outputs_only``. Another id alone, or
    another metadata of the notebook, changes no cell.
    """
    changes = list(cell_changes(old, new))
    counts = {kind: sum(change.kind == kind for change in changes) for kind in _KINDS}
    parts = {part for change in changes for part in change.parts}
    return Changes(
        cells_added=counts["added"],
        cells_removed=counts["removed"],
        cells_changed=counts["changed"],
        outputs_only=(
            counts["changed"] == len(changes)
            and "outputs" in parts
            and parts.isdisjoint({"source", "order"})
        ),
    )


_KINDS: tuple[Kind, ...] = ("added", "removed", "changed")


def cell_changes(old: Outline | None, new: Outline) -> Iterator[CellChange]:
    """Yield each cell that is not the same, in the order of *new*."""
    old_cells = old.cells if old else ()
    pairs = pair_cells(old_cells, new.cells)
    by_new = {pair.new: pair for pair in pairs}
    paired_old = {pair.old for pair in pairs}
    removed_from = 0
    for index, cell in enumerate(new.cells):
        pair = by_new.get(index)
        if pair is None:
            yield _lone("added", cell, new_number=index + 1)
            continue
        if not pair.moved:
            yield from _removed(old_cells, paired_old, removed_from, pair.old)
            removed_from = pair.old + 1
        parts = _different_parts(old_cells[pair.old], cell)
        if pair.moved or parts:
            yield CellChange(
                kind="changed",
                old_number=pair.old + 1,
                new_number=index + 1,
                cell_type=cell.cell_type,
                parts=(*parts, "order") if pair.moved else parts,
            )
    yield from _removed(old_cells, paired_old, removed_from, len(old_cells))


def _removed(
    cells: tuple[CellOutline, ...], paired: set[int], start: int, stop: int
) -> Iterator[CellChange]:
    for index in range(start, stop):
        if index not in paired:
            yield _lone("removed", cells[index], old_number=index + 1)


def _lone(
    kind: Kind,
    cell: CellOutline,
    *,
    old_number: int | None = None,
    new_number: int | None = None,
) -> CellChange:
    return CellChange(
        kind=kind, old_number=old_number, new_number=new_number, cell_type=cell.cell_type
    )


def _different_parts(old: CellOutline, new: CellOutline) -> tuple[Part, ...]:
    parts: list[Part] = []
    if old.source_hash != new.source_hash:
        parts.append("source")
    if old.outputs_hash != new.outputs_hash:
        parts.append("outputs")
    if old.metadata_hash != new.metadata_hash:
        parts.append("metadata")
    return tuple(parts)
