"""What of a line became what of another, as ranges to emphasise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbvc.diffing.likeness import common_end, common_start

MAX_SHARE = 0.75
"""Where more of a line than this is new, nothing of it is emphasised: all of it is new."""

LONGEST_WORD = 40
"""How far a mark is widened to the ends of the words that it cuts."""

Marks = tuple[tuple[int, int], ...]
"""Ranges of a text, in order, each from its first character to the one after its last."""


def marks_of(old: str, new: str, entries: Sequence[Any]) -> tuple[Marks, Marks]:
    """Return what of *old* is not in *new*, and the other way round.

    Args:
        old: A line.
        new: What became of it.
        entries: What leads from one to the other, in nbdime's format.
    """
    removed: list[tuple[int, int]] = []
    added: list[tuple[int, int]] = []
    shift = 0
    for entry in entries:
        at = entry["key"]
        if entry["op"] == "addrange":
            length = len(entry["valuelist"])
            added.append((at + shift, at + shift + length))
            shift += length
        elif entry["op"] == "removerange":
            removed.append((at, at + entry["length"]))
            shift -= entry["length"]
    return _tidied(old, removed), _tidied(new, added)


def marks_between(old: str, new: str) -> tuple[Marks, Marks]:
    """Return the same without a diff: what is not the same at both ends."""
    start = common_start(old, new)
    end = common_end(old, new, min(len(old), len(new)) - start)
    found = [(start, len(text) - end) for text in (old, new)]
    return _tidied(old, found[:1]), _tidied(new, found[1:])


def _tidied(text: str, marks: list[tuple[int, int]]) -> Marks:
    """Widen marks to words, join them across blanks, and give up where nearly all is marked."""
    joined: list[tuple[int, int]] = []
    for first, last in marks:
        start, end = _widened(text, first, min(last, len(text)))
        if start >= end:
            continue
        if joined and not text[joined[-1][1] : start].strip():
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    share = sum(end - start for start, end in joined)
    return () if share > MAX_SHARE * len(text) else tuple(joined)


def _widened(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a range without the halves of words at its ends, unless they are very long."""
    before = after = 0
    if start < end:
        while before <= LONGEST_WORD and _is_within_word(text, start - before):
            before += 1
        while after <= LONGEST_WORD and _is_within_word(text, end + after):
            after += 1
    return (
        start - before if before <= LONGEST_WORD else start,
        end + after if after <= LONGEST_WORD else end,
    )


def _is_within_word(text: str, at: int) -> bool:
    around = text[max(at - 1, 0) : at + 1]
    return len(around) == 2 and around.replace("_", "a").isalnum()
