"""One save of a notebook after the other.

With Jupyter's asynchronous contents manager, two saves of one notebook that overlap write into the
same file at the same time, and the save hook of one sees what the other is writing. So the second
waits for the first, in the order in which they came. Saves of other notebooks do not wait.
"""

from __future__ import annotations

import asyncio
import inspect
from functools import wraps
from typing import Any
from weakref import WeakValueDictionary


def save_in_order(contents: Any) -> None:
    """Let *contents*, a contents manager, save each notebook once at a time.

    A synchronous one does so anyway.
    """
    save = contents.save
    if not inspect.iscoroutinefunction(save):
        return
    locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @wraps(save)
    async def save_one(model: Any, path: str = "", *rest: Any, **named: Any) -> Any:
        lock = locks.setdefault(path.strip("/"), asyncio.Lock())
        async with lock:
            return await save(model, path, *rest, **named)

    contents.save = save_one
