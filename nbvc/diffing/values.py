"""Compare two values of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbvc.diffing import entries
from nbvc.diffing.keys import key_of
from nbvc.diffing.matching import match_equal
from nbvc.diffing.texts import diff_items, diff_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nbvc.diffing.entries import Diff
    from nbvc.diffing.likeness import Likeness

    Differ = Callable[[Any, Any], Diff]

MAX_DEPTH = 100
"""Deeper values are replaced as a whole."""


def diff_values(
    a: object, b: object, likeness: Likeness, *, depth: int = 0, printed: bool = False
) -> Diff | None:
    """Return what leads from one value to another, or ``None`` where one must replace the other.

    What is equal in Python is no difference, as in nbdime: ``3`` and ``3.0`` are the same number.
    """
    if a == b:
        return []
    if depth < MAX_DEPTH:
        if isinstance(a, dict) and isinstance(b, dict):
            return diff_mappings(a, b, lambda _, x, y: diff_values(x, y, likeness, depth=depth + 1))
        if isinstance(a, list) and isinstance(b, list):
            return diff_lists(a, b, likeness)
        if isinstance(a, str) and isinstance(b, str):
            return diff_texts(a, b, likeness, printed=printed)
    return [] if key_of(a) == key_of(b) else None  # NaN is equal to nothing


def diff_mappings(
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    differ: Callable[[str, Any, Any], Diff | None],
    without: frozenset[str] = frozenset(),
) -> Diff:
    """Return what leads from one mapping to another.

    Args:
        a: The old mapping.
        b: The new one.
        differ: Says what leads from one member to another that both have, or ``None`` where one
            replaces the other.
        without: Keys that are left out.
    """
    if a == b:
        return []
    found: Diff = []
    for key in sorted((a.keys() | b.keys()) - without):
        if key not in b:
            found.append(entries.remove(key))
        elif key not in a:
            found.append(entries.add(key, b[key]))
        else:
            inner = differ(key, a[key], b[key])
            if inner is None:
                found.append(entries.replace(key, b[key]))
            elif inner:
                found.append(entries.patch(key, inner))
    return found


def diff_lists(a: Sequence[Any], b: Sequence[Any], likeness: Likeness) -> Diff:
    """Return what leads from one list to another, by items that are equal."""
    old, new = [key_of(value) for value in a], [key_of(value) for value in b]
    matches = match_equal(old, new, likeness.effort)
    return diff_items(a, b, matches, lambda _x, _y: [])
