"""A store that nobody writes to meanwhile, so that nothing need be asked of it twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

from nbvc.errors import VersionNotFound
from nbvc.model import VersionId
from nbvc.stores.base import Blob, Head, Key, KeyEntry, Store, VersionEntry
from tests.stores.wrapping import WrappedStore


class RememberingStore(WrappedStore):
    """Remembers every reply to a request that reads, also that there is no such version."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._known: dict[tuple[Any, ...], Any] = {}
        self._lock = Lock()

    def get(self, key: Key, version_id: VersionId | None = None) -> Blob:
        """Read it once."""
        return self._once(("get", key, version_id), lambda: self.inner.get(key, version_id))

    def head(self, key: Key, version_id: VersionId | None = None) -> Head:
        """Look at it once."""
        return self._once(("head", key, version_id), lambda: self.inner.head(key, version_id))

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """List them once."""
        question = ("list_keys", prefix, start_after, limit)
        entries = self._once(
            question,
            lambda: list(self.inner.list_keys(prefix, start_after=start_after, limit=limit)),
        )
        return iter(entries)

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """List them once."""
        entries = self._once(
            ("list_versions", prefix, limit),
            lambda: list(self.inner.list_versions(prefix, limit=limit)),
        )
        return iter(entries)

    def _once(self, question: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        with self._lock:
            if question not in self._known:
                try:
                    self._known[question] = ask()
                except VersionNotFound as error:
                    self._known[question] = error
            known = self._known[question]
        if isinstance(known, VersionNotFound):
            raise known
        return known
