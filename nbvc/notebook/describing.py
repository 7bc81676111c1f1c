"""What changed, in words; apart from the comparison, so that a log need not load that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbvc.model import Changes


def describe_changes(changes: Changes | None) -> str:
    """Return *changes* in words, such as ``2 cells changed, 1 added; outputs only``.

    ``no cells changed`` where all counts are zero, as when only the notebook's own metadata or
    its indentation differ; an empty string where nothing is known.
    """
    if changes is None:
        return ""
    counts = [
        (changes.cells_changed, "changed"),
        (changes.cells_added, "added"),
        (changes.cells_removed, "removed"),
    ]
    words = [(count, verb) for count, verb in counts if count]
    if not words:
        return "no cells changed"
    (count, verb), *others = words
    noun = "cell" if count == 1 else "cells"
    text = ", ".join([f"{count} {noun} {verb}", *(f"{count} {verb}" for count, verb in others)])
    return f"{text}; outputs only" if changes.outputs_only else text
