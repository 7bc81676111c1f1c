"""Find which cell of an old notebook became which cell of the new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbvc.diffing.effort import Effort
from nbvc.diffing.keys import key_of
from nbvc.diffing.likeness import ROUGHLY, Likeness
from nbvc.diffing.matching import best_path
from nbvc.notebook.aligning import Gap, Level, anchor, unique_pairs
from nbvc.notebook.pairing import Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from nbvc.notebook.aligning import Matches

    Cell = dict[str, Any]

ALWAYS_ALIKE = 10
"""Two sources that are both shorter are the same cell where they stand at the same place."""

_SAME_SOURCE = 1.1
"""Equal sources are worth more than alike ones; equal outputs add a little again."""

_SAME_OUTPUTS = 0.05


@dataclass(frozen=True, slots=True)
class _Side:
    """The keys by which the cells of one notebook are known."""

    cells: Sequence[Cell]
    types: list[str]
    sources: list[str]
    by_id: Sequence[bytes | None]
    by_content: Sequence[bytes]
    by_source: Sequence[Hashable]
    by_outputs: Sequence[Hashable]

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> _Side:
        types = [str(cell.get("cell_type")) for cell in cells]
        sources = [_text(cell.get("source")) for cell in cells]
        return cls(
            cells=cells,
            types=types,
            sources=sources,
            by_id=[key_of(cell["id"]) if cell.get("id") else None for cell in cells],
            by_content=[key_of({k: v for k, v in cell.items() if k != "id"}) for cell in cells],
            by_source=[*zip(types, sources, strict=True)],
            by_outputs=[key_of(cell.get("outputs")) for cell in cells],
        )

    @property
    def by_whole(self) -> Sequence[Hashable]:
        """Keys of the cells with their ids."""
        return [*zip(self.by_id, self.by_content, strict=True)]

    @property
    def rank(self) -> tuple[int, Sequence[bytes], Sequence[bytes]]:
        """Which of two notebooks comes first, whichever is the old one."""
        return len(self.cells), self.by_content, [key or b"" for key in self.by_id]


def align_cells(
    a: Sequence[Cell], b: Sequence[Cell], likeness: Likeness | None = None
) -> list[Pair]:
    """Pair the cells of two notebooks, in the order of the new one.

    Cells that stand in the same order are those that a diff patches; ``moved`` ones it removes and
    adds. The pairs are the same the other way round.

    Args:
        a: The cells of the old notebook.
        b: The cells of the new one.
        likeness: Tells which sources are alike, within an effort.
    """
    old, new = _Side.of(a), _Side.of(b)
    likeness = likeness or Likeness(effort=Effort())
    if new.rank < old.rank:
        # Of two equally good ways the first is taken. Comparing in one order, whichever is asked
        # for, finds the same pairs both ways.
        pairs = [
            Pair(old=pair.new, new=pair.old, moved=pair.moved)
            for pair in _pairs(new, old, likeness)
        ]
    else:
        pairs = _pairs(old, new, likeness)
    return sorted(pairs, key=lambda pair: pair.new)


def _pairs(old: _Side, new: _Side, likeness: Likeness) -> list[Pair]:
    whole = Gap.whole(old.cells, new.cells)
    levels = [
        Level(old=old.by_whole, new=new.by_whole),
        Level(old=old.by_id, new=new.by_id),
        Level(old=old.by_content, new=new.by_content),
        Level(old=old.by_source, new=new.by_source),
    ]
    kept = anchor(levels, whole)
    moved = _moved(old, new, kept)
    score = _scoring(old, new, moved, likeness)
    for gap in whole.between(kept):
        kept = kept + best_path(gap, score, likeness.effort)
    return [
        *(Pair(old=i, new=j, moved=False) for i, j in kept),
        *(Pair(old=i, new=j, moved=True) for i, j in moved),
    ]


def _scoring(
    old: _Side, new: _Side, moved: Matches, likeness: Likeness
) -> Callable[[int, int], float]:
    gone, come = {i for i, _ in moved}, {j for _, j in moved}

    def score(i: int, j: int) -> float:
        if old.types[i] != new.types[j] or i in gone or j in come:
            return 0.0
        x, y = old.sources[i], new.sources[j]
        if x == y:
            found = _SAME_SOURCE
        elif x and y and len(x) < ALWAYS_ALIKE and len(y) < ALWAYS_ALIKE:
            found = ROUGHLY
        else:
            found = likeness.share(x, y)
        return found + _SAME_OUTPUTS * (old.by_outputs[i] == new.by_outputs[j]) if found else 0.0

    return score


def _moved(old: _Side, new: _Side, kept: Matches) -> Matches:
    """Pair what is left of both by its id, its content or its source, where that is unique."""
    kept_old, kept_new = {i for i, _ in kept}, {j for _, j in kept}
    left_old = [i for i in range(len(old.cells)) if i not in kept_old]
    left_new = [j for j in range(len(new.cells)) if j not in kept_new]
    found: Matches = []
    for level in (
        Level(old=old.by_id, new=new.by_id),
        Level(old=_told(old, old.by_content), new=_told(new, new.by_content)),
        Level(old=_told(old, old.by_source), new=_told(new, new.by_source)),
    ):
        pairs = unique_pairs(level, left_old, left_new)
        found += pairs
        paired_old, paired_new = {i for i, _ in pairs}, {j for _, j in pairs}
        left_old = [i for i in left_old if i not in paired_old]
        left_new = [j for j in left_new if j not in paired_new]
    return found


def _told(side: _Side, keys: Sequence[Hashable]) -> list[Hashable]:
    """Return *keys* without those of cells that are too short to be told from others."""
    return [
        key if len(source) >= ALWAYS_ALIKE else None
        for key, source in zip(keys, side.sources, strict=True)
    ]


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(map(str, value))
    return value if isinstance(value, str) else repr(value)
