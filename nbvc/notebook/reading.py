"""Read the bytes of a notebook, accepting all that Jupyter accepts and saying what is wrong."""

from __future__ import annotations

import codecs
import json
import math
from typing import TYPE_CHECKING, Any

from nbvc.errors import InvalidNotebook
from nbvc.model import Data

if TYPE_CHECKING:
    from nbvc.notebook import wire

DEFAULT_NAME = "This file"
FIRST_FORMAT_WITH_CELLS = 4
"""Before it, cells are in worksheets, and outputs have other names."""

_HINT = "nbvc save --allow-invalid stores the exact bytes all the same."
_HINT_FOR_READERS = "nbvc show prints its exact bytes."
_CHUNK_BYTES = 1 << 20
_MAX_EXPLAINED_BYTES = 32 << 20
"""The standard parser takes several times the size of what it reads, for the sake of a message."""


def read_cells(data: Data, *, name: str = DEFAULT_NAME) -> wire.Notebook:
    """Find the cells of a notebook without decoding them.

    The parts of the result are views of *data*; beyond them this costs a few hundred bytes a cell,
    and one more copy where *data* holds ``NaN`` or a lone surrogate.

    Raises:
        InvalidNotebook: *data* is empty, not UTF-8, not JSON, nested too deeply, or no notebook.
    """
    from nbvc.notebook import wire

    _check_text(data, name)
    body = _without_bom(data)
    try:
        try:
            notebook = wire.decode_notebook(body)
        except wire.ValidationError:
            raise
        except wire.DecodeError as error:
            from nbvc.notebook.tolerant import to_strict_json

            strict = to_strict_json(body)
            if strict is None:
                raise _explained(data, name, error) from error
            notebook = wire.decode_notebook(strict)
    except wire.ValidationError as error:
        raise _invalid(name, f"the JSON has another shape ({error})") from error
    except wire.DecodeError as error:
        raise _explained(data, name, error) from error
    except RecursionError as error:
        raise _too_deep(name) from error
    if notebook.cells is None:
        raise _invalid(name, "it has neither cells nor worksheets")
    return notebook


def read_values(data: Data, *, name: str = DEFAULT_NAME) -> dict[str, Any]:
    """Decode a whole notebook into plain values, in its own format.

    Numbers that Python or JSON cannot carry (``NaN``, ``1e999``, 5,000 digits) become their text,
    so that equal bytes are equal values. Takes several times the size of *data*.

    Raises:
        InvalidNotebook: As for ``read_cells``.
    """
    try:
        read_cells(data, name=name)
    except InvalidNotebook as error:
        raise InvalidNotebook(error.message, hint=_HINT_FOR_READERS) from error
    try:
        values: dict[str, Any] = json.loads(
            str(data, "utf-8-sig"),
            parse_constant=str,
            parse_float=_parse_float,
            parse_int=_parse_int,
        )
    except RecursionError as error:
        raise InvalidNotebook(_too_deep(name).message, hint=_HINT_FOR_READERS) from error
    return values


def join_lines(lines: list[str], *, nbformat: int) -> str:
    """Return a text that a notebook holds as a list of lines.

    Formats 2 and 3 may hold lines without their line ends (nbformat's ``v3/rwbase.py``).
    """
    bare = nbformat < FIRST_FORMAT_WITH_CELLS and lines and not lines[0].endswith(("\n", "\r"))
    return ("\n" if bare else "").join(lines)


def _parse_int(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # longer than sys.get_int_max_str_digits()
        return text


def _parse_float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _without_bom(data: Data) -> memoryview:
    view = memoryview(data)
    return view[len(codecs.BOM_UTF8) :] if bytes(view[:3]) == codecs.BOM_UTF8 else view


def _check_text(data: Data, name: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, blank = 1, True
    for start in range(0, len(data), _CHUNK_BYTES):
        chunk = bytes(data[start : start + _CHUNK_BYTES])
        blank = blank and chunk.isspace()
        try:
            decoder.decode(chunk, final=start + _CHUNK_BYTES >= len(data))
        except UnicodeDecodeError as error:
            # The decoder counts from the bytes it held back from the chunk before.
            offset = error.start - (len(error.object) - len(chunk))
            line = lines + chunk.count(b"\n", 0, max(offset, 0))
            where = f"line {line} is not UTF-8 text (byte {start + offset})"
            raise _invalid(name, where) from error
        lines += chunk.count(b"\n")
    if blank:
        raise _invalid(name, "it is empty")


def _explained(data: Data, name: str, error: Exception) -> InvalidNotebook:
    """Return the error of the standard parser, which says line and column."""
    if len(data) > _MAX_EXPLAINED_BYTES:
        return _invalid(name, f"it is not JSON: {error}")
    try:
        json.loads(str(data, "utf-8-sig"), parse_int=str, parse_float=str)
    except json.JSONDecodeError as found:
        where = f"line {found.lineno}, column {found.colno}"
        return _invalid(name, f"it is not JSON: {found.msg} at {where}")
    except RecursionError:
        return _too_deep(name)
    return _invalid(name, f"it is not JSON: {error}")


def _too_deep(name: str) -> InvalidNotebook:
    return _invalid(name, "its JSON is nested too deeply")


def _invalid(name: str, reason: str) -> InvalidNotebook:
    return InvalidNotebook(f"{name} is not a notebook: {reason}.", hint=_HINT)
