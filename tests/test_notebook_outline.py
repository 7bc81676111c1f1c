from __future__ import annotations

import json
import subprocess
import sys

import pytest

from nbvc.notebook import CellOutline, Outline, read_outline
from tests.notebook_samples import code, display, markdown, notebook, old_notebook, stream


def only_cell(data: bytes) -> CellOutline:
    """Return the outline of the one cell of a notebook."""
    (cell,) = read_outline(data).cells
    return cell


def test_a_source_as_text_and_as_lines_is_the_same() -> None:
    """Jupyter writes lists of lines and other tools write texts; neither is a change."""
    assert only_cell(notebook(code("a\nb"))) == only_cell(notebook(code(["a\n", "b"])))


def test_lines_of_format_3_may_lack_their_ends() -> None:
    """A list of bare lines in format 3 is the same source as the joined text."""
    bare = old_notebook({"cell_type": "code", "input": ["a", "b"], "outputs": []})
    joined = old_notebook({"cell_type": "code", "input": "a\nb", "outputs": []})
    assert only_cell(bare) == only_cell(joined)


def test_indentation_and_key_order_are_no_change() -> None:
    """Another tool's formatting of the same values gives the same outline."""
    data = notebook(code("x", outputs=[display({"text/plain": "1", "text/html": "<b>"})]))
    values = json.loads(data)
    assert read_outline(json.dumps(values, sort_keys=True).encode()) == read_outline(data)


def test_each_part_changes_its_own_hash_only() -> None:
    """Source, outputs, execution count and metadata are told apart."""
    base = only_cell(notebook(code("x")))
    changed = {
        "source": only_cell(notebook(code("y"))),
        "outputs": only_cell(notebook(code("x", outputs=[stream("1")]))),
        "count": only_cell(notebook(code("x", execution_count=3))),
        "metadata": only_cell(notebook(code("x", metadata={"tags": ["a"]}))),
        "attachment": only_cell(notebook(code("x", attachments={"a.png": {}}))),
    }
    fields = ("source_hash", "outputs_hash", "metadata_hash")
    different = {
        name: [field for field in fields if getattr(cell, field) != getattr(base, field)]
        for name, cell in changed.items()
    }
    assert different == {
        "source": ["source_hash"],
        "outputs": ["outputs_hash"],
        "count": ["outputs_hash"],
        "metadata": ["metadata_hash"],
        "attachment": ["source_hash"],
    }


def test_empty_metadata_is_the_same_as_none() -> None:
    """A tool that drops empty members changes no cell."""
    bare = {"cell_type": "code", "source": "x"}
    assert only_cell(notebook(bare)) == only_cell(notebook(code("x")))


def test_another_cell_type_is_another_source() -> None:
    """Turning code into text is a change of the source, not of outputs only."""
    assert (
        only_cell(notebook(code("x"))).source_hash != only_cell(notebook(markdown("x"))).source_hash
    )


def test_the_language_is_found_in_either_place() -> None:
    """``language_info`` goes first, then ``kernelspec``; neither need be there."""
    info = notebook(language_info={"name": "R"}, kernelspec={"language": "python"})
    assert read_outline(info).language == "R"
    assert read_outline(notebook(kernelspec={"language": "julia"})).language == "julia"
    assert read_outline(notebook(kernelspec=[1])).language is None


def test_an_outline_survives_its_bytes() -> None:
    """``from_bytes`` gives back what ``to_bytes`` wrote, odd ids included."""
    data = notebook(code("x", id="a"), markdown("é"), language_info={"name": "python"})
    outline = read_outline(data)
    assert Outline.from_bytes(outline.to_bytes()) == outline
    assert len(outline.to_bytes()) < 100 * (len(outline.cells) + 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"[2,4,5,null,[]]",
        b"[1,4,5,null,[[1]]]",
        b"[1,4,5,null,5]",
        b'[1,4,5,null,["abcde"]]',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_damaged_outlines_are_refused(data: bytes) -> None:
    """What is no outline raises ``ValueError``, so that a caller can start afresh."""
    with pytest.raises(ValueError):  # noqa: PT011
        Outline.from_bytes(data)


_MEASURE = """
import resource, sys
from nbvc.notebook import read_outline
size = 60_000_000
extra = sys.argv[1].encode()
head = b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "x", "outputs": ['
data = b"".join([head, extra, b'{"data": {"image/png": "', bytes(b"A") * size, b'"}}]}]}'])
read_outline(b'{"nbformat": 4, "cells": []}')
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert len(read_outline(data).cells) == 1
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unit = 1 if sys.platform == "darwin" else 1024
print((after - before) * unit / size)
"""


@pytest.mark.parametrize(("extra", "copies"), [("", 0.1), ("NaN,", 1.1)])
def test_a_large_notebook_is_read_without_copies(extra: str, copies: float) -> None:
    """Outlining copies nothing large, and once where a strict parser needs a rewrite."""
    pytest.importorskip("resource", reason="peak memory is not measured on Windows")
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE, extra], capture_output=True, text=True, check=True
    )
    assert float(run.stdout) <= copies


def test_importing_the_package_imports_no_parser() -> None:
    """Commands that read no notebook do not pay for msgspec, nbformat or nbdime."""
    script = "import sys, nbvc.notebook; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {"msgspec", "nbformat", "nbdime", "humanize"}.isdisjoint(run.stdout.split())
