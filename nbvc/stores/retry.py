"""A store that tries again where that is safe, and looks first where it may not be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from nbvc.errors import (
    IntegrityError,
    NbvcError,
    OutcomeUnknown,
    PreconditionFailed,
    StoreError,
    StoreUnavailable,
)
from nbvc.stores.base import WRITE_ID
from nbvc.stores.landing import find_write
from nbvc.stores.paging import Paged
from nbvc.values import dataclass

if TYPE_CHECKING:
    from nbvc.model import Data, VersionId
    from nbvc.stores.base import (
        Blob,
        Capabilities,
        Head,
        Key,
        KeyEntry,
        Metadata,
        PutMode,
        RetainUntil,
        Store,
        Stored,
        VersionEntry,
    )

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to try.

    Waits grow as ``base * 2 ** n`` up to the cap, each multiplied by a random number below 1
    ("full jitter": AWS Architecture Blog, "Exponential Backoff And Jitter").

    Attributes:
        attempts: Attempts at one request, the first included; at least 1.
        base_seconds: Longest first wait.
        cap_seconds: Longest wait, unless the store asks for more.
        deadline_seconds: No attempt begins later than this after the store began to fail.
    """

    attempts: int = 5
    base_seconds: float = 0.1
    cap_seconds: float = 3.0
    deadline_seconds: float = 60.0


