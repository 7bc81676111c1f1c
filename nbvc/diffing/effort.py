"""How much work one comparison may be.

Which items of two lists are alike is found by comparing each with each, character by character. For
two lists of a thousand that is hours, and a notebook can come from a stranger. So each comparison
has an effort to spend; what it cannot afford is compared more coarsely.
"""

from __future__ import annotations

MAX_STEPS = 400_000
"""Effort of one comparison of two notebooks; a step is about a microsecond."""


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
