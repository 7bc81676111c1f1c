"""Compare notebooks without holding up the server, however large they are.

Small ones are compared in a thread. Reading a large one holds all threads of Python up, and takes
long, so that is done in a process of its own, which is killed when its time is up.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from nbvc.errors import NbvcError
from nbvc.jupyter import diff_process
from nbvc.jupyter.diff_process import Pair, read_result
from nbvc.jupyter.limits import Busy, TimedOut, TooLarge

IN_THREAD_BYTES = 1 << 20
"""Pairs up to this length are compared in a thread: there, a process would cost more time."""

MAX_PROCESSES, MAX_WAITING = 2, 8
"""Large pairs that are compared at once, and those that wait for that."""

MAX_RESULT_BYTES = 256 << 20


class Differ:
    """Compares notebooks.

    Args:
        run: Does work in a thread.
        timeout_seconds: What a comparison in a process may take.
    """

    def __init__(
        self,
        run: Callable[[Callable[[], bytes]], Awaitable[bytes]],
        timeout_seconds: float,
    ) -> None:
        self._run = run
        self._timeout_seconds = timeout_seconds
        self._asked = 0
        self._slots = asyncio.Semaphore(MAX_PROCESSES)
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._is_stopped = False

    async def diff(self, pair: Pair) -> bytes:
        """Return what :meth:`Pair.diff` returns.

        Raises:
            InvalidNotebook: One of them is no notebook.
            TimedOut: It took too long.
            TooLarge: There is too much of it.
            Busy: Too many comparisons wait already.
        """
        if pair.size_bytes <= IN_THREAD_BYTES:
            return await self._run(pair.diff)
        if self._asked >= MAX_PROCESSES + MAX_WAITING:
            raise Busy("Too many large notebooks are being compared.", hint="Try again later.")
        self._asked += 1
        try:
            async with self._slots:
                return await self._run(lambda: self._diff_in_process(pair))
        finally:
            self._asked -= 1

    def stop(self) -> None:
        """Kill what is under way, for good."""
        with self._lock:
            self._is_stopped = True
            for process in self._processes:
                process.kill()

    def _diff_in_process(self, pair: Pair) -> bytes:
        # -P: a module in the folder of the server, beside the notebooks, is none of ours.
        command = [sys.executable, "-P", "-m", diff_process.__name__]
        is_late = threading.Event()
        with subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:

            def end() -> None:
                is_late.set()
                process.kill()

            timer = threading.Timer(self._timeout_seconds, end)
            timer.daemon = True
            try:
                self._enter(process)
                timer.start()
                result = _exchange(process, pair)
            finally:
                timer.cancel()
                process.kill()
                with self._lock:
                    self._processes.discard(process)
        if is_late.is_set():
            raise TimedOut(
                f"The comparison took longer than {self._timeout_seconds:g} seconds.",
                hint="Compare sources only, or set c.NbvcExtension.diff_timeout_seconds.",
            )
        return read_result(result)

    def _enter(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if self._is_stopped:
                raise NbvcError("The server is being stopped.")
            self._processes.add(process)


def _exchange(process: subprocess.Popen[bytes], pair: Pair) -> bytes:
    """Give *pair* to *process*, and return what it answers."""
    if process.stdin is None or process.stdout is None:
        raise NbvcError("The comparison could not be started.")
    with suppress(BrokenPipeError):  # it was killed, or failed: its answer says so
        pair.send(process.stdin)
    result = process.stdout.read(MAX_RESULT_BYTES + 1)
    if len(result) > MAX_RESULT_BYTES:
        raise TooLarge("There are too many differences to send.", hint="Compare sources only.")
    return result
