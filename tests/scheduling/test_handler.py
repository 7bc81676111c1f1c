"""papermill reads and writes ``nbvc://``: one version for each run, however it ends."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import papermill
import pytest
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import papermill_io

from nbvc.errors import InvalidConfig, InvalidInput, VersionNotFound
from nbvc.scheduling.papermill_handler import NbvcHandler, handler
from nbvc.workspace.core import Workspace
from tests.command_line import CommandLine
from tests.notebook_samples import runnable
from tests.scheduling.conftest import HALVE
from tests.scheduling.engine import KernelDied
from tests.scheduling.papermilling import INPUT, OUTPUT, made_by, outputs, results, run


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths that papermill writes to, one for each time."""
    seen: list[str] = []
    write = NbvcHandler.write

    def count(self: NbvcHandler, buf: str, path: str) -> None:
        seen.append(path)
        write(self, buf, path)

    monkeypatch.setattr(NbvcHandler, "write", count)
    return seen


def test_papermill_finds_the_handler_by_itself() -> None:
    """The installation names it; so the command papermill knows these addresses."""
    assert papermill_io.get_handler(INPUT) is handler


def test_a_run_is_one_version_though_papermill_writes_often(
    opened: Workspace, writes: list[str]
) -> None:
    """It names the version that ran, and the parameters, and has all outputs."""
    run(parameters={"n": 3})
    (version,) = results(opened)
    assert len(writes) > 5
    made = made_by(version)
    assert (made.outcome, made.parameters, made.asked) == ("completed", {"n": 3}, "latest")
    assert made.input == opened_source(opened, "v1")
    assert (version.parent, version.changes) == (None, None)
    assert made.started_at is not None
    assert made.started_at <= version.saved_at
    assert outputs(opened, version)[-1] == "2.0\n"


def opened_source(workspace: Workspace, version: str) -> Any:
    """Return a version of the input, as a run names it."""
    from nbvc.scheduling.results import Input

    found = workspace.resolve(workspace.folder / "halve.ipynb", version)
    return Input(version=found, asked=version, data=b"").source


def test_a_notebook_that_fails_leaves_one_version_with_its_error(opened: Workspace) -> None:
    """What papermill adds to mark the cell is part of it, and papermill raises as always."""
    with pytest.raises(PapermillExecutionError):
        run(parameters={"n": 0})
    (version,) = results(opened)
    made = made_by(version)
    assert (made.outcome, made.error) == ("failed", "ZeroDivisionError")
    cells = json.loads(opened.read(version))["cells"]
    assert made.failed_cell is not None
    assert cells[made.failed_cell - 1]["outputs"][-1]["ename"] == "ZeroDivisionError"
    assert cells[0]["metadata"]["tags"] == ["papermill-error-cell-tag"]


@pytest.mark.parametrize(
    ("source", "error", "outcome"),
    [("kernel_dies()", KernelDied, "failed"), ("stop()", KeyboardInterrupt, "interrupted")],
)
def test_a_run_that_is_cut_off_is_saved_before_papermill_raises(
    opened: Workspace, source: str, error: type[BaseException], outcome: str
) -> None:
    """Nothing that ran waits for the end of a process that may go on for long."""
    (opened.folder / "halve.ipynb").write_bytes(runnable("print('so far')", source))
    opened.save("halve.ipynb")
    with pytest.raises(error):
        run()
    (version,) = results(opened)
    assert (made_by(version).outcome, made_by(version).error) == (outcome, error.__name__)
    assert outputs(opened, version)[0] == "so far\n"


def test_a_run_that_only_prepares_is_one_version(opened: Workspace) -> None:
    """Also of a notebook that was run before, and says when that ended."""
    run(prepare_only=True, parameters={"n": 5})
    run()
    run(OUTPUT, "nbvc://team/again.ipynb", prepare_only=True)
    assert [made_by(each).outcome for each in results(opened)] == ["completed", "prepared"]
    (again,) = results(opened, "again.ipynb")
    assert again.run is not None


