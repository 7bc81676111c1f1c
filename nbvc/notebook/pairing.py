"""Find which cell of an old notebook became which cell of the new one.

Linear but for one sort: cells are paired by what is unique to them, never each with each, so that
2,000 cells that all changed, or all lost their ids, cost milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbvc.notebook.aligning import Gap, Level, longest_increasing, match_ends, unique_pairs
from nbvc.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbvc.notebook.aligning import Matches
    from nbvc.notebook.outline import CellOutline

    Cells = Sequence[CellOutline]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two cells that are the same cell, by index in the old and in the new notebook.

    Attributes:
        old: Index in the old notebook.
        new: Index in the new notebook.
        moved: Whether it stands elsewhere among the cells that both notebooks have.
    """

    old: int
    new: int
    moved: bool


def pair_cells(old: Cells, new: Cells) -> list[Pair]:
    """Pair the cells of two notebooks, in the order of the new one.

    Equal cells at the start and the end pair first, then cells with the same id, then with the
    same source, where that is unique on both sides. What is left between two pairs is taken to be
    edited, in order; but where ids survived, another id is another cell.
    """
    whole = Gap.whole(old, new)
    pairs = match_ends(Level(old=old, new=new), whole)
    by_id = Level(old=[cell.id for cell in old], new=[cell.id for cell in new])
    pairs += unique_pairs(by_id, *whole.outside(pairs))
    ids_survived = any(old[o].id is not None and old[o].id == new[n].id for o, n in pairs)
    by_source = Level(
        old=[cell.source_hash for cell in old], new=[cell.source_hash for cell in new]
    )
    pairs += unique_pairs(by_source, *whole.outside(pairs))
    # By the new index: which of two cells that changed places counts as moved is in the records.
    in_order = [(o, n) for n, o in longest_increasing(sorted((n, o) for o, n in pairs))]
    moved = {n for _, n in pairs} - {n for _, n in in_order}
    pairs += _pair_gaps(old, new, pairs, in_order, ids_survived=ids_survived)
    pairs.sort(key=lambda pair: pair[1])
    return [Pair(old=o, new=n, moved=n in moved) for o, n in pairs]


def _pair_gaps(
    old: Cells, new: Cells, pairs: Matches, in_order: Matches, *, ids_survived: bool
) -> Matches:
    whole = Gap.whole(old, new)
    left_old, left_new = map(set, whole.outside(pairs))
    found: Matches = []
    for gap in whole.between(in_order):
        found += _pair_one_gap(
            old,
            new,
            [o for o in range(gap.old_start, gap.old_stop) if o in left_old],
            [n for n in range(gap.new_start, gap.new_stop) if n in left_new],
        )
    if not ids_survived:
        return found
    return [(o, n) for o, n in found if not (old[o].id and new[n].id and old[o].id != new[n].id)]


def _pair_one_gap(old: Cells, new: Cells, left_old: list[int], left_new: list[int]) -> Matches:
    """Pair two runs of cells in order, from the end at which more of them are alike."""
    size = min(len(left_old), len(left_new))
    if not size:
        return []
    from_start = list(zip(left_old[:size], left_new[:size], strict=True))
    from_end = list(zip(left_old[-size:], left_new[-size:], strict=True))
    return max(from_start, from_end, key=lambda pairs: _likeness(old, new, pairs))


def _likeness(old: Cells, new: Cells, pairs: Matches) -> tuple[int, int]:
    equal = sum(old[o].source_hash == new[n].source_hash for o, n in pairs)
    same_type = sum(old[o].cell_type == new[n].cell_type for o, n in pairs)
    return equal, same_type
