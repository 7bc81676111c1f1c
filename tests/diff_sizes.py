"""How large the diffs of the corpus are, nbdime's and ours.

``nbdime_sizes.tsv`` holds nbdime's figures, because nbdime takes minutes to find them. With nbdime
4.0.4 they came from ``python -m tests.diff_sizes > tests/nbdime_sizes.tsv``.
"""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import nbdime

from nbvc import diffing
from tests.notebook_samples import CORPUS

FIGURES = Path(__file__).with_name("nbdime_sizes.tsv")
BROKEN = frozenset(f"11_deep_learning/{number:03}.ipynb" for number in (14, 15, 16))
"""What its author committed is no JSON."""


class Size(NamedTuple):
    """How large a diff is: cells that it changes, adds or removes, and its operations."""

    cells: int
    operations: int

    @classmethod
    def of(cls, diff: Sequence[Any]) -> Size:
        """Count what *diff* holds; an entry that only leads to others is no operation."""
        cells = sum(map(_touched, _entries_of(diff, "cells")))
        return cls(cells, sum(map(_operations, diff)))


def _entries_of(diff: Sequence[Any], key: str) -> Sequence[Any]:
    return [inner for entry in diff if entry["key"] == key for inner in entry.get("diff", ())]


def _touched(entry: Any) -> int:
    return len(entry.get("valuelist", ())) or entry.get("length", 1)


def _operations(entry: Any) -> int:
    return sum(map(_operations, entry["diff"])) if entry["op"] == "patch" else 1


def pairs_of(versions: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield the neighbours among the versions of a notebook, and the first with the last."""
    whole = [path for path in versions if f"{path.parent.name}/{path.name}" not in BROKEN]
    yield from pairwise(whole)
    yield whole[0], whole[-1]


def name_of(old: Path, new: Path) -> str:
    """Return what a pair is called in the figures."""
    return f"{old.parent.name} {old.stem} {new.stem}"


def nbdime_sizes() -> dict[str, Size]:
    """Return the size of nbdime's diff for each pair of the corpus."""
    rows = (line.split("\t") for line in FIGURES.read_text().splitlines())
    return {name: Size(int(cells), int(operations)) for name, cells, operations in rows}


def main() -> None:
    """Print nbdime's figures for the corpus."""
    with TemporaryDirectory() as folder, tarfile.open(CORPUS / "handson-ml.tar.xz") as archive:
        archive.extractall(folder, filter="data")
        for notebook in sorted((Path(folder) / "handson").iterdir()):
            for old, new in pairs_of(sorted(notebook.glob("*.ipynb"))):
                a, b = (diffing.load(path.read_bytes()) for path in (old, new))
                size = Size.of(nbdime.diff_notebooks(a, b))
                sys.stdout.write(f"{name_of(old, new)}\t{size.cells}\t{size.operations}\n")


if __name__ == "__main__":
    main()
