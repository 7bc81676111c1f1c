"""Compare two texts by their lines, and two lines by their words and characters."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from nbvc.diffing import entries
from nbvc.diffing.likeness import common_end, common_start
from nbvc.diffing.matching import match
from nbvc.notebook.aligning import Gap, Level, Matches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbvc.diffing.effort import Effort
    from nbvc.diffing.entries import Diff
    from nbvc.diffing.likeness import Likeness

MAX_TOKEN_PAIRS = 4_000
"""Most pairs of words that are compared within two lines; of longer ones the middle is replaced."""

SHORTEST_KEPT = 3
"""Fewest characters between two changes of a line that are shown as kept."""

_EQUAL = 2.0
"""A line that stays is worth two that are alike."""

_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")
_STEPS_PER_LINE = 10


def diff_texts(a: str, b: str, likeness: Likeness) -> Diff:
    """Return what leads from one text to another: entries for lines, and in them for characters."""
    if a == b:
        return []
    old, new = a.splitlines(True), b.splitlines(True)
    matches = _match_lines(old, new, likeness)
    return diff_items(old, new, matches, lambda x, y: diff_lines(x, y, likeness.effort))


def diff_items(
    old: Sequence[Any],
    new: Sequence[Any],
    matches: Matches,
    differ: Callable[[Any, Any], Diff],
) -> Diff:
    """Return what leads from one list to another; *matches* are patched by *differ*."""
    found: Diff = []
    old_start = new_start = 0
    for i, j in [*matches, (len(old), len(new))]:
        if j > new_start:
            found.append(entries.add_range(old_start, list(new[new_start:j])))
        if i > old_start:
            found.append(entries.remove_range(old_start, i - old_start))
        if i < len(old) and (inner := differ(old[i], new[j])):
            found.append(entries.patch(i, inner))
        old_start, new_start = i + 1, j + 1
    return found


def _match_lines(old: list[str], new: list[str], likeness: Likeness) -> Matches:
    def score(i: int, j: int) -> float:
        x, y = old[i], new[j]
        return _EQUAL if x == y else likeness.share(x, y)

    levels = (Level(old=old, new=new),)
    whole = Gap.whole(old, new)
    in_place = _in_place(old, new)
    found = [
        pair
        for gap in whole.between(in_place)
        for pair in match(levels, gap, score, likeness.effort)
    ]
    return sorted(in_place + found)


def _in_place(old: list[str], new: list[str]) -> Matches:
    """Match the lines that stand where they stood, where that is most of them."""
    if len(old) != len(new):
        return []
    same = [(i, i) for i, (x, y) in enumerate(zip(old, new, strict=True)) if x == y]
    return same if 2 * len(same) >= len(old) else []


def diff_lines(a: str, b: str, effort: Effort) -> Diff:
    """Return what leads from one line to another, in runs of characters."""
    if a == b:
        return []
    start = common_start(a, b)
    end = common_end(a, b, min(len(a), len(b)) - start)
    found: Diff = []
    for i0, i1, j0, j1 in _changes(a[start : len(a) - end], b[start : len(b) - end], effort):
        if j1 > j0:
            found.append(entries.add_range(start + i0, b[start + j0 : start + j1]))
        if i1 > i0:
            found.append(entries.remove_range(start + i0, i1 - i0))
    return found


def _changes(a: str, b: str, effort: Effort) -> list[tuple[int, int, int, int]]:
    """Return which stretches of two texts are replaced, word by word where that is affordable."""
    whole = [(0, len(a), 0, len(b))]
    if len(a) <= SHORTEST_KEPT or len(b) <= SHORTEST_KEPT:
        return whole
    old, new = _TOKENS.findall(a), _TOKENS.findall(b)
    pairs = len(old) * len(new)
    if pairs > MAX_TOKEN_PAIRS or not effort.affords(_STEPS_PER_LINE + pairs // 4):
        return whole
    changes: list[tuple[int, int, int, int]] = []
    i0 = j0 = i = j = 0
    x = y = 0
    for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        i += sum(map(len, old[x : block.a]))
        j += sum(map(len, new[y : block.b]))
        kept = sum(map(len, old[block.a : block.a + block.size]))
        x, y = block.a + block.size, block.b + block.size
        if kept < SHORTEST_KEPT and block.size:
            i, j = i + kept, j + kept
            continue
        if i > i0 or j > j0:
            changes.append(_trimmed(a, b, i0, i, j0, j))
        i, j = i + kept, j + kept
        i0, j0 = i, j
    return changes


def _trimmed(a: str, b: str, i0: int, i1: int, j0: int, j1: int) -> tuple[int, int, int, int]:
    x, y = a[i0:i1], b[j0:j1]
    start = common_start(x, y)
    end = common_end(x, y, min(len(x), len(y)) - start)
    return i0 + start, i1 - end, j0 + start, j1 - end
