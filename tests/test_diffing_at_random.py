"""Notebooks made and edited at random: each diff leads from one to the other, both ways."""

from __future__ import annotations

import copy
import json
from typing import Any

import nbdime
import nbformat
from hypothesis import given, settings
from hypothesis import strategies as st
from nbdime.diff_format import validate_diff
from nbdime.diff_utils import to_diffentry_dicts

from nbvc import diffing
from nbvc.diffing import DiffOptions
from tests.diff_sizes import Size
from tests.notebook_samples import code, display, markdown, notebook, old_notebook, stream

Cell = dict[str, Any]

LINES = [
    "import numpy as np",
    "x = 1",
    "x = 2",
    "for name, value in sorted(found.items()):",
    "    print(name, value)",
    "",
    "plt.show()",
    "# \u00e9\U0001f600 \u2028 in a line",
    "tab\tand\x0bmore\x0c",
    "\ud800",
]
ENDS = ["\n", "\n", "\n", "\r\n", "\r", ""]
IDS = ["a", "b", "c", "d", "e"]

lines = st.builds(str.__add__, st.sampled_from(LINES), st.sampled_from(ENDS))
sources = st.lists(lines, max_size=6).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from([0.5, "", "a", "a\nb"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=6,
)
metadata = st.dictionaries(st.sampled_from(["tags", "collapsed", "name"]), values, max_size=2)
bundles = st.fixed_dictionaries(
    {},
    optional={
        "text/plain": sources,
        "text/html": sources,
        "image/png": st.sampled_from(["iVBORw0KGgo=", "iVBORw0KGgp="]),
        "application/json": values,
    },
)
outputs = st.lists(
    st.builds(stream, sources, st.sampled_from(["stdout", "stderr"])) | st.builds(display, bundles),
    max_size=3,
)
code_cells = st.builds(
    code, sources, outputs=outputs, metadata=metadata, execution_count=st.none() | st.integers(1, 3)
)
cells = code_cells | st.builds(markdown, sources, metadata=metadata)


def with_ids(made: list[Cell], draw: st.DrawFn) -> list[Cell]:
    """Return cells with ids: of all of them or of some, unique or repeated."""
    pool = st.sampled_from(IDS) if draw(st.booleans()) else st.sampled_from([*IDS, None])
    return [{**cell, "id": name} if (name := draw(pool)) else cell for cell in made]


@st.composite
def edited(draw: st.DrawFn, made: list[Cell]) -> list[Cell]:
    """Return *made* after a few edits of the kinds that people and programs make."""
    result = copy.deepcopy(made)
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(EDITS))
        at = draw(st.integers(0, max(0, len(result) - 1)))
        other = draw(st.integers(0, max(0, len(result) - 1)))
        if kind == "insert" or not result:
            result.insert(at, draw(cells))
        elif kind == "delete":
            del result[at]
        elif kind == "move":
            result.insert(other, result.pop(at))
        elif kind == "repeat":
            result.insert(other, copy.deepcopy(result[at]))
        elif kind == "lose ids":
            result = [{k: v for k, v in cell.items() if k != "id"} for cell in result]
        elif kind == "new ids":
            result = [{**cell, "id": f"{at}-{number}"} for number, cell in enumerate(result)]
        else:
            edit_cell(draw, result[at], kind)
    return result


EDITS = ["insert", "delete", "move", "repeat", "lose ids", "new ids", "line", "outputs", "metadata"]


def edit_cell(draw: st.DrawFn, cell: Cell, kind: str) -> None:
    """Change a line, the outputs or the metadata of a cell."""
    if kind == "line":
        old = cell["source"].splitlines(keepends=True)
        at = draw(st.integers(0, len(old)))
        cell["source"] = "".join([*old[:at], draw(lines), *old[at + draw(st.integers(0, 1)) :]])
    elif kind == "outputs" and cell["cell_type"] == "code":
        cell["outputs"] = draw(outputs)
        cell["execution_count"] = draw(st.integers(1, 99))
    else:
        cell["metadata"] = draw(metadata)


