"""Settle what of a diff is printed line by line, so that printing it takes no longer than reading.

nbdime prints two texts by comparing their lines anew, with ``difflib``. That is quick for texts
that people write, and takes for ever for some that they do not.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from nbdime.diff_format import DiffOp, op_patch, op_replace
from nbdime.patching import patch

if TYPE_CHECKING:
    from nbvc.diffing.entries import Diff

MAX_STEPS = 20_000_000
"""Most comparisons of one line with another that ``difflib`` may make for one text."""

_FEW_LINES = 200
_POPULAR_SHARE = 100


def settle(a: Any, diff: Diff) -> Diff:  # noqa: ANN401
    """Return *diff* with texts that are too much to print line by line replaced as a whole.

    Args:
        a: What the diff leads away from.
        diff: In nbdime's format; it is not changed.
    """
    return [_settle(a, entry) for entry in diff]


def _settle(a: Any, entry: Any) -> Any:  # noqa: ANN401
    if entry.op != DiffOp.PATCH:
        return entry
    old = a[entry.key]
    if not isinstance(old, str):
        return op_patch(entry.key, settle(old, entry.diff))
    new = patch(old, entry.diff)
    if _steps(old.splitlines(), new.splitlines(), entry.diff) <= MAX_STEPS:
        return entry
    return op_replace(entry.key, new)


def _steps(old: list[str], new: list[str], diff: Diff) -> int:
    """Return how many comparisons ``difflib`` makes at the most.

    Each time it looks for the longest run in common, it compares every line with all that are equal
    in the other text, but for those that are too frequent there; and there is at most one run more
    than there are changed lines.
    """
    popular = len(new) // _POPULAR_SHARE + 1 if len(new) >= _FEW_LINES else len(new)
    counts = Counter(new)
    candidates = sum(count for line in old if (count := counts[line]) <= popular)
    return candidates * (1 + sum(map(_changed_lines, diff)))


def _changed_lines(entry: Any) -> int:  # noqa: ANN401
    if entry.op == DiffOp.ADDRANGE:
        return len(entry.valuelist)
    return int(entry.length) if entry.op == DiffOp.REMOVERANGE else 1
