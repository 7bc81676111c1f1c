"""Find what two lists have in common, in order, without comparing each with each.

What stands at both ends is common, and what each list holds once; between two such anchors the
search goes on, where more is unique. Linear but for one sort, so that thousands of items that all
changed cost milliseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Self

from nbvc.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

MAX_ROUNDS = 8
"""How often the search goes on between anchors that were found; each round is linear."""

Matches = list[tuple[int, int]]
"""Indices in the old and in the new list; both rise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One way to tell that two items are the same: equal keys. ``None`` is the same as nothing.

    Attributes:
        old: The key of each item of the old list.
        new: The key of each item of the new list.
    """

    old: Sequence[Hashable]
    new: Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of both lists, as half-open ranges of indices."""

    old_start: int
    old_stop: int
    new_start: int
    new_stop: int

    @property
    def rows(self) -> int:
        """How many items of the old list lie in it."""
        return self.old_stop - self.old_start

    @property
    def columns(self) -> int:
        """How many items of the new list lie in it."""
        return self.new_stop - self.new_start

    @classmethod
    def whole(cls, old: Sequence[object], new: Sequence[object]) -> Self:
        """Return the gap that is both lists."""
        return cls(0, len(old), 0, len(new))

    def outside(self, matches: Matches) -> tuple[list[int], list[int]]:
        """Return the indices in this gap that are in none of *matches*."""
        matched_old, matched_new = {old for old, _ in matches}, {new for _, new in matches}
        return (
            [old for old in range(self.old_start, self.old_stop) if old not in matched_old],
            [new for new in range(self.new_start, self.new_stop) if new not in matched_new],
        )

    def between(self, matches: Iterable[tuple[int, int]]) -> Iterator[Gap]:
        """Yield what *matches* leave of this gap where something is left of both lists."""
        old_start, new_start = self.old_start, self.new_start
        for old, new in matches:
            if old > old_start and new > new_start:
                yield Gap(old_start, old, new_start, new)
            old_start, new_start = old + 1, new + 1
        if self.old_stop > old_start and self.new_stop > new_start:
            yield Gap(old_start, self.old_stop, new_start, self.new_stop)


def anchor(levels: Sequence[Level], gap: Gap) -> Matches:
    """Match the items of a gap that are equal at both its ends, or unique on both sides.

    The first of *levels* is tried first, and again in what lies between the matches.
    """
    matches: Matches = []
    gaps = [gap]
    for _ in range(MAX_ROUNDS):
        found = [pair for part in gaps for pair in _anchor_once(levels, part)]
        if not found:
            break
        matches = sorted(matches + found)
        gaps = list(gap.between(matches))
    return matches


def _anchor_once(levels: Sequence[Level], gap: Gap) -> Matches:
    ends = match_ends(levels[0], gap)
    for part in gap.between(ends) if ends else (gap,):
        for level in levels:
            unique = unique_pairs(
                level,
                range(part.old_start, part.old_stop),
                range(part.new_start, part.new_stop),
            )
            if unique:
                return ends + longest_increasing(unique)
    return ends


def match_ends(level: Level, gap: Gap) -> Matches:
    """Match the items that are equal at the start and at the end of a gap."""
    shorter = min(gap.rows, gap.columns)
    old, new = level.old, level.new
    start = 0
    while start < shorter and _same(old[gap.old_start + start], new[gap.new_start + start]):
        start += 1
    end = 0
    while end < shorter - start and _same(old[gap.old_stop - 1 - end], new[gap.new_stop - 1 - end]):
        end += 1
    return [
        *((gap.old_start + step, gap.new_start + step) for step in range(start)),
        *((gap.old_stop - step, gap.new_stop - step) for step in range(end, 0, -1)),
    ]


def _same(old: Hashable, new: Hashable) -> bool:
    return old is not None and old == new


def unique_pairs(level: Level, old_indices: Iterable[int], new_indices: Iterable[int]) -> Matches:
    """Pair the items whose key is unique among both, in the order of the old list."""
    old_by_key = _unique(level.old, old_indices)
    new_by_key = _unique(level.new, new_indices)
    return [(old_by_key[key], new_by_key[key]) for key in old_by_key if key in new_by_key]


def _unique(keys: Sequence[Hashable], indices: Iterable[int]) -> dict[Hashable, int]:
    among = list(indices)
    counts = Counter(keys[index] for index in among)
    return {key: index for index in among if (key := keys[index]) is not None and counts[key] == 1}


def in_context(keys: Sequence[Hashable], size: int) -> Sequence[Hashable]:
    """Return for each item a key of it and those after it, *size* in all; ``None`` near the end.

    What is not unique by itself may be so in its context.
    """
    return [*zip(*(keys[start:] for start in range(size)), strict=False), *[None] * (size - 1)][
        : len(keys)
    ]


def longest_increasing(pairs: Matches) -> Matches:
    """Return the most of *pairs*, sorted by old index, whose new indices rise too."""
    tails: list[int] = []
    tail_positions: list[int] = []
    previous: list[int | None] = []
    for position, (_, new_index) in enumerate(pairs):
        length = bisect_left(tails, new_index)
        previous.append(tail_positions[length - 1] if length else None)
        tails[length : length + 1] = [new_index]
        tail_positions[length : length + 1] = [position]
    kept: Matches = []
    at = tail_positions[-1] if tail_positions else None
    while at is not None:
        kept.append(pairs[at])
        at = previous[at]
    return kept[::-1]
