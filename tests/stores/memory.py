"""A store in memory: fast enough for a hundred thousand runs, and able to ignore conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import md5
from itertools import count, islice
from threading import RLock
from urllib.parse import quote

from nbvc.errors import AccessDenied, IntegrityError, PreconditionFailed, VersionNotFound
from nbvc.model import VersionId
from nbvc.stores.base import (
    Blob,
    Capabilities,
    Create,
    Head,
    Key,
    KeyEntry,
    Metadata,
    PutMode,
    Replace,
    RetainUntil,
    Stored,
    VersionEntry,
)
from nbvc.stores.limits import check_metadata, check_prefix, check_store_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One version, or (without bytes) one delete marker."""

    version_id: VersionId
    data: bytes | None
    etag: str
    metadata: Metadata
    modified_at: datetime
    locked_until: datetime | None = None


class MemoryStore:
    """Versioned object storage in a dictionary.

    Args:
        conditional: Whether ``Create`` and ``Replace`` are honoured. Where not, every write
            succeeds, as with the gateways that ignore a condition and say that all is well.
        now: The store's clock.
        url: What to call it.
        first_id: From where its version IDs count up: two stores have none in common.
    """

    def __init__(
        self,
        *,
        conditional: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        url: str = "file:///memory",
        first_id: int = 1,
    ) -> None:
        self.now = now
        self._url = url
        self._conditional = conditional
        self._objects: dict[Key, list[Entry]] = {}
        self._numbers = count(first_id)
        self._lock = RLock()

    def clone(self) -> MemoryStore:
        """Return a store with the same content, which goes its own way from here."""
        twin = MemoryStore(conditional=self._conditional, now=self.now, url=self._url)
        twin._objects = {key: list(entries) for key, entries in self._objects.items()}
        twin._numbers = count(next(self._numbers))  # IDs of deleted versions never come again
        return twin

    def snapshot(self) -> frozenset[tuple[Key, tuple[tuple[VersionId, str], ...]]]:
        """Return what the store holds, as a value that equals that of another store like it."""
        return frozenset(
            (key, tuple((entry.version_id, entry.etag) for entry in entries))
            for key, entries in self._objects.items()
        )

    def damage(self, key: Key, version_id: VersionId, data: bytes) -> None:
        """Change the bytes of one version, as no store should."""
        self._objects[key] = [
            replace(entry, data=data) if entry.version_id == version_id else entry
            for entry in self._objects[key]
        ]

    def lock(self, key: Key, version_id: VersionId, until: datetime) -> None:
        """Lock one version that is there already, as an S3 tool may."""
        self._objects[key] = [
            replace(entry, locked_until=until) if entry.version_id == version_id else entry
            for entry in self._objects[key]
        ]

    def bring_back(self, key: Key, entry: Entry) -> None:
        """Add a version as another store had it, under the version ID that it had there."""
        self._objects.setdefault(key, []).append(entry)

    @property
    def url(self) -> str:
        """What it is called."""
        return self._url

    @property
    def capabilities(self) -> Capabilities:
        """Both conditions, or neither."""
        return Capabilities(
            conditional_create=self._conditional, conditional_replace=self._conditional
        )

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
        """Add a version, if the condition holds or is ignored."""
        check_store_key(key)
        check_metadata(metadata)
        with self._lock:
            self._check(key, mode)
            return self._add(key, data, metadata, retain_until)

    def get(self, key: Key, version_id: VersionId | None = None) -> Blob:
        """Return one version with its bytes."""
        entry, data = self._find(key, version_id)
        return Blob(
            key=key,
            version_id=entry.version_id,
            etag=entry.etag,
            size_bytes=len(data),
            modified_at=entry.modified_at,
            metadata=entry.metadata,
            locked_until=entry.locked_until,
            data=data,
        )

    def get_range(self, key: Key, version_id: VersionId | None, start: int, stop: int) -> bytes:
        """Return a part of one version."""
        _, data = self._find(key, version_id)
        if not 0 <= start < stop <= len(data):
            raise IntegrityError(f"{key} has no bytes {start} to {stop}.")
        return data[start:stop]

    def head(self, key: Key, version_id: VersionId | None = None) -> Head:
        """Return one version without its bytes."""
        entry, data = self._find(key, version_id)
        return Head(
            key=key,
            version_id=entry.version_id,
            etag=entry.etag,
            size_bytes=len(data),
            modified_at=entry.modified_at,
            metadata=entry.metadata,
            locked_until=entry.locked_until,
        )

    def copy(
        self, source: Key, source_version: VersionId, target: Key, *, metadata: Metadata
    ) -> Stored:
        """Add the bytes of one version under another key."""
        check_store_key(target)
        check_metadata(metadata)
        with self._lock:
            return self._add(target, self._find(source, source_version)[1], metadata)

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """Yield the current objects, as they are when the first one is asked for."""
        check_prefix(prefix)
        check_prefix(start_after or "")
        with self._lock:
            found = [
                KeyEntry(
                    key=key,
                    etag=entries[-1].etag,
                    size_bytes=len(entries[-1].data),
                    modified_at=entries[-1].modified_at,
                )
                for key, entries in self._sorted(prefix)
                if entries[-1].data is not None
                and (start_after is None or key.encode() > start_after.encode())
            ]
        yield from islice(found, limit)

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """Yield all versions, as they are when the first one is asked for."""
        check_prefix(prefix)
        with self._lock:
            found = [
                _version_entry(key, entry, is_latest=entry is entries[-1])
                for key, entries in self._sorted(prefix)
                for entry in reversed(entries)
            ]
        yield from islice(found, limit)

    def delete(self, key: Key) -> VersionId:
        """Add a delete marker."""
        check_store_key(key)
        with self._lock:
            return self._add(key, None, {}).version_id

    def delete_version(self, key: Key, version_id: VersionId) -> None:
        """Remove one version, unless it is locked."""
        check_store_key(key)
        with self._lock:
            for entry in self._objects.get(key, []):
                locked = entry.locked_until is not None and entry.locked_until > self.now()
                if entry.version_id == version_id and locked:
                    raise AccessDenied(f"{key} is locked until {entry.locked_until}")
            left = [e for e in self._objects.pop(key, []) if e.version_id != version_id]
            if left:
                self._objects[key] = left

    def locate(self, key: Key, version_id: VersionId | None = None) -> str:
        """Return where it would be."""
        query = "" if version_id is None else f"?versionId={quote(version_id, safe='')}"
        return f"{self.url}/{quote(key)}{query}"

    def close(self) -> None:
        """Do nothing."""

    def _check(self, key: Key, mode: PutMode) -> None:
        current = self._objects.get(key, [None])[-1]
        if current is not None and current.data is None:
            current = None
        taken = isinstance(mode, Create) and current is not None
        stale = isinstance(mode, Replace) and (current is None or current.etag != mode.etag)
        if self._conditional and (taken or stale):
            raise PreconditionFailed(f"the condition on {key} does not hold")

    def _add(
        self,
        key: Key,
        data: bytes | None,
        metadata: Metadata,
        retain_until: RetainUntil | None = None,
    ) -> Stored:
        entry = Entry(
            version_id=VersionId(f"M{next(self._numbers):06}"),
            data=data,
            etag=md5(data or b"").hexdigest(),
            metadata=dict(metadata),
            modified_at=self.now(),
            locked_until=retain_until.moment.replace(microsecond=0) if retain_until else None,
        )
        self._objects.setdefault(key, []).append(entry)
        return Stored(version_id=entry.version_id, etag=entry.etag)

    def _find(self, key: Key, version_id: VersionId | None) -> tuple[Entry, bytes]:
        check_store_key(key)
        with self._lock:
            for entry in reversed(self._objects.get(key, [])):
                if version_id in (None, entry.version_id):
                    if entry.data is None:
                        break
                    return entry, entry.data
        raise VersionNotFound(f"There is no {key!a} with the version ID {version_id!a}.")

    def _sorted(self, prefix: str) -> list[tuple[Key, list[Entry]]]:
        found = [item for item in self._objects.items() if item[0].startswith(prefix)]
        return sorted(found, key=lambda item: item[0].encode())


def _version_entry(key: Key, entry: Entry, *, is_latest: bool) -> VersionEntry:
    return VersionEntry(
        key=key,
        version_id=entry.version_id,
        is_latest=is_latest,
        is_delete_marker=entry.data is None,
        size_bytes=len(entry.data or b""),
        etag=entry.etag if entry.data is not None else "",
        modified_at=entry.modified_at,
    )
