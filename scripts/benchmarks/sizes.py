"""How many bytes a history takes, beside git's: as it is saved, and packed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from nbvc.manifest.layout import INDEX_FOLDER
from nbvc.stores.local import LocalStore
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
GIT = "git gc --aggressive"
EMPTY = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n'


def histories(around: Surroundings) -> list[Row]:
    """Save the corpus with both; pack it with both.

    nbvc leaves the latest version of a notebook as it is, for other tools. So that all versions of
    the corpus can be packed, as git packs all, one more is saved of each, which has no cells. What
    the store takes without those is a row of its own.
    """
    versions = corpus.unpacked()
    if around.quick:
        versions = {name: versions[name] for name in QUICK_NOTEBOOKS}
    ours, theirs = _saved(around, versions), _committed(around, versions)
    followed = ours.with_name("followed")
    shutil.copytree(ours, followed)
    save_versions(followed, around.env, ((f"{name}.ipynb", EMPTY) for name in versions))
    count = sum(map(len, versions.values()))
    plain = sum(path.stat().st_size for files in versions.values() for path in files)
    about = f"{count} real versions, {plain / 1e6:.0f} MB"
    saved = counted(
        f"bytes as saved, {about}",
        "bytes",
        size_bytes(_store(ours)),
        "git, loose objects",
        size_bytes(theirs / ".git"),
    )
    packing = {"nbvc": _fresh(followed, around, NBVC, *PACK)}
    packing[GIT] = _fresh(theirs, around, "git", *GC)
    # The targets are those of the whole corpus: of two notebooks, a pack is mostly start-up.
    rounds, limits = (1, {}) if around.quick else (ROUNDS, {GIT: TIME_LIMIT})
    (time,) = compare(f"nbvc pack, {about}", packing, rounds=rounds, at_most=limits, warm_up=False)
    alone = _fresh(ours, around, NBVC, *PACK)
    alone.prepare()
    alone.run()
    limit = None if around.quick else SIZE_LIMIT
    return [saved, time, *_sizes(about, ours, followed, theirs, versions, limit)]


def _sizes(
    about: str,
    ours: Path,
    followed: Path,
    theirs: Path,
    versions: Mapping[str, Sequence[Path]],
    limit: float | None,
) -> list[Row]:
    """Return what the packed copies of the folders take."""
    latest = sum(files[-1].stat().st_size for files in versions.values())
    ours_packed, followed_packed = (size_bytes(_store(_copy(path))) for path in (ours, followed))
    index = sum(path.stat().st_size for path in _store(_copy(followed)).glob("index*"))
    theirs_packed = size_bytes(_copy(theirs) / ".git")
    return [
        counted(
            f"bytes of the packs of all, {about}",
            "bytes",
            packs_bytes(_store(_copy(followed))),
            GIT,
            theirs_packed,
            at_most=limit,
        ),
        counted(
            f"bytes of the whole store, all in packs, {about}",
            "bytes",
            followed_packed,
            GIT,
            theirs_packed,
            note=f"{index / 1e6:.1f} MB of them for the index; it holds {len(versions)} small "
            "versions more, which are the latest",
        ),
        counted(
            f"bytes with the latest not in packs, {about}",
            "bytes",
            ours_packed,
            GIT,
            theirs_packed,
            note=f"{latest / 1e6:.1f} MB of them for the latest of {len(versions)} notebooks",
        ),
    ]


def size_bytes(folder: Path) -> int:
    """Return the bytes of all files below *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def packs_bytes(store: Path) -> int:
    """Return the bytes of all packs of an embedded store."""
    with closing(LocalStore(store)) as opened:
        entries = opened.list_keys(f"{INDEX_FOLDER}/")
        return sum(entry.size_bytes for entry in entries if "/p/" in entry.key)


def _store(folder: Path) -> Path:
    return folder / ".nbvc" / "store"


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
