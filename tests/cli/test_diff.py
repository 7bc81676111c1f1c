"""diff and show: every way to name two sides, and every way to see them."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbdime.diff_utils import to_diffentry_dicts
from nbdime.patching import patch_notebook

from tests.command_line import CommandLine
from tests.notebook_samples import code, markdown, notebook, stream

ONE = notebook(markdown("# Churn"), code("x = 1"))
TWO = notebook(markdown("# Churn"), code("x = 2"))
THREE = notebook(markdown("# Churn"), code("x = 3"))
RUN = notebook(
    markdown("# Churn", metadata={"tags": ["a"]}),
    code("x = 2", outputs=[stream("2\n")], execution_count=7),
)


@pytest.fixture
def churn(project: CommandLine) -> CommandLine:
    """Return a workspace with one notebook of two versions, and a third one unsaved."""
    for data in (ONE, TWO):
        project.write("churn.ipynb", data)
        project("save")
    project.write("churn.ipynb", THREE)
    return project


def sides(cli: CommandLine, *arguments: str) -> tuple[list[str], list[str]]:
    """Return the names of the two sides, and the lines that differ."""
    lines = cli("diff", *arguments).stdout.splitlines()
    changed = [line[1:] for line in lines[2:] if line[:1] in {"-", "+"}]
    return [lines[0].removeprefix("--- "), lines[1].removeprefix("+++ ")], changed


@pytest.mark.parametrize(
    ("arguments", "names", "old", "new"),
    [
        ([], ["churn.ipynb@v2", "churn.ipynb"], 2, 3),
        (["churn.ipynb"], ["churn.ipynb@v2", "churn.ipynb"], 2, 3),
        (["v1"], ["churn.ipynb@v1", "churn.ipynb"], 1, 3),
        (["@v1"], ["churn.ipynb@v1", "churn.ipynb"], 1, 3),
        (["churn.ipynb", "v1"], ["churn.ipynb@v1", "churn.ipynb"], 1, 3),
        (["churn.ipynb@v1"], ["churn.ipynb@v1", "churn.ipynb"], 1, 3),
        (["v1", "v2"], ["churn.ipynb@v1", "churn.ipynb@v2"], 1, 2),
        (["v2", "v1"], ["churn.ipynb@v2", "churn.ipynb@v1"], 2, 1),
        (["latest~1", "latest"], ["churn.ipynb@v1", "churn.ipynb@v2"], 1, 2),
        (["churn.ipynb", "v1", "v2"], ["churn.ipynb@v1", "churn.ipynb@v2"], 1, 2),
        (["churn.ipynb@v1", "churn.ipynb@v2"], ["churn.ipynb@v1", "churn.ipynb@v2"], 1, 2),
        (["churn.ipynb@v1", "churn.ipynb"], ["churn.ipynb@v1", "churn.ipynb"], 1, 3),
    ],
)
def test_two_sides_may_be_named_in_every_usual_way(
    churn: CommandLine, arguments: list[str], names: list[str], old: int, new: int
) -> None:
    """A path without a version means the file as it is now."""
    assert sides(churn, *arguments) == (names, [f"x = {old}", f"x = {new}"])


def test_two_notebooks_can_be_compared(churn: CommandLine) -> None:
    """Versions of them, or their files."""
    churn.write("other.ipynb", ONE)
    churn("save", "other.ipynb")
    assert sides(churn, "other.ipynb@v1", "churn.ipynb@v2")[1] == ["x = 1", "x = 2"]
    assert sides(churn, "other.ipynb", "churn.ipynb")[1] == ["x = 1", "x = 3"]


def test_urls_can_be_compared(churn: CommandLine) -> None:
    """With versions as refs or as S3 writes them; without a workspace too."""
    one, two = (churn("resolve", version, "--json").json["url"] for version in ("v1", "v2"))
    plain = one.partition("?")[0]
    elsewhere = churn.folder.parent
    for arguments in ((one, two), (f"{plain}@v1", f"{plain}@v2")):
        lines = churn("diff", *arguments, cwd=elsewhere).stdout.splitlines()
        assert lines[-2:] == ["-x = 1", "+x = 2"]


def test_a_url_alone_has_nothing_to_be_compared_with(churn: CommandLine) -> None:
    """The hint says how to name two versions."""
    url = churn("resolve", "v1", "--json").json["url"]
    found = churn("diff", url, exit_code=2)
    assert "nbvc diff URL@v1 URL@v2" in found.stderr


def test_equal_sides_are_said_to_be_equal(churn: CommandLine) -> None:
    """On stderr, for there is no data."""
    found = churn("diff", "v1", "v1")
    assert (found.stdout, found.stderr) == (
        "",
        "churn.ipynb@v1 and churn.ipynb@v1 are the same.\n",
    )
    assert churn("diff", "v1", "v1", "--json").json == []


def test_the_exit_code_tells_on_demand(churn: CommandLine) -> None:
    """1 for differences, as with git; 0 without the option, and for equal sides."""
    churn("diff", "v1", "v2", "--exit-code", exit_code=1)
    churn("diff", "v1", "v2", "--exit-code", "--stat", exit_code=1)
    churn("diff", "v1", "v2", "--exit-code", "--json", exit_code=1)
    churn("diff", "v1", "v1", "--exit-code")
    churn("diff", "v1", "v2")


def test_parts_can_be_left_out(churn: CommandLine) -> None:
    """Outputs, metadata, details, or all but the source."""
    churn.write("churn.ipynb", RUN)
    everything = churn("diff", "v2").stdout
    for part in ("output added", "execution counts", "tags"):
        assert part in everything
    assert "output added" not in churn("diff", "v2", "--ignore-outputs").stdout
    assert "tags" not in churn("diff", "v2", "--ignore-metadata").stdout
    assert "execution counts" not in churn("diff", "v2", "--ignore-details").stdout
    source = churn("diff", "v2", "--source-only", "--exit-code")
    assert source.stdout == ""
    assert "differ in nothing that is shown here" in source.stderr
    assert churn("diff", "v1", "--source-only").stdout != ""


def test_a_diff_reads_by_cells(churn: CommandLine) -> None:
    """Number, type, what happened and first line; then the source; outputs and the rest folded."""
    churn.write("churn.ipynb", RUN)
    assert churn("diff", "v1").stdout == (
        "--- churn.ipynb@v1\n+++ churn.ipynb\n\ncell 2 (code) changed: x = 2\n-x = 1\n+x = 2\n"
        '* output added: stdout "2"\n\n'
        "notebook\n* metadata changed in cell 1: tags\n* execution counts changed in cell 2\n"
    )


def test_stat_says_a_line_for_each_cell(churn: CommandLine) -> None:
    """Position, type, what happened, lines, where, and its first line; then what is folded."""
    churn.write("churn.ipynb", RUN)
    rows = churn("diff", "v1", "--stat").stdout.splitlines()
    assert rows[0].split() == ["CELL", "TYPE", "WHAT", "LINES", "IN", "FIRST", "LINE"]
    assert " ".join(rows[1].split()) == "cell 2 code changed +1 -1 source, outputs x = 2"
    assert rows[2:] == [
        "* metadata changed in cell 1: tags",
        "* execution counts changed in cell 2",
        "1 cell changed; +1 -1 lines",
    ]


def test_stat_as_json_has_the_same_facts(churn: CommandLine) -> None:
    """And those that the lines fold, cell by cell."""
    churn.write("churn.ipynb", RUN)
    found = churn("diff", "v1", "--stat", "--json").json
    assert [(cell["new_number"], cell["parts"]) for cell in found["cells"]] == [
        (1, ["metadata"]),
        (2, ["source", "outputs", "execution_count"]),
    ]
    assert found["cells"][0]["metadata"] == ["tags"]
    assert (found["lines_added"], found["lines_removed"]) == (1, 1)
    equal = churn("diff", "v1", "v1", "--stat", "--json").json
    assert equal == {
        "cells": [],
        "metadata": [],
        "fields": [],
        "lines_added": 0,
        "lines_removed": 0,
    }


def test_stat_leaves_out_what_the_options_leave_out(churn: CommandLine) -> None:
    """As the diff does."""
    churn.write("churn.ipynb", RUN)
    assert "outputs" not in churn("diff", "v1", "--stat", "--source-only").stdout
    assert "differ in nothing" in churn("diff", "v2", "--stat", "--source-only").stderr


def test_nbdimes_own_print_is_at_hand(churn: CommandLine) -> None:
    """For who is used to it."""
    lines = churn("diff", "v1", "v2", "--nbdime").stdout.splitlines()
    assert lines[:3] == [
        "--- churn.ipynb@v1",
        "+++ churn.ipynb@v2",
        "## modified /cells/1/source:",
    ]
    assert lines[-3:-1] == ["-  x = 1", "+  x = 2"]
    assert "are the same" in churn("diff", "v1", "v1", "--nbdime").stderr


@pytest.mark.parametrize("ways", [("--stat", "--nbdime"), ("--nbdime", "--json")])
def test_two_ways_to_show_a_diff_are_refused(churn: CommandLine, ways: tuple[str, str]) -> None:
    """With a hint, before anything is read."""
    found = churn("diff", "v1", "v9", *ways, exit_code=2).stderr
    assert f"{ways[0]} and {ways[1]}" in found
    assert f"nbvc diff {ways[0]}, or nbvc diff {ways[1]}" in found


def test_json_is_nbdimes_format(churn: CommandLine) -> None:
    """Applied to the one side, it gives the other."""
    found = churn("diff", "v1", "v2", "--json").json
    before = nbformat.from_dict(json.loads(ONE))
    patched = patch_notebook(before, to_diffentry_dicts(found))
    assert patched["cells"][1]["source"] == "x = 2"


def test_show_writes_the_exact_bytes(churn: CommandLine) -> None:
    """Of any version, by any name; nothing is added."""
    assert churn("show", "v1").data == ONE
    assert churn("show").data == TWO
    assert churn("show", "churn.ipynb@v1").data == ONE
    assert churn("show", churn("resolve", "v1", "--json").json["url"]).data == ONE


def test_show_can_sum_up(churn: CommandLine) -> None:
    """The cells, with their sources and outputs."""
    churn.write("churn.ipynb", RUN)
    churn("save")
    assert churn("show", "--summary").stdout == (
        "cell 1: markdown\n    # Churn\ncell 2: code [7]\n    x = 2\n  > stream stdout, 1 line\n"
    )
