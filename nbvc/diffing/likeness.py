"""Which texts, outputs and cells are the same, only changed.

The rules and thresholds are those of nbdime (``nbdime.diffing.notebooks``). Texts too long to be
compared character by character are compared by their words, which takes time in proportion.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from nbdime.diffing import notebooks as rules
from nbdime.diffing.snakes import compute_snakes_multilevel

from nbvc.diffing.effort import Effort
from nbvc.diffing.loading import Notebook

ROUGHLY, CLOSELY = 0.7, 0.95
MAX_CHARACTER_PAIRS = 40_000
"""Two texts of 200 characters. The time grows with the square, or in the worst case the cube."""

_ALWAYS_ALIKE = 10
_LONGEST_STREAM = 1_000
_LONGEST_TEXT = 10_000
_STEPS_BASE = 25
_CHARACTER_PAIRS_PER_STEP = 5
_CHARACTERS_PER_STEP = 20
_IGNORED = frozenset({"output_type", "metadata", "execution_count"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """Compares within an effort; where none is left, only what is equal is alike.

    What was once found stays so: nbdime asks again to be sure.

    Attributes:
        effort: What may be spent.
    """

    effort: Effort
    _known: dict[tuple[str, str, float], bool] = field(default_factory=dict, init=False)
    _grids: dict[tuple[int, int], bool] = field(default_factory=dict, init=False)
    _words: dict[str, Counter[str]] = field(default_factory=dict, init=False)

    def texts(self, x: str, y: str, threshold: float = ROUGHLY, longest: int | None = None) -> bool:
        """Return whether so much of two texts is the same.

        Args:
            x: A text.
            y: Another.
            threshold: Share that must be the same, from 0 to 1.
            longest: Two texts that are both longer are alike only where they are equal.
        """
        if x == y:
            return True
        shorter, together = min(len(x), len(y)), len(x) + len(y)
        if not shorter or 2 * shorter < threshold * together:
            return False
        if longest is not None and shorter > longest:
            return False
        found = self._known.get((x, y, threshold))
        if found is None:
            short = len(x) * len(y) <= MAX_CHARACTER_PAIRS
            found = (self._by_characters if short else self._by_words)(x, y, threshold)
            self._known[x, y, threshold] = found
        return found

    def lines(self, x: str, y: str) -> bool:
        """Return whether two lines are the same line, changed."""
        return self.texts(x, y)

    def cells(self, x: Notebook, y: Notebook) -> bool:
        """Return whether two cells have roughly the same source."""
        return bool(x["cell_type"] == y["cell_type"]) and self._short_texts(
            x["source"], y["source"]
        )

    def cells_and_outputs(self, x: Notebook, y: Notebook) -> bool:
        """Return whether two cells have roughly the same source and outputs."""
        if not self.cells(x, y):
            return False
        if x["cell_type"] != "code":
            return True
        old, new = x["outputs"], y["outputs"]
        if len(old) != len(new):
            return False
        if old == new:
            return True
        if not self._grids.setdefault((id(x), id(y)), self.effort.affords_grid(len(old), len(new))):
            return False
        snakes = compute_snakes_multilevel(old, new, [self.outputs, self.close_outputs])
        return bool(sum(length for _, _, length in snakes) == len(old))

    def close_cells(self, x: Notebook, y: Notebook) -> bool:
        """Return whether two cells have closely the same source and outputs."""
        if x["cell_type"] != y["cell_type"] or not self.texts(x["source"], y["source"], CLOSELY):
            return False
        if x["cell_type"] != "code":
            return True
        old, new = x["outputs"], y["outputs"]
        return len(old) == len(new) and all(map(self.close_outputs, old, new))

    def outputs(self, x: Notebook, y: Notebook) -> bool:
        """Return whether two outputs are roughly the same, metadata and counts aside."""
        if x["output_type"] != y["output_type"] or x.keys() != y.keys():
            return False
        compared = set(_IGNORED)
        if x["output_type"] == "stream":
            compared |= {"name", "text"}
            if x["name"] != y["name"] or not self.texts(
                x["text"], y["text"], longest=_LONGEST_STREAM
            ):
                return False
        elif x["output_type"] == "error":
            compared.add("traceback")
            old, new = x["traceback"], y["traceback"]
            if len(old) != len(new) or not all(map(self.texts, old, new)):
                return False
        elif "data" in x:
            compared.add("data")
            if not self._bundles(x["data"], y["data"], ROUGHLY):
                return False
        return all(x[key] == y[key] for key in x.keys() - compared)

    def close_outputs(self, x: Notebook, y: Notebook) -> bool:
        """Return whether two outputs are closely the same."""
        if x.keys() != y.keys() or any(x[key] != y[key] for key in x.keys() - {"data"}):
            return False
        return "data" not in x or self._bundles(x["data"], y["data"], CLOSELY)

    def _by_characters(self, x: str, y: str, threshold: float) -> bool:
        steps = _STEPS_BASE + len(x) * len(y) // _CHARACTER_PAIRS_PER_STEP
        if not self.effort.affords(steps):
            return False
        matcher = SequenceMatcher(None, x, y, autojunk=False)
        return matcher.quick_ratio() >= threshold and matcher.ratio() > threshold

    def _by_words(self, x: str, y: str, threshold: float) -> bool:
        if not self.effort.affords(_STEPS_BASE + (len(x) + len(y)) // _CHARACTERS_PER_STEP):
            return False
        old, new = self._counted(x), self._counted(y)
        together = old.total() + new.total()
        return together > 0 and 2 * (old & new).total() > threshold * together

    def _counted(self, text: str) -> Counter[str]:
        if text not in self._words:
            self._words[text] = Counter(text.split())
        return self._words[text]

    def _short_texts(self, x: str, y: str, longest: int | None = None) -> bool:
        if bool(x) == bool(y) and len(x) < _ALWAYS_ALIKE and len(y) < _ALWAYS_ALIKE:
            return True
        return self.texts(x, y, longest=longest)

    def _bundles(self, x: Any, y: Any, threshold: float) -> bool:  # noqa: ANN401
        if not (isinstance(x, dict) and isinstance(y, dict)):
            return bool(x == y)
        return x.keys() == y.keys() and all(
            self._representations(mime.lower(), x[mime], y[mime], threshold) for mime in x
        )

    def _representations(self, mime: str, x: object, y: object, threshold: float) -> bool:
        if x == y:
            return True
        if not (isinstance(x, str) and isinstance(y, str)):
            return False
        if mime == "text/plain" and "\n" not in x + y:  # objects, each at another address
            if rules.re_pointer.split(x) == rules.re_pointer.split(y):
                return True
        elif not mime.startswith("text/") and (
            min(len(x), len(y)) > _LONGEST_TEXT or rules._is_base64(x)
        ):
            return False
        if threshold == ROUGHLY:
            return self._short_texts(x, y, _LONGEST_TEXT)
        return self.texts(x, y, threshold, _LONGEST_TEXT)
