"""papermill reads and writes ``nbvc://``: one version for each run, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import papermill
import pytest
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import papermill_io

from nbvc.environment import Environment
from nbvc.errors import InvalidConfig, InvalidInput, NbvcError, StoreUnavailable, VersionNotFound
from nbvc.model import Run, Version
from nbvc.scheduling.papermill_handler import NbvcHandler, handler
from nbvc.scheduling.places import Place
from nbvc.scheduling.results import recover
from nbvc.workspace.core import Workspace
from nbvc.workspace.session import Session
from tests.command_line import PROJECT, CommandLine
from tests.notebook_samples import runnable
from tests.scheduling.conftest import HALVE
from tests.scheduling.engine import KernelDied
from tests.stores.switching import SwitchedStore

INPUT, OUTPUT = "nbvc://team/halve.ipynb", "nbvc://team/out.ipynb"


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> SwitchedStore:
    """Return a switch for every store that is opened; on until it is switched off."""
    open_store = Session.open_store
    switch = SwitchedStore(None)  # type: ignore[arg-type]

    def open_switched(session: Session, url: str, *, create: bool = False) -> SwitchedStore:
        opened = SwitchedStore(open_store(session, url, create=create))
        opened.error, opened.only = switch.error, switch.only
        return opened

    monkeypatch.setattr(Session, "open_store", open_switched)
    return switch


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


def run(input_path: str = INPUT, output_path: str | None = OUTPUT, **options: Any) -> Any:
    """Run a notebook as a program does that uses papermill."""
    return papermill.execute_notebook(input_path, output_path, progress_bar=False, **options)


def results(workspace: Workspace, path: str = "out.ipynb") -> list[Version]:
    """Return the versions of a result, newest first."""
    return list(workspace.log(workspace.folder / path))


def made_by(version: Version) -> Run:
    """Return the run that made a version."""
    assert version.run is not None
    return version.run


def outputs(workspace: Workspace, version: Version) -> list[str]:
    """Return what the cells of a version printed."""
    cells = json.loads(workspace.read(version))["cells"]
    printed = [output.get("text", "") for cell in cells for output in cell.get("outputs", [])]
    return ["".join(text) for text in printed]


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
    assert made.input is not None
    assert made.input == opened_source(opened, "v1")
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


# -- when the store is not there ------------------------------------------------------------------


def test_a_result_that_cannot_be_stored_waits_in_the_outbox(
    opened: Workspace, switch: SwitchedStore
) -> None:
    """And is delivered with all that is known of it."""
    written = papermill_io.get_handler(INPUT).read(f"{INPUT}?version=v1")
    switch.off()
    run_written(written)
    assert [each.key for each in opened.outbox.waiting()] == ["team/out.ipynb"]
    switch.on()
    with Workspace.open(opened.folder) as workspace:
        workspace.push()
        (version,) = results(workspace)
    assert made_by(version).outcome == "completed"
    assert made_by(version).parameters == {"n": 4}
    assert not list((opened.folder / ".nbvc" / "runs").glob("0*"))


def run_written(written: str) -> None:
    """Run a notebook that was read already."""
    file = Path("copy.ipynb")
    file.write_text(written)
    run(str(file), parameters={"n": 4})


def test_without_a_workspace_a_result_is_kept_for_the_next_run(
    halving: CommandLine,
    switch: SwitchedStore,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The error says so; and the next run saves both, each once."""
    monkeypatch.setenv("NBVC_STORE", (halving.folder / ".nbvc" / "store").as_uri())
    monkeypatch.chdir(tmp_path)
    switch.off()
    with pytest.raises(StoreUnavailable, match="kept on this disk"):
        run_written(HALVE.decode())
    switch.on()
    run(parameters={"n": 1})
    with Workspace.open(halving.folder) as workspace:
        found = results(workspace)
    assert [made_by(each).parameters["n"] for each in found] == [1, 4]
    assert not list((halving.config.parent / "runs").glob("0*"))


# -- when the process ends ------------------------------------------------------------------------

