"""What notebooks on their way to another store share: room in memory, counts, and the end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Self, TypeVar

from nbvc.model import Area, NotebookKey
from nbvc.repository.parallel import Parallel
from nbvc.values import dataclass

_T = TypeVar("_T")
_R = TypeVar("_R")

MAX_BYTES_IN_FLIGHT = 256 * 1024 * 1024
"""Notebook bytes in memory at once; a single larger notebook travels alone."""


class Stopped(Exception):
    """Another notebook failed, or the user gave up: nothing more is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a migration is.

    Attributes:
        key: The notebook that just moved on.
        versions_done: Versions that the target holds by now, of all notebooks.
        versions_total: Versions that the source listed at the start.
        bytes_copied: Notebook bytes that were copied so far.
    """

    key: NotebookKey
    versions_done: int
    versions_total: int
    bytes_copied: int


class Traffic:
    """Shared by all threads of one migration.

    As a context around the work of one thread, it keeps the first error and stops the others.

    Args:
        versions_total: For the progress.
        progress: Told of every step; never called by two threads at once.
        max_bytes: Notebook bytes in memory at once.
    """

    def __init__(
        self,
        *,
        versions_total: int,
        progress: Callable[[Progress], None] | None,
        max_bytes: int = MAX_BYTES_IN_FLIGHT,
    ) -> None:
        self.versions_copied = 0
        self.versions_present = 0
        self.published_copies = 0
        self.bytes_copied = 0
        self.first_error: BaseException | None = None
        self._versions_total = versions_total
        self._progress = progress
        self._max_bytes = max_bytes
        self.bytes_in_flight = 0
        self._stopped = False
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        """Return the traffic; an error within the block stops every other thread."""
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Keep the first error."""
        if error is None:
            return
        with self._changed:
            if self.first_error is None and not isinstance(error, Stopped):
                self.first_error = error
        self.stop()

    def stop(self) -> None:
        """Make every thread stop before its next version. Idempotent."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self, size_bytes: int, *, wait: bool) -> bool:
        """Take room for a notebook; return whether there was any.

        Args:
            size_bytes: Its size.
            wait: Wait until there is room. Only for a thread that holds none, or all might wait.

        Raises:
            Stopped: There is no point in going on.
        """
        with self._changed:
            while not self._stopped and not self._has_room(size_bytes):
                if not wait:
                    return False
                self._changed.wait()
            if self._stopped:
                raise Stopped
            self.bytes_in_flight += size_bytes
            return True

    def give_back(self, size_bytes: int) -> None:
        """Give back what :meth:`take` took."""
        with self._changed:
            self.bytes_in_flight -= size_bytes
            self._changed.notify_all()

    def count_present(self, area: Area, key: NotebookKey, versions: int) -> None:
        """Count versions that the target had already."""
        with self._changed:
            self.versions_present += versions
            self._count(area, key, versions)

    def count_copied(self, area: Area, key: NotebookKey, size_bytes: int) -> None:
        """Count one version that was copied."""
        with self._changed:
            self.versions_copied += 1
            self.bytes_copied += size_bytes
            self._count(area, key, 1)

    def _count(self, area: Area, key: NotebookKey, versions: int) -> None:
        if area is Area.PUBLISHED:
            self.published_copies += versions
        if self._progress is None or not versions:
            return
        done = self.versions_copied + self.versions_present
        self._progress(
            Progress(
                key=key,
                versions_done=done,
                versions_total=max(self._versions_total, done),
                bytes_copied=self.bytes_copied,
            )
        )

    def _has_room(self, size_bytes: int) -> bool:
        in_flight = self.bytes_in_flight
        return in_flight == 0 or in_flight + size_bytes <= self._max_bytes


def read_ahead(
    items: Iterable[_T],
    read: Callable[[_T], _R],
    *,
    size_of: Callable[[_T], int],
    parallel: Parallel,
    traffic: Traffic,
) -> Iterator[tuple[_T, _R]]:
    """Yield each item with what *read* makes of it; the next is read meanwhile, if there is room.

    Raises:
        Stopped: There is no point in going on.
    """
    held: deque[tuple[_T, Callable[[], _R]]] = deque()

    def hand_over() -> Iterator[tuple[_T, _R]]:
        item, result = held[0]
        yield item, result()
        held.popleft()
        traffic.give_back(size_of(item))

    try:
        for item in items:
            if not traffic.take(size_of(item), wait=not held):
                yield from hand_over()
                traffic.take(size_of(item), wait=True)
            held.append((item, parallel.start(partial(read, item))))
            if len(held) > 1:
                yield from hand_over()
        if held:
            yield from hand_over()
    finally:
        for item, _ in held:
            traffic.give_back(size_of(item))
