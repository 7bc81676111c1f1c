"""A store around another one that sees every request before it is sent and after it was answered.

A page of 1,000 entries of a listing is one request, as with S3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import TypeVar

from nbvc.model import VersionId
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
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a store.

    Attributes:
        name: Name of the method.
        key: The key or prefix.
        sent_bytes: Length of the body that is sent.
    """

    name: str
    key: Key
    sent_bytes: int = 0


class WrappedStore:
    """Hands every request to ``around``; subclasses override that."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Send *request* and return the reply."""
        return send()

    @property
    def url(self) -> str:
        """The URL of the inner store."""
        return self.inner.url

    @property
    def capabilities(self) -> Capabilities:
        """What the inner store can do."""
        return self.inner.capabilities

    def put(
        self,
        key: Key,
        data: bytes,
        *,
        mode: PutMode,
        metadata: Metadata,
        content_type: str,
        retain_until: RetainUntil | None = None,
    ) -> Stored:
        """Pass on."""
        return self.around(
            Request("put", key, len(data)),
            lambda: self.inner.put(
                key,
                data,
                mode=mode,
                metadata=metadata,
                content_type=content_type,
                retain_until=retain_until,
            ),
        )

    def get(self, key: Key, version_id: VersionId | None = None) -> Blob:
        """Pass on."""
        return self.around(Request("get", key), lambda: self.inner.get(key, version_id))

    def get_range(self, key: Key, version_id: VersionId | None, start: int, stop: int) -> bytes:
        """Pass on."""
        return self.around(
            Request("get", key), lambda: self.inner.get_range(key, version_id, start, stop)
        )

    def head(self, key: Key, version_id: VersionId | None = None) -> Head:
        """Pass on."""
        return self.around(Request("head", key), lambda: self.inner.head(key, version_id))

    def copy(
        self, source: Key, source_version: VersionId, target: Key, *, metadata: Metadata
    ) -> Stored:
        """Pass on."""
        return self.around(
            Request("copy", target),
            lambda: self.inner.copy(source, source_version, target, metadata=metadata),
        )

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """Pass on, a page at a time."""
        entries = self.inner.list_keys(prefix, start_after=start_after, limit=limit)
        return self._paged(Request("list_keys", prefix), iter(entries), limit)

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """Pass on, a page at a time."""
        entries = self.inner.list_versions(prefix, limit=limit)
        return self._paged(Request("list_versions", prefix), iter(entries), limit)

    def delete(self, key: Key) -> VersionId:
        """Pass on."""
        return self.around(Request("delete", key), lambda: self.inner.delete(key))

    def delete_version(self, key: Key, version_id: VersionId) -> None:
        """Pass on."""
        self.around(
            Request("delete_version", key), lambda: self.inner.delete_version(key, version_id)
        )

    def locate(self, key: Key, version_id: VersionId | None = None) -> str:
        """Pass on; no request."""
        return self.inner.locate(key, version_id)

    def close(self) -> None:
        """Close the inner store."""
        self.inner.close()

    def _paged(self, request: Request, entries: Iterator[T], limit: int | None) -> Iterator[T]:
        for done in count(0, PAGE):
            page = self.around(request, lambda: list(islice(entries, PAGE)))
            yield from page
            if len(page) < PAGE or (limit is not None and done + PAGE >= limit):
                return
