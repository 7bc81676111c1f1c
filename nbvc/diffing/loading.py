"""Bring a notebook of any format, in memory only, into the shape that nbdime compares.

nbformat's own reader is not used: it takes a second to import, gives cells without ids random ones,
logs what it finds invalid, and lets shapes through on which nbdime fails.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias, TypeGuard

from nbvc.diffing.entries import Node, to_node
from nbvc.errors import InvalidNotebook
from nbvc.model import Data
from nbvc.notebook.reading import DEFAULT_NAME, read_values

Notebook: TypeAlias = Any
"""A notebook of format 4: a ``Node``, or an ``nbformat.NotebookNode``, which has no types."""

_TEXT_FORMATS = ("text/", "image/svg+xml", "application/javascript")
_TRANSIENT = frozenset({"orig_nbformat", "orig_nbformat_minor", "signature"})
_UNEXPECTED = (AttributeError, KeyError, TypeError, ValueError, RecursionError)


def load(data: Data, *, name: str = DEFAULT_NAME) -> Notebook:
    """Read a notebook as a format 4 node, upgrading formats 2 and 3.

    Equal bytes give equal nodes: no ids are made up, and ``NaN`` becomes a text. What a notebook
    must have and lacks (outputs, metadata, a source) is added empty.

    Args:
        data: The bytes of the notebook; they are not changed.
        name: What to call it in an error.

    Raises:
        InvalidNotebook: *data* is no notebook, or of a format that cannot be upgraded.
    """
    values = read_values(data, name=name)
    try:
        if values.get("cells") is None:
            from nbvc.diffing.upgrading import upgrade

            values = upgrade(values)
        notebook = to_node(values)
        notebook.metadata = _mapping(notebook.get("metadata"))
        for key in _TRANSIENT:
            notebook.metadata.pop(key, None)
        for cell in notebook.cells:
            _complete_cell(cell)
        return notebook
    except _UNEXPECTED as error:
        raise InvalidNotebook(
            f"{name} cannot be compared: its parts are not what a notebook has "
            f"({type(error).__name__}).",
            hint="nbvc show prints its exact bytes.",
        ) from error


def _complete_cell(cell: Node) -> None:
    cell.cell_type = str(cell.get("cell_type", "raw"))
    cell.metadata = _mapping(cell.get("metadata"))
    cell.metadata.pop("trusted", None)  # what Jupyter adds to a notebook that is open
    cell.source = _as_text(cell.get("source", ""))
    if "attachments" in cell:
        attachments = _mapping(cell.attachments)
        cell.attachments = Node({name: _bundle(value) for name, value in attachments.items()})
    if cell.cell_type == "code":
        cell.setdefault("execution_count", None)
        cell.outputs = [_complete_output(output) for output in _list(cell, "outputs")]


def _complete_output(output: object) -> Node:
    completed = _mapping(output)
    kind = completed.output_type = str(completed.get("output_type", "unknown"))
    if kind == "stream":
        completed.name = str(completed.get("name", "stdout"))
        completed.text = _as_text(completed.get("text", ""))
    elif kind == "error":
        completed.ename = str(completed.get("ename", ""))
        completed.evalue = str(completed.get("evalue", ""))
        completed.traceback = [_as_text(line) for line in _list(completed, "traceback")]
    elif kind in {"display_data", "execute_result"}:
        completed.data = _bundle(completed.get("data"))
        for mime, value in completed.data.items():
            if mime.lower().startswith(_TEXT_FORMATS):
                completed.data[mime] = _as_text(value)
    elif _is_lines(completed.get("text")):
        completed.text = "".join(completed.text)
    return completed


def _bundle(value: object) -> Node:
    """Return the representations of an output or an attachment, those of many lines joined."""
    return Node({mime: _joined(mime, member) for mime, member in _mapping(value).items()})


def _joined(mime: str, value: object) -> object:
    is_json = mime.startswith("application/") and mime.endswith(("/json", "+json"))
    return "".join(value) if _is_lines(value) and not is_json else value


def _as_text(value: object) -> str:
    if _is_lines(value):
        return "".join(value)
    return value if isinstance(value, str) else json.dumps(value)


def _is_lines(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(line, str) for line in value)


def _mapping(value: object) -> Node:
    if isinstance(value, Node):
        return value
    return Node() if value is None else Node(value=value)


def _list(parent: Node, key: str) -> list[Any]:
    value = parent.get(key)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
