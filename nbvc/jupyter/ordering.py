"""One save of a notebook after the other, with all that belongs to it.

With Jupyter's asynchronous contents manager, two saves of one notebook that overlap write into the
same file at the same time, and the save hook of one sees what the other is writing. So the second
waits for the first, in the order in which they came. Saves of other notebooks do not wait.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakValueDictionary

_Job = Callable[[], object]
_T = TypeVar("_T")


class Ordering:
    """The saves of one contents manager.

    Args:
        contents: The contents manager; a synchronous one is left as it is, for it does one thing
            after the other by itself, on the event loop.
    """

    def __init__(self, contents: Any) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._jobs: ContextVar[list[_Job] | None] = ContextVar("nbvc_jobs", default=None)
        self._is_synchronous = not inspect.iscoroutinefunction(contents.save)
        if not self._is_synchronous:
            contents.save = self._one_by_one(contents.save)

    def lock(self, path: str) -> asyncio.Lock:
        """Return the lock that a save of the notebook at *path* holds.

        For the event loop alone. Whoever waits first gets it first.

        Args:
            path: As the server calls it.
        """
        return self._locks.setdefault(path.strip("/"), asyncio.Lock())

    async def alone(
        self,
        path: str,
        work: Callable[[], _T],
        run: Callable[[Callable[[], _T]], Awaitable[_T]],
    ) -> _T:
        """Do *work*, which is short and asks no store, while no save of a notebook is under way.

        Args:
            path: As the server calls it.
            work: What to do.
            run: Does it beside the event loop.
        """
        if self._is_synchronous:
            return work()  # such a manager saves on the event loop: nothing comes between there
        async with self.lock(path):
            return await run(work)

    def do_beside(self, job: _Job) -> bool:
        """Do *job* in a thread once the file is written, before the save is answered.

        The next save of the same notebook waits for it. For a save hook.

        Returns:
            False where the present save cannot wait: then nothing is done.
        """
        jobs = self._jobs.get()
        if jobs is not None:
            jobs.append(job)
        return jobs is not None

    def _one_by_one(self, save: Any) -> Any:
        @wraps(save)
        async def save_one(model: Any, path: str = "", *rest: Any, **named: Any) -> Any:
            jobs: list[_Job] = []
            async with self.lock(path):
                before = self._jobs.set(jobs)
                try:
                    saved = await save(model, path, *rest, **named)
                finally:
                    self._jobs.reset(before)
                for job in jobs:
                    await asyncio.to_thread(job)
                return saved

        return save_one
