"""Run things in turn and time them: what loads the machine then loads all of them alike."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
NBVC = str(BIN / "nbvc")
PYTHON = sys.executable
TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to time.

    Attributes:
        run: Does it once.
        prepare: Puts in place what it needs, before each run; not timed.
    """

    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result.

    Attributes:
        what: What was measured.
        ours_ms: Median for nbvc, in milliseconds; ``None`` where something was only counted.
        peer: What it is compared with.
        peer_ms: Median of that.
        ratio: Median of the ratios of the rounds: less is better for nbvc.
        target: What the ratio, or the count, may be at most; ``None`` where no target was set.
        note: What was counted.
        met: Whether the target is met; ``None`` without one.
    """

    what: str
    ours_ms: float | None = None
    peer: str = ""
    peer_ms: float | None = None
    ratio: float | None = None
    target: str | None = None
    note: str = ""
    met: bool | None = None


def compare(
    what: str,
    cases: Mapping[str, Case],
    *,
    rounds: int,
    at_most: Mapping[str, float] | None = None,
    note: str = "",
) -> list[Row]:
    """Time *cases* in turn, *rounds* times after one round that is not counted.

    Args:
        what: What is measured.
        cases: By name; the first is nbvc's, the others are its peers.
        rounds: How often.
        at_most: For a peer, the ratio that is the target.
        note: Goes into every row.

    Returns:
        A row for each peer.
    """
    times: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            case.prepare()
            start = time.perf_counter()
            case.run()
            if number:
                times[name].append(time.perf_counter() - start)
    own, *peers = cases
    rows = []
    for peer in peers:
        ratio = statistics.median(a / b for a, b in zip(times[own], times[peer], strict=True))
        limit = (at_most or {}).get(peer)
        rows.append(
            Row(
                what=what,
                ours_ms=median_ms(times[own]),
                peer=peer,
                peer_ms=median_ms(times[peer]),
                ratio=round(ratio, 2),
                target=None if limit is None else f"at most {limit:g} x",
                note=note,
                met=None if limit is None else ratio <= limit,
            )
        )
    return rows


def median_ms(seconds: Sequence[float]) -> float:
    """Return the median in milliseconds."""
    return round(statistics.median(seconds) * 1000, 1)


def process(
    *command: str, cwd: Path, env: Mapping[str, str], typed: str = ""
) -> Callable[[], None]:
    """Return a function that runs a whole process, and fails if that fails.

    Args:
        command: What to run.
        cwd: Where.
        env: Its variables.
        typed: Its standard input.
    """

    def run() -> None:
        ran = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            input=typed.encode(),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if ran.returncode:
            said = (ran.stdout + ran.stderr).decode(errors="replace")
            raise RuntimeError(f"{command} ended with {ran.returncode}:\n{said}")

    return run
