"""Compare two texts by their lines, and two lines by their words and characters."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from nbvc.diffing import entries
from nbvc.diffing.likeness import common_end, common_start
from nbvc.diffing.matching import levels_of, match, match_equal
from nbvc.notebook.aligning import Gap, Matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nbvc.diffing.effort import Effort
    from nbvc.diffing.entries import Diff
    from nbvc.diffing.likeness import Likeness

SHORTEST_KEPT = 3
"""Fewest characters between two changes of a line that are shown as kept."""

MOST_IN_LINE, CHARACTERS_PER_CHANGE = 4, 8
"""More changes, and closer together, make it another line."""

MOST_IN_RUN = 4
"""Most changes within printed lines in a row that are shown one by one."""

_EQUAL = 2.0
"""A line that stays is worth two that are alike."""

_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")
_CHARACTERS_PER_STEP = 10


def diff_texts(a: str, b: str, likeness: Likeness, *, printed: bool = False) -> Diff:
    """Return what leads from one text to another: entries for lines, and in them for characters.

    Args:
        a: The old text.
        b: The new text.
        likeness: Tells which lines are alike, within an effort.
        printed: Whether a program wrote the texts; where many of its lines changed in a row, what
            changed within each is noise.
    """
    if a == b:
        return []
    old, new = a.splitlines(True), b.splitlines(True)
    matches = _match_lines(old, new, likeness)
    changes = {i: diff_lines(old[i], new[j], likeness.effort) for i, j in matches}
    kept = [(i, j) for i, j in matches if not _is_other(old[i], changes[i])]
    if printed:
        kept = [*_without_long_runs(kept, changes)]
    return diff_items(old, new, kept, lambda i, _: changes[i])


def _is_other(line: str, changes: Diff) -> bool:
    """Return whether so much changed all over a line that another line stands there now."""
    return len(changes) > MOST_IN_LINE and len(changes) * CHARACTERS_PER_CHANGE > len(line)


def _without_long_runs(matches: Matches, changes: Mapping[int, Diff]) -> Iterator[tuple[int, int]]:
    run: Matches = []
    for i, j in [*matches, (-1, -1)]:
        if run and not (run[-1] == (i - 1, j - 1) and changes[i]):
            if sum(len(changes[k]) for k, _ in run) <= MOST_IN_RUN:
                yield from run
            run = []
        if i >= 0 and changes[i]:
            run.append((i, j))
        elif i >= 0:
            yield i, j


def diff_items(
    old: Sequence[Any],
    new: Sequence[Any],
    matches: Matches,
    differ: Callable[[int, int], Diff],
) -> Diff:
    """Return what leads from one list to another; *matches* are patched.

    Args:
        old: The old list.
        new: The new list.
        matches: Indices of items that are the same, changed or not; both rise.
        differ: Says what leads from one item to another, by their indices.
    """
    found: Diff = []
    old_start = new_start = 0
    for i, j in [*matches, (len(old), len(new))]:
        if j > new_start:
            found.append(entries.add_range(old_start, list(new[new_start:j])))
        if i > old_start:
            found.append(entries.remove_range(old_start, i - old_start))
        if i < len(old) and (inner := differ(i, j)):
            found.append(entries.patch(i, inner))
        old_start, new_start = i + 1, j + 1
    return found


def _match_lines(old: list[str], new: list[str], likeness: Likeness) -> Matches:
    def score(i: int, j: int) -> float:
        x, y = old[i], new[j]
        return _EQUAL if x == y else likeness.share(x, y)

    return match(levels_of(old, new), Gap.whole(old, new), score, likeness.effort)


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
    if not effort.affords((len(a) + len(b)) // _CHARACTERS_PER_STEP):
        return whole
    old, new = _TOKENS.findall(a), _TOKENS.findall(b)
    matches = match_equal(old, new, effort)
    old_places, new_places = _places(old), _places(new)
    changes: list[tuple[int, int, int, int]] = []
    i0 = j0 = 0
    for i, j, length in _kept(matches, old_places, new_places):
        if length < SHORTEST_KEPT and i + length < len(a):
            continue
        if i > i0 or j > j0:
            changes.append(_trimmed(a, b, i0, i, j0, j))
        i0, j0 = i + length, j + length
    if i0 < len(a) or j0 < len(b):
        changes.append(_trimmed(a, b, i0, len(a), j0, len(b)))
    return changes


def _places(tokens: list[str]) -> list[int]:
    """Return where each token begins, and where the last one ends."""
    return [0, *accumulate(map(len, tokens))]


def _kept(
    matches: Matches, old_places: list[int], new_places: list[int]
) -> Iterator[tuple[int, int, int]]:
    """Yield where each run of matched tokens begins in both texts, and its length."""
    start = 0
    for stop in range(1, len(matches) + 1):
        i, j = matches[stop - 1]
        if stop < len(matches) and matches[stop] == (i + 1, j + 1):
            continue
        first_i, first_j = matches[start]
        yield old_places[first_i], new_places[first_j], old_places[i + 1] - old_places[first_i]
        start = stop


def _trimmed(a: str, b: str, i0: int, i1: int, j0: int, j1: int) -> tuple[int, int, int, int]:
    x, y = a[i0:i1], b[j0:j1]
    start = common_start(x, y)
    end = common_end(x, y, min(len(x), len(y)) - start)
    return i0 + start, i1 - end, j0 + start, j1 - end
