"""How far a run is: shown on a terminal, and nowhere else."""

from __future__ import annotations

import sys

from tests.cli.test_terminal import on_terminal
from tests.command_line import CommandLine
from tests.workspace.helpers import run_python

SCRIPT = """
from nbvc.cli import progress
from nbvc.cli.context import State
from nbvc.cli.output import Output

progress._SHOWN_AFTER_SECONDS = %s
with progress.cell_bar(State(environment=None, output=Output({}), flags={})) as update:
    update(1, 3)
    update(2, 3)
"""


class Scripted(CommandLine):
    """Runs a script instead of a command."""

    @staticmethod
    def command(*arguments: object) -> list[str]:
        """Return the words that start it."""
        return [sys.executable, "-c", *map(str, arguments)]


def test_a_terminal_shows_the_cells_that_are_done(cli: CommandLine) -> None:
    """Of how many, once it takes longer than a moment."""
    cli.__class__ = Scripted
    assert "2/3" in on_terminal(cli, SCRIPT % 0)
    assert on_terminal(cli, SCRIPT % 600) == ""


def test_a_pipe_shows_nothing(cli: CommandLine) -> None:
    """A log is no place for bars."""
    ran = run_python(SCRIPT % 0, cli.folder)
    assert (ran.stdout, ran.stderr) == ("", "")
