"""How much work one comparison may be.

nbdime compares every cell, output and line of one notebook with every one of the other, character
by character. For two lists of a thousand that is hours, and a notebook can come from a stranger. So
each comparison has an effort to spend; what it cannot afford is compared more coarsely.
"""

from __future__ import annotations

MAX_STEPS = 5_000_000
"""Effort of one comparison of two notebooks; a step is about a microsecond."""

MAX_PAIRS = 250_000
"""Most pairs that are compared each with each at once; nbdime keeps some words for each."""


class Effort:
    """What is left to spend. Counted, not timed, so that equal notebooks give equal diffs."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    def affords(self, steps: int) -> bool:
        """Spend *steps*, or return False where they are not left."""
        if steps > self._left:
            return False
        self._left -= steps
        return True

    def affords_grid(self, rows: int, columns: int) -> bool:
        """Spend what comparing each of *rows* with each of *columns* takes by itself."""
        pairs = rows * columns
        return pairs <= MAX_PAIRS and self.affords(pairs)
