"""Runs with a real kernel, in processes of their own: as a person or cron starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command_line import TIMEOUT_SECONDS, CommandLine
from tests.notebook_samples import runnable

NOTEBOOK = runnable("print(6 / n)", parameters="n = 2")


@pytest.fixture
def real(cli: CommandLine) -> CommandLine:
    """Return a command line in a workspace, with one version of ``team/halve.ipynb``."""
    cli("init", "--namespace", "team")
    cli.write("halve.ipynb", NOTEBOOK)
    cli("save")
    return cli


def test_a_notebook_that_fails_in_its_kernel_is_saved(real: CommandLine) -> None:
    """The kernel's traceback is shown without its colours; the version has the failed cell."""
    ran = real.process("run", "halve.ipynb", "-p", "n", "0", exit_code=1)
    assert "ZeroDivisionError: division by zero\n" in ran.stderr
    assert "\x1b" not in ran.stderr
    assert "error: halve.ipynb@v1 failed in cell 5: ZeroDivisionError." in ran.stderr
    (logged,) = real("log", "halve.run.ipynb", "--json").json
    assert logged["run"]["outcome"] == "failed"
    assert b"division by zero" in real("show", "halve.run.ipynb").data


def test_the_command_papermill_reads_and_writes_versions(real: CommandLine) -> None:
    """The installation is all that it needs; the result is one version, with its output."""
    addresses = ("nbvc://team/halve.ipynb?version=v1", "nbvc://team/out-{n}.ipynb")
    command = [sys.executable, "-m", "papermill", *addresses, "-p", "n", "4"]
    ran = subprocess.run(
        command, cwd=real.folder, capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert ran.returncode == 0, ran.stderr
    assert "not specified with any extension" not in ran.stderr
    assert "does not end in one of" not in ran.stderr
    (logged,) = real("log", "out-4.ipynb", "--json").json
    run = logged["run"]
    assert (run["outcome"], run["asked"], run["parameters"]) == ("completed", "v1", {"n": 4})
    assert (run["input"]["key"], run["input"]["number"]) == ("team/halve.ipynb", 1)
    assert b'"1.5\\n"' in real("show", "out-4.ipynb").data


def test_sigterm_saves_what_is_there(real: CommandLine) -> None:
    """What a scheduler sends to a run that takes too long; the kernel ends with it."""
    real.write("halve.ipynb", runnable("print('so far')", "import time; time.sleep(600)"))
    real("save")
    with subprocess.Popen(
        real.command("run"), cwd=real.folder, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(real.folder / ".nbvc" / "runs", b"so far")
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130, stderr
    (logged,) = real("log", "halve.run.ipynb", "--json").json
    assert logged["run"]["outcome"] == "interrupted"
    assert b"so far" in real("show", "halve.run.ipynb").data


def wait_for(folder: Path, printed: bytes) -> None:
    """Wait until a run under way has kept what a cell has printed."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < end:
        for file in folder.glob("*.new"):
            try:
                if b'"' + printed in file.read_bytes().partition(b'"outputs": [\n')[2]:
                    return
            except FileNotFoundError:  # a newer state has taken its place
                continue
        time.sleep(0.05)
    pytest.fail(f"nothing in {folder} has {printed!r}")
