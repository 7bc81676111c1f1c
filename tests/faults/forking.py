"""A process that runs commands in forks of itself: each starts in milliseconds, and may be killed.

What happens in a fork before its command is up to the program that is named (see ``forked``).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.command_line import PROJECT

SEED = 20_260_801


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a command.

    Attributes:
        exit_code: Its exit status, negative for a signal.
        stdout: What it printed.
        stderr: What it printed there.
    """

    exit_code: int
    stdout: str
    stderr: str

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.exit_code == -9

    @property
    def done(self) -> bool:
        """Whether it said that it is done, and left nothing for another time."""
        return self.exit_code == 0 and "still in the store" not in self.stdout

    @property
    def said(self) -> str:
        """What it said, for a message."""
        return f"exit {self.exit_code}: {self.stdout}{self.stderr}"


class Forks:
    """A process that runs commands in forks of itself.

    Args:
        scratch: An empty folder.
        module: The program: its main calls ``forked.serve``.
        arguments: Of that program.
        variables: Environment variables of it.
    """

    def __init__(
        self,
        scratch: Path,
        module: str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.scratch = scratch
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=PROJECT,
            env={**os.environ, **(variables or {}), "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        """Return the process; leaving the block ends it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self._process.communicate()

    def fork(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str],
        offline: bool = False,
        started: Callable[[int], object] = lambda _: None,
        **more: Any,
    ) -> Ended:
        """Run ``nbvc`` with *arguments* in *cwd*.

        Args:
            arguments: The words of the command.
            cwd: Where it starts.
            variables: Environment variables.
            offline: Whether no store is reached.
            started: Told the number of the process.
            more: For the program.
        """
        files = {name: self.scratch / name for name in ("stdout", "stderr")}
        job = {
            "arguments": [*arguments],
            "cwd": str(cwd),
            "offline": offline,
            "variables": {**variables},
            **{name: str(file) for name, file in files.items()},
            **more,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(job)}\n")
        self._process.stdin.flush()
        started(int(self._process.stdout.readline()))
        exit_code = int(self._process.stdout.readline())
        said = {
            name: file.read_text(errors="backslashreplace") if file.exists() else ""
            for name, file in files.items()
        }
        return Ended(exit_code=exit_code, **said)


def sample(points: int, count: int, name: str, *, what: str = "calls") -> list[int]:
    """Return some of the numbers from 1 to *points*, spread over all of them by chance.

    Args:
        points: How many there are.
        count: How many are wanted.
        name: Of the sample; the same name gives the same numbers.
        what: What they number, in words.
    """
    chance = random.Random(f"{SEED} {name}")
    print(f"seed {SEED}, {name}: {count} of {points} {what}")  # noqa: T201
    edges = [round(part * points / count) for part in range(count + 1)]
    return [chance.randint(low + 1, high) for low, high in pairwise(edges) if low < high]
