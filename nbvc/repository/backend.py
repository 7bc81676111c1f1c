"""What every operation of a repository works with: a store, its layout, a cache, parallelism."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from datetime import datetime
from typing import Protocol

from nbvc.manifest.layout import Layout
from nbvc.model import Area, Data
from nbvc.repository.lock import Lock
from nbvc.repository.parallel import Parallel
from nbvc.stores.base import Capabilities, RetainUntil, Store
from nbvc.values import dataclass


class Cache(Protocol):
    """Keeps bytes that never change under a name. May forget, and may never fail."""

    def get(self, name: str) -> Data | None:
        """Return what was kept under *name*, or ``None``."""
        ...

    def put(self, name: str, data: Data) -> None:
        """Keep *data* under *name*, if it is worth it."""
        ...


class NoCache:
    """A cache that keeps nothing: for stores that are as near as a cache would be."""

    def get(self, name: str) -> Data | None:  # noqa: ARG002
        """Return ``None``."""
        return None

    def put(self, name: str, data: Data) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A store as the operations see it.

    Attributes:
        store: Where versions live.
        layout: Which prefixes hold what.
        capabilities: What the store was found to do, as ``store.json`` says.
        store_id: Random identity given to the store at ``init``; names its records in the cache, so
            that a bucket that was deleted and made again is another store. ``None``: unprepared.
        cache: Bytes that never change.
        parallel: Requests at once.
        sleep: Waits for so many seconds.
        jitter: Returns a random number from 0 up to 1.
        lock: How new versions of the workspace area are locked, as ``store.json`` says.
        now: Returns the present time, from which a lock counts.
    """

    store: Store
    layout: Layout
    capabilities: Capabilities
    store_id: str | None = None
    cache: Cache = field(default_factory=NoCache)
    parallel: Parallel
    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    lock: Lock | None = None
    now: Callable[[], datetime] | None = None

    def __post_init__(self) -> None:
        """Refuse locks without a clock to count them from."""
        if self.lock is not None and self.now is None:
            raise ValueError("a lock needs a clock")

    def locking(self, area: Area) -> dict[str, RetainUntil]:
        """Return the arguments of ``put`` that lock a notebook version written to *area* now.

        Empty where it is not to be locked, so that a store without locks need not know of them. The
        lock counts from the write, not from the save: a version may have waited in the outbox.
        """
        if self.lock is None or self.now is None or area is not Area.WORKSPACE:
            return {}
        return {"retain_until": self.lock.from_moment(self.now())}

    def kept(self, name: str) -> bytes | None:
        """Return what the cache keeps under *name* for this store, if anything."""
        found = None if self.store_id is None else self.cache.get(f"{self.store_id}/{name}")
        return None if found is None else bytes(found)

    def keep(self, name: str, data: bytes) -> None:
        """Let the cache keep *data*, which never changes, under *name* for this store."""
        if self.store_id is not None:
            self.cache.put(f"{self.store_id}/{name}", data)
