"""The comparison itself: what leads from one notebook to another, in nbdime's format.

The alignment is our own (``docs/decisions/0012-the-alignment-is-our-own.md``), and so nothing that
is set in nbdime reaches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbvc.diffing.cells import align_cells
from nbvc.diffing.effort import Effort
from nbvc.diffing.likeness import Likeness
from nbvc.diffing.loading import load
from nbvc.diffing.options import DiffOptions
from nbvc.diffing.outputs import match_outputs
from nbvc.diffing.texts import diff_items
from nbvc.diffing.values import diff_mappings, diff_values
from nbvc.errors import InvalidNotebook

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbvc.diffing.entries import Diff
    from nbvc.diffing.loading import Notebook

_DETAILS = frozenset({"execution_count", "id", "nbformat", "nbformat_minor"})
_ATOMIC = frozenset({"id", "cell_type", "output_type"})
_RECURSIVE_FORMATS = (
    "text/",
    "image/svg+xml",
    "application/javascript",
    "application/json",
)


def diff_notebooks(a: Notebook, b: Notebook, options: DiffOptions | None = None) -> Diff:
    """Return what leads from *a* to *b*, as ``nbdime.diff_notebooks`` does.

    Without *options*, ``nbdime.patch_notebook(a, result) == b``. Neither notebook is changed; the
    result shares values with *b*. Beyond ``nbvc.diffing.effort.MAX_STEPS`` the diff is coarser, and
    the time grows with the size of the notebooks.

    Args:
        a: A notebook of format 4, from ``load`` or ``nbformat.read``.
        b: Another.
        options: What to leave out.

    Raises:
        InvalidNotebook: They are nested too deeply.
    """
    try:
        return _Comparison(options or DiffOptions()).notebooks(a, b)
    except RecursionError as error:
        raise InvalidNotebook(
            "These notebooks cannot be compared: their parts are nested too deeply.",
            hint="nbvc diff --source-only compares less of them.",
        ) from error


def diff(a: bytes, b: bytes, options: DiffOptions | None = None) -> Diff:
    """Return what leads from the notebook in *a* to the one in *b*, in nbdime's format.

    Positions in it refer to the notebooks as ``load`` returns them.

    Raises:
        InvalidNotebook: One of them is no notebook, or they cannot be compared.
    """
    old = load(a, name="The old version")
    return diff_notebooks(old, load(b, name="The new version"), options)


def cell_differ(options: DiffOptions) -> Callable[[Notebook, Notebook], Diff]:
    """Return what compares two cells, as ``diff_notebooks`` does those that stayed in order.

    All its comparisons together have the effort of one.
    """
    return _Comparison(options).cells


def to_json(diff: Diff) -> list[dict[str, Any]]:
    """Return *diff* as plain lists and dictionaries, for ``json.dumps``."""
    plain: list[dict[str, Any]] = _plain(diff)
    return plain


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value


class _Comparison:
    """One comparison of two notebooks: what is left out, and what may still be spent."""

    def __init__(self, options: DiffOptions) -> None:
        self._likeness = Likeness(effort=Effort())
        self._without = frozenset(
            [
                *(["outputs"] if options.without_outputs else []),
                *(["metadata"] if options.without_metadata else []),
                *(_DETAILS if options.without_details else []),
            ]
        )

    def notebooks(self, a: Notebook, b: Notebook) -> Diff:
        """Compare two whole notebooks."""
        return diff_mappings(a, b, self._part_of_notebook, self._without)

    def _part_of_notebook(self, key: str, a: Any, b: Any) -> Diff | None:  # noqa: ANN401
        if key == "cells" and _lists_of_mappings(a, b):
            pairs = align_cells(a, b, self._likeness)
            matches = [(pair.old, pair.new) for pair in pairs if not pair.moved]
            return diff_items(a, b, matches, lambda i, j: self.cells(a[i], b[j]))
        return self._member(key, a, b)

    def cells(self, a: Any, b: Any) -> Diff:  # noqa: ANN401
        """Compare two cells."""
        return diff_mappings(a, b, self._part_of_cell, self._without)

    def _part_of_cell(self, key: str, a: Any, b: Any) -> Diff | None:  # noqa: ANN401
        if a == b:
            return []
        if key == "outputs" and _lists_of_mappings(a, b):
            matches = match_outputs(a, b, self._likeness)
            return diff_items(a, b, matches, lambda i, j: self._outputs(a[i], b[j]))
        if key == "attachments" and _mappings(a, b):
            return diff_mappings(a, b, self._attachments)
        return self._member(key, a, b)

    def _outputs(self, a: Any, b: Any) -> Diff:  # noqa: ANN401
        return diff_mappings(a, b, self._part_of_output, self._without)

    def _part_of_output(self, key: str, a: Any, b: Any) -> Diff | None:  # noqa: ANN401
        if key == "data" and _mappings(a, b):
            return diff_mappings(a, b, self._representations)
        if key == "text":
            return diff_values(a, b, self._likeness, printed=True)
        return self._member(key, a, b)

    def _attachments(self, _name: str, a: Any, b: Any) -> Diff | None:  # noqa: ANN401
        if _mappings(a, b):
            return diff_mappings(a, b, self._representations)
        return diff_values(a, b, self._likeness)

    def _representations(self, mime: str, a: Any, b: Any) -> Diff | None:  # noqa: ANN401
        """Compare what is shown: texts by line, images and the like as a whole."""
        if mime.lower().startswith(_RECURSIVE_FORMATS):
            return diff_values(a, b, self._likeness, printed=True)
        return [] if a == b else None

    def _member(self, key: str, a: Any, b: Any) -> Diff | None:  # noqa: ANN401
        if key in _ATOMIC:
            return [] if a == b else None
        return diff_values(a, b, self._likeness)


def _mappings(a: object, b: object) -> bool:
    return isinstance(a, dict) and isinstance(b, dict)


def _lists_of_mappings(a: object, b: object) -> bool:
    return all(
        isinstance(items, list) and all(isinstance(item, dict) for item in items)
        for items in (a, b)
    )
