from __future__ import annotations

import copy
import io
import json
import subprocess
from itertools import pairwise
from typing import Any

import nbdime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbdime.diffing.notebooks import (
    notebook_differs,
    reset_notebook_differ,
    set_notebook_diff_ignores,
)

from nbvc import diffing
from nbvc.diffing import DiffOptions
from nbvc.errors import InvalidNotebook
from tests.notebook_samples import (
    CORPUS,
    code,
    display,
    markdown,
    needs_corpus,
    notebook,
    old_notebook,
    stream,
)

OLD = notebook(
    markdown("# Title", id="t"),
    code("a = 1\nb = 2", id="a", outputs=[stream("1\n")], execution_count=1),
    code("gone", id="g"),
    kernelspec={"name": "old"},
)
NEW = notebook(
    markdown("# Title", id="t", metadata={"tags": ["x"]}),
    code("a = 1\nb = 3", id="a", outputs=[stream("2\n")], execution_count=2),
    code("added", id="n"),
    kernelspec={"name": "new"},
)


def paths(diff: list[Any], prefix: str = "") -> set[str]:
    """Return where in the notebook *diff* changes something."""
    found: set[str] = set()
    for entry in diff:
        path = f"{prefix}/{entry['key']}"
        found |= paths(entry["diff"], path) if entry["op"] == "patch" else {path}
    return found


def rendered(old: bytes, new: bytes, options: DiffOptions | None = None, **more: Any) -> str:
    """Return what a terminal would be given."""
    out = io.StringIO()
    diffing.render(
        diffing.load(old),
        diffing.diff(old, new, options),
        out=out,
        options=options,
        **{"names": ("a.ipynb", "b.ipynb"), **more},
    )
    return out.getvalue()


def assert_patches(old: bytes, new: bytes) -> None:
    """Check that the diff leads from *old* to *new*, and that *old* equals itself."""
    diff = diffing.diff(old, new)
    assert nbdime.patch_notebook(diffing.load(old), diff) == diffing.load(new)
    assert diffing.diff(old, old) == []


def test_the_diff_leads_from_one_notebook_to_the_other() -> None:
    """``nbdime.patch_notebook`` with it gives the new notebook, so any nbdime tool can use it."""
    assert_patches(OLD, NEW)
    assert_patches(NEW, OLD)


def test_the_diff_is_the_one_that_nbdime_makes() -> None:
    """On plain notebooks entry by entry, so that the two can be set side by side."""
    old, new = diffing.load(OLD), diffing.load(NEW)
    assert diffing.diff_notebooks(old, new) == nbdime.diff_notebooks(old, new)


def test_each_option_leaves_its_part_out() -> None:
    """Outputs, metadata, details: each disappears and the rest stays; sources stay always."""
    everything = paths(diffing.diff(OLD, NEW))
    outputs = {path for path in everything if "/outputs" in path}
    metadata = {path for path in everything if "/metadata" in path}
    details = {path for path in everything if path.endswith(("/execution_count", "/id"))}
    assert outputs
    assert metadata
    assert details
    left = {
        name: everything - paths(diffing.diff(OLD, NEW, DiffOptions(**{name: True})))
        for name in ("ignore_outputs", "ignore_metadata", "ignore_details", "source_only")
    }
    assert left == {
        "ignore_outputs": outputs,
        "ignore_metadata": metadata,
        "ignore_details": details,
        "source_only": outputs | metadata | details,
    }


def test_output_metadata_and_counts_follow_the_options() -> None:
    """The metadata and execution count of an output are left out with the others."""
    base = {"output_type": "execute_result", "data": {"text/plain": "1"}}
    old = notebook(code("x", outputs=[{**base, "metadata": {"a": 1}, "execution_count": 1}]))
    new = notebook(code("x", outputs=[{**base, "metadata": {"a": 2}, "execution_count": 2}]))
    assert len(paths(diffing.diff(old, new))) == 2
    options = DiffOptions(ignore_metadata=True, ignore_details=True)
    assert diffing.diff(old, new, options) == []


