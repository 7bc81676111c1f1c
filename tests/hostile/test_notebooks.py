"""Hostile notebooks through every command: the exact bytes are kept, or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbvc.model import Digest
from tests.command_line import CommandLine
from tests.hostile.harmless import check_harmless, run
from tests.hostile.notebooks import FINE, LARGE, NOT_NOTEBOOKS, ODD, Make
from tests.notebook_samples import old_notebook

SECONDS = 60
"""Bound for one notebook and the commands that meet it, on a busy machine."""

LARGE_SECONDS = 300
READERS = (
    *(("diff", "v1", "v2"), ("diff", "v2", "v1", "--json"), ("diff", "v1", "--stat")),
    ("diff", "v1", "v2", "--nbdime"),
    *(("show", "v2", "--summary"), ("status", "--json"), ("log",), ("check", "--read-data")),
)
SIDES = ("v1", "v2"), ("v2", "v1"), ("v1",), ("v2",), ("v2", "v2")
WAYS = (
    *((), ("--json",), ("--stat",), ("--stat", "--json"), ("--source-only",), ("--nbdime",)),
    *(("--ignore-outputs",), ("--ignore-metadata",), ("--ignore-details",)),
)
ALL_READERS = (
    *(("diff", *sides, *way) for sides in SIDES for way in WAYS),
    *(("status",), ("log", "--json"), ("ls",), ("ls", "--json"), ("resolve", "v2"), ("tag",)),
)


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("make", NOT_NOTEBOOKS.values(), ids=NOT_NOTEBOOKS)
def test_what_is_no_notebook_is_refused_unless_it_is_wanted(
    project: CommandLine, make: Make
) -> None:
    """Exit code 2 with a reason; ``--allow-invalid`` keeps the exact bytes, and work goes on."""
    data = make()
    project.write("a.ipynb", FINE)
    project("save")
    project.write("a.ipynb", data)
    refused = check_harmless(project("save", exit_code=2))
    assert refused.stderr.startswith("error: a.ipynb is not a notebook: ")
    assert "hint: nbvc save --allow-invalid" in refused.stderr
    assert [entry["number"] for entry in project("log", "--json").json] == [1]
    check_kept(project, data, "--allow-invalid")
    assert "error: a.ipynb@v2 is not a notebook" in project("diff", "v2", "v1", exit_code=2).stderr
    assert "is not a notebook" in project("show", "v2", "--summary", exit_code=2).stderr


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_an_odd_notebook_is_stored_byte_for_byte(project: CommandLine, make: Make) -> None:
    """And can be listed, summed up, compared, published, cloned and brought back."""
    project.write("a.ipynb", FINE)
    project("save")
    data = make()
    project.write("a.ipynb", data)
    check_kept(project, data)


@pytest.mark.slow
@pytest.mark.timeout(LARGE_SECONDS)
@pytest.mark.parametrize("make", {**NOT_NOTEBOOKS, **ODD}.values(), ids={**NOT_NOTEBOOKS, **ODD})
def test_every_command_that_reads_takes_any_notebook(project: CommandLine, make: Make) -> None:
    """The long form: all options of ``diff`` on all sides, and the other readers."""
    project.write("a.ipynb", FINE)
    project("save")
    project.write("a.ipynb", make())
    project("save", "--allow-invalid")
    for reader in ALL_READERS:
        run(project, *reader)


@pytest.mark.slow
@pytest.mark.timeout(LARGE_SECONDS)
@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_a_large_notebook_is_stored_byte_for_byte(project: CommandLine, make: Make) -> None:
    """However large; what would take for ever to compare is refused."""
    test_an_odd_notebook_is_stored_byte_for_byte(project, make)


def check_kept(project: CommandLine, data: bytes, *options: str) -> None:
    """Save the file with *data* on top of a plain notebook, and try everything on it."""
    (saved,) = check_harmless(project("save", "--json", *options)).json
    assert (saved["number"], saved["digest"]) == (2, Digest.of(data))
    assert check_harmless(project("show", "v2"), data=True).data == data
    for reader in READERS:
        run(project, *reader)
    check_harmless(project("publish"))
    url = project("resolve", "published", "--json").json["url"]
    assert project("show", url).data == data
    project("clone", url, "clone.ipynb")
    assert (project.folder / "clone.ipynb").read_bytes() == data
    (project.folder / "clone.ipynb").unlink()
    for version, bytes_ in (("v1", FINE), ("v2", data)):
        check_harmless(project("checkout", version))
        assert (project.folder / "a.ipynb").read_bytes() == bytes_
    assert project("save").stdout == "a.ipynb is unchanged since v2.\n"
    project.write("a.ipynb", FINE)
    assert check_harmless(project("save")).stdout.startswith("Saved v3")


def test_a_change_within_an_old_format_is_described(project: CommandLine) -> None:
    """Format 3 is compared after an upgrade in memory only."""
    cell = {"cell_type": "code", "outputs": [], "language": "python"}
    project.write("a.ipynb", old_notebook({**cell, "input": "x = 1"}))
    project("save")
    project.write("a.ipynb", old_notebook({**cell, "input": "x = 2"}))
    assert "(1 cell changed)" in project("save").stdout
    shown = project("diff", "v1", "v2").stdout
    assert "-x = 1" in shown
    assert "+x = 2" in shown
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
