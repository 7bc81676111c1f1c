"""Find which cell of an old notebook became which cell of the new one."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from nbvc.diffing.effort import Effort
from nbvc.diffing.keys import key_of
from nbvc.diffing.likeness import ROUGHLY, Likeness
from nbvc.diffing.matching import MAX_PAIRS, best_path
from nbvc.notebook.aligning import Gap, Level, anchor, longest_increasing, unique_pairs
from nbvc.notebook.pairing import Pair
from nbvc.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from nbvc.notebook.aligning import Matches

    Cell = dict[str, Any]

ALWAYS_ALIKE = 10
"""Two sources that are both shorter are the same cell where they stand at the same place."""

_SAME_SOURCE = 1.1
"""Equal sources are worth more than alike ones; equal outputs add a little again."""

_SAME_OUTPUTS = 0.05
_WORDS = re.compile(r"\w{3,}")


@dataclass(frozen=True, slots=True)
class _Side:
    """The keys by which the cells of one notebook are known."""

    cells: Sequence[Cell]
    types: list[str]
    sources: list[str]
    by_id: Sequence[bytes | None]
    by_content: Sequence[bytes]
    by_source: Sequence[Hashable]

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
    by_content = Level(old=old.by_content, new=new.by_content)
    by_source = Level(old=old.by_source, new=new.by_source)
    by_id = Level(old=old.by_id, new=new.by_id)
    by_whole = Level(old=old.by_whole, new=new.by_whole)
    levels = [by_content, by_source]
    if _ids_follow_cells(old, new):
        levels = [by_whole, by_id, *levels]
    anchors = anchor(levels, whole)
    moved = _moved(old, new, levels, anchors)
    score = _scoring(old, new, moved, likeness)
    kept = list(anchors)
    for gap in whole.between(anchors):
        likely: Matches = []
        if gap.rows * gap.columns > MAX_PAIRS:
            likely = longest_increasing(_alike(old, new, gap.outside(moved), likeness))
        kept += likely
        for part in gap.between(likely):
            kept += best_path(part, score, likeness.effort)
    moved += _alike(old, new, whole.outside(kept + moved), likeness)
    return [
        *(Pair(old=i, new=j, moved=False) for i, j in kept),
        *(Pair(old=i, new=j, moved=True) for i, j in moved),
    ]


def _ids_follow_cells(old: _Side, new: _Side) -> bool:
    """Return whether a cell keeps its id; some tools number the cells anew at each save."""
    known_old, known_new = set(old.by_id), set(new.by_id)
    kept = renamed = 0
    by_source = Level(old=old.by_source, new=new.by_source)
    for i, j in unique_pairs(by_source, range(len(old.cells)), range(len(new.cells))):
        x, y = old.by_id[i], new.by_id[j]
        if x is not None and y is not None:
            kept += x == y
            renamed += x != y and (x in known_new or y in known_old)
    return kept >= renamed


def _scoring(
    old: _Side, new: _Side, moved: Matches, likeness: Likeness
) -> Callable[[int, int], float]:
    moved_old, moved_new = {i for i, _ in moved}, {j for _, j in moved}

    def score(i: int, j: int) -> float:
        if old.types[i] != new.types[j] or i in moved_old or j in moved_new:
            return 0.0
        x, y = old.sources[i], new.sources[j]
        if x == y:
            found = _SAME_SOURCE
        elif x and y and len(x) < ALWAYS_ALIKE and len(y) < ALWAYS_ALIKE:
            found = ROUGHLY
        else:
            found = likeness.share(x, y)
        if found and old.cells[i].get("outputs") == new.cells[j].get("outputs"):
            found += _SAME_OUTPUTS
        return found

    return score


def _moved(old: _Side, new: _Side, levels: Sequence[Level], kept: Matches) -> Matches:
    """Pair what is left of both where it is unique, though it stands elsewhere."""
    whole = Gap.whole(old.cells, new.cells)
    found: Matches = []
    for level in levels:
        left_old, left_new = whole.outside(kept + found)
        # A short source says nothing about where its cell comes from; an id does.
        if level.old is not old.by_id:
            left_old = [i for i in left_old if len(old.sources[i]) >= ALWAYS_ALIKE]
            left_new = [j for j in left_new if len(new.sources[j]) >= ALWAYS_ALIKE]
        found += unique_pairs(level, left_old, left_new)
    return found


def _alike(
    old: _Side, new: _Side, left: tuple[list[int], list[int]], likeness: Likeness
) -> Matches:
    """Pair cells that are alike, wherever they stand, by lines and words that only they have."""
    old_owners, new_owners = _owners(old, left[0]), _owners(new, left[1])
    votes: Counter[tuple[int, int]] = Counter()
    for part, i in old_owners.items():
        j = new_owners.get(part)
        if i is not None and j is not None and old.types[i] == new.types[j]:
            votes[i, j] += len(part)
    found: Matches = []
    taken_old, taken_new = set[int](), set[int]()
    for i, j in sorted(votes, key=lambda pair: (-votes[pair], pair)):
        if i in taken_old or j in taken_new:
            continue
        if likeness.share(old.sources[i], new.sources[j]):
            found.append((i, j))
            taken_old.add(i)
            taken_new.add(j)
    return sorted(found)


def _owners(side: _Side, indices: Iterable[int]) -> dict[str, int | None]:
    """Return in which cell each line and word is; ``None`` where it is in several."""
    owners: dict[str, int | None] = {}
    for index in indices:
        source = side.sources[index]
        if len(source) < ALWAYS_ALIKE:
            continue
        for part in {*source.splitlines(), *_WORDS.findall(source)}:
            owners[part] = None if part in owners else index
    return owners


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(map(str, value))
    return value if isinstance(value, str) else repr(value)
