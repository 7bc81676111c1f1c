"""What becomes of a result when the store is not reached, or the process ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from papermill.iorw import papermill_io

from nbvc.environment import Environment
from nbvc.errors import NbvcError, StoreUnavailable
from nbvc.scheduling.papermill_handler import NbvcHandler
from nbvc.scheduling.places import Place
from nbvc.scheduling.results import recover
from nbvc.workspace.core import Workspace
from nbvc.workspace.session import Session
from tests.command_line import PROJECT, CommandLine
from tests.moto_server import aws_variables, serve_moto
from tests.notebook_samples import runnable
from tests.scheduling.conftest import HALVE
from tests.scheduling.papermilling import INPUT, OUTPUT, made_by, results, run
from tests.stores.switching import SwitchedStore


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


def test_a_bucket_gets_what_is_left_as_the_interpreter_ends(
    half_written: list[str], cli: CommandLine, tmp_path: Path
) -> None:
    """Without a workspace, and though no thread can begin by then."""
    with serve_moto() as endpoint:
        variables = {**os.environ, **aws_variables(endpoint), "PYTHONPATH": str(PROJECT)}
        binding = cli.process("init", "s3://bucket", "--create", variables=variables)
        assert "Created the bucket" in binding.stdout
        variables["NBVC_STORE"] = "s3://bucket"
        ran = subprocess.run(
            half_written, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
        )
        assert ran.stderr == ""
        log = cli.process(
            "log", "s3://bucket/workspace/team/out.ipynb", "--json", variables=variables
        )
    assert [each["run"]["outcome"] for each in log.json] == ["interrupted"]