def test_an_output_is_the_same_while_most_of_its_text_stays() -> None:
    """Other numbers change it; another table replaces it."""
    rows = [f"{year} rain in millimetres" for year in range(1990, 2000)]
    old, changed, other = (
        notebook(code("x", outputs=[display({"text/plain": text})]))
        for text in (
            "\n".join(rows),
            "\n".join([*rows[:-1], "1999 snow in metres"]),
            "\n".join(row if n % 3 else "something else altogether" for n, row in enumerate(rows)),
        )
    )
    assert paths(diffing.diff(old, changed)) != {"/cells/0/outputs/0"}
    assert paths(diffing.diff(old, other)) == {"/cells/0/outputs/0"}


def test_numbers_that_are_equal_are_no_difference() -> None:
    """Some programs write 3 and some 3.0; JSON has one number for both."""
    old = notebook(code("x", metadata={"level": 3, "a": 1}), threshold=6)
    new = notebook(code("x", metadata={"level": 3.0, "a": 2}), threshold=6.0)
    assert paths(diffing.diff(old, new)) == {"/cells/0/metadata/a"}


def test_what_jupyter_adds_while_a_notebook_is_open_is_no_difference() -> None:
    """Trust, signature and the format it came from are not stored by Jupyter either."""
    old = notebook(code("x"))
    new = notebook(code("x", metadata={"trusted": True}), signature="s", orig_nbformat=3)
    assert diffing.diff(old, new) == []


def test_format_numbers_and_regenerated_ids_are_details() -> None:
    """Another minor format or other ids are no difference when details are ignored."""
    old = notebook(code("x", id="a"), minor=4)
    new = notebook(code("x", id="b"), minor=5)
    assert diffing.diff(old, new) != []
    assert diffing.diff(old, new, DiffOptions(ignore_details=True)) == []


def test_options_leave_no_trace_in_the_process() -> None:
    """One diff's options change neither nbdime's settings nor the next diff."""
    before = dict(notebook_differs)
    first = diffing.diff(OLD, NEW)
    diffing.diff(OLD, NEW, DiffOptions(source_only=True))
    assert diffing.diff(OLD, NEW) == first
    assert set(notebook_differs) <= set(before) | set(notebook_differs.default_values)


def test_settings_of_the_process_change_no_diff() -> None:
    """A host that has set nbdime's global ignores still gets the whole diff."""
    first = diffing.diff(OLD, NEW)
    set_notebook_diff_ignores({"/cells/*/source": True, "/cells/*/outputs": True})
    try:
        assert diffing.diff(OLD, NEW) == first
    finally:
        reset_notebook_differ()


def test_comparing_changes_neither_notebook() -> None:
    """The nodes that are handed in stay as they are."""
    old, new = diffing.load(OLD), diffing.load(NEW)
    copies = copy.deepcopy((old, new))
    diffing.diff_notebooks(old, new)
    assert (old, new) == copies


def test_loading_twice_gives_the_same() -> None:
    """No random ids are made up for cells without ids, or with the same id, in any format."""
    cell = {"cell_type": "code", "input": "x", "outputs": []}
    for data in (
        notebook(code("x"), code("y")),
        notebook(code("x", id="a"), code("y", id="a")),
        old_notebook(cell),
        old_notebook(cell, nbformat=2),
    ):
        assert diffing.load(data) == diffing.load(data)
        assert diffing.diff(data, data) == []


def test_format_3_is_upgraded_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    """Old inputs, headings and outputs compare with today's, and nothing is logged."""
    old = old_notebook(
        {"cell_type": "heading", "source": "T", "level": 2},
        {
            "cell_type": "code",
            "input": ["a\n", "b"],
            "prompt_number": 2,
            "outputs": [{"output_type": "pyout", "text": ["1"], "prompt_number": 2}, "odd"],
        },
    )
    loaded = diffing.load(old)
    heading, cell = loaded.cells
    assert heading.source == "## T"
    assert (cell.source, cell.execution_count) == ("a\nb", 2)
    assert cell.outputs[0].data == {"text/plain": "1"}
    assert_patches(old, notebook(markdown("## T"), code("a\nb\nc"), minor=4))
    assert caplog.records == []


