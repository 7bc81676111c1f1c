"""The command: which benchmarks, how often, and what to print."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from scripts.benchmarks import (
    archiving,
    diff_commands,
    diffing,
    folders,
    git,
    histories,
    reporting,
    s3,
    sizes,
    startup,
)
from scripts.benchmarks.corpus import MissingCorpus
from scripts.benchmarks.measuring import Row
from scripts.benchmarks.peers import MissingPeer
from scripts.benchmarks.surroundings import PROJECT, Surroundings

Benchmark = Callable[[Surroundings], list[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Rows that belong together.

    Attributes:
        about: What is measured, and beside what.
        benchmarks: What measures it, each in a folder of its own.
    """

    about: str
    benchmarks: tuple[Benchmark, ...]


FAMILIES: dict[str, Family] = {
    "start": Family(
        about="short commands, beside the least that their imports and requests cost",
        benchmarks=(startup.embedded, startup.on_s3),
    ),
    "git": Family(about="save, log, checkout, beside git", benchmarks=(git.commands,)),
    "size": Family(
        about="bytes of a real history, plain and packed, beside git gc --aggressive",
        benchmarks=(sizes.histories,),
    ),
    "s3": Family(
        about="put, list, get, copy of a folder, beside the aws tool and boto3",
        benchmarks=(s3.puts, s3.commands, s3.folders),
    ),
    "bookstore": Family(
        about="saves in a running process, beside bookstore", benchmarks=(archiving.saves,)
    ),
    "diff": Family(
        about="the diff engine on real notebooks, beside nbdime", benchmarks=(diffing.pairs,)
    ),
    "hard-diff": Family(
        about="the diff engine on what takes nbdime long", benchmarks=(diffing.hard,)
    ),
    "diff-command": Family(about="nbvc diff, beside nbdiff", benchmarks=(diff_commands.commands,)),
    "folder": Family(
        about="save, ls and clone of many notebooks: time and memory as they grow",
        benchmarks=(folders.rows,),
    ),
    "history": Family(
        about="log, save, checkout and check of a long history", benchmarks=(histories.lengths,)
    ),
}
ROUNDS, QUICK_ROUNDS = 15, 3


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where a target is missed."""
    options = parse(arguments)
    if options.list:
        print("\n".join(f"{name:14}{family.about}" for name, family in FAMILIES.items()))
        return 0
    # Requests to the loopback address must not go through a proxy of the machine.
    os.environ["NO_PROXY"] = "127.0.0.1"
    about = describe(arguments)
    rows: list[Row] = []
    for name in options.only or FAMILIES:
        for benchmark in FAMILIES[name].benchmarks:
            rows += measured(name, benchmark, options)
            about["load after"] = load()
            if options.json:
                # After each, for a long run may be stopped.
                options.json.write_text(reporting.document(about, rows))
    print("\n".join(f"{name}: {value}" for name, value in about.items()), end="\n\n")
    print(reporting.markdown(rows) if options.markdown else reporting.table(rows))
    return 1 if any(row.met is False for row in rows) else 0


def measured(name: str, benchmark: Benchmark, options: argparse.Namespace) -> list[Row]:
    """Run one benchmark; where it lacks something, say so in its place."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nbvc-bench-") as folder:
        around = Surroundings(
            folder=Path(folder).resolve(),
            endpoint=os.environ["NBVC_TEST_S3_URL"],
            quick=options.quick,
            rounds=options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS),
        )
        try:
            rows = benchmark(around)
        except (MissingCorpus, MissingPeer) as error:
            rows = [Row(what=f"{name}: not measured", note=str(error))]
    print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return [replace(row, family=name) for row in rows]


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure nbvc beside its peers, in turn. A ratio below 1 means that nbvc needs "
        "less. Exits with 1 where a target is missed.",
    )
    parser.add_argument("only", nargs="*", metavar="FAMILY", help="see --list; default: all")
    parser.add_argument("--list", action="store_true", help="say which families there are")
    parser.add_argument(
        "--quick", action="store_true", help="few rounds, shorter histories, a sample of the pairs"
    )
    parser.add_argument("--rounds", type=int, help=f"of short things (default: {ROUNDS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there, too")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args(arguments)
    if unknown := set(options.only) - set(FAMILIES):
        parser.error(f"there is no family {', '.join(sorted(unknown))}: see --list")
    return options


def describe(arguments: list[str]) -> dict[str, str]:
    """Say when, on what, and of what this runs."""
    return {
        "command": " ".join(["scripts/bench", *arguments]),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}Z",
        "commit": _said("git", "-C", str(PROJECT), "describe", "--always", "--dirty"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {_model()}",
        "versions": ", ".join(_versions()),
        "load before": load(),
    }


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    for name in ("boto3", "typer", "nbdime"):
        yield f"{name} {version(name)}"
    yield _said("git", "--version")


def _said(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.stdout.strip()


def _model() -> str:
    """Return what the processor calls itself, where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def load() -> str:
    """Return how many processes wanted a core during the last minute."""
    return f"{os.getloadavg()[0]:.1f}"
