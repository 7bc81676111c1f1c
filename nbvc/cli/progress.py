"""A progress bar for what takes longer than a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from nbvc.cli.context import State
from nbvc.cli.output import count

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_SHOWN_AFTER_SECONDS = 1.0


@contextmanager
def progress_bar(state: State, thing: str = "notebook") -> Iterator[Callable[[int, int], None]]:
    """Give a function to call with the notebooks and bytes so far; shows them on a terminal."""
    stack = ExitStack()
    is_due = _due(state)
    shown: list[tuple[Bar, TaskID]] = []

    def update(done: int, size_bytes: int) -> None:
        if not is_due():
            return
        from rich.console import Console
        from rich.progress import (
            DownloadColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bar

        if not shown:
            bar = Bar(
                SpinnerColumn(),
                TextColumn("{task.fields[done]}"),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            stack.enter_context(bar)
            shown.append((bar, bar.add_task("", total=None, done="")))
        bar, task = shown[0]
        bar.update(task, completed=size_bytes, done=count(done, thing))

    with stack:
        yield update


@contextmanager
def cell_bar(state: State) -> Iterator[Callable[[int, int], None]]:
    """Give a function to call with the cells that are done, and all; shows them on a terminal."""
    stack = ExitStack()
    is_due = _due(state)
    shown: list[tuple[Bar, TaskID]] = []

    def update(done: int, total: int) -> None:
        if not is_due():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        if not shown:
            columns = (TextColumn("Cell"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn())
            bar = Bar(*columns, console=Console(stderr=True), transient=True)
            stack.enter_context(bar)
            shown.append((bar, bar.add_task("", total=total)))
        bar, task = shown[0]
        bar.update(task, completed=done, total=total)

    with stack:
        yield update


def _due(state: State) -> Callable[[], bool]:
    """Return a function that tells whether it took so long that a person wants to see something."""
    started = time.monotonic()
    return lambda: state.output.can_ask and time.monotonic() - started >= _SHOWN_AFTER_SECONDS
