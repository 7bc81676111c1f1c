"""Two sources as hunks: what was taken out, what was put in, and a few lines around.

Which line became which is what the diff says. Everything is bounded, and made safe to print.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Literal

from nbvc.diffing.view import Hunk, Line
from nbvc.diffing.words import Marks, marks_between, marks_of
from nbvc.notebook.aligning import Gap, Level, Matches, match_ends
from nbvc.text import printable
from nbvc.values import dataclass

CONTEXT_LINES = 3
"""Lines that are the same, shown before and after what changed."""

MAX_LINE = 2_000
"""Longest piece of a line that is shown, in characters; a paragraph is often one line."""

MAX_LINES = 1_000
"""Most lines that are shown of one cell."""

MAX_LINES_IN_ALL = 20_000
"""Most lines that are shown of one diff."""

MAX_CHARACTERS_IN_ALL = 4_000_000
"""Most characters that are shown of one diff, but for the line that fills them up."""

_BEFORE_A_MARK = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChange:
    """What changed in a source.

    Attributes:
        hunks: What is shown of it.
        added: Lines that were put in, shown or not.
        removed: Lines that were taken out.
        cut: How many of them are not shown.
    """

    hunks: tuple[Hunk, ...] = ()
    added: int = 0
    removed: int = 0
    cut: int = 0


@dataclasses.dataclass(slots=True, kw_only=True)
class Room:
    """How much one view may still show."""

    lines: int = MAX_LINES_IN_ALL
    characters: int = MAX_CHARACTERS_IN_ALL

    def hunks(self, lines: Iterable[tuple[int, Line]]) -> tuple[Hunk, ...]:
        """Return the hunks of one cell, as far as there is room for them.

        Args:
            lines: Each with the number of the first line of its hunk.
        """
        grouped = groupby(self._admitted(lines), key=itemgetter(0))
        return tuple(
            Hunk(start=start, lines=tuple(line for _, line in group)) for start, group in grouped
        )

    def _admitted(self, lines: Iterable[tuple[int, Line]]) -> Iterator[tuple[int, Line]]:
        for start, line in islice(lines, MAX_LINES):
            if self.lines <= 0 or self.characters <= 0:
                return
            self.lines -= 1
            self.characters -= sum(map(len, line.parts))
            yield start, line


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Lines of both sources that are not the same.

    Attributes:
        old: Indices in the old source.
        new: Indices in the new one.
        pairs: Which became which, and the diff between the two, where known.
    """

    old: range
    new: range
    pairs: dict[int, _Pair] = field(default_factory=dict)


_Pair = tuple[int, Sequence[Any] | None]


def change_source(old: str, new: str, entries: Sequence[Any] | None, room: Room) -> SourceChange:
    """Return what changed between two sources.

    Args:
        old: A source.
        new: Another.
        entries: What leads from one to the other, line by line, in nbdime's format, where known.
        room: What may be shown; what is shown is taken from it.
    """
    old_lines, new_lines = old.splitlines(), new.splitlines()
    blocks = None if entries is None else _blocks_of(entries, len(old_lines), len(new_lines))
    if blocks is None:
        blocks = [_block((0, 0), len(old_lines), len(new_lines), {})]
    lines = Level(old=old_lines, new=new_lines)
    shown = [part for block in blocks for part in _without_equal(block, lines)]
    added = sum(len(block.new) for block in shown)
    removed = sum(len(block.old) for block in shown)
    hunks = room.hunks(_numbered(shown, old_lines, new_lines))
    cut = added + removed - _changed_lines(hunks)
    return SourceChange(hunks=hunks, added=added, removed=removed, cut=cut)


def whole_source(text: str, sign: Literal["-", "+"], room: Room) -> SourceChange:
    """Return a source as one that was put in, or taken out, as a whole."""
    lines = text.splitlines()
    hunks = room.hunks((1, Line(sign=sign, parts=_parts(line, ()))) for line in lines)
    return SourceChange(
        hunks=hunks,
        added=len(lines) if sign == "+" else 0,
        removed=len(lines) if sign == "-" else 0,
        cut=len(lines) - _changed_lines(hunks),
    )


def _blocks_of(entries: Sequence[Any], old_count: int, new_count: int) -> list[_Block] | None:
    """Return the blocks that a diff of lines names; ``None`` where it is not one of these lines."""
    blocks: list[_Block] = []
    old_at = new_at = 0
    start: tuple[int, int] | None = None
    pairs: dict[int, _Pair] = {}
    for entry in entries:
        same = entry["key"] - old_at
        if same < 0:
            return None
        if same and start is not None:
            blocks.append(_block(start, old_at, new_at, pairs))
            start, pairs = None, {}
        old_at, new_at = old_at + same, new_at + same
        start = start or (old_at, new_at)
        if entry["op"] == "addrange":
            new_at += len(entry["valuelist"])
        elif entry["op"] == "removerange":
            old_at += entry["length"]
        else:
            pairs[old_at] = (new_at, entry["diff"])
            old_at, new_at = old_at + 1, new_at + 1
    if old_count - old_at != new_count - new_at or old_at > old_count:
        return None
    if start is not None:
        blocks.append(_block(start, old_at, new_at, pairs))
    return blocks


