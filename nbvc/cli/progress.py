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
    started = time.monotonic()
    stack = ExitStack()
    shown: list[tuple[Bar, TaskID]] = []

    def update(done: int, size_bytes: int) -> None:
        if not state.output.can_ask or time.monotonic() - started < _SHOWN_AFTER_SECONDS:
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
