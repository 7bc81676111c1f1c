"""Whether ten times as much costs more than ten times, and whether it takes more memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.benchmarks.measuring import NBVC, PYTHON, Case, Row, compare, counted, output, process
from scripts.benchmarks.surroundings import Surroundings
from scripts.benchmarks.warm import WORKERS

NOISE = 1.15
"""Two medians of the same thing may differ by this much on a loaded machine."""

MEMORY_LIMIT = 1.5
UNIT = 1_000

Command = Callable[[int], Sequence[str]]


def grows(
    around: Surroundings,
    what: str,
    folders: Mapping[int, Path],
    command: Command,
    *,
    things: str,
    prepare: Callable[[int], object] = lambda _: None,
    rounds: int,
) -> list[Row]:
    """Compare a command on many things with the same on few: time for each, and memory.

    Args:
        around: The surroundings.
        what: What it does.
        folders: Where it works, by how many things there are: many first, then few.
        command: The arguments of nbvc, by how many things.
        things: What they are.
        prepare: Puts in place what a run needs.
        rounds: How often.
    """
    many, few = folders

    def case(count: int) -> Case:
        run = process(NBVC, *command(count), cwd=folders[count], env=around.env)
        return Case(prepare=lambda: prepare(count), run=_for_each(count, run))

    cases = {"nbvc": case(many), f"of {few:,}": case(few)}
    rows = compare(
        f"{what} of {many:,} {things}, for each {UNIT:,}",
        cases,
        rounds=rounds,
        at_most={f"of {few:,}": NOISE},
        warm_up=False,
    )
    peaks = []
    for count, folder in folders.items():
        prepare(count)
        peaks.append(peak_bytes(*command(count), cwd=folder, env=around.env))
    memory = counted(
        f"{what} of {many:,} {things}, memory",
        "bytes",
        peaks[0],
        f"of {few:,}",
        peaks[1],
        at_most=MEMORY_LIMIT,
    )
    return [*rows, memory]


def peak_bytes(*command: str, cwd: Path, env: Mapping[str, str]) -> int:
    """Run a command of nbvc; return the most memory that it took."""
    program = (PYTHON, "-I", "-S", str(WORKERS / "peak.py"), NBVC, *command)
    return int(output(*program, cwd=cwd, env=env))


def _for_each(count: int, run: Callable[[], None]) -> Callable[[], float]:
    """Return a function that runs, and returns the seconds that it took for each of a unit."""

    def timed() -> float:
        start = time.perf_counter()
        run()
        return (time.perf_counter() - start) / count * UNIT

    return timed
