"""The protocol of a store: versioned object storage, bytes in, values out.

A store knows nothing of notebooks, manifests or people. Every obligation below is checked by one
contract suite (``tests/stores/contract.py``) over every implementation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from nbvc.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from nbvc.model import Data, VersionId

Key = str
"""Path of an object below the root of the store: no leading slash, at most 1,024 bytes in UTF-8
together with the root. Listed in the order of its UTF-8 bytes."""

Metadata = Mapping[str, str]
"""Names in lower-case ASCII letters, digits and ``-``; values in printable ASCII (0x20 to 0x7e,
no blank at either end); at most 2,048 bytes in all, as S3 counts them: names and values."""

WRITE_ID = "nbvc-write-id"
"""Metadata name of the random token that tells a repeat of the same write from a new one."""


NOTEBOOK_TYPE = "application/x-ipynb+json"
"""MIME type of a notebook (IANA media types registry)."""


@dataclass(frozen=True, slots=True)
class Create:
    """Write only if the key has no current object (never written, or deleted)."""


@dataclass(frozen=True, slots=True)
class Overwrite:
    """Write whatever is there; what was current becomes an older version."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Write only if the current object has this ETag.

    Attributes:
        etag: As returned by the write or read of that object; opaque.
    """

    etag: str


PutMode = Create | Overwrite | Replace


class LockMode(StrEnum):
    """Whom a lock on a version binds (Amazon S3 User Guide, "Locking objects with Object Lock")."""

    GOVERNANCE = "GOVERNANCE"
    """Everybody but those who hold a special right to lift it."""
    COMPLIANCE = "COMPLIANCE"
    """Everybody, the owner of the account included; it can be made longer, never shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainUntil:
    """How long a version is locked: nobody whom *mode* binds removes it, or shortens that, before.

    Attributes:
        moment: The end of the lock; stores keep whole seconds, and refuse one in the past.
        mode: Whom it binds.
    """

    moment: datetime
    mode: LockMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Receipt of a write."""

    version_id: VersionId
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a store knows about one version without its bytes."""

    key: Key
    version_id: VersionId | None
    """``None`` or ``"null"`` where the object was written without versioning."""
    etag: str
    size_bytes: int
    modified_at: datetime
    """By the store's clock, UTC, perhaps whole seconds only; never a base for order."""
    metadata: Metadata = field(default_factory=dict)
    locked_until: datetime | None = None
    """Until when nobody whom the lock binds can remove it. ``None``: not locked, or not for this
    reader to know (S3 tells it to who has ``s3:GetObjectRetention``). May have passed."""

    def is_locked(self, now: datetime) -> bool:
        """Return whether a lock keeps it from being removed at *now*, as far as is known."""
        return self.locked_until is not None and self.locked_until > now


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob(Head):
    """One version with its bytes."""

    data: Data = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """One line of a key listing: a key and its current version's size."""

    key: Key
    etag: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEntry:
    """One line of a version listing."""

    key: Key
    version_id: VersionId
    """``"null"`` for an object that was written without versioning."""
    is_latest: bool
    is_delete_marker: bool
    size_bytes: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a store was found to do, by trying.

    Attributes:
        conditional_create: ``Create`` is honoured atomically: of two writers one gets
            ``PreconditionFailed``. Where False, the mode may be ignored in silence.
        conditional_replace: The same for ``Replace``.
    """

    conditional_create: bool
    conditional_replace: bool


class Store(Protocol):
    """Versioned object storage. Safe for use from several threads.

    Errors: only those of :mod:`nbvc.errors`; nothing of a lower library crosses this interface.
    Besides the errors that a method lists, each may raise ``AccessDenied`` (and its children),
    ``StoreNotFound``, ``StoreUnavailable``, ``StoreMisconfigured`` and ``ClockSkewed``.
    """

    @property
    def url(self) -> str:
        """``s3://bucket[/root]`` or ``file:///folder``, without a trailing slash, no secrets."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What this store is known to do."""
        ...

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
        """Write *data* under *key* as a new version.

        All or nothing: a reader sees the old bytes or the new ones. Durable when this returns. Not
        idempotent; the caller tells repeats apart by the write ID in *metadata*.

        Args:
            key: Store key.
            data: Exact bytes; their SHA-256 travels along, so that the store refuses damage.
            mode: ``Create``, ``Overwrite`` or ``Replace``.
            metadata: Kept with this version; see ``Metadata`` for the limits.
            content_type: MIME type.
            retain_until: Lock the version from the moment it is there; for stores that can.

        Raises:
            StoreMisconfigured: The store cannot lock versions; nothing was written.
            PreconditionFailed: The condition in *mode* did not hold; nothing was written.
            OutcomeUnknown: No clear reply came; the bytes may be stored.
            VersioningOff: The store answered without a version ID.
            IntegrityError: The store received other bytes; nothing was written.
        """
        ...

    def get(self, key: Key, version_id: VersionId | None = None) -> Blob:
        """Read one version, the current one by default.

        The bytes are complete (length, and checksum where the store keeps one), but not yet
        compared with any digest that the caller knows.

        Raises:
            VersionNotFound: No such key or version, or it is a delete marker.
            IntegrityError: The bytes that arrived are not the bytes that were stored.
        """
        ...

    def get_range(self, key: Key, version_id: VersionId | None, start: int, stop: int) -> bytes:
        """Read bytes *start* up to, not including, *stop* of one version.

        Complete, but verified by nothing: the caller must know a digest of these very bytes.

        Args:
            key: Store key.
            version_id: Its version; ``None`` for the current one.
            start: From 0; below *stop*.
            stop: At most the size of the version.

        Raises:
            VersionNotFound: No such key or version, or it is a delete marker.
            IntegrityError: The version has no such bytes, or they cannot be read.
        """
        ...

    def head(self, key: Key, version_id: VersionId | None = None) -> Head:
        """Read what is known about one version, the current one by default.

        Raises:
            VersionNotFound: No such key or version, or it is a delete marker.
        """
        ...

    def copy(
        self, source: Key, source_version: VersionId, target: Key, *, metadata: Metadata
    ) -> Stored:
        """Write the bytes of one version under *target* as a new version, inside the store.

        Atomic and durable like :meth:`put`. The metadata of the source is not carried over, and the
        copy is not locked: Ceph 16 says yes to a lock in a copy, and keeps none.

        Args:
            source: Store key of what is copied.
            source_version: Its version.
            target: Store key of the copy.
            metadata: Kept with the copy. Give a ``WRITE_ID``: some stores do not say which version
                a copy became, so that it must be looked up.

        Raises:
            VersionNotFound: No such source.
            OutcomeUnknown: No clear reply came.
            VersioningOff: The store keeps no versions.
        """
        ...

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """Yield the current objects whose keys begin with *prefix*, in key order, as a stream.

        Args:
            prefix: Plain text, not a folder: ``a`` also finds ``ab/c``.
            start_after: Yield only keys after this one.
            limit: Yield at most this many, and ask the store for no more.
        """
        ...

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """Yield all versions and delete markers whose keys begin with *prefix*, as a stream.

        In key order; within a key in the order in which they were written, newest first.

        Args:
            prefix: Plain text, as in :meth:`list_keys`; a key itself comes before longer ones.
            limit: Yield at most this many, and ask the store for no more.
        """
        ...

    def delete(self, key: Key) -> VersionId:
        """Hide *key* behind a delete marker and return the marker's version ID; loses nothing."""
        ...

    def delete_version(self, key: Key, version_id: VersionId) -> None:
        """Remove one version, or one delete marker, for good. Idempotent.

        Raises:
            AccessDenied: The version is locked, or the credential may not.
        """
        ...

    def locate(self, key: Key, version_id: VersionId | None = None) -> str:
        """Return the URL of *key*, or of one version of it (``?versionId=``); no request."""
        ...

    def close(self) -> None:
        """Let go of connections and files. Idempotent."""
        ...
