"""Sets of numbers as runs, each from its first to its last: small, whatever the numbers.

The work never grows with the numbers in them, which a hostile file may name.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Runs = tuple[tuple[int, int], ...]
"""Numbers as runs, each from its first to its last."""


def merged(runs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield *runs*, each from first to last, as few as possible, lowest first."""
    start: int | None = None
    end = 0
    for first, last in sorted(runs):
        if start is None or first > end + 1:
            if start is not None:
                yield start, end
            start, end = first, last
        end = max(end, last)
    if start is not None:
        yield start, end


def subtract(
    runs: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the runs of the numbers that are in *runs* and in none of *others*, lowest first."""
    taken = list(merged(others))
    for start, last in merged(runs):
        first = start
        for other_first, other_last in taken:
            if other_last < first:
                continue
            if other_first > last:
                break
            if other_first > first:
                yield first, other_first - 1
            first = other_last + 1
        if first <= last:
            yield first, last


def within(runs: Iterable[tuple[int, int]], lowest: int, highest: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of the numbers that are in *runs*, and neither too low nor too high."""
    for first, last in runs:
        if first <= highest and last >= lowest:
            yield max(first, lowest), min(last, highest)


def runs_of(numbers: Iterable[int]) -> Runs:
    """Return *numbers* as runs, as few as possible, lowest first."""
    return tuple(merged((number, number) for number in numbers))


def count(runs: Iterable[tuple[int, int]]) -> int:
    """Return how many numbers are in *runs*, none of which overlap."""
    return sum(last - first + 1 for first, last in runs)


class Numbers:
    """The numbers in any of *runs*; to be asked often: each question takes a logarithm."""

    def __init__(self, runs: Iterable[tuple[int, int]]) -> None:
        self._runs = list(merged(runs))

    def __contains__(self, number: int | None) -> bool:
        """Return whether *number* is one of them; ``None`` never is."""
        if number is None:
            return False
        at = bisect_right(self._runs, number, key=lambda run: run[0])
        return at > 0 and number <= self._runs[at - 1][1]