def as_format_3(made: list[Cell]) -> bytes:
    """Return a notebook of format 3 of such cells."""
    old = []
    for cell in made:
        if cell["cell_type"] == "code":
            old_outputs = [
                {"output_type": "stream", "stream": output["name"], "text": output["text"]}
                for output in cell["outputs"]
                if output["output_type"] == "stream"
            ]
            old.append({"cell_type": "code", "input": cell["source"], "outputs": old_outputs})
        else:
            old.append({"cell_type": "markdown", "source": cell["source"]})
    return old_notebook(*old)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return a notebook, and what became of it, each in a format from 3 to 4.5."""
    before = with_ids(draw(st.lists(cells, max_size=6)), draw)
    both = before, draw(edited(before))
    minors = draw(st.sampled_from([(5, 5), (0, 0), (4, 5), (None, 4), (None, None)]))
    old, new = (
        as_format_3(made) if minor is None else notebook(*made, minor=minor, kernel={"x": minor})
        for made, minor in zip(both, minors, strict=True)
    )
    return old, new


@settings(max_examples=250, deadline=None)
@given(pairs())
def test_a_diff_leads_from_either_notebook_to_the_other(pair: tuple[bytes, bytes]) -> None:
    """Applied by nbdime; as many cells change either way; neither notebook is touched."""
    old, new = map(diffing.load, pair)
    before = copy.deepcopy((old, new))
    there, back = diffing.diff_notebooks(old, new), diffing.diff_notebooks(new, old)
    assert (old, new) == before
    assert nbdime.patch_notebook(old, there) == new
    assert nbdime.patch_notebook(new, back) == old
    assert Size.of(there).cells == Size.of(back).cells
    assert (there == []) == (old == new)


@settings(max_examples=100, deadline=None)
@given(pairs())
def test_equal_notebooks_have_no_difference(pair: tuple[bytes, bytes]) -> None:
    """Loaded twice, or held as other types of mappings."""
    for data in pair:
        loaded = diffing.load(data)
        plain = json.loads(json.dumps(loaded))
        assert diffing.diff_notebooks(loaded, diffing.load(data)) == []
        assert diffing.diff_notebooks(loaded, plain) == []
        assert diffing.diff_notebooks(nbformat.from_dict(plain), loaded) == []


@settings(max_examples=100, deadline=None)
@given(pairs())
def test_the_diff_is_in_the_format_of_nbdime(pair: tuple[bytes, bytes]) -> None:
    """Nbdime's own check accepts it, and JSON holds it without loss."""
    old, new = map(diffing.load, pair)
    found = diffing.diff_notebooks(old, new)
    validate_diff(found, deep=True)
    restored = to_diffentry_dicts(json.loads(json.dumps(diffing.to_json(found))))
    assert nbdime.patch_notebook(old, restored) == new


LEFT_OUT = {
    "ignore_outputs": {"outputs"},
    "ignore_metadata": {"metadata"},
    "ignore_details": {"execution_count", "id", "nbformat", "nbformat_minor"},
    "source_only": {"outputs", "metadata", "execution_count", "id", "nbformat", "nbformat_minor"},
}


@settings(max_examples=100, deadline=None)
@given(pairs(), st.sampled_from(sorted(LEFT_OUT)))
def test_an_option_leaves_its_parts_out_and_nothing_else(
    pair: tuple[bytes, bytes], option: str
) -> None:
    """Where neither notebook has them, the option changes nothing."""
    old, new = map(diffing.load, pair)
    options = DiffOptions(**{option: True})
    found = diffing.diff_notebooks(old, new, options)
    assert not {part for path in places(found) for part in path} & LEFT_OUT[option]
    for node in (old, new):
        without(node, LEFT_OUT[option])
    assert diffing.diff_notebooks(old, new) == diffing.diff_notebooks(old, new, options)


def places(diff: list[Any]) -> set[tuple[str, ...]]:
    """Return the keys on the way to each operation, indices and JSON of their own aside."""
    found: set[tuple[str, ...]] = set()
    for entry in diff:
        key = () if isinstance(entry["key"], int) else (entry["key"],)
        inner = places(entry["diff"]) if entry["op"] == "patch" else {()}
        if key and key[0] in {"metadata", "data"}:
            inner = {()}
        found |= {key + rest for rest in inner}
    return found


def without(notebook: Any, keys: set[str]) -> None:
    """Remove these keys from a notebook, its cells and their outputs."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    for node in [notebook, *notebook.cells, *outputs]:
        for key in keys:
            node.pop(key, None)


@settings(max_examples=100, deadline=None)
@given(pairs())
def test_no_cell_is_paired_twice(pair: tuple[bytes, bytes]) -> None:
    """Each cell has one partner at the most, and those that did not move stand in order."""
    old, new = (diffing.load(data).cells for data in pair)
    found = diffing.align_cells(old, new)
    assert len({pair.old for pair in found}) == len({pair.new for pair in found}) == len(found)
    kept = [pair.old for pair in found if not pair.moved]
    assert kept == sorted(kept)
    back = diffing.align_cells(new, old)
    assert sorted((p.old, p.new, p.moved) for p in found) == sorted(
        (p.new, p.old, p.moved) for p in back
    )
