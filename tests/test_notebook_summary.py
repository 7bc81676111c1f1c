from __future__ import annotations

import json

import pytest

from nbvc.errors import InvalidNotebook
from nbvc.notebook import CellSummary, summarize
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


def outputs_of(*outputs: object) -> tuple[str, ...]:
    """Return the lines for these outputs."""
    (cell,) = summarize(notebook(code("x", outputs=list(outputs))))
    return cell.outputs


def test_a_summary_has_the_source_in_full_and_one_line_an_output() -> None:
    """Numbers from 1, type, count, all lines of the source, outputs folded."""
    data = notebook(
        markdown("# Title\n\ntext"),
        code(["a = 1\n", "a"], execution_count=3, outputs=[stream("1\n2\n3\n")]),
    )
    assert summarize(data) == [
        CellSummary(
            number=1,
            cell_type="markdown",
            execution_count=None,
            source=("# Title", "", "text"),
            outputs=(),
        ),
        CellSummary(
            number=2,
            cell_type="code",
            execution_count=3,
            source=("a = 1", "a"),
            outputs=("stream stdout, 3 lines",),
        ),
    ]


def test_each_kind_of_output_has_its_line() -> None:
    """Streams by lines, data by format and size, errors by name and message."""
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
    assert outputs_of(
        stream("1", "stderr"),
        display({"image/png": "A" * 60_000, "text/plain": ["<Figure>"]}),
        error,
        {"output_type": "strange"},
        7,
    ) == (
        "stream stderr, 1 line",
        "image/png 45 kB, text/plain 8 B",
        "error ValueError: no",
        "strange",
        "unreadable output",
    )


def test_an_output_of_many_formats_stays_one_short_line() -> None:
    """Beyond five formats the rest is counted, and no line is longer than 200 characters."""
    many = display({f"text/x-{i}": "1" for i in range(9)})
    long = {"output_type": "error", "ename": "E", "evalue": "x" * 10_000, "traceback": []}
    line, other = outputs_of(many, long)
    assert line.endswith("text/x-4 1 B, 4 more")
    assert len(other) == 200


def test_format_3_reads_the_same() -> None:
    """Inputs, prompt numbers and the old names of outputs are understood."""
    cell = {
        "cell_type": "code",
        "input": ["a", "b"],
        "prompt_number": 4,
        "outputs": [
            {"output_type": "stream", "stream": "stderr", "text": ["x\n", "y\n"]},
            {"output_type": "pyout", "text": ["42"], "png": "AAAA", "prompt_number": 4},
            {"output_type": "pyerr", "ename": "E", "evalue": "v", "traceback": []},
        ],
    }
    (summary,) = summarize(old_notebook(cell))
    assert (summary.source, summary.execution_count) == (("a", "b"), 4)
    assert summary.outputs == (
        "stream stderr, 2 lines",
        "text/plain 2 B, image/png 3 B",
        "error E: v",
    )


def test_what_a_terminal_obeys_is_escaped_everywhere() -> None:
    """Source, cell type and outputs of a hostile notebook cannot move the cursor."""
    hostile = "\x1b[2J\u202e\ud800"
    data = notebook(
        {"cell_type": hostile, "source": hostile},
        code(hostile, outputs=[stream("", hostile), display({hostile: hostile})]),
    )
    for cell in summarize(data):
        text = json.dumps([cell.cell_type, *cell.source, *cell.outputs], ensure_ascii=False)
        assert "\\\\x1b[2J" in text
        assert text.isprintable()


def test_what_is_no_notebook_has_no_summary() -> None:
    """The reason is the same as everywhere."""
    with pytest.raises(InvalidNotebook, match=r"a\.ipynb is not a notebook: it is empty"):
        summarize(b"", name="a.ipynb")


@needs_corpus
@pytest.mark.corpus
def test_every_sample_of_nbformat_has_a_summary() -> None:
    """Samples of format 2 to 4.5, several of them invalid, are all read."""
    for path in sorted((CORPUS / "nbformat").glob("*.ipynb")):
        assert isinstance(summarize(path.read_bytes()), list)
