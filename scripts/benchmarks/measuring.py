"""Run things in turn and time them: what loads the machine then loads all of them alike."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.benchmarks.proxy import DelayProxy, Traffic

BIN = Path(sys.executable).parent
NBVC = str(BIN / "nbvc")
PYTHON = sys.executable
TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to time.

    Attributes:
        run: Does it once. Where it returns seconds, they count, and not how long the call took.
        prepare: Puts in place what it needs, before each run; not timed.
    """

    run: Callable[[], float | None]
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result. Less is better, whatever the unit.

    Attributes:
        what: What was measured.
        unit: Of what: ``ms``, ``bytes``, or the name of things that were counted.
        ours: Median for nbvc.
        peer: What it is compared with; empty where a limit is all there is.
        theirs: Median of that.
        ratio: Median of the ratios of the rounds; ``None`` without a peer, or where it has 0.
        is_bound: Whether the peer was stopped, so that it needs more and the ratio is less.
        latency_ms: What a round trip to the server took longer; ``None`` where there is no server.
        target: What may be at most; ``None`` where no target was set.
        met: Whether the target is met; ``None`` without one.
        traffic: What nbvc sent and received in one round.
        peer_traffic: What the peer did.
        note: What else there is to say.
        family: The benchmarks that it belongs to.
    """

    what: str
    unit: str = "ms"
    ours: float | None = None
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    is_bound: bool = False
    latency_ms: float | None = None
    target: str | None = None
    met: bool | None = None
    traffic: Traffic | None = None
    peer_traffic: Traffic | None = None
    note: str = ""
    family: str = ""


@dataclass(slots=True)
class _Taken:
    """What the runs of one case took."""

    seconds: list[float] = field(default_factory=list)
    traffic: Traffic | None = None


def compare(
    what: str,
    cases: Mapping[str, Case],
    *,
    rounds: int,
    at_most: Mapping[str, float] | None = None,
    note: str = "",
    meter: DelayProxy | None = None,
    warm_up: bool = True,
) -> list[Row]:
    """Time *cases* in turn, *rounds* times after one round that is not counted.

    Args:
        what: What is measured.
        cases: By name; the first is nbvc's, the others are its peers.
        rounds: How often.
        at_most: For a peer, the ratio that is the target.
        note: Goes into every row.
        meter: The proxy that all of them go through, if they ask a server.
        warm_up: Whether to run the round that is not counted.

    Returns:
        A row for each peer.
    """
    taken = {name: _Taken() for name in cases}
    for number in range(rounds + warm_up):
        for name, case in cases.items():
            case.prepare()
            if meter:
                meter.reset()
            start = time.perf_counter()
            own = case.run()
            seconds = time.perf_counter() - start if own is None else own
            if number >= warm_up:
                taken[name].seconds.append(seconds)
                taken[name].traffic = meter.traffic if meter else None
    first, *peers = cases
    latency_ms = meter.round_trip_seconds * 1000 if meter else None
    return [
        _row(
            what,
            taken[first],
            peer,
            taken[peer],
            limit=(at_most or {}).get(peer),
            note=note,
            latency_ms=latency_ms,
        )
        for peer in peers
    ]


def _row(
    what: str,
    own: _Taken,
    peer: str,
    other: _Taken,
    *,
    limit: float | None,
    note: str,
    latency_ms: float | None,
) -> Row:
    ratio = statistics.median(a / b for a, b in zip(own.seconds, other.seconds, strict=True))
    return Row(
        what=what,
        ours=median_ms(own.seconds),
        peer=peer,
        theirs=median_ms(other.seconds),
        ratio=round(ratio, 3),
        latency_ms=latency_ms,
        target=_at_most(limit),
        met=None if limit is None else ratio <= limit,
        traffic=own.traffic,
        peer_traffic=other.traffic,
        note=note,
    )


def counted(
    what: str,
    unit: str,
    ours: float,
    peer: str,
    theirs: float,
    *,
    at_most: float | None = None,
    is_bound: bool = False,
    note: str = "",
) -> Row:
    """Return the row of two numbers, of which less is better.

    Args:
        what: What was measured.
        unit: Of what.
        ours: nbvc's number.
        peer: What it is compared with.
        theirs: Its number.
        at_most: The target: how many times *theirs*.
        is_bound: Whether *theirs* is only what the peer had reached when it was stopped.
        note: What else there is to say.
    """
    return Row(
        what=what,
        unit=unit,
        ours=ours,
        peer=peer,
        theirs=theirs,
        ratio=round(ours / theirs, 4) if theirs else None,
        is_bound=is_bound,
        target=_at_most(at_most),
        met=None if at_most is None else ours <= at_most * theirs,
        note=note,
    )


def limited(what: str, unit: str, ours: float, limit: float, note: str = "") -> Row:
    """Return the row of a number of nbvc's that may be *limit* at most."""
    target = f"at most {limit:g} {unit}"
    return Row(what=what, unit=unit, ours=ours, target=target, met=ours <= limit, note=note)


def _at_most(limit: float | None) -> str | None:
    return None if limit is None else f"at most {limit:.3g} x"


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
        output(*command, cwd=cwd, env=env, typed=typed)

    return run


def output(*command: str, cwd: Path, env: Mapping[str, str], typed: str = "") -> bytes:
    """Run a whole process and return its output.

    Raises:
        RuntimeError: It failed.
    """
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
    return ran.stdout