def test_a_list_beside_an_object_in_the_same_place_is_compared() -> None:
    """Metadata of one name may be a list in one cell and an object in the next."""
    cells = [code("a" * 20, metadata={"x": [1]}), code("b" * 20, metadata={"x": {"y": 1}})]
    changed = [code("a" * 20, metadata={"x": [2]}), code("b" * 20, metadata={"x": {"y": 2}})]
    assert_patches(notebook(*cells), notebook(*changed))


ODD_OUTPUTS: list[Any] = [
    None,
    7,
    [7],
    [{}],
    [{"output_type": "stream"}],
    [{"output_type": "stream", "name": 3, "text": {"a": 1}}],
    [{"output_type": "error", "traceback": [1, ["a", "b"]]}],
    [{"output_type": "error", "traceback": "one"}],
    [display({"text/plain": {"a": 1}, "text/html": [1, 2]})],
    [display({"application/json": 5})],
    [display({"application/json": {"a": [1]}})],
    [display({"application/json": [float("nan"), 1e300]})],
    [display({"image/png": ["a", 1]})],
    [{"output_type": "display_data", "data": "text"}],
    [{"output_type": "execute_result"}],
    [stream("\ud800")],
    [{"output_type": ["list"]}],
]


@pytest.mark.parametrize("odd", ODD_OUTPUTS, ids=repr)
def test_odd_outputs_are_compared_and_not_a_crash(odd: Any) -> None:
    """Outputs that no schema allows still give a diff that leads to the other notebook."""
    for other in ODD_OUTPUTS:
        old, new = notebook(code("x", outputs=odd)), notebook(code("x", outputs=other))
        assert_patches(old, new)
        rendered(old, new)


ODD_CELLS: list[dict[str, Any]] = [
    {},
    {"cell_type": None},
    {"cell_type": "code"},
    {"cell_type": "code", "source": 3, "metadata": [1]},
    {"cell_type": "markdown", "source": ["a", 1], "attachments": {"a.png": 3}},
    {"cell_type": "markdown", "attachments": {"a.png": {"image/png": "AA"}, "b": {}}},
    {"cell_type": "markdown", "attachments": {"a.png": {"image/png": "BB"}}},
    {"cell_type": "markdown", "attachments": 5},
    {"cell_type": "code", "id": 4, "execution_count": "x"},
]


@pytest.mark.parametrize("odd", ODD_CELLS, ids=repr)
def test_odd_cells_are_compared_and_not_a_crash(odd: dict[str, Any]) -> None:
    """Cells without what a cell must have still give a diff that leads to the other notebook."""
    for other in ODD_CELLS:
        old, new = notebook(odd, code("x")), notebook(other, code("y"))
        assert_patches(old, new)
        rendered(old, new)


@pytest.mark.parametrize(
    "data",
    [
        b'{"nbformat": 4, "cells": [], "metadata": {"a": NaN, "b": 1e999}}',
        b'{"nbformat": 4, "cells": [], "metadata": {"a": %s}}' % (b"9" * 5000),
        b'{"nbformat": 4, "cells": [{"cell_type": "raw", "source": "\\ud800"}]}',
        b'\xef\xbb\xbf{"nbformat": 4,\r\n "cells": [], "metadata": null}',
        b'{"nbformat": 4, "nbformat_minor": "x", "cells": [], "metadata": {"a": 1, "a": 2}}',
    ],
)
def test_what_jupyter_accepts_is_compared(data: bytes) -> None:
    """NaN, huge numbers, lone surrogates, BOM and duplicate keys give a diff and JSON of it."""
    assert_patches(notebook(), data)
    assert_patches(data, notebook())
    json.dumps(diffing.to_json(diffing.diff(notebook(), data)), allow_nan=False)
    rendered(notebook(), data)


def test_what_cannot_be_compared_is_an_error_that_says_so() -> None:
    """No notebook, nesting too deep, an old heading without a level: InvalidNotebook."""
    deep = b'{"nbformat": 4, "cells": [], "metadata": {"a": %s}}' % (b"[" * 5000 + b"]" * 5000)
    old = b'{"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "heading", "level": "x"}]}]}'
    for a, b in [(b"", OLD), (OLD, b"{}"), (deep, OLD), (old, OLD)]:
        with pytest.raises(InvalidNotebook):
            diffing.diff(a, b)