class RetryingStore:
    """Any store, with retries. Fulfils :class:`nbvc.stores.base.Store`.

    Errors that say ``retryable`` are tried again; so is, once, what was damaged on the way, for
    that may have been chance. After an ``OutcomeUnknown`` of a write that carries a write ID it
    looks what is stored: if the write is there, it has succeeded; if it is not, it is written
    again; if that cannot be told, the ``OutcomeUnknown`` is raised. A write that was slow rather
    than lost may land after the look: then two versions carry one write ID.

    A listing that is ``Paged`` goes on at the page that failed. Any other is begun again as long
    as it has yielded nothing, and raises after that.

    All requests share one deadline: it counts from the first failure since a request was answered,
    so that a command of many requests waits no longer for a store that is gone than one request
    does. And once a request was given up, each later one is tried once, until one is answered.

    Attributes:
        inner: The store without retries.
    """

    def __init__(
        self,
        store: Store,
        policy: RetryPolicy,
        *,
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap *store*.

        Args:
            store: Does the work.
            policy: How often and how long to try.
            sleep: Waits for so many seconds.
            jitter: Returns a random number from 0 up to 1.
            clock: Returns seconds that never go back.
        """
        self.inner = store
        self._policy = policy
        self._sleep = sleep
        self._jitter = jitter
        self._clock = clock
        self._outage = _Outage()

    @property
    def url(self) -> str:
        """The URL of the inner store."""
        return self.inner.url

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the inner store."""
        return self.inner.capabilities

    def put(
        self,
        key: Key,
        data: Data,
        *,
        mode: PutMode,
        metadata: Metadata,
        content_type: str,
        retain_until: RetainUntil | None = None,
    ) -> Stored:
        """Write *data* under *key* once, even if that takes several requests; see the protocol.

        Raises:
            OutcomeUnknown: It has no write ID, or what became of it could not be seen.
        """
        return self._write(
            lambda: self.inner.put(
                key,
                data,
                mode=mode,
                metadata=metadata,
                content_type=content_type,
                retain_until=retain_until,
            ),
            key,
            metadata,
        )

    def get(self, key: Key, version_id: VersionId | None = None) -> Blob:
        """Read one version; see the protocol."""
        return self.repeat(lambda: self.inner.get(key, version_id))

    def get_range(self, key: Key, version_id: VersionId | None, start: int, stop: int) -> bytes:
        """Read a part of one version; see the protocol."""
        return self.repeat(lambda: self.inner.get_range(key, version_id, start, stop))

    def head(self, key: Key, version_id: VersionId | None = None) -> Head:
        """Read what is known about one version; see the protocol."""
        return self.repeat(lambda: self.inner.head(key, version_id))

    def copy(
        self, source: Key, source_version: VersionId, target: Key, *, metadata: Metadata
    ) -> Stored:
        """Copy one version once, even if that takes several requests; see :meth:`put`."""
        return self._write(
            lambda: self.inner.copy(source, source_version, target, metadata=metadata),
            target,
            metadata,
        )

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """Yield the current objects; see the protocol. Each page has its own attempts."""
        return self._resumed(
            lambda: self.inner.list_keys(prefix, start_after=start_after, limit=limit)
        )

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """Yield versions and delete markers; see the protocol. Each page has its own attempts."""
        return self._resumed(lambda: self.inner.list_versions(prefix, limit=limit))

    def delete(self, key: Key) -> VersionId:
        """Hide *key* behind a delete marker; see the protocol.

        After a lost reply, a marker that is the latest entry counts as this one's.
        """
        attempts = self._attempts()
        while True:
            try:
                return self._ask(lambda: self.inner.delete(key))
            except OutcomeUnknown as error:
                marker = self._look(error, lambda store: _latest_marker(store, key))
                if marker is not None:
                    return marker
                attempts.wait_after(error)
            except NbvcError as error:
                attempts.wait_after_retryable(error)

    def delete_version(self, key: Key, version_id: VersionId) -> None:
        """Remove one version for good; see the protocol. Safe to repeat, so it is."""
        attempts = self._attempts()
        while True:
            try:
                return self._ask(lambda: self.inner.delete_version(key, version_id))
            except OutcomeUnknown as error:
                attempts.wait_after(error)
            except NbvcError as error:
                attempts.wait_after_retryable(error)

    def locate(self, key: Key, version_id: VersionId | None = None) -> str:
        """Return the URL of *key* or of one version of it; no request."""
        return self.inner.locate(key, version_id)

    def close(self) -> None:
        """Close the inner store. Idempotent."""
        self.inner.close()

    def repeat(self, request: Callable[[], T]) -> T:
        """Send a *request* that may be sent twice, as often as the policy allows."""
        attempts = self._attempts()
        while True:
            try:
                return self._ask(request)
            except NbvcError as error:
                attempts.wait_after_retryable(error)

    def _attempts(self) -> _Attempts:
        return _Attempts(self._policy, self._sleep, self._jitter, self._clock, self._outage)

    def _write(self, request: Callable[[], Stored], key: Key, metadata: Metadata) -> Stored:
        attempts = self._attempts()
        write_id = metadata.get(WRITE_ID)
        unknown: OutcomeUnknown | None = None
        while True:
            try:
                return self._ask(request)
            except OutcomeUnknown as error:
                unknown = error
                if found := self._find(error, key, write_id):
                    return found
                attempts.wait_after(error)
            except PreconditionFailed:
                # What stands in the way may be our own earlier attempt.
                if unknown and (found := self._find(unknown, key, write_id)):
                    return found
                raise
            except NbvcError as error:
                # "Nothing was changed" holds for the last attempt only, not for an earlier one.
                attempts.wait_after_retryable(error, final=unknown)

    def _ask(self, request: Callable[[], T]) -> T:
        """Send one request, and take note of whether the store answers at all."""
        try:
            reply = request()
        except (StoreUnavailable, OutcomeUnknown):
            raise
        except NbvcError:
            self._outage.end()
            raise
        self._outage.end()
        return reply

    def _find(self, error: OutcomeUnknown, key: Key, write_id: str | None) -> Stored | None:
        if write_id is None:
            raise error
        return self._look(error, lambda store: find_write(store, key, write_id))

    def _look(self, error: OutcomeUnknown, look: Callable[[Store], T]) -> T:
        try:
            return look(self)
        except NbvcError:
            raise error from None

    def _resumed(self, begin: Callable[[], Iterator[T]]) -> Iterator[T]:
        listing = self.repeat(begin)
        attempts = self._attempts()
        started = False
        while True:
            try:
                entry = self._ask(listing.__next__)
            except StopIteration:
                return
            except NbvcError as error:
                resumable = isinstance(listing, Paged)
                if started and not resumable:
                    raise
                attempts.wait_after_retryable(error)
                listing = listing if resumable else begin()
            else:
                started = True
                yield entry
                attempts = self._attempts()


class _Outage:
    """Since when a store has not answered, and whether a request to it was given up since.

    Threads share it without a lock: at worst one of them makes an attempt too many.
    """

    def __init__(self) -> None:
        self.given_up = False
        self._began: float | None = None

    def began(self, now: float) -> float:
        """Return when it began, which is now if the store has answered until now."""
        if self._began is None:
            self._began = now
        return self._began

    def end(self) -> None:
        """Take note of an answer."""
        self.given_up = False
        self._began = None


class _Attempts:
    """Counts the attempts at one request, and waits between them."""

    def __init__(
        self,
        policy: RetryPolicy,
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
        clock: Callable[[], float],
        outage: _Outage,
    ) -> None:
        self._policy = policy
        self._sleep = sleep
        self._jitter = jitter
        self._clock = clock
        self._outage = outage
        self._allowed = 1 if outage.given_up else policy.attempts
        self._made = 1
        self._damaged = False
        self._began = clock()

    def wait_after_retryable(self, error: NbvcError, *, final: NbvcError | None = None) -> None:
        """Wait, or raise *error* where another attempt cannot help or may not be made.

        With *final*, that is raised instead where a retryable error was the last one. What came
        damaged is asked for again at once, and only once: it may be damaged where it is stored.
        """
        if isinstance(error, IntegrityError) and not self._damaged:
            self._damaged = True
            return
        if not error.retryable:
            raise error
        self.wait_after(error, final=final)

    def wait_after(self, error: NbvcError, *, final: NbvcError | None = None) -> None:
        """Wait for the next attempt, or raise *final* or *error* if there may be none."""
        seconds = self._pause(error)
        deadline = min(self._began, self._outage.began(self._began)) + self._policy.deadline_seconds
        if self._made >= self._allowed or self._clock() + seconds > deadline:
            self._outage.given_up = True
            raise final or error
        self._made += 1
        self._sleep(seconds)

    def _pause(self, error: NbvcError) -> float:
        longest = min(self._policy.cap_seconds, self._policy.base_seconds * 2.0 ** (self._made - 1))
        asked = error.retry_after_seconds if isinstance(error, StoreError) else None
        return max(self._jitter() * longest, asked or 0.0)


def _latest_marker(store: Store, key: Key) -> VersionId | None:
    entry = next(iter(store.list_versions(key, limit=1)), None)
    if entry is None or entry.key != key or not entry.is_delete_marker:
        return None
    return entry.version_id