def _block(start: tuple[int, int], old_stop: int, new_stop: int, pairs: dict[int, _Pair]) -> _Block:
    """Return a block; where nothing is known of as many lines on both sides, they are pairs."""
    old, new = range(start[0], old_stop), range(start[1], new_stop)
    if not pairs and len(old) == len(new):
        pairs = {i: (j, None) for i, j in zip(old, new, strict=True)}
    return _Block(old=old, new=new, pairs=pairs)


def _without_equal(block: _Block, lines: Level) -> Iterator[_Block]:
    """Yield what is left of a block without the lines in which only the line end differs."""
    old_at, new_at = block.old.start, block.new.start
    for i, j in [*_equal(block, lines), (block.old.stop, block.new.stop)]:
        if old_at < i or new_at < j:
            yield _block((old_at, new_at), i, j, block.pairs)
        old_at, new_at = i + 1, j + 1


def _equal(block: _Block, lines: Level) -> Matches:
    """Return the lines of a block that are the same: at its ends, and at, and in, its pairs."""
    whole = Gap(block.old.start, block.old.stop, block.new.start, block.new.stop)
    found = match_ends(lines, whole)
    for left in whole.between(found):
        pairs = [
            (i, j)
            for i, (j, _) in sorted(block.pairs.items())
            if left.old_start <= i < left.old_stop and left.new_start <= j < left.new_stop
        ]
        found += [(i, j) for i, j in pairs if lines.old[i] == lines.new[j]]
        found += [match for gap in left.between(pairs) for match in match_ends(lines, gap)]
    return sorted(found)


def _changed_lines(hunks: Iterable[Hunk]) -> int:
    return sum(line.sign != " " for hunk in hunks for line in hunk.lines)


def _numbered(blocks: list[_Block], old: list[str], new: list[str]) -> Iterator[tuple[int, Line]]:
    """Yield the lines of all hunks, each with the number of the first line of its hunk.

    Blank lines at both ends of a hunk are left out, unless they changed.
    """
    for group in _groups(blocks):
        first, last = group[0].new.start, group[-1].new.stop
        before = _filled(new, range(max(first - CONTEXT_LINES, 0), first))
        after = _filled(new, range(last, min(last + CONTEXT_LINES, len(new))))
        around = range(before[0] if before else first, after[-1] + 1 if after else last)
        yield from ((around.start + 1, line) for line in _lines_of(group, around, old, new))


def _groups(blocks: list[_Block]) -> Iterator[list[_Block]]:
    """Yield the blocks that are so near to each other that they make one hunk."""
    group: list[_Block] = []
    for block in blocks:
        if group and block.new.start - group[-1].new.stop > 2 * CONTEXT_LINES:
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _lines_of(group: list[_Block], around: range, old: list[str], new: list[str]) -> Iterator[Line]:
    at = around.start
    for block in group:
        yield from _context(new, range(at, block.new.start))
        yield from _changed(block, old, new)
        at = block.new.stop
    yield from _context(new, range(at, around.stop))


def _context(new: list[str], indices: range) -> Iterator[Line]:
    return (Line(sign=" ", parts=_parts(new[index], ())) for index in indices)


def _filled(lines: list[str], around: range) -> list[int]:
    return [index for index in around if lines[index].strip()]


def _changed(block: _Block, old: list[str], new: list[str]) -> Iterator[Line]:
    added_marks: dict[int, Marks] = {}
    for i in block.old:
        j, entries = block.pairs.get(i, (-1, None))
        marks: Marks = ()
        if j in block.new and entries is None:
            marks, added_marks[j] = marks_between(old[i], new[j])
        elif j in block.new and entries is not None:
            marks, added_marks[j] = marks_of(old[i], new[j], entries)
        yield Line(sign="-", parts=_parts(old[i], marks))
    for j in block.new:
        yield Line(sign="+", parts=_parts(new[j], added_marks.get(j, ())))


def _parts(text: str, marks: Marks) -> tuple[str, ...]:
    """Return what is shown of a line, by turns plain and emphasised."""
    start = 0
    if marks and marks[0][0] > MAX_LINE - _BEFORE_A_MARK:
        start = marks[0][0] - _BEFORE_A_MARK
    stop = min(len(text), start + MAX_LINE)
    parts = []
    at = start
    for begin, end in marks:
        if begin >= stop:
            break
        parts += [text[at:begin], text[begin : min(end, stop)]]
        at = min(end, stop)
    parts.append(text[at:stop])
    if start:
        parts[0] = "…" + parts[0]
    if stop < len(text):
        parts[-1] += f"… ({len(text) - stop:,} more characters)"
    return tuple(map(printable, parts))
