"""``nbvc://`` for papermill: the entry point ``papermill.io``.

papermill writes the notebook after each cell, and says nowhere which write is the last one. What it
does (papermill 2.7, ``execute.py`` and ``engines.py``):

- Where it executes: a write as it begins; two for each cell; one when the engine has come to its
  end, with ``end_time``; and one more, as it is, or with marks beside the cell that failed.
- Where the engine raises, as when the kernel died, or after Ctrl-C: the one with ``end_time`` is
  the last one, and it is made while that exception is on its way.
- Where it is asked not to save in between, or to prepare only: one write.

So the last one can be told. What is left over, as from a process that ends between two writes, is
saved when the interpreter ends.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nbvc.environment import Environment
from nbvc.errors import InvalidInput, NbvcError
from nbvc.model import NOTEBOOK_SUFFIX

if TYPE_CHECKING:
    from datetime import datetime

    from nbvc.model import NotebookKey
    from nbvc.scheduling.papermill_files import Progress
    from nbvc.scheduling.places import Place
    from nbvc.scheduling.results import Input, ResultWriter, SavedRun

_log = logging.getLogger("nbvc")


class _UnderWay:
    """A run whose last write has not come yet."""

    def __init__(self, place: Place, writer: ResultWriter) -> None:
        self.place = place
        self.writer = writer
        self._outer = sys.exception()
        self._writes = 0
        self._ends = 0
        self._raised: BaseException | None = None

    def write(self, data: bytes, progress: Progress) -> bool:
        """Take what papermill writes; return whether it was the last time."""
        self.writer.write(data, progress)
        self._writes += 1
        if progress.started_at is None:
            return True
        if not progress.ended:
            return False
        self._ends += 1
        on_its_way = sys.exception()
        self._raised = on_its_way if on_its_way is not self._outer else None
        return self._writes == 1 or self._ends > 1 or self._raised is not None

    def finish(self) -> SavedRun:
        """Save what was written last."""
        with self.place:
            if self._raised is None:
                return self.writer.finish()
            stopped = isinstance(self._raised, KeyboardInterrupt | SystemExit)
            outcome = "interrupted" if stopped else "failed"
            return self.writer.finish(outcome, error=type(self._raised).__name__)


class NbvcHandler:
    """Reads and writes ``nbvc://`` addresses for papermill. Safe for several runs at once.

    The store is that of the workspace of the working directory, else the one in ``NBVC_STORE``.
    """

    def __init__(self) -> None:
        self._bound: dict[str, bytes | ResultWriter] = {}
        self._runs: dict[tuple[str, datetime | None], _UnderWay] = {}
        self._read = threading.local()
        self._lock = threading.Lock()
        self._is_registered = False

    # What papermill calls

    def read(self, path: str) -> str:
        """Return the notebook that *path* names; a version that may move is the present one.

        Raises:
            NbvcError: There is no such version, or the store cannot be read.
        """
        bound = self._bound.get(path)
        if isinstance(bound, bytes):
            return bound.decode()
        from nbvc.scheduling.addresses import parse_address
        from nbvc.scheduling.places import Place
        from nbvc.scheduling.results import Input

        address = parse_address(path)
        with Place.find(Environment.current()) as place:
            version = place.resolve(address.key, address.version)
            data = place.repository.read(version)
        read = Input(version=version, asked=address.version.text, data=data)
        self._read.last = (path, read)
        return data.decode()

    def write(self, buf: str, path: str) -> None:
        """Keep *buf*, and save it as a version if it is what a run comes to.

        Raises:
            NbvcError: It could not be kept, or saved; what was kept stays on this disk.
        """
        from nbvc.scheduling.papermill_files import read_progress

        # What UTF-8 cannot hold is written as JSON's own escapes.
        data = buf.encode(errors="backslashreplace")
        progress = read_progress(data)
        bound = self._bound.get(path)
        if bound is not None and not isinstance(bound, bytes):
            bound.write(data, progress)
            return
        name = (path, progress.started_at)
        with self._lock:
            run = self._runs.get(name)
        if run is None:
            run = self._begin(path, progress)
            with self._lock:
                self._runs[name] = run
        if run.write(data, progress):
            with self._lock:
                del self._runs[name]
            _tell(run.finish())

    def listdir(self, path: str) -> list[str]:
        """Return the addresses of the notebooks and folders right below *path*."""
        from nbvc.scheduling.addresses import SCHEME, parse_address
        from nbvc.scheduling.listing import children
        from nbvc.scheduling.places import Place

        with Place.find(Environment.current()) as place:
            found = children(place.repository, parse_address(path).path)
            return [f"{SCHEME}{entry.path}" for entry in found]

    def pretty_path(self, path: str) -> str:
        """Return *path* as it is."""
        return path

    # For ``nbvc run``

    @contextmanager
    def bound(
        self, input_path: str, data: bytes, output_path: str, writer: ResultWriter
    ) -> Iterator[None]:
        """Let one run read *data* and write to *writer*, for the length of the block.

        Who gives them says when the run has come to its end.
        """
        self._bound |= {input_path: data, output_path: writer}
        try:
            yield
        finally:
            del self._bound[input_path], self._bound[output_path]

    # The end of the interpreter

    def finish_all(self) -> None:
        """Save what runs have left, as the process ends. Never fails."""
        with self._lock:
            runs, self._runs = list(self._runs.values()), {}
        for run in (run for run in runs if run.writer.progress is not None):
            try:
                _tell(run.finish())
            except (NbvcError, RuntimeError) as error:  # no thread can begin any more
                _log.error("A result is kept on this disk, for the next run: %s", error)

    def _read_before(self, path: str | None) -> Input | None:
        """Return what this thread read last, if that was *path*.

        papermill reads, and begins to write, in one thread.
        """
        read_path, read = getattr(self._read, "last", (None, None))
        return read if path is not None and path == read_path else None

    def _begin(self, path: str, progress: Progress) -> _UnderWay:
        import concurrent.futures.thread  # noqa: F401 - as the interpreter ends it would fail

        from nbvc.scheduling.places import Place
        from nbvc.scheduling.results import ResultWriter, recover

        key = _output_key(path)
        with self._lock:
            if not self._is_registered:
                atexit.register(self.finish_all)
                self._is_registered = True
        place = Place.find(Environment.current())
        try:
            recover(place)
        except NbvcError as error:  # it is kept, and does not hold up this one
            _log.warning("What an earlier run has left could not be saved: %s", error.message)
        executed = self._read_before(progress.input_path)
        return _UnderWay(place, ResultWriter(place, key, executed))


def _output_key(path: str) -> NotebookKey:
    from nbvc.scheduling.addresses import parse_address

    address = parse_address(path)
    if address.selector is not None:
        raise InvalidInput(
            f"{path} names a version, and a result becomes a new one.",
            hint=f"Write it without what stands after {NOTEBOOK_SUFFIX}.",
        )
    return address.key


def _tell(saved: SavedRun) -> None:
    if saved.waiting:
        reason = saved.error.message if saved.error else ""
        _log.warning("%s waits in the outbox, safe on this disk: %s", saved.key, reason)
    else:
        _log.info("Saved v%s of %s (%s)", saved.number, saved.key, saved.run.outcome)


handler = NbvcHandler()
"""What the entry point names; papermill keeps it for the whole process."""
