from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbvc.errors import InvalidNotebook
from nbvc.notebook import read_outline, read_values
from nbvc.notebook.tolerant import to_strict_json
from tests.notebook_samples import code, markdown, notebook, old_notebook

MINIMAL = b'{"nbformat": 4, "cells": []}'


def with_outputs(outputs: bytes, *, cell_id: bytes = b'"a"') -> bytes:
    """Return a notebook of one cell whose outputs are exactly these bytes."""
    cell = b'{"id": %s, "cell_type": "code", "source": "x", "outputs": %s}' % (cell_id, outputs)
    return b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [%s]}' % cell


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b" \r\n\t", "it is empty"),
        (b"hello", "not JSON: Expecting value at line 1, column 1"),
        (b'{"nbformat": 4,\n "cells": [}', "at line 2, column 12"),
        (MINIMAL + b"x", "not JSON: Extra data at line 1, column 29"),
        (b'{"nbformat": 4, "cells": [', "not JSON: Expecting value at line 1"),
        (b"[]", "another shape (Expected `object`, got `array`)"),
        (b"{}", "missing required field `nbformat`"),
        (b'{"nbformat": "4", "cells": []}', "Expected `int`, got `str` - at `$.nbformat`"),
        (b'{"nbformat": true, "cells": []}', "Expected `int`, got `bool`"),
        (b'{"nbformat": 4}', "neither cells nor worksheets"),
        (b'{"nbformat": 4, "cells": {}}', "got `object` - at `$.cells`"),
        (b'{"nbformat": 4, "cells": [1]}', "Expected `object`, got `int` - at `$.cells[0]`"),
        (b'{"nbformat": 3, "worksheets": [{"cells": [1]}]}', "Expected `object`, got `int`"),
        (b'{"nbformat": 4,\n"\xff": 1, "cells": []}', "line 2 is not UTF-8 text (byte 17)"),
        (MINIMAL.decode().encode("utf-16"), "is not UTF-8 text"),
    ],
)
def test_what_is_no_notebook_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    """Each kind of wrong input is named, with line and column where they are known."""
    with pytest.raises(InvalidNotebook) as caught:
        read_outline(data, name="a.ipynb")
    assert caught.value.message.startswith("a.ipynb is not a notebook: ")
    assert reason in caught.value.message
    assert "--allow-invalid" in (caught.value.hint or "")


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"nbformat": 4, "cells": ['])
@pytest.mark.parametrize("closed", [True, False])
def test_nesting_200000_deep_is_refused(opening: bytes, *, closed: bool) -> None:
    """Deep nesting ends in an error that says so, not in a crash of the interpreter."""
    deep = b"[" * 200_000 + (b"]" * 200_000 if closed else b"")
    for data in (opening + deep, with_outputs(deep)):
        with pytest.raises(InvalidNotebook):
            read_outline(data)
    with pytest.raises(InvalidNotebook, match="nested too deeply"):
        read_outline(with_outputs(b"[" * 200_000 + b"]" * 200_000))


def test_invalid_utf8_across_a_chunk_border_is_placed_exactly() -> None:
    """The reported byte is right where the broken character begins in the chunk before."""
    filler = b'{"nbformat": 4, "cells": [], "x": "'
    data = filler + b"a" * ((1 << 20) - len(filler) - 1) + b"\xe2\x28\xa1" + b'"}'
    with pytest.raises(InvalidNotebook, match=rf"byte {(1 << 20) - 1}\)"):
        read_outline(data)


@pytest.mark.parametrize(
    "outputs",
    [
        b"[NaN, -Infinity, Infinity]",
        b"[1e999]",
        b'["\\ud800", "\\udc00\\ud800", "\\ud83d\\ude00"]',
        b"[" + b"9" * 5000 + b"]",
        b"[18446744073709551616]",
        b'[{"a": 1, "a": 2}]',
        b'["NaN \\" Infinity \\\\"]',
        b'[NaN, "\\\\ud800", "NaN"]',
    ],
)
def test_what_jupyter_accepts_is_accepted(outputs: bytes) -> None:
    """Values outside the JSON standard or Python's limits do not make a notebook invalid."""
    outline = read_outline(with_outputs(outputs))
    assert [cell.id for cell in outline.cells] == ["a"]
    assert outline != read_outline(with_outputs(b"[]"))


@pytest.mark.parametrize(
    ("some", "other"),
    [
        (b"[NaN]", b"[Infinity]"),
        (b"[Infinity]", b"[-Infinity]"),
        (b'["\\ud800"]', b'["\\ud801"]'),
        (b"[" + b"9" * 5000 + b"]", b"[" + b"9" * 4999 + b"8]"),
    ],
)
def test_values_outside_the_standard_are_told_apart(some: bytes, other: bytes) -> None:
    """A change from one such value to another is seen."""
    assert read_outline(with_outputs(some)) != read_outline(with_outputs(other))


def test_a_byte_order_mark_and_crlf_change_nothing() -> None:
    """A file saved by a Windows editor has the outline of the original."""
    data = notebook(code("a\nb"), markdown("# Ü"))
    assert read_outline(b"\xef\xbb\xbf" + data) == read_outline(data)
    assert read_outline(data.replace(b"\n", b"\r\n")) == read_outline(data)


@pytest.mark.parametrize(
    "cell_id", [b"null", b"3", b"[1]", b'"' + b"x" * 5000 + b'"', b'"\\ud800"']
)
def test_an_odd_cell_id_is_no_reason_to_refuse(cell_id: bytes) -> None:
    """Ids that are no short texts count as absent; the cell is still there."""
    assert len(read_outline(with_outputs(b"[]", cell_id=cell_id)).cells) == 1


def test_format_3_without_worksheets_has_no_cells() -> None:
    """Jupyter opens such a notebook as an empty one."""
    assert read_outline(b'{"nbformat": 3, "nbformat_minor": 0, "metadata": {}}').cells == ()


def test_formats_2_and_3_have_their_worksheets_joined() -> None:
    """Cells of all worksheets are found in order, and the language of the code."""
    cell = {"cell_type": "code", "input": "x", "language": "julia", "outputs": []}
    heading = {"cell_type": "heading", "source": "T", "level": 2}
    for nbformat in (2, 3):
        outline = read_outline(old_notebook(heading, cell, nbformat=nbformat))
        assert (outline.nbformat, outline.language) == (nbformat, "julia")
        assert [cell.cell_type for cell in outline.cells] == ["heading", "code"]


def test_numbers_beyond_python_become_their_text() -> None:
    """``read_values`` keeps them comparable: NaN equals itself, and 5,000 digits are kept."""
    digits = "9" * 5000
    values = read_values(with_outputs(f"[NaN, 1e999, {digits}, 1.5, 7]".encode()))
    assert values["cells"][0]["outputs"] == ["NaN", "1e999", digits, 1.5, 7]


_fragments = st.sampled_from(["NaN", "Infinity", "-", "I", "1", "1e5", " ", "a", "é", "true"]) | (
    st.sampled_from(['"', "\\", "\\\\", "\\n", "\\u0041", "\\ud800", "\\udc00", "\\uD83D\\uDE00"])
    | st.sampled_from("[]{}:,")
)


@settings(max_examples=500)
@given(st.lists(_fragments, max_size=12).map("".join))
def test_json_is_accepted_exactly_where_python_accepts_it(fragment: str) -> None:
    """Whatever stands as a cell's outputs, nbvc and ``json.loads`` agree on whether it is JSON."""
    data = with_outputs(fragment.encode())
    try:
        json.loads(data)
    except ValueError:
        with pytest.raises(InvalidNotebook):
            read_outline(data)
    else:
        read_outline(data)


_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(_values)
def test_any_value_that_python_writes_is_accepted(value: Any) -> None:
    """What ``json.dumps`` writes as outputs can be read, surrogates and NaN included."""
    assert len(read_outline(with_outputs(json.dumps(value).encode())).cells) == 1


def test_rewriting_keeps_the_length_and_spares_strings() -> None:
    """Positions stay, and text that merely looks like a constant is untouched."""
    data = rb'{"a": NaN, "b": "NaN", "c": -Infinity, "d": "\\ud800", "e": "\ud800"}'
    strict = to_strict_json(data)
    assert strict == rb'{"a": "N", "b": "NaN", "c": "-Infini", "d": "\\ud800", "e": "\\d800"}'
    assert to_strict_json(b'{"a": "NaN"}') is None
