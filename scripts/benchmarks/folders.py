"""Whole folders on the embedded store: save, list and clone many notebooks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.benchmarks.git import repository
from scripts.benchmarks.growth import grows
from scripts.benchmarks.measuring import NBVC, Case, Row, compare, process
from scripts.benchmarks.notebooks import notebook, rewrite
from scripts.benchmarks.surroundings import Surroundings

MANY, QUICK_MANY = 10_000, 500
CHANGED, QUICK_CHANGED = 500, 100
TENTH = 10
SIZE_BYTES = 20_000
COMMIT_ALL = "git add -A && git commit -q -m m"


def rows(around: Surroundings) -> list[Row]:
    """Measure how each grows; a save also beside git."""
    return [*_saves(around), *_lists_and_clones(around)]


def _saves(around: Surroundings) -> list[Row]:
    count = QUICK_CHANGED if around.quick else CHANGED
    names = {many: [f"{number:05}.ipynb" for number in range(many)] for many in _sizes(count)}
    folders = {
        many: around.workspace(
            f"changed-{many}", files={name: notebook(0, SIZE_BYTES) for name in listed}
        )
        for many, listed in names.items()
    }
    plain = repository(around, "changed-git")
    beside = {
        "nbvc": Case(
            prepare=_change(folders[count], names[count]),
            run=process(NBVC, "save", cwd=folders[count], env=around.env),
        ),
        "git add, git commit": Case(
            prepare=_change(plain, names[count]),
            run=process("sh", "-c", COMMIT_ALL, cwd=plain, env=around.env),
        ),
    }
    return [
        *compare(f"nbvc save of {count:,} notebooks", beside, rounds=around.few_rounds),
        *grows(
            around,
            "nbvc save",
            folders,
            lambda _: ("save",),
            things="notebooks",
            prepare=lambda many: _change(folders[many], names[many])(),
            rounds=around.few_rounds,
        ),
    ]


def _lists_and_clones(around: Surroundings) -> list[Row]:
    folders = {
        many: _folder_of(around, many) for many in _sizes(QUICK_MANY if around.quick else MANY)
    }
    copy = around.folder / "copy"

    def without(_: int) -> None:
        shutil.rmtree(copy, ignore_errors=True)

    return [
        *grows(
            around,
            "nbvc ls",
            folders,
            lambda _: ("ls",),
            things="notebooks",
            rounds=around.few_rounds,
        ),
        *grows(
            around,
            "nbvc clone",
            folders,
            lambda many: ("clone", str(folders[many]), str(copy)),
            things="notebooks",
            prepare=without,
            rounds=1,
        ),
    ]


def _sizes(count: int) -> tuple[int, int]:
    return count, count // TENTH


def _change(folder: Path, names: Sequence[str]) -> Callable[[], object]:
    changes = [rewrite(folder / name, SIZE_BYTES) for name in names]
    return lambda: [change() for change in changes]


def _folder_of(around: Surroundings, count: int) -> Path:
    """Make a workspace in whose store so many notebooks are, each with one version."""
    names = (f"{number // 100:03}/{number:05}.ipynb" for number in range(count))
    files = {name: notebook(number) for number, name in enumerate(names)}
    folder = around.workspace(f"folder-{count}", files=files)
    process(NBVC, "save", cwd=folder, env=around.env)()
    return folder
