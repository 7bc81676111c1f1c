"""The comparison itself: nbdime's algorithm and format, with rules private to each call.

``nbdime.set_notebook_diff_ignores`` and its kin change every diff of the process, and so does
nbdime's configuration file; neither reaches the rules made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import Any, TypeAlias

from nbdime.diff_format import MappingDiffBuilder
from nbdime.diffing import notebooks as rules
from nbdime.diffing.config import DiffConfig
from nbdime.diffing.generic import diff as diff_values

from nbvc.diffing.effort import Effort
from nbvc.diffing.likeness import Likeness
from nbvc.diffing.loading import Notebook, load
from nbvc.diffing.sequences import OneRule, Sequences
from nbvc.errors import InvalidNotebook

Diff: TypeAlias = list[Any]
"""A diff in nbdime's format: a list of ``nbdime.diff_format.DiffEntry``."""

_DETAILS = frozenset({"execution_count", "id"})
_FORMAT_DETAILS = frozenset({"nbformat", "nbformat_minor"})
_RECURSIVE_FORMATS = (
    "text/",
    "image/svg+xml",
    "application/javascript",
    "application/json",
)
_ENGINE_FAILURES = (
    AssertionError,
    AttributeError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """What a diff leaves out.

    Attributes:
        ignore_outputs: Leave out the outputs of cells that both notebooks have.
        ignore_metadata: Leave out the metadata of notebook, cells and outputs.
        ignore_details: Leave out execution counts, cell ids and format numbers.
        source_only: All of these.
    """

    ignore_outputs: bool = False
    ignore_metadata: bool = False
    ignore_details: bool = False
    source_only: bool = False

    @property
    def without_outputs(self) -> bool:
        """Whether outputs are left out."""
        return self.ignore_outputs or self.source_only

    @property
    def without_metadata(self) -> bool:
        """Whether metadata is left out."""
        return self.ignore_metadata or self.source_only

    @property
    def without_details(self) -> bool:
        """Whether execution counts, ids and format numbers are left out."""
        return self.ignore_details or self.source_only


def diff_notebooks(a: Notebook, b: Notebook, options: DiffOptions | None = None) -> Diff:
    """Return what leads from *a* to *b*, as ``nbdime.diff_notebooks`` does.

    Without *options*, ``nbdime.patch_notebook(a, result) == b``. Neither notebook is changed.
    Beyond ``nbvc.diffing.effort.MAX_STEPS`` the diff is coarser than nbdime's, and the time grows
    with the size of the notebooks.

    Args:
        a: A notebook from ``load``.
        b: A notebook from ``load``.
        options: What to leave out.

    Raises:
        InvalidNotebook: nbdime cannot compare these two.
    """
    chosen = options or DiffOptions()
    try:
        found: Diff = diff_values(a, b, path="", config=_config(chosen))
    except _ENGINE_FAILURES as error:
        raise InvalidNotebook(
            f"These notebooks cannot be compared: their parts do not fit ({type(error).__name__}).",
            hint="nbvc diff --source-only compares less of them.",
        ) from error
    return _without_keys(found, _FORMAT_DETAILS) if chosen.without_details else found


def diff(a: bytes, b: bytes, options: DiffOptions | None = None) -> Diff:
    """Return what leads from the notebook in *a* to the one in *b*, in nbdime's format.

    Positions in it refer to the notebooks as ``load`` returns them.

    Raises:
        InvalidNotebook: One of them is no notebook, or nbdime cannot compare them.
    """
    old = load(a, name="The old version")
    return diff_notebooks(old, load(b, name="The new version"), options)


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


def _config(options: DiffOptions) -> Any:  # noqa: ANN401
    effort = Effort()
    likeness = Likeness(effort=effort)
    sequences = Sequences(effort=effort, likeness=likeness)
    differs = {
        "/cells": sequences.cells,
        "/cells/*": _differ_without(_DETAILS if options.without_details else frozenset()),
        "/cells/*/source": sequences.texts,
        "/cells/*/outputs": sequences.lists,
        "/cells/*/outputs/*": _output_differ(options, sequences),
        "/cells/*/attachments": partial(_diff_attachments, sequences),
    }
    if options.without_outputs:
        differs["/cells/*/outputs"] = _no_difference
    if options.without_metadata:
        differs["/metadata"] = differs["/cells/*/metadata"] = _no_difference
    return DiffConfig(
        predicates=OneRule([eq], _predicates(options, likeness)),
        differs=OneRule(sequences.values, differs),
        atomic_paths={"/cells/*/id": True},
    )


def _predicates(options: DiffOptions, likeness: Likeness) -> dict[str, list[Any]]:
    """Return the rules for which cells and outputs are the same, weakest first."""
    by_outputs = [likeness.cells_and_outputs, likeness.close_cells]
    by_source = [_same_source]
    return {
        "/cells": [
            likeness.cells,
            *(by_source if options.without_outputs else by_outputs),
            rules.compare_cell_by_ids,
        ],
        "/cells/*/outputs": [likeness.outputs, likeness.close_outputs],
    }


def _same_source(x: Notebook, y: Notebook) -> bool:
    return bool(x["cell_type"] == y["cell_type"] and x["source"] == y["source"])


def _no_difference(*_args: object, **_kwargs: object) -> Diff:
    return []


def _without_keys(found: Diff, keys: frozenset[str]) -> Diff:
    return [entry for entry in found if entry.key not in keys]


def _differ_without(keys: frozenset[str]) -> Any:  # noqa: ANN401
    def differ(a: Notebook, b: Notebook, path: str = "", config: object = None) -> Diff:
        return _without_keys(diff_values(a, b, path=path, config=config), keys)

    return differ


def _output_differ(options: DiffOptions, sequences: Sequences) -> Any:  # noqa: ANN401
    """Return a differ for one output that, unlike nbdime's, never touches what it compares."""
    ignored = {"data"}
    if options.without_details:
        ignored.add("execution_count")
    if options.without_metadata:
        ignored.add("metadata")

    def differ(a: Notebook, b: Notebook, path: str = "", config: object = None) -> Diff:  # noqa: ARG001
        builder = MappingDiffBuilder()
        for entry in sequences.plain(_without(a, ignored), _without(b, ignored)):
            builder.append(entry)
        if "data" in a and "data" in b:
            builder.patch("data", _diff_bundle(sequences, a["data"], b["data"]))
        elif "data" in a:
            builder.remove("data")
        elif "data" in b:
            builder.add("data", b["data"])
        return list(builder.validated())

    return differ


def _without(mapping: Notebook, keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}


def _diff_bundle(sequences: Sequences, a: Notebook, b: Notebook) -> Diff:
    """Compare the representations of one output, or of one attached file."""
    builder = MappingDiffBuilder()
    for mime in sorted(a.keys() - b.keys()):
        builder.remove(mime)
    for mime in sorted(b.keys() - a.keys()):
        builder.add(mime, b[mime])
    for mime in sorted(mime for mime in a.keys() & b.keys() if a[mime] != b[mime]):
        if _is_recursive(mime) and type(a[mime]) is type(b[mime]) and _is_container(a[mime]):
            builder.patch(mime, sequences.plain(a[mime], b[mime]))
        else:
            builder.replace(mime, b[mime])
    return list(builder.validated())


def _is_recursive(mime: str) -> bool:
    return mime.lower().startswith(_RECURSIVE_FORMATS)


def _is_container(value: object) -> bool:
    return isinstance(value, str | list | dict)


def _diff_attachments(
    sequences: Sequences,
    a: Notebook,
    b: Notebook,
    path: str = "",  # noqa: ARG001
    config: object = None,  # noqa: ARG001
) -> Diff:
    builder = MappingDiffBuilder()
    for name in sorted(a.keys() - b.keys()):
        builder.remove(name)
    for name in sorted(b.keys() - a.keys()):
        builder.add(name, b[name])
    for name in sorted(a.keys() & b.keys()):
        builder.patch(name, _diff_bundle(sequences, a[name], b[name]))
    return list(builder.validated())
