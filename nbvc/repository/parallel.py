"""Several requests at once, with one rule: results come in the order in which they were asked."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_T = TypeVar("_T")
_R = TypeVar("_R")


class Parallel:
    """A lazily started pool of threads.

    With one worker, or from within one of its own threads, everything runs in place: a local store
    gains nothing from threads, and a thread that waits for its own pool would wait for ever.

    Args:
        workers: Calls in flight at most.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor: ThreadPoolExecutor | None = None
        self._inside = threading.local()
        self._lock = threading.Lock()

    def start(self, call: Callable[[], _T]) -> Callable[[], _T]:
        """Start *call* and return a function that waits for its result, or raises its error."""
        if self._runs_in_place:
            return call
        return self._submit(call).result

    def map(self, function: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
        """Yield ``function(item)`` for each item in order, reading few items ahead."""
        if self._runs_in_place:
            yield from map(function, items)
            return
        waiting: deque[Future[_R]] = deque()
        try:
            for item in items:
                waiting.append(self._submit(partial(function, item)))
                if len(waiting) > self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """Let the threads go; calls that have not begun are dropped. Idempotent.

        Does not wait for calls under way: after Ctrl-C nobody wants their results.
        """
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)

    @property
    def _runs_in_place(self) -> bool:
        return self._workers < 2 or getattr(self._inside, "active", False)

    def _submit(self, call: Callable[[], _T]) -> Future[_T]:
        try:
            future: Future[_T] = self._pool().submit(call)
        except RuntimeError:  # the interpreter ends, and lets no thread begin: do it in this one
            return _done(call)
        return future

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                from concurrent.futures import ThreadPoolExecutor

                self._executor = ThreadPoolExecutor(self._workers, "nbvc", self._enter)
            return self._executor

    def _enter(self) -> None:
        self._inside.active = True


def _done(call: Callable[[], _T]) -> Future[_T]:
    """Return the result of *call*, or its error, as a thread would give it."""
    from concurrent.futures import Future

    future: Future[_T] = Future()
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it
        future.set_exception(error)
    return future
