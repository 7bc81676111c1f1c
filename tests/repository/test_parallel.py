"""Requests at once, and where no thread can be had."""

from __future__ import annotations

from pathlib import Path

from tests.workspace.helpers import run_python

AT_EXIT = """
import atexit
from nbvc.repository.parallel import Parallel

def fail():
    raise ValueError("told")

def work():
    parallel = Parallel(4)
    print(parallel.start(lambda: 1)(), *parallel.map(str, [2, 3]))
    try:
        parallel.start(fail)()
    except ValueError as error:
        print(error)

atexit.register(work)
"""


def test_as_the_interpreter_ends_everything_is_done_in_place(tmp_path: Path) -> None:
    """It lets no thread begin then, and what is left of a run is still to be saved."""
    ran = run_python(AT_EXIT, tmp_path)
    assert (ran.stdout, ran.stderr) == ("1 2 3\ntold\n", "")
