"""Real notebooks with their histories, which not every checkout has beside it."""

from __future__ import annotations

import atexit
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from scripts.benchmarks.surroundings import PROJECT

CORPUS = PROJECT.parent / "shared" / "corpus" / "handson-ml.tar.xz"
BROKEN = frozenset(f"11_deep_learning/{number:03}" for number in (14, 15, 16))
"""Versions that their author committed as broken JSON."""

SAMPLE_STEP, SAMPLE_START = 20, 2
"""A quick run takes every so many-th pair."""


class MissingCorpus(Exception):
    """The notebooks are not beside the project."""

    def __init__(self) -> None:
        super().__init__("the corpus of notebooks is not beside the project")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two versions of one notebook.

    Attributes:
        name: Notebook and the numbers of the versions.
        old: File of the one.
        new: File of the other.
    """

    name: str
    old: Path
    new: Path


@cache
def unpacked() -> Mapping[str, Sequence[Path]]:
    """Return the versions of each notebook, oldest first; they are files until this process ends.

    Raises:
        MissingCorpus: There is none.
    """
    if not CORPUS.is_file():
        raise MissingCorpus
    folder = tempfile.TemporaryDirectory(prefix="nbvc-corpus-")
    atexit.register(folder.cleanup)
    with tarfile.open(CORPUS) as archive:
        archive.extractall(folder.name, filter="data")
    return {
        notebook.name: sorted(notebook.glob("*.ipynb"))
        for notebook in sorted(Path(folder.name, "handson").iterdir())
    }


def all_pairs(histories: Mapping[str, Sequence[Path]]) -> Iterator[Pair]:
    """Yield all neighbours, and of each notebook the first and the last version."""
    for name, versions in histories.items():
        readable = [path for path in versions if f"{name}/{path.stem}" not in BROKEN]
        for old, new in (*pairwise(readable), (readable[0], readable[-1])):
            yield Pair(name=f"{name} {old.stem} {new.stem}", old=old, new=new)


def sample(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """Return the pairs of a quick run: always the same, and some of every notebook."""
    return pairs[SAMPLE_START::SAMPLE_STEP]
