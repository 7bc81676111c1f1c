"""Notebooks that are broken, old, odd or hostile: stored byte for byte or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbvc.model import Digest
from tests.command_line import CommandLine
from tests.notebook_samples import code, markdown, notebook, old_notebook

FINE = notebook(markdown("# Churn"), code("x = 1"))
NOT_NOTEBOOKS = {
    "empty": b"",
    "blank": b" \n\t\n",
    "no JSON": b"x = 1\n",
    "cut off": FINE[:-20],
    "JSON of something else": b'{"name": "package", "version": 1}',
    "a list": b"[1, 2]",
    "null": b"null",
    "a number as cells": b'{"nbformat": 4, "cells": 3}',
    "no UTF-8": b'{"nbformat": 4, "cells": [{"source": "caf\xe9"}]}',
    "UTF-16": FINE.decode().encode("utf-16"),
    "too deep": b'{"nbformat": 4, "cells": [], "metadata": '
    + b"[" * 200_000
    + b"]" * 200_000
    + b"}",
    "conflict markers": b"<<<<<<< HEAD\n" + FINE,
    "binary": bytes(range(256)) * 100,
}


def with_cell(cell: str, *, minor: int = 5) -> bytes:
    """Return a notebook whose only cell is exactly this text."""
    return b'{"nbformat": 4, "nbformat_minor": %d, "metadata": {}, "cells": [%b]}' % (
        minor,
        cell.encode(),
    )


ODD = {
    "format 2": old_notebook(
        {"cell_type": "code", "input": ["x = 1"], "outputs": [], "language": "python"}, nbformat=2
    ),
    "format 3": old_notebook(
        {"cell_type": "heading", "level": 2, "source": "Title"},
        {
            "cell_type": "code",
            "input": "x = 1",
            "outputs": [{"output_type": "pyout", "prompt_number": 1, "text": ["1"]}],
            "prompt_number": 1,
            "language": "python",
        },
    ),
    "no minor version": b'{"nbformat": 4, "metadata": {}, "cells": []}',
    "NaN and infinity": with_cell(
        '{"cell_type": "code", "source": "", "metadata": {"a": NaN, "b": [-Infinity, 1e999]},'
        ' "outputs": [], "execution_count": null}'
    ),
    "5,000 digits": with_cell(
        '{"cell_type": "raw", "source": "", "metadata": {"n": %s}}' % ("9" * 5_000)
    ),
    "duplicate keys": with_cell(
        '{"cell_type": "raw", "cell_type": "markdown", "source": "a", "source": "b"}'
    ),
    "duplicate ids": notebook(code("x", id="same"), code("y", id="same")),
    "missing ids": notebook(code("x"), code("y")),
    "wrong ids": notebook(code("x", id=""), code("y", id="a b/" * 100)),
    "lone surrogate": with_cell(
        r'{"cell_type": "markdown", "source": "\ud800 alone", "metadata": {}}'
    ),
    "byte order mark": b"\xef\xbb\xbf" + FINE,
    "CRLF": FINE.replace(b"\n", b"\r\n"),
    "no newline, tabs": json.dumps(json.loads(FINE), indent="\t").encode(),
    "unknown cell type": notebook({"cell_type": "sql", "source": "select 1", "metadata": {}}),
    "no cell type": notebook({"source": "x", "metadata": {}}),
    "source of wrong type": notebook({"cell_type": "code", "source": 3, "metadata": {}}),
    "outputs of wrong type": notebook({"cell_type": "code", "source": "x", "outputs": "none"}),
    "hostile metadata": notebook(code("x"), __proto__={"polluted": True}, constructor={}),
    "many cells": notebook(*[code(f"x = {number}") for number in range(2_000)]),
    "future format": FINE.replace(b'"nbformat": 4', b'"nbformat": 5'),
}


@pytest.mark.parametrize("data", NOT_NOTEBOOKS.values(), ids=NOT_NOTEBOOKS)
def test_what_is_no_notebook_is_refused_unless_it_is_wanted(
    project: CommandLine, data: bytes
) -> None:
    """Exit code 2 with a reason; ``--allow-invalid`` keeps the exact bytes, and work goes on."""
    project.write("a.ipynb", data)
    refused = project("save", exit_code=2)
    assert refused.stderr.startswith("error: a.ipynb is not a notebook: ")
    assert "hint: nbvc save --allow-invalid" in refused.stderr
    assert project("ls", "--json").json == []
    project("save", "--allow-invalid")
    assert project("show", "v1").data == data
    project.write("a.ipynb", FINE)
    assert project("save").stdout.startswith("Saved v2")
    assert [entry["number"] for entry in project("log", "--json").json] == [2, 1]
    assert "error: a.ipynb@v1 is not a notebook" in project("diff", "v1", "v2", exit_code=2).stderr
    assert "is not a notebook" in project("show", "v1", "--summary", exit_code=2).stderr
    project("checkout", "v1")
    assert (project.folder / "a.ipynb").read_bytes() == data


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_an_odd_notebook_is_stored_byte_for_byte(project: CommandLine, data: bytes) -> None:
    """And can be listed, summed up, compared, published and brought back."""
    check_round_trip(project, data)


def check_round_trip(project: CommandLine, data: bytes) -> None:
    """Save *data* on top of a plain notebook, and try everything on it."""
    project.write("a.ipynb", FINE)
    project("save")
    project.write("a.ipynb", data)
    (saved,) = project("save", "--json").json
    assert (saved["number"], saved["digest"]) == (2, Digest.of(data))
    assert project("show", "v2").data == data
    assert project("show", "v2", "--summary").stderr == ""
    for arguments in (["v1", "v2"], ["v2", "v1"], ["v1", "v2", "--stat"], ["v1", "v2", "--json"]):
        assert "Traceback" not in project("diff", *arguments).stderr
    project("publish")
    project("checkout", "v1")
    project("checkout", "v2")
    assert (project.folder / "a.ipynb").read_bytes() == data
    assert project("save").stdout == "a.ipynb is unchanged since v2.\n"


def test_a_change_within_an_old_format_is_described(project: CommandLine) -> None:
    """Format 3 is compared after an upgrade in memory only."""
    cell = {"cell_type": "code", "outputs": [], "language": "python"}
    project.write("a.ipynb", old_notebook({**cell, "input": "x = 1"}))
    project("save")
    project.write("a.ipynb", old_notebook({**cell, "input": "x = 2"}))
    assert "(1 cell changed)" in project("save").stdout
    shown = project("diff", "v1", "v2").stdout
    assert "-  x = 1" in shown
    assert "+  x = 2" in shown
    assert json.loads(project("show", "v1").data)["nbformat"] == 3


@pytest.mark.corpus
def test_the_samples_of_nbformat_are_stored_byte_for_byte(
    project: CommandLine, corpus: Path
) -> None:
    """Formats 2 to 4.5, some invalid on purpose."""
    samples = sorted((corpus / "nbformat").glob("*.ipynb"))
    assert len(samples) >= 20
    for number, sample in enumerate(samples):
        data = sample.read_bytes()
        project.write(f"{number}/a.ipynb", FINE)
        project("save", cwd=project.folder / str(number))
        project.write(f"{number}/a.ipynb", data)
        folder = project.folder / str(number)
        (saved,) = project("save", "--json", cwd=folder).json
        assert (saved["number"], saved["digest"]) == (2, Digest.of(data)), sample.name
        assert project("show", "v2", cwd=folder).data == data
        for arguments in (["show", "v2", "--summary"], ["diff", "v1", "v2"], ["diff", "v2", "v1"]):
            project(*arguments, cwd=folder)
