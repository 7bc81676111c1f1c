"""See a diff as a person reads it: cells by number and first line, and what changed in each.

Made from nbdime's format, so whatever compared the notebooks, all views of it agree. nbdime knows
no moved cells: those that were taken out in one place and put in at another are found here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nbvc.diffing.cells import align_cells
from nbvc.diffing.engine import cell_differ
from nbvc.diffing.folding import (
    OutputsChange,
    change_outputs,
    changed_paths,
    whole_outputs,
)
from nbvc.diffing.hunks import Room, SourceChange, change_source, whole_source
from nbvc.diffing.view import CellView, Kind, View
from nbvc.text import counted, printable_line
from nbvc.values import dataclass

if TYPE_CHECKING:
    from nbvc.diffing.options import DiffOptions

MAX_FIRST_LINE = 200
"""Longest first line of a source that names a cell, in characters."""

MAX_PATHS_KEPT = 100
"""Most places in the metadata of one cell, or of the notebook, that are told apart."""

_PARTS = (
    *("type", "source", "outputs", "attachments", "addresses", "metadata"),
    *("execution_count", "id", "other", "order"),
)
_PART_OF = {"cell_type": "type"} | {
    name: name for name in ("source", "attachments", "metadata", "execution_count", "id")
}
_FORMAT = ("nbformat", "nbformat_minor")
_LONGEST_TYPE = 40


def view_of(a: Any, b: Any, diff: Sequence[Any], options: DiffOptions) -> View:  # noqa: ANN401
    """Return what a person sees of *diff*.

    Args:
        a: The old notebook, from ``load``.
        b: The new one.
        diff: What leads from one to the other, in nbdime's format.
        options: Those that *diff* was made with.
    """
    differ = cell_differ(options)
    builder = _Builder(a=a, b=b, options=options, room=Room(), differ=differ)
    metadata: set[str] = set()
    fields = []
    cells: Sequence[Any] = ()
    for entry in diff:
        if entry["key"] == "cells":
            cells = entry["diff"]
        elif entry["key"] == "metadata":
            metadata = (
                changed_paths([entry]) if entry["op"] != "patch" else changed_paths(entry["diff"])
            )
        elif entry["key"] not in _FORMAT:
            fields.append(f"{printable_line(entry['key'][:MAX_FIRST_LINE])} changed")
    if any(entry["key"] in _FORMAT for entry in diff):
        fields.append(f"format changed: {_format(b)}, was {_format(a)}")
    return View(
        cells=tuple(builder.cells(cells)),
        metadata=tuple(sorted(metadata)[:MAX_PATHS_KEPT]),
        fields=tuple(fields),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    a: Any
    b: Any
    options: DiffOptions
    room: Room
    differ: Callable[[Any, Any], Sequence[Any]]

    def cells(self, entries: Sequence[Any]) -> Iterator[CellView]:
        steps = list(_steps(entries))
        origins = self._origins(steps)
        gone = set(origins.values())
        for old, new, inner in steps:
            if old is not None and new is not None:
                yield self._changed(old, new, inner, moved=False)
            elif new is None and old is not None and old not in gone:
                yield self._lone("removed", self.a["cells"][old], old_number=old + 1)
            elif old is None and new is not None:
                if new in origins:
                    before, after = self.a["cells"][origins[new]], self.b["cells"][new]
                    between = self.differ(before, after)
                    yield self._changed(origins[new], new, between, moved=True)
                else:
                    yield self._lone("added", self.b["cells"][new], new_number=new + 1)

    def _origins(self, steps: Sequence[_Step]) -> dict[int, int]:
        """Return where each cell came from that was taken out and put in elsewhere, by index."""
        removed = {old for old, new, _ in steps if new is None}
        added = {new for old, new, _ in steps if old is None}
        if not removed or not added:
            return {}
        pairs = align_cells(self.a["cells"], self.b["cells"])
        return {p.new: p.old for p in pairs if p.moved and p.old in removed and p.new in added}

    def _lone(
        self,
        kind: Kind,
        cell: Any,  # noqa: ANN401
        *,
        old_number: int | None = None,
        new_number: int | None = None,
    ) -> CellView:
        source = whole_source(cell["source"], "+" if kind == "added" else "-", self.room)
        outputs = () if self.options.without_outputs else cell.get("outputs") or ()
        return CellView(
            kind=kind,
            old_number=old_number,
            new_number=new_number,
            cell_type=_type_of(cell),
            first_line=_first_line(cell),
            lines_added=source.added,
            lines_removed=source.removed,
            hunks=source.hunks,
            cut=source.cut,
            notes=tuple(whole_outputs(outputs)),
        )

    def _changed(self, old: int, new: int, inner: Sequence[Any], *, moved: bool) -> CellView:
        before, after = self.a["cells"][old], self.b["cells"][new]
        parts = {"order"} if moved else set()
        source = SourceChange()
        notes: list[str] = []
        metadata: set[str] = set()
        for entry in inner:
            key = entry["key"]
            deeper = entry["diff"] if entry["op"] == "patch" else None
            if key == "source":
                source = change_source(before["source"], after["source"], deeper, self.room)
                notes += ["only line ends changed"] if not source.added + source.removed else []
            elif key == "outputs":
                outputs = _outputs(before, after, deeper)
                notes += outputs.lines
                metadata |= outputs.metadata
                parts |= _parts_of(outputs)
                continue
            elif key == "metadata":
                metadata |= changed_paths(deeper) if deeper is not None else {"metadata"}
            elif key == "cell_type":
                notes.insert(0, f"type changed: {_type_of(after)}, was {_type_of(before)}")
            elif key == "attachments":
                notes.append(_attachments(deeper))
            parts.add(_PART_OF.get(key, "other"))
        if "type" in parts:  # the count comes and goes with the type
            parts.discard("execution_count")
        return CellView(
            kind="changed",
            old_number=old + 1,
            new_number=new + 1,
            cell_type=_type_of(after),
            first_line=_first_line(after),
            parts=tuple(part for part in _PARTS if part in parts),
            metadata=tuple(sorted(metadata)[:MAX_PATHS_KEPT]),
            lines_added=source.added,
            lines_removed=source.removed,
            hunks=source.hunks,
            cut=source.cut,
            notes=tuple(notes),
        )


_Step = tuple[int | None, int | None, Sequence[Any]]


def _steps(entries: Sequence[Any]) -> Iterator[_Step]:
    """Yield each cell that a diff names: its indices before and after, and what changed in it.

    Of what was taken out and put in at the same place, what was taken out comes first.
    """
    old_at = new_at = 0
    gone: list[int] = []
    come: list[int] = []
    for entry in entries:
        key, op = entry["key"], entry["op"]
        if key > old_at or op == "patch":
            yield from _flushed(gone, come)
            gone, come = [], []
            old_at, new_at = key, new_at + key - old_at
        if op == "addrange":
            count = len(entry["valuelist"])
            come += range(new_at, new_at + count)
            new_at += count
        elif op == "removerange":
            gone += range(old_at, old_at + entry["length"])
            old_at += entry["length"]
        else:
            yield old_at, new_at, entry["diff"]
            old_at, new_at = old_at + 1, new_at + 1
    yield from _flushed(gone, come)


def _flushed(gone: list[int], come: list[int]) -> Iterator[_Step]:
    yield from ((old, None, ()) for old in gone)
    yield from ((None, new, ()) for new in come)


def _outputs(
    before: Any,  # noqa: ANN401
    after: Any,  # noqa: ANN401
    entries: Sequence[Any] | None,
) -> OutputsChange:
    if entries is not None:
        return change_outputs(before["outputs"], after["outputs"], entries)
    count = len(after.get("outputs") or before.get("outputs") or ())  # the type changed
    verb = "added" if "outputs" in after else "removed"
    return OutputsChange(lines=[f"{counted(count, 'output')} {verb}"] if count else [])


def _parts_of(outputs: OutputsChange) -> set[str]:
    parts = {"outputs"} if outputs.lines else set()
    parts |= {"addresses"} if outputs.addresses else set()
    parts |= {"metadata"} if outputs.metadata else set()
    return parts or {"execution_count"}


def _attachments(entries: Sequence[Any] | None) -> str:
    if entries is None:
        return "attachments changed"
    names = sorted(changed_paths(entries, depth=1))
    return f"attachments changed: {', '.join(names[:8])}"


def _type_of(cell: Any) -> str:  # noqa: ANN401
    return printable_line(str(cell["cell_type"])[:_LONGEST_TYPE])


def _first_line(cell: Any) -> str:  # noqa: ANN401
    first = next((line for line in cell["source"].splitlines() if line.strip()), "")
    return printable_line(first.strip()[:MAX_FIRST_LINE])


def _format(notebook: Any) -> str:  # noqa: ANN401
    return ".".join(printable_line(str(notebook.get(name))[:_LONGEST_TYPE]) for name in _FORMAT)
