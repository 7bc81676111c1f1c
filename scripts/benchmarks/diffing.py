"""The diff itself, beside nbdime's, on the same loaded notebooks: how long it takes, its size."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from scripts.benchmarks import corpus, hard_pairs
from scripts.benchmarks.measuring import PYTHON, Row, counted, limited
from scripts.benchmarks.surroundings import Surroundings
from scripts.benchmarks.warm import Stopped, Worker, worker

OF_NBDIME = 1 / 30
SLOWEST_MS, SLOWEST_HARD_MS = 500, 1000
LARGER = 1.05
SIZES = {"cells": "changed cells", "operations": "operations", "bytes": "bytes"}
ROUNDS = 3
"""nbdime takes one round, for it needs minutes; nbvc's turns lie before and after it."""

LIMIT_SECONDS, QUICK_LIMIT_SECONDS = 20.0, 1.0
NBDIME = "nbdime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One pair, compared by both.

    Attributes:
        name: Which.
        ours: Milliseconds of nbvc.
        theirs: Milliseconds of nbdime.
        our_sizes: How large nbvc's diff is.
        their_sizes: How large nbdime's is.
        patches: Whether nbvc's diff leads to the newer notebook.
    """

    name: str
    ours: float
    theirs: float
    our_sizes: Mapping[str, int]
    their_sizes: Mapping[str, int]
    patches: bool


def pairs(around: Surroundings) -> list[Row]:
    """Compare neighbours, and first and last versions, of the corpus."""
    every = list(corpus.all_pairs(corpus.unpacked()))
    chosen = corpus.sample(every) if around.quick else every
    with _diff_worker(around) as process:
        _warm_up(process, chosen[0])
        return summary([_compare(process, pair) for pair in chosen], len(every))


def summary(compared: Sequence[Compared], available: int) -> list[Row]:
    """Return the rows of many pairs: times in all, the slowest, and the sizes of the diffs."""
    what = f"diff_notebooks, {len(compared)} of {available} real pairs"
    ours, theirs = (sum(getattr(pair, side) for pair in compared) for side in ("ours", "theirs"))
    slowest = max(compared, key=lambda pair: pair.ours)
    slow = max(compared, key=lambda pair: pair.theirs)
    broken = sum(not pair.patches for pair in compared)
    middle = statistics.median(pair.ours / pair.theirs for pair in compared)
    return [
        counted(
            f"{what}, in all",
            "ms",
            round(ours, 1),
            NBDIME,
            round(theirs, 1),
            at_most=OF_NBDIME,
            note=f"median of the ratios {middle:.2g}",
        ),
        limited(f"{what}, the slowest", "ms", slowest.ours, SLOWEST_MS, note=slowest.name),
        counted("nbdime's slowest of them", "ms", slow.ours, NBDIME, slow.theirs, note=slow.name),
        limited("diffs that do not lead to the newer notebook", "pairs", broken, 0),
        *(row for size in SIZES for row in _size_rows(compared, size)),
    ]


def _size_rows(compared: Sequence[Compared], size: str) -> list[Row]:
    """Return the size of all diffs, and of the one that exceeds nbdime's most."""
    unit = SIZES[size]
    ours, theirs = (
        sum(getattr(pair, side)[size] for pair in compared) for side in ("our_sizes", "their_sizes")
    )
    worst = max(compared, key=lambda pair: _ratio(pair, size))
    larger = sum(_ratio(pair, size) > LARGER for pair in compared)
    return [
        counted(f"size of the diffs: {unit}, in all", unit, ours, NBDIME, theirs),
        counted(
            f"size of the diffs: {unit}, the worst pair",
            unit,
            worst.our_sizes[size],
            NBDIME,
            worst.their_sizes[size],
            # What a person reads are cells and operations; bytes are only told.
            at_most=LARGER if size != "bytes" else None,
            note=f"{worst.name}; {larger} of {len(compared)} pairs are more than 5 % larger",
        ),
    ]


def _ratio(pair: Compared, size: str) -> float:
    return pair.our_sizes[size] / max(1, pair.their_sizes[size])


def hard(around: Surroundings) -> list[Row]:
    """Compare what takes nbdime longest; it is stopped where it takes too long."""
    limit = QUICK_LIMIT_SECONDS if around.quick else LIMIT_SECONDS
    return [_hard_row(around, name, made, limit) for name, made in hard_pairs.PAIRS.items()]


def _hard_row(around: Surroundings, name: str, made: hard_pairs.Maker, limit_seconds: float) -> Row:
    folder = around.folder / name.replace(" ", "-")
    folder.mkdir()
    old, new = folder / "old.ipynb", folder / "new.ipynb"
    for path, data in zip((old, new), made(), strict=True):
        path.write_bytes(data)
    with _diff_worker(around) as process:
        process.ask("load", old=str(old), new=str(new))
        ours = [process.seconds("diff", engine="nbvc") * 1000 for _ in range(ROUNDS)]
        is_bound = False
        try:
            answer = process.ask("diff", engine=NBDIME, timeout_seconds=limit_seconds)
            theirs = answer["seconds"] * 1000
        except Stopped:
            theirs, is_bound = limit_seconds * 1000, True
    middle = round(statistics.median(ours), 1)
    row = counted(
        f"diff_notebooks, {name}",
        "ms",
        middle,
        NBDIME,
        round(theirs, 1),
        is_bound=is_bound,
        note=f"nbdime was stopped after {limit_seconds:g} s" if is_bound else "",
    )
    return replace(row, target=f"at most {SLOWEST_HARD_MS} ms", met=middle <= SLOWEST_HARD_MS)


def _diff_worker(around: Surroundings) -> AbstractContextManager[Worker]:
    return worker(PYTHON, "diff_worker.py", cwd=around.folder, env=around.env)


def _warm_up(process: Worker, pair: corpus.Pair) -> None:
    """Let both engines import what they need."""
    process.ask("load", old=str(pair.old), new=str(pair.new))
    for engine in ("nbvc", NBDIME):
        process.ask("diff", engine=engine)


def _compare(process: Worker, pair: corpus.Pair) -> Compared:
    process.ask("load", old=str(pair.old), new=str(pair.new))
    first = process.ask("diff", engine="nbvc")
    other = process.ask("diff", engine=NBDIME)
    times = [first["seconds"], *(process.seconds("diff", engine="nbvc") for _ in range(ROUNDS - 1))]
    return Compared(
        name=pair.name,
        ours=round(statistics.median(times) * 1000, 1),
        theirs=round(other["seconds"] * 1000, 1),
        our_sizes={size: first[size] for size in SIZES},
        their_sizes={size: other[size] for size in SIZES},
        patches=first["patches"],
    )
