"""Outputs, metadata and attachments, each folded to a line that says what changed.

What an output is goes by what a reader knows it by: an image by its size, a text by the first line
that differs, an error by its name. All of it is bounded, and safe to print.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import zip_longest
from typing import Any

from nbvc.diffing.likeness import common_start
from nbvc.notebook.summary import describe_size, size_of
from nbvc.text import counted, printable_line
from nbvc.values import dataclass

MAX_QUOTED = 60
"""Longest piece of a text that is quoted, in characters."""

MAX_OUTPUTS = 10
"""Most outputs of one cell that are named."""

MAX_DEPTH = 3
"""Levels of metadata that are told apart."""

_UNSEEN = frozenset({"execution_count", "metadata"})
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}")
_TEXTS = ("text/plain", "text/latex", "text/markdown")
_RANK = ("image/", "application/vnd.", "text/html", "text/latex", "text/markdown", "application/")
_BEFORE_A_DIFFERENCE = 20

Output = Any
"""An output of a cell, as a notebook holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputsChange:
    """What changed in the outputs of a cell.

    Attributes:
        lines: A line for each output that changed.
        metadata: Places in the metadata of outputs that changed.
        addresses: Whether some differ in nothing but addresses in memory, which every run does.
    """

    lines: list[str] = field(default_factory=list)
    metadata: set[str] = field(default_factory=set)
    addresses: bool = False


def change_outputs(
    old: Sequence[Output], new: Sequence[Output], entries: Sequence[Any]
) -> OutputsChange:
    """Return what changed in the outputs of a cell.

    Args:
        old: Outputs.
        new: Others.
        entries: What leads from one to the other, in nbdime's format.
    """
    lines: list[str] = []
    metadata: set[str] = set()
    addresses = False
    for before, after, entry in _pairs(old, new, entries):
        if entry is not None:
            metadata |= changed_paths(_entries_of(entry, "metadata"), "output")
            if {each["key"] for each in entry["diff"]} <= _UNSEEN:
                continue
        if before is None:
            lines.append(f"output added: {describe(after)}")
        elif after is None:
            lines.append(f"output removed: {describe(before)}")
        elif _without_addresses(before) == _without_addresses(after):
            addresses = True
        else:
            lines.append(f"output changed: {_describe_change(before, after)}")
    lines = _bounded(lines, "outputs that changed")
    return OutputsChange(lines=lines, metadata=metadata, addresses=addresses)


def whole_outputs(outputs: Sequence[Output]) -> list[str]:
    """Return a line for each output of a cell that was added or removed."""
    lines = [f"output: {describe(output)}" for output in outputs[:MAX_OUTPUTS]]
    return _bounded([*lines, *[""] * (len(outputs) - len(lines))], "outputs")


def describe(output: Output) -> str:
    """Return what an output is, on one line."""
    if not isinstance(output, dict):
        return "unreadable"
    kind = str(output.get("output_type"))
    if kind == "stream":
        return _describe_text(str(output.get("name")), str(output.get("text")))
    if kind == "error":
        return _error(output)
    data = output.get("data")
    if not isinstance(data, dict) or not data:
        return _quoted(kind)
    mime = _foremost(data)
    if mime in _TEXTS:
        return _describe_text(mime, _as_text(data[mime]))
    return f"{printable_line(mime[:MAX_QUOTED])} {describe_size(size_of(mime, data[mime]))}"


def changed_paths(entries: Sequence[Any], prefix: str = "", depth: int = MAX_DEPTH) -> set[str]:
    """Return the places that a diff of metadata changes, as names joined by dots."""
    found: set[str] = set()
    for entry in entries:
        key = entry["key"]
        if not isinstance(key, str):
            return {prefix}
        name = printable_line(key[:MAX_QUOTED])
        path = f"{prefix}.{name}" if prefix else name
        deeper = entry["op"] == "patch" and depth > 1
        found |= changed_paths(entry["diff"], path, depth - 1) if deeper else {path}
    return found


def _pairs(
    old: Sequence[Output], new: Sequence[Output], entries: Sequence[Any]
) -> Iterator[tuple[Output | None, Output | None, Any]]:
    """Yield what changed: outputs before and after, and the diff between them where there is one.

    What was taken out and put in at the same place counts as changed, as far as it is of one kind.
    """
    old_at = new_at = 0
    gone: list[Output] = []
    come: list[Output] = []
    for entry in entries:
        if entry["key"] > old_at:
            yield from _matched(gone, come)
            gone, come = [], []
            new_at += entry["key"] - old_at
            old_at = entry["key"]
        if entry["op"] == "addrange":
            count = len(entry["valuelist"])
            come += new[new_at : new_at + count]
            new_at += count
        elif entry["op"] == "removerange":
            gone += old[old_at : old_at + entry["length"]]
            old_at += entry["length"]
        else:
            yield from _matched(gone, come)
            gone, come = [], []
            yield old[old_at], new[new_at], entry
            old_at, new_at = old_at + 1, new_at + 1
    yield from _matched(gone, come)


def _matched(
    gone: list[Output], come: list[Output]
) -> Iterator[tuple[Output | None, Output | None, None]]:
    for before, after in zip_longest(gone, come):
        if before == after:
            continue
        if before is None or after is None or _kind(before) == _kind(after):
            yield before, after, None
        else:
            yield before, None, None
            yield None, after, None


