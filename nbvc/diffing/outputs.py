"""Compare the outputs of a cell, and what is in one output."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbvc.diffing.keys import key_of
from nbvc.diffing.matching import match
from nbvc.notebook.aligning import Gap, Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbvc.diffing.likeness import Likeness
    from nbvc.notebook.aligning import Matches

    Output = dict[str, Any]

ALWAYS_ALIKE = 10
"""Two texts that are both shorter are alike."""

LONGEST_STREAM = 1_000
LONGEST_TEXT = 10_000
"""Texts that are both longer are alike only where they are equal."""

SAME_OUTPUT = 0.8
"""Share of a text that stays in an output that is still the same; programs repeat themselves."""

_ALIKE = 0.9
_IGNORED = frozenset({"output_type", "metadata", "execution_count"})
_POINTER = re.compile(r"0x[a-f0-9]{8,16}", re.IGNORECASE)
_BASE64 = re.compile(r"[a-z0-9+/\s]{60}", re.IGNORECASE)


def match_outputs(a: Sequence[Output], b: Sequence[Output], likeness: Likeness) -> Matches:
    """Return which outputs are the same, as indices that both rise.

    The rules are those of nbdime (``compare_output_approximate``).
    """
    old, new = [key_of(output) for output in a], [key_of(output) for output in b]

    def score(i: int, j: int) -> float:
        if old[i] == new[j]:
            return 1.0
        return _ALIKE if alike(a[i], b[j], likeness) else 0.0

    levels = (Level(old=old, new=new),)
    return match(levels, Gap.whole(a, b), score, likeness.effort)


def alike(x: Output, y: Output, likeness: Likeness) -> bool:
    """Return whether two outputs are the same, changed; metadata and counts aside."""
    if x["output_type"] != y["output_type"] or x.keys() != y.keys():
        return False
    compared = set(_IGNORED)
    if x["output_type"] == "stream":
        compared.add("text")
        if x["name"] != y["name"] or not _texts(x["text"], y["text"], likeness, LONGEST_STREAM):
            return False
    elif x["output_type"] == "error":
        compared.add("traceback")
        old, new = x["traceback"], y["traceback"]
        if len(old) != len(new) or not all(
            likeness.share(*lines) for lines in zip(old, new, strict=True)
        ):
            return False
    elif "data" in x:
        compared.add("data")
        if not _bundles(x["data"], y["data"], likeness):
            return False
    return all(x[key] == y[key] for key in x.keys() - compared)


def _bundles(x: Mapping[str, object], y: Mapping[str, object], likeness: Likeness) -> bool:
    return x.keys() == y.keys() and all(
        _representations(mime.lower(), x[mime], y[mime], likeness) for mime in x
    )


def _representations(mime: str, x: object, y: object, likeness: Likeness) -> bool:
    if x == y:
        return True
    if not (isinstance(x, str) and isinstance(y, str)):
        return False
    if mime == "text/plain" and "\n" not in x + y:
        # Objects, each at another address.
        if _POINTER.split(x) == _POINTER.split(y):
            return True
    elif not mime.startswith("text/") and _BASE64.match(x):
        return False
    if x and y and len(x) < ALWAYS_ALIKE and len(y) < ALWAYS_ALIKE:
        return True
    return _texts(x, y, likeness, LONGEST_TEXT)


def _texts(x: str, y: str, likeness: Likeness, longest: int) -> bool:
    if x == y:
        return True
    return min(len(x), len(y)) <= longest and likeness.share(x, y) > SAME_OUTPUT
