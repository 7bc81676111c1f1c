"""How many bytes a history takes, beside git's: as it is saved, and packed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.benchmarks import corpus
from scripts.benchmarks.git import repository
from scripts.benchmarks.measuring import NBVC, Case, Row, compare, counted, process
from scripts.benchmarks.surroundings import Surroundings
from scripts.benchmarks.warm import save_versions

QUICK_NOTEBOOKS = ("08_dimensionality_reduction", "16_reinforcement_learning")
PACK = ("pack", "--all", "--older-than", "0", "--keep-newest", "0", "--apply")
GC = ("gc", "--aggressive", "--prune=now", "--quiet")
SIZE_LIMIT, TIME_LIMIT = 0.95, 0.1
ROUNDS = 3


def histories(around: Surroundings) -> list[Row]:
    """Save the corpus with both; pack it with both."""
    versions = corpus.unpacked()
    if around.quick:
        versions = {name: versions[name] for name in QUICK_NOTEBOOKS}
    ours, theirs = _saved(around, versions), _committed(around, versions)
    count = sum(map(len, versions.values()))
    plain = sum(path.stat().st_size for files in versions.values() for path in files)
    about = f"{count} real versions, {plain / 1e6:.0f} MB"
    rows = [
        counted(
            f"bytes as saved, {about}",
            "bytes",
            size_bytes(ours / ".nbvc"),
            "git, loose objects",
            size_bytes(theirs / ".git"),
        )
    ]
    packing = {
        "nbvc": _fresh(ours, around, NBVC, *PACK),
        "git gc --aggressive": _fresh(theirs, around, "git", *GC),
    }
    (row,) = compare(
        f"nbvc pack, {about}",
        packing,
        rounds=1 if around.quick else ROUNDS,
        at_most={"git gc --aggressive": TIME_LIMIT},
        warm_up=False,
    )
    rows.append(row)
    rows.append(
        counted(
            f"bytes once packed, {about}",
            "bytes",
            size_bytes(_copy(ours) / ".nbvc"),
            "git gc --aggressive",
            size_bytes(_copy(theirs) / ".git"),
            at_most=SIZE_LIMIT,
        )
    )
    return rows


def size_bytes(folder: Path) -> int:
    """Return the bytes of all files below *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _copy(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-packed")


def _fresh(folder: Path, around: Surroundings, *command: str) -> Case:
    """Return a case that works on a new copy of *folder* each time, and leaves the last one."""
    copy = _copy(folder)

    def prepare() -> None:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)

    return Case(prepare=prepare, run=process(*command, cwd=copy, env=around.env))


def _saved(around: Surroundings, versions: Mapping[str, Sequence[Path]]) -> Path:
    """Return a workspace that holds the versions; some are no valid notebooks."""
    folder = around.workspace("saved", files={})
    contents = ((f"{name}.ipynb", path.read_bytes()) for name, path in _in_order(versions))
    save_versions(folder, around.env, contents)
    return folder


def _committed(around: Surroundings, versions: Mapping[str, Sequence[Path]]) -> Path:
    folder = repository(around, "committed")
    for name, path in _in_order(versions):
        (folder / f"{name}.ipynb").write_bytes(path.read_bytes())
        for command in (("add", "."), ("commit", "-q", "-m", path.stem)):
            process("git", *command, cwd=folder, env=around.env)()
    return folder


def _in_order(versions: Mapping[str, Sequence[Path]]) -> list[tuple[str, Path]]:
    return [(name, path) for name, files in versions.items() for path in files]
