"""Find which cell of an old notebook became which cell of the new one.

Linear but for one sort: cells are paired by what is unique to them, never each with each, so that
2,000 cells that all changed, or all lost their ids, cost milliseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from nbvc.notebook.outline import CellOutline

    Cells = Sequence[CellOutline]

_T = TypeVar("_T")


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
    start, end = _common_ends(old, new)
    partners = {index: index for index in range(start)}
    partners |= {len(new) - 1 - step: len(old) - 1 - step for step in range(end)}
    rest_old = range(start, len(old) - end)
    rest_new = range(start, len(new) - end)
    partners |= _pair_unique(old, new, rest_old, rest_new, lambda cell: cell.id)
    ids_survived = any(
        old[o].id is not None and old[o].id == new[n].id for n, o in partners.items()
    )
    taken = set(partners.values())
    partners |= _pair_unique(
        old,
        new,
        [index for index in rest_old if index not in taken],
        [index for index in rest_new if index not in partners],
        lambda cell: cell.source_hash,
    )
    in_order = _longest_increasing(sorted(partners.items()))
    moved = partners.keys() - in_order.keys()
    partners |= _pair_gaps(old, new, partners, in_order, ids_survived=ids_survived)
    return [Pair(old=o, new=n, moved=n in moved) for n, o in sorted(partners.items())]


def pair_equal(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Pair what two lists have in common, as indices that rise on both sides.

    What stands at the start and the end of both pairs first, then what each has once.
    """
    start, end = _common_ends(old, new)
    partners = {index: index for index in range(start)}
    partners |= {len(new) - 1 - step: len(old) - 1 - step for step in range(end)}
    rest_old, rest_new = range(start, len(old) - end), range(start, len(new) - end)
    partners |= _pair_unique(old, new, rest_old, rest_new, lambda value: value)
    return [(o, n) for n, o in sorted(_longest_increasing(sorted(partners.items())).items())]


def _common_ends(old: Sequence[Hashable], new: Sequence[Hashable]) -> tuple[int, int]:
    shorter = min(len(old), len(new))
    start = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    rest = shorter - start
    end = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    return start, end


def _pair_unique(
    old: Sequence[_T],
    new: Sequence[_T],
    old_indices: Sequence[int],
    new_indices: Sequence[int],
    key: Callable[[_T], Hashable],
) -> dict[int, int]:
    old_by_key = _unique(old, old_indices, key)
    new_by_key = _unique(new, new_indices, key)
    return {new_by_key[value]: old_by_key[value] for value in new_by_key.keys() & old_by_key.keys()}


def _unique(
    items: Sequence[_T], indices: Sequence[int], key: Callable[[_T], Hashable]
) -> dict[Hashable, int]:
    counts = Counter(key(items[index]) for index in indices)
    return {
        value: index
        for index in indices
        if (value := key(items[index])) is not None and counts[value] == 1
    }


def _longest_increasing(pairs: list[tuple[int, int]]) -> dict[int, int]:
    """Return the most of *pairs*, sorted by new index, whose old indices rise too."""
    tails: list[int] = []
    tail_positions: list[int] = []
    previous: list[int | None] = []
    for position, (_, old_index) in enumerate(pairs):
        length = bisect_left(tails, old_index)
        previous.append(tail_positions[length - 1] if length else None)
        tails[length : length + 1] = [old_index]
        tail_positions[length : length + 1] = [position]
    kept: dict[int, int] = {}
    at = tail_positions[-1] if tail_positions else None
    while at is not None:
        new_index, old_index = pairs[at]
        kept[new_index] = old_index
        at = previous[at]
    return kept


def _pair_gaps(
    old: Cells,
    new: Cells,
    partners: dict[int, int],
    in_order: dict[int, int],
    *,
    ids_survived: bool,
) -> dict[int, int]:
    taken = set(partners.values())
    found: dict[int, int] = {}
    last_old = last_new = -1
    for new_index, old_index in [*sorted(in_order.items()), (len(new), len(old))]:
        left_old = [index for index in range(last_old + 1, old_index) if index not in taken]
        left_new = [index for index in range(last_new + 1, new_index) if index not in partners]
        found |= {
            n: o
            for o, n in _pair_one_gap(old, new, left_old, left_new)
            if not (ids_survived and old[o].id and new[n].id and old[o].id != new[n].id)
        }
        last_old, last_new = old_index, new_index
    return found


def _pair_one_gap(
    old: Cells, new: Cells, left_old: list[int], left_new: list[int]
) -> list[tuple[int, int]]:
    """Pair two runs of cells in order, from the end at which more of them are alike."""
    size = min(len(left_old), len(left_new))
    if not size:
        return []
    from_start = list(zip(left_old[:size], left_new[:size], strict=True))
    from_end = list(zip(left_old[-size:], left_new[-size:], strict=True))
    return max(from_start, from_end, key=lambda pairs: _likeness(old, new, pairs))


def _likeness(old: Cells, new: Cells, pairs: list[tuple[int, int]]) -> tuple[int, int]:
    equal = sum(old[o].source_hash == new[n].source_hash for o, n in pairs)
    same_type = sum(old[o].cell_type == new[n].cell_type for o, n in pairs)
    return equal, same_type
