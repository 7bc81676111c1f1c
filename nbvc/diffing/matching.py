"""Match the items of two lists in order: the equal ones, and those that are alike.

Equal items are found first, as anchors; between them each item is compared with each, and the best
way through is taken. In gaps that are too large for that, only items at about the same place are.
"""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from nbvc.notebook.aligning import Gap, Level, Matches, anchor, in_context

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from nbvc.diffing.effort import Effort

    Score = Callable[[int, int], float]
    """How alike an old and a new item are, by index; 0 where they are not the same item."""

MAX_PAIRS = 10_000
"""Most pairs of one gap that are compared, unless each item has fewer than ``MIN_BAND``."""

CONTEXT = 6
"""How many items in a row are looked for where single ones are not unique."""

MIN_BAND = 8
"""Fewest items with which each item of a large gap is compared."""

MAX_EQUAL_PAIRS = 250_000
"""Most pairs of two lists within which ``difflib`` looks for the longest runs in common."""

_CANDIDATES_PER_STEP = 40
_LEFT, _UP, _PAIR = range(3)


def match(levels: Sequence[Level], gap: Gap, score: Score, effort: Effort) -> Matches:
    """Return the indices of items that are the same, or alike by *score*; both rise.

    Args:
        levels: Keys by which items are equal, strictest first.
        gap: What to match of the lists.
        score: Asked only within gaps between equal items.
        effort: What may be spent; one step for each pair that is looked at.
    """
    anchors = anchor(levels, gap)
    found = [pair for part in gap.between(anchors) for pair in best_path(part, score, effort)]
    return sorted(anchors + found)


def match_equal(old: Sequence[Hashable], new: Sequence[Hashable], effort: Effort) -> Matches:
    """Return the indices of equal items, in runs as long as possible; both rise.

    What is too much for ``difflib`` is matched by its place, or by what is unique on both sides.
    """
    if len(old) * len(new) <= MAX_EQUAL_PAIRS and effort.affords(_difflib_steps(old, new)):
        blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
        return [(i + step, j + step) for i, j, size in blocks for step in range(size)]
    return _in_place(old, new) or anchor(levels_of(old, new), Gap.whole(old, new))


def _in_place(old: Sequence[Hashable], new: Sequence[Hashable]) -> Matches:
    """Match the items that stand where they stood, where that is most of them; else none."""
    if len(old) != len(new):
        return []
    same = [(i, i) for i, (x, y) in enumerate(zip(old, new, strict=True)) if x == y]
    return same if 2 * len(same) >= len(old) else []


def levels_of(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Level]:
    """Return the ways to tell that items are the same: by themselves, or with those after them."""
    return [
        Level(old=old, new=new),
        Level(old=in_context(old, CONTEXT), new=in_context(new, CONTEXT)),
    ]


def _difflib_steps(old: Sequence[Hashable], new: Sequence[Hashable]) -> int:
    """Return what ``difflib`` costs at the most: each run found looks at all equal pairs anew."""
    counts = Counter(new)
    candidates = sum(counts[item] for item in old)
    return (len(old) + len(new)) // 2 + candidates * min(len(old), len(new)) // _CANDIDATES_PER_STEP


def best_path(gap: Gap, score: Score, effort: Effort) -> Matches:
    """Return the matches, in order, with the highest sum of scores."""
    width = max(MAX_PAIRS // gap.rows, MIN_BAND)
    if not effort.affords(gap.rows * min(width, gap.columns)):
        return []
    starts = [_band_start(row, gap, width) for row in range(gap.rows)]
    choices = _choices(gap, starts, width, score)
    return _traced(gap, starts, choices)


def _band_start(row: int, gap: Gap, width: int) -> int:
    """Return the first column that a row is compared with, about its own place among all."""
    centre = row * gap.columns // gap.rows
    return max(0, min(centre - width // 2, gap.columns - width))


def _choices(gap: Gap, starts: list[int], width: int, score: Score) -> list[bytearray]:
    """Return, for each row and each count of columns from its start, how the best path ends."""
    size = min(width, gap.columns)
    choices: list[bytearray] = []
    before, before_start = [0.0] * (size + 1), 0
    for row, start in enumerate(starts):
        shift = start - before_start
        above = before[shift:] + before[-1:] * shift if shift else before
        best = above[0]
        values, chosen = [best], bytearray([_UP])
        old = gap.old_start + row
        for step in range(size):
            choice = _LEFT
            if above[step + 1] > best:
                best, choice = above[step + 1], _UP
            likeness = score(old, gap.new_start + start + step)
            if likeness and above[step] + likeness >= best:
                best, choice = above[step] + likeness, _PAIR
            values.append(best)
            chosen.append(choice)
        choices.append(chosen)
        before, before_start = values, start
    return choices


def _traced(gap: Gap, starts: list[int], choices: list[bytearray]) -> Matches:
    found: Matches = []
    row, column = gap.rows - 1, gap.columns
    while row >= 0 and column > 0:
        chosen = choices[row]
        column = min(column, starts[row] + len(chosen) - 1)
        choice = chosen[column - starts[row]]
        if choice == _PAIR:
            found.append((gap.old_start + row, gap.new_start + column - 1))
        if choice != _LEFT:
            row -= 1
        if choice != _UP:
            column -= 1
    return found[::-1]
