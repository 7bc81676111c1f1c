"""The command: which benchmarks, how often, and what to print."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from scripts.benchmarks import comparing, histories, saving, startup
from scripts.benchmarks.measuring import Row
from scripts.benchmarks.surroundings import Surroundings

BENCHMARKS: dict[str, Callable[[Surroundings], list[Row]]] = {
    "start": startup.embedded,
    "s3-log": startup.s3_log,
    "save": saving.whole_process,
    "put": saving.put_latency,
    "history": histories.lengths,
    "diff": comparing.diffs,
}
ROUNDS, QUICK_ROUNDS = 15, 3
HEADERS = ("WHAT", "NBVC", "PEER", "PEER'S", "RATIO", "TARGET", "MET", "COUNTED")
EVEN = 0.05
"""Ratios that differ from 1 by less name no winner."""


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where a target is missed."""
    options = parse(arguments)
    # Requests to the loopback address must not go through a proxy of the machine.
    os.environ["NO_PROXY"] = "127.0.0.1"
    about = describe()
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    rows: list[Row] = []
    for name in options.only or BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="nbvc-bench-") as folder:
            around = Surroundings(
                folder=Path(folder).resolve(),
                endpoint=os.environ["NBVC_TEST_S3_URL"],
                quick=options.quick,
                rounds=options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS),
            )
            rows += BENCHMARKS[name](around)
    about["load after"] = load()
    show(rows)
    if options.json:
        result = {**about, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if any(row.met is False for row in rows) else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure nbvc beside its peers, in turn. A ratio below 1 means that nbvc is "
        "quicker. Exits with 1 where a target is missed.",
    )
    parser.add_argument("only", nargs="*", metavar="|".join(BENCHMARKS), help="default: all")
    parser.add_argument("--quick", action="store_true", help="few rounds, shorter histories")
    parser.add_argument("--rounds", type=int, help=f"of each (default: {ROUNDS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there, too")
    options = parser.parse_args(arguments)
    if unknown := set(options.only) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    return options


def describe() -> dict[str, str]:
    """Say when and on what this runs."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}Z",
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load before": load(),
    }


def load() -> str:
    """Return how many processes wanted a core during the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def show(rows: list[Row]) -> None:
    """Print the table."""
    lines = [HEADERS, *(cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def cells(row: Row) -> tuple[str, ...]:
    """Return the cells of one line."""
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return (
        row.what,
        "" if row.ours_ms is None else f"{row.ours_ms:,.1f} ms",
        row.peer,
        "" if row.peer_ms is None else f"{row.peer_ms:,.1f} ms",
        "" if row.ratio is None else f"{row.ratio:.2f} {verdict(row.ratio)}",
        row.target or "",
        met,
        row.note,
    )


def verdict(ratio: float) -> str:
    """Say who is quicker."""
    if abs(ratio - 1) < EVEN:
        return "even"
    return "nbvc wins" if ratio < 1 else "peer wins"