def _kind(output: Output) -> object:
    if not isinstance(output, dict):
        return None
    data = output.get("data")
    if isinstance(data, dict) and data:
        return _foremost(data)
    return output.get("output_type"), output.get("name")


def _describe_change(old: Output, new: Output) -> str:
    if _kind(old) != _kind(new) or not isinstance(old, dict) or not isinstance(new, dict):
        return f"{describe(new)}, was {describe(old)}"
    data, data_before = new.get("data"), old.get("data")
    if not isinstance(data, dict) or not isinstance(data_before, dict):
        if new.get("output_type") == "stream":
            return _text_change(str(new.get("name")), str(old.get("text")), str(new.get("text")))
        if _error(old) == _error(new):
            return f"{_error(new)} (another traceback)"
        return f"{_error(new)}, was {_error(old)}"
    mime = _foremost(data)
    if data.get(mime) == data_before.get(mime):
        differing = [
            m for m in sorted(data.keys() | data_before) if data.get(m) != data_before.get(m)
        ]
        if not differing:
            return f"{describe(new)} (other fields)"
        mime = differing[0]
    if mime not in data or mime not in data_before:
        verb, value = ("added", data[mime]) if mime in data else ("removed", data_before[mime])
        return f"{printable_line(mime[:MAX_QUOTED])} {verb} {describe_size(size_of(mime, value))}"
    return _data_change(mime, data_before, data)


def _data_change(mime: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    name = printable_line(mime[:MAX_QUOTED])
    if mime in _TEXTS:
        return _text_change(name, _as_text(old[mime]), _as_text(new[mime]))
    plain, plain_before = (_as_text(data.get("text/plain", "")) for data in (new, old))
    if mime == "text/html" and plain != plain_before:
        return _text_change(name, plain_before, plain)
    size, before = size_of(mime, new[mime]), size_of(mime, old[mime])
    if describe_size(size) != describe_size(before):
        return f"{name} {describe_size(size)}, was {describe_size(before)}"
    if size != before:
        return f"{name} {size:,} B, was {before:,} B"
    return f"{name} {describe_size(size)}, the same size"


def _without_addresses(output: Output) -> object:
    """Return an output without its count, its metadata, and addresses in the text that it shows."""
    if not isinstance(output, dict):
        return output
    shown = {key: value for key, value in output.items() if key not in _UNSEEN}
    data = shown.get("data")
    if isinstance(data, dict) and isinstance(data.get("text/plain"), str):
        shown["data"] = {**data, "text/plain": _ADDRESS.sub("", data["text/plain"])}
    return shown


def _error(output: dict[str, Any]) -> str:
    name, value = str(output.get("ename")), str(output.get("evalue"))
    return printable_line(f"{name[:MAX_QUOTED]}: {_first_line(value)[: 2 * MAX_QUOTED]}")


def _describe_text(name: str, text: str) -> str:
    lines = len(text.splitlines())
    length = f" ({counted(lines, 'line')})" if lines > 1 else ""
    return f"{printable_line(name[:MAX_QUOTED])} {_quoted(_first_line(text))}{length}"


def _text_change(name: str, old: str, new: str) -> str:
    """Return the first line that differs, as it is and as it was."""
    old_lines, new_lines = old.splitlines(), new.splitlines()
    name = printable_line(name[:MAX_QUOTED])
    for number, (before, after) in enumerate(zip(old_lines, new_lines, strict=False), 1):
        if before != after:
            where = f"{name} line {number:,}" if number > 1 else name
            return f"{where} {_quoted_pair(before, after)}"
    if len(old_lines) == len(new_lines):
        return f"{name}, only line ends"
    return f"{_describe_text(name, new)}, was {counted(len(old_lines), 'line')}"


def _first_line(text: str) -> str:
    return " ".join(next((line for line in text.splitlines() if line.strip()), "").split())


def _quoted_pair(old: str, new: str) -> str:
    """Return pieces of two texts around their first difference, with runs of blanks made one."""
    if " ".join(old.split()) != " ".join(new.split()):
        old, new = " ".join(old.split()), " ".join(new.split())
    start = common_start(old, new)
    return f"{_quoted(new, start)}, was {_quoted(old, start)}"


def _quoted(text: str, difference: int = 0) -> str:
    """Return a piece of *text*, in quotes: its start, or what is around a difference."""
    start = difference - _BEFORE_A_DIFFERENCE if difference > MAX_QUOTED // 2 else 0
    piece = text[start : start + MAX_QUOTED]
    before, after = "…" * (start > 0), "…" * (start + MAX_QUOTED < len(text))
    return f'"{before}{printable_line(piece)}{after}"'


def _foremost(data: dict[str, Any]) -> str:
    """Return the representation that a reader sees."""
    ranked = ((rank, m) for rank, start in enumerate(_RANK) for m in data if m.startswith(start))
    return min(ranked, default=(0, next(iter(data))))[1]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _entries_of(entry: Any, key: str) -> list[Any]:  # noqa: ANN401
    """Return what a patch changes below *key*; the key itself, where that came or went."""
    found = [each for each in entry["diff"] if each["key"] == key]
    return [each for one in found for each in (one["diff"] if one["op"] == "patch" else [one])]


def _bounded(lines: list[str], what: str) -> list[str]:
    more = len(lines) - MAX_OUTPUTS
    return [*lines[:MAX_OUTPUTS], f"{more:,} more {what}"] if more > 0 else lines
