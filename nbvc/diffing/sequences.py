"""Compare two lists, or the lines of two texts, as nbdime does, within an effort.

What is too much to be compared each with each is split at what both have once, and only what lies
in between is compared; what is still too much counts as taken out and put in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from operator import eq
from typing import Any

from nbdime.diff_format import SequenceDiffBuilder
from nbdime.diffing.config import DiffConfig
from nbdime.diffing.generic import diff as diff_values
from nbdime.diffing.seq_difflib import diff_sequence_difflib
from nbdime.diffing.snakes import compute_diff_from_snakes, compute_snakes_multilevel

from nbvc.diffing.effort import Effort
from nbvc.diffing.likeness import MAX_CHARACTER_PAIRS, Likeness
from nbvc.diffing.loading import Notebook
from nbvc.notebook.pairing import pair_equal

Diff = list[Any]
Snake = tuple[int, int, int]
"""Where a run of items begins in the old and in the new list, and its length."""


class OneRule(dict[str, Any]):
    """The same rule for every path, unless another is given for one.

    Unlike nbdime's own mapping it does not grow when asked: nbdime takes a path that was asked for
    once as a list to be a list always, and fails on ``{"x": []}`` beside ``{"x": {}}``.
    """

    def __init__(self, rule: object, others: dict[str, Any] | None = None) -> None:
        super().__init__(others or {})
        self._rule = rule

    def __missing__(self, path: str) -> object:
        return self._rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequences:
    """Differs for lists and texts; each has the signature of nbdime's own.

    Attributes:
        effort: What may be spent.
        likeness: Which items are the same, changed.
    """

    effort: Effort
    likeness: Likeness

    def values(self, a: Any, b: Any, path: str = "", config: Any = None) -> Diff:  # noqa: ANN401
        """Compare two values of JSON of the same type."""
        if a == b:
            return []
        if isinstance(a, str) and isinstance(b, str):
            return self.texts(a, b)
        if isinstance(a, list) and isinstance(b, list):
            return self.lists(a, b, path, config)
        found: Diff = diff_values(a, b, path=path, config=config)
        return found

    def lists(self, a: Any, b: Any, path: str = "", config: Any = None) -> Diff:  # noqa: ANN401
        """Compare two lists by the rules that *config* has for *path*."""
        return self._items(a, b, _canonical, path, config)

    def cells(self, a: Any, b: Any, path: str = "", config: Any = None) -> Diff:  # noqa: ANN401
        """Compare two lists of cells; of many, those with the same id or source are the same."""
        return self._items(a, b, _id_or_source, path, config)

    def texts(self, a: str, b: str, path: str = "", config: object = None) -> Diff:  # noqa: ARG002
        """Compare two texts by their lines."""
        if a == b:
            return []
        config = DiffConfig(
            predicates=OneRule([self.likeness.lines, eq]), differs=OneRule(self._characters)
        )
        return self._items(a.splitlines(True), b.splitlines(True), str, "", config)

    def plain(self, a: object, b: object) -> Diff:
        """Compare two values for which no path has a rule of its own."""
        config = DiffConfig(predicates=OneRule([eq]), differs=OneRule(self.values))
        return self.values(a, b, "", config)

    def _items(
        self,
        a: Sequence[Any],
        b: Sequence[Any],
        key: Callable[[Any], Hashable],
        path: str,
        config: Any,  # noqa: ANN401
    ) -> Diff:
        compares = config.predicates[path or "/"]
        snakes = list(_joined(self._snakes(a, b, key, compares)))
        found: Diff = compute_diff_from_snakes(a, b, snakes, path=path, config=config)
        return found

    def _snakes(
        self,
        a: Sequence[Any],
        b: Sequence[Any],
        key: Callable[[Any], Hashable],
        compares: list[Callable[[Any, Any], bool]],
    ) -> Iterator[Snake]:
        if self.effort.affords_grid(len(a), len(b)):
            yield from compute_snakes_multilevel(a, b, compares)
            return
        before = (0, 0)
        for i, j in [*pair_equal([*map(key, a)], [*map(key, b)]), (len(a), len(b))]:
            rows, columns = i - before[0], j - before[1]
            if rows and columns and self.effort.affords_grid(rows, columns):
                yield from compute_snakes_multilevel(a, b, compares, rect=(*before, i, j))
            if i < len(a):
                yield i, j, 1
            before = (i + 1, j + 1)

    def _characters(self, a: str, b: str, path: str = "", config: object = None) -> Diff:  # noqa: ARG002
        """Compare two lines; of long ones, what is between their common ends is replaced."""
        if a == b:
            return []
        if len(a) * len(b) <= MAX_CHARACTER_PAIRS:
            found: Diff = diff_sequence_difflib(a, b)
            return found
        start = sum(1 for _ in takewhile(bool, map(eq, a, b)))
        rest = min(len(a), len(b)) - start
        tails = map(eq, islice(reversed(a), rest), reversed(b))
        end = sum(1 for _ in takewhile(bool, tails))
        builder = SequenceDiffBuilder()
        if len(a) - end > start:
            builder.removerange(start, len(a) - end - start)
        if len(b) - end > start:
            builder.addrange(start, b[start : len(b) - end])
        return list(builder.validated())


def _joined(snakes: Iterator[Snake]) -> Iterator[Snake]:
    """Yield *snakes* with those that touch made one."""
    last: Snake | None = None
    for i, j, length in snakes:
        if last is not None and (last[0] + last[2], last[1] + last[2]) == (i, j):
            last = (last[0], last[1], last[2] + length)
            continue
        if last is not None:
            yield last
        last = (i, j, length)
    if last is not None:
        yield last


def _id_or_source(cell: Notebook) -> Hashable:
    return json.dumps(cell.get("id") or [cell["cell_type"], cell["source"]])


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True)