WRITES = """
import os, signal, sys
from pathlib import Path
from nbvc.scheduling.papermill_handler import handler
for buf in Path(sys.argv[1]).read_text().splitlines():
    handler.write(buf, "nbvc://team/out.ipynb")
if len(sys.argv) > 2:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def half_written(tmp_path: Path) -> list[str]:
    """Return a script, and a file, that write as a run does that is under way."""
    states = []
    for output in ("first", "second"):
        said = {"start_time": "2026-11-28T03:00:00+00:00", "end_time": None, "parameters": {}}
        notebook = json.loads(runnable(f"print({output!r})"))
        notebook["metadata"]["papermill"] = said
        states.append(json.dumps(notebook))
    file = tmp_path / "states"
    file.write_text("\n".join(states))
    return [sys.executable, "-c", WRITES, str(file)]


def test_what_is_left_is_saved_as_the_interpreter_ends(
    opened: Workspace, half_written: list[str]
) -> None:
    """As after ``sys.exit`` in between: one version, which says that it was cut off."""
    subprocess.run(half_written, env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=True)
    (version,) = results(opened)
    assert made_by(version).outcome == "interrupted"
    assert b"second" in opened.read(version)


def test_what_a_killed_process_left_is_saved_by_the_next_run(
    opened: Workspace, half_written: list[str]
) -> None:
    """Nothing could run at its end; what it had written was on the disk."""
    killed = subprocess.run(
        [*half_written, "kill"], env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    run()
    assert [made_by(each).outcome for each in results(opened)] == ["completed", "interrupted"]
    assert b"second" in opened.read(results(opened)[1])
    assert list((opened.folder / ".nbvc" / "runs").iterdir()) == []


def test_a_run_that_is_alive_is_left_alone(opened: Workspace, half_written: list[str]) -> None:
    """Only its own process knows when it ends."""
    first, second = Path(half_written[-1]).read_text().splitlines()
    here = NbvcHandler()
    here.write(first, OUTPUT)
    with Place.find(Environment.current()) as place:
        assert recover(place) == []
    here.write(second, OUTPUT)
    here.finish_all()
    assert [made_by(each).outcome for each in results(opened)] == ["interrupted"]


def test_what_somebody_else_left_is_not_saved(opened: Workspace, half_written: list[str]) -> None:
    """A folder may come from a stranger, with results that nobody here made."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "NBVC_CONFIG": "/nowhere/config.toml"}
    subprocess.run([*half_written, "kill"], env=environment, check=False)
    with Place.find(Environment.current()) as place:
        assert recover(place) == []
    assert list((opened.folder / ".nbvc" / "runs").glob("0*"))


def test_push_saves_what_a_killed_run_left(halving: CommandLine, half_written: list[str]) -> None:
    """Whoever does not run again, and wants to see how far it came."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    subprocess.run([*half_written, "kill"], env=environment, check=False)
    pushed = halving("push")
    assert pushed.stderr == "Saved what an earlier run left: team/out.ipynb v1.\n"
    assert "interrupted" in halving("log", "out.ipynb").stdout
    assert halving("push").stderr == ""


def test_where_nothing_can_be_kept_a_run_goes_on(
    opened: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a container without a home that can be written to; that is said."""
    (opened.folder / ".nbvc" / "runs").write_text("no folder")
    run()
    assert [made_by(each).outcome for each in results(opened)] == ["completed"]
    assert "A run that is killed would leave nothing" in caplog.text


def test_a_disk_that_fails_is_an_error_at_once(opened: Workspace, half_written: list[str]) -> None:
    """Rather than after hours of work."""
    first, second = Path(half_written[-1]).read_text().splitlines()
    here = NbvcHandler()
    here.write(first, OUTPUT)
    runs = opened.folder / ".nbvc" / "runs"
    runs.rename(runs.with_name("gone"))
    runs.write_text("no folder")
    with pytest.raises(NbvcError):
        here.write(second, OUTPUT)
    runs.unlink()
    here.finish_all()
    assert b"second" in opened.read(results(opened)[0])