def test_the_diff_as_json_is_plain() -> None:
    """``to_json`` gives lists and dictionaries that JSON holds without loss."""
    plain = diffing.to_json(diffing.diff(OLD, NEW))
    assert json.loads(json.dumps(plain)) == plain
    assert type(plain[0]) is dict


def test_the_terminal_view_shows_names_and_changed_lines() -> None:
    """Old and new name at the top, then removed and added lines, as nbdime prints them."""
    text = rendered(OLD, NEW)
    assert text.startswith("--- a.ipynb\n+++ b.ipynb\n")
    assert "-  b = 2\n+  b = 3\n" in text
    assert "\x1b" not in text


def test_the_terminal_view_of_no_difference_is_empty() -> None:
    """Equal notebooks print nothing, not even a header."""
    assert rendered(OLD, OLD) == ""


def test_the_terminal_view_follows_the_options() -> None:
    """With sources only, an added cell shows its source and neither outputs nor metadata."""
    new = notebook(code("added", id="n", outputs=[stream("printed")], metadata={"tag": 1}))
    text = rendered(notebook(), new, DiffOptions(source_only=True))
    assert "added" in text
    assert "printed" not in text
    assert "tag" not in text


def test_colours_are_those_of_nbdime_and_only_those() -> None:
    """A notebook's own escape sequences are shown as text, beside the real colours."""
    hostile = notebook(code("a = 1\n\x1b[32mgreen\x1b]0;title\x07\u202e\U000f0000", id="a"))
    text = rendered(OLD, hostile, use_color=True, names=("\x1b[2J", "b\nc"))
    assert text.startswith("--- \\x1b[2J\n+++ b\\x0ac\n")
    assert r"\x1b[32mgreen\x1b]0;title\x07\u202e" in text
    assert "\x1b[31m-  b = 2" in text
    for code_ in ("\x1b[31m", "\x1b[32m", "\x1b[34m", "\x1b[1m", "\x1b[0m"):
        text = text.replace(code_, "")
    assert "\x1b" not in text
    assert text.count("\U000f0000") == 1


def test_rendering_runs_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither git nor diff is started, even where both are installed."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"started {args}")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    assert "b = 3" in rendered(OLD, NEW, use_color=True)


_text = st.text(st.characters(), max_size=6) | st.sampled_from(
    ["a\nb", "a\r\nb", "x = 1\ny = 2\n", "x = 1\ny = 3\n", "\u2028\x0b", "NaN"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_text, inner, max_size=2),
    max_leaves=4,
)
_data = st.dictionaries(
    st.sampled_from(["text/plain", "image/png", "application/json"]), _json, max_size=2
)
_outputs = st.lists(st.builds(stream, _text) | st.builds(display, _data), max_size=3)
_metadata = st.dictionaries(_text, _json, max_size=2)
_ids = st.sampled_from("abc")
_cells = st.lists(
    st.builds(code, _text, id=_ids, outputs=_outputs, metadata=_metadata)
    | st.builds(code, _text, outputs=_outputs)
    | st.builds(markdown, _text, metadata=_metadata),
    max_size=4,
)
any_notebook = st.builds(lambda cells: notebook(*cells), _cells)


@settings(max_examples=150, deadline=None)
@given(any_notebook, any_notebook)
def test_any_diff_leads_from_one_notebook_to_the_other(old: bytes, new: bytes) -> None:
    """Patching works for whatever notebooks hold, and every view of the diff can be made."""
    assert_patches(old, new)
    rendered(old, new, use_color=True).encode()
    json.dumps(diffing.to_json(diffing.diff(old, new)), allow_nan=False)


@needs_corpus
@pytest.mark.corpus
def test_the_samples_of_nbformat_compare_with_each_other() -> None:
    """Formats 2 to 4.5, valid or not, give diffs that lead from each to the next."""
    samples = [path.read_bytes() for path in sorted((CORPUS / "nbformat").glob("test*.ipynb"))]
    for old, new in pairwise(samples):
        assert_patches(old, new)
