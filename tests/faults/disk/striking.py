"""Strikes at the n-th file-system call of a command: SIGKILL, an error, or half of a write.

A small library in C (``strike.c``) is loaded into the process with ``LD_PRELOAD``, so that it sees
what SQLite does as well. It needs Linux and a C compiler; elsewhere the tests that use it are
skipped, and say so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.forking import Ended, Forks

KILL = -1
HALF_A_WRITE = -2

CHANGING = "CWSTNKUMP"
"""Calls that change something on disk, or make it durable: each is a point to die before."""

EVERY = CHANGING + "OLRHAD"
"""All calls: also opening, reading, closing, and those on SQLite's shared memory."""

_SOURCE = Path(__file__).with_name("strike.c")
_NAMES = {
    "C": "create",
    "O": "open",
    "R": "read",
    "W": "write",
    "S": "sync",
    "T": "truncate",
    "N": "rename",
    "K": "link",
    "U": "unlink",
    "M": "mkdir",
    "P": "chmod",
    "L": "close",
    "A": "look at",
    "D": "list",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """What happens at which call.

    Attributes:
        at: Number of the call, from 1 on, among those of *kinds*; 0: nothing happens.
        error: The errno that the call gives, or ``KILL``, or ``HALF_A_WRITE`` and then a kill.
        for_ever: Whether all calls of *kinds* from then on give the error.
        kinds: Letters of the calls that are counted.
    """

    at: int = 0
    error: int = KILL
    for_ever: bool = False
    kinds: str = CHANGING


class Call(NamedTuple):
    """One file-system call, as it was logged.

    Attributes:
        kind: Its letter.
        struck: Whether it was not made, but struck at.
        inode: Of the file.
        offset: Where it wrote, or the new size; of opening: 1 if the file was there, -1 if it was
            emptied, 0 if it was made.
        size: Number of bytes.
        data: The bytes that were written, where they were asked for.
        path: Of the file, or the folder.
        other: The new name, of a rename or a link.
    """

    kind: str
    struck: bool
    inode: int
    offset: int
    size: int
    data: bytes | None
    path: str
    other: str

    @property
    def counts_as(self) -> str:
        """The letter that it is counted by: SQLite's shared memory has one of its own."""
        return "H" if self.path.endswith("-shm") else self.kind

    def __str__(self) -> str:
        """Return it as a person would say it."""
        return f"{_NAMES[self.kind]} {self.path} {self.other}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Ended):
    """What became of a command.

    Attributes:
        calls: All its calls on watched paths, in order.
    """

    calls: Sequence[Call]

    def count(self, kinds: str) -> int:
        """Return how many of its calls were of *kinds*."""
        return sum(call.counts_as in kinds for call in self.calls)

    @property
    def struck(self) -> Call | None:
        """The call that was struck at first; ``None``: it had fewer calls."""
        return next((call for call in self.calls if call.struck), None)


class Disk(Forks):
    """A process that runs commands in forks of itself, and strikes at their calls.

    Args:
        scratch: An empty folder, which is not watched.
        warm: Whether to import everything beforehand; False for one command as a person runs it.
    """

    def __init__(self, scratch: Path, *, warm: bool = True) -> None:
        super().__init__(
            scratch,
            "tests.faults.disk.struck",
            *(["--warm"] if warm else []),
            variables={"LD_PRELOAD": str(build(scratch))},
        )

    def run(
        self,
        arguments: Sequence[str],
        strike: Strike,
        *,
        cwd: Path,
        watch: Path,
        variables: Mapping[str, str],
        offline: bool = False,
        with_data: bool = False,
    ) -> Outcome:
        """Run ``nbvc`` with *arguments* in *cwd*, and strike at its calls below *watch*.

        Args:
            arguments: The words of the command.
            strike: What happens at which call.
            cwd: Where it starts.
            watch: The folder whose calls count.
            variables: Environment variables.
            offline: Whether no store is reached.
            with_data: Whether the calls carry what was written.
        """
        files = {name: self.scratch / name for name in ("log", "data")}
        ended = self.fork(
            arguments,
            cwd=cwd,
            variables=variables,
            offline=offline,
            strike={
                "below": str(watch),
                "kinds": strike.kinds,
                "at": strike.at,
                "error": strike.error,
                "for_ever": strike.for_ever,
                "log": str(files["log"]),
                "data": str(files["data"]) if with_data else None,
            },
        )
        data = files["data"].read_bytes() if with_data else None
        return Outcome(
            exit_code=ended.exit_code,
            stdout=ended.stdout,
            stderr=ended.stderr,
            calls=[_call(line, data) for line in files["log"].read_text().splitlines()],
        )


def build(folder: Path) -> Path:
    """Compile the library into *folder*, and return where it is; skip the test if that fails."""
    library = folder / "strike.so"
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("striking at system calls needs Linux and a C compiler")
    if not library.exists():
        command = [compiler, "-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=0"]
        done = subprocess.run(
            [*command, "-Wall", "-Wextra", "-Werror", "-o", str(library), str(_SOURCE), "-ldl"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return library


def _call(line: str, data: bytes | None) -> Call:
    head, inode, offset, size, place, path, other = line.split("\t")
    start = int(place)
    return Call(
        kind=head[0],
        struck=head[1] == "!",
        inode=int(inode),
        offset=int(offset),
        size=int(size),
        data=data[start : start + int(size)] if data is not None and start >= 0 else None,
        path=path,
        other=other,
    )
