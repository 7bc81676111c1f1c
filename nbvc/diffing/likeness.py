"""Which texts are the same, only changed.

Two texts are alike where more than 70 % of their characters are common to both in the same order:
the length of the longest common subsequence, twice, over the length of both. The threshold is that
of nbdime, which counts the blocks that ``difflib`` finds; those are never more, and take the cube
of the length at worst.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from nbvc.values import dataclass

if TYPE_CHECKING:
    from nbvc.diffing.effort import Effort

ROUGHLY = 0.7
MAX_CHARACTER_PAIRS = 4_000_000
"""Two texts of 2,000 characters; longer ones are compared by their words, whatever their order."""

_TOKENS = re.compile(r"\w+|[^\w\s]|\s+")
_FEW_LETTERS = 100
_STEPS_BASE = 3
_CHARACTERS_PER_STEP = 8
_CHARACTER_PAIRS_PER_STEP = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """Compares texts within an effort; where none is left, only what is equal is alike.

    Attributes:
        effort: What may be spent.
    """

    effort: Effort
    _known: dict[tuple[str, str], float] = field(default_factory=dict, init=False)
    _letters: dict[str, Counter[str]] = field(default_factory=dict, init=False)
    _tokens: dict[str, Counter[str]] = field(default_factory=dict, init=False)

    def share(self, x: str, y: str) -> float:
        """Return how much of two texts is the same, from 0.7 to 1, or 0 where it is less."""
        if x == y:
            return 1.0
        shorter, together = min(len(x), len(y)), len(x) + len(y)
        if 2 * shorter <= ROUGHLY * together:
            return 0.0
        found = self._known.get((x, y))
        if found is None:
            found = self._known[x, y] = self._share(x, y, shorter, together)
        return found if found > ROUGHLY else 0.0

    def _share(self, x: str, y: str, shorter: int, together: int) -> float:
        if not self.effort.affords(_STEPS_BASE):
            return 0.0
        start = common_start(x, y)
        end = common_end(x, y, shorter - start)
        if 2 * (start + end) > ROUGHLY * together:
            return 2 * (start + end) / together
        if len(x) * len(y) > MAX_CHARACTER_PAIRS:
            return self._by_words(x, y)
        return self._by_characters(x, y)

    def _by_characters(self, x: str, y: str) -> float:
        together = len(x) + len(y)
        if together > _FEW_LETTERS:
            letters = self._counted_letters(x) & self._counted_letters(y)
            if 2 * letters.total() <= ROUGHLY * together:
                return 0.0
        pairs = len(x) * len(y)
        steps = together // _CHARACTERS_PER_STEP + pairs // _CHARACTER_PAIRS_PER_STEP
        if not self.effort.affords(steps):
            return 0.0
        return 2 * common_subsequence(x, y) / together

    def _by_words(self, x: str, y: str) -> float:
        if not self.effort.affords((len(x) + len(y)) // _CHARACTERS_PER_STEP):
            return 0.0
        common = self._counted_tokens(x) & self._counted_tokens(y)
        return 2 * sum(len(token) * count for token, count in common.items()) / (len(x) + len(y))

    def _counted_letters(self, text: str) -> Counter[str]:
        if text not in self._letters:
            self._letters[text] = Counter(text)
        return self._letters[text]

    def _counted_tokens(self, text: str) -> Counter[str]:
        if text not in self._tokens:
            self._tokens[text] = Counter(_TOKENS.findall(text))
        return self._tokens[text]


def common_start(x: str, y: str) -> int:
    """Return how many characters two texts have in common at their start."""
    low, high = 0, min(len(x), len(y))
    while low < high:  # halved each time: slices are compared at the speed of memory
        middle = (low + high + 1) // 2
        if x[low:middle] == y[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_end(x: str, y: str, most: int) -> int:
    """Return how many characters, at most *most*, two texts have in common at their end."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if x[len(x) - middle : len(x) - low] == y[len(y) - middle : len(y) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def common_subsequence(x: str, y: str) -> int:
    """Return the length of the longest common subsequence of two texts.

    A bit for each character of *x*, all of them changed at once for each of *y* (Hyyrö,
    "Bit-parallel LCS-length computation revisited", 2004).
    """
    places: dict[str, int] = {}
    for index, character in enumerate(x):
        places[character] = places.get(character, 0) | 1 << index
    every = rest = (1 << len(x)) - 1
    for character in y:
        found = rest & places.get(character, 0)
        if found:
            rest = ((rest + found) | (rest - found)) & every
    return len(x) - rest.bit_count()