def test_a_run_that_writes_only_at_its_end_is_one_version(
    opened: Workspace, writes: list[str]
) -> None:
    """As ``--no-request-save-on-cell-execute`` asks papermill to."""
    run(request_save_on_cell_execute=False)
    assert len(writes) == 1
    assert [made_by(each).outcome for each in results(opened)] == ["completed"]


def test_a_second_try_after_an_error_is_a_run_of_its_own(opened: Workspace) -> None:
    """The error that somebody handles is not taken for one that ended this run."""
    try:
        run(parameters={"n": 0})
    except PapermillExecutionError:
        run(parameters={"n": 1})
    assert [made_by(each).outcome for each in results(opened)] == ["completed", "failed"]


def test_two_runs_of_one_notebook_at_once_are_two_versions(opened: Workspace) -> None:
    """Their writes are told apart, though they go to one address."""
    threads = [
        threading.Thread(target=run, kwargs={"parameters": {"n": n, "wait": "x" * n}})
        for n in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = results(opened)
    assert {made_by(each).parameters["n"] for each in found} == {1, 2}
    assert {outputs(opened, each)[-1] for each in found} == {"6.0\n", "3.0\n"}


def test_a_pinned_version_stays_and_a_published_one_is_followed(opened: Workspace) -> None:
    """The result says which one it was, and how it was asked for."""
    opened.publish(opened.folder / "halve.ipynb", "v1")
    run(f"{INPUT}?version=published")
    (opened.folder / "halve.ipynb").write_bytes(HALVE.replace(b"6 / n", b"8 / n"))
    opened.save("halve.ipynb")
    opened.publish(opened.folder / "halve.ipynb", "v2")
    run(f"{INPUT}?version=published")
    run(f"{INPUT}?version=v1")
    found = [(made_by(each).asked, made_by(each).input) for each in reversed(results(opened))]
    first, second = opened_source(opened, "v1"), opened_source(opened, "v2")
    assert found == [("published", first), ("published", second), ("v1", first)]


def test_any_ref_is_read(opened: Workspace) -> None:
    """A tag, a digest, one before the latest, a moment in papermill's double braces."""
    opened.tag("good", opened.folder / "halve.ipynb")
    digest = opened.resolve(opened.folder / "halve.ipynb").digest
    assert digest is not None
    for version in ("good", digest[:8], "latest", "%7Bnow%7D", "{{now}}"):
        run(f"{INPUT}?version={version}", None)
    with pytest.raises(VersionNotFound):
        run(f"{INPUT}?version=v9", None)


def test_a_version_is_not_written_to(opened: Workspace) -> None:
    """A result becomes a new one; and this is said before anything runs."""
    with pytest.raises(InvalidInput, match="becomes a new one"):
        run(output_path=f"{OUTPUT}?version=v1")


def test_an_input_that_is_a_file_is_no_version(opened: Workspace) -> None:
    """The result says so: it names none."""
    run(str(opened.folder / "halve.ipynb"))
    (version,) = results(opened)
    assert (made_by(version).input, made_by(version).asked) == (None, None)


def test_a_result_upon_its_input_has_it_as_its_parent(opened: Workspace) -> None:
    """And its record says what the run changed."""
    run(output_path=INPUT)
    newest = results(opened, "halve.ipynb")[0]
    assert (newest.number, newest.parent) == (2, 1)
    assert newest.changes is not None
    assert newest.changes.cells_changed > 0


def test_what_lies_in_a_folder_is_listed(opened: Workspace) -> None:
    """For papermill's own listing of notebooks."""
    run(output_path="nbvc://team/deep/out.ipynb")
    assert handler.listdir("nbvc://team") == ["nbvc://team/deep", INPUT]
    assert papermill.iorw.list_notebook_files("nbvc://team") == [INPUT]


# -- which store ----------------------------------------------------------------------------------


def test_outside_of_a_workspace_a_variable_names_the_store(
    halving: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a container that only runs notebooks."""
    url = (halving.folder / ".nbvc" / "store").as_uri()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidConfig, match="NBVC_STORE"):
        run()
    monkeypatch.setenv("NBVC_STORE", url)
    run(parameters={"n": 1})
    assert "n=1" in halving("log", "out.ipynb").stdout
    assert not list((halving.config.parent / "runs").glob("0*"))
