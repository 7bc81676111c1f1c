"""The embedded store: versioned object storage in a folder on a local disk.

::

    <folder>/index.sqlite3       versions, metadata, and the bytes of small objects
    <folder>/blobs/ab/abcd...    the bytes of larger ones, each file named by its SHA-256
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from itertools import repeat
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from nbvc import looking
from nbvc.errors import (
    IntegrityError,
    PreconditionFailed,
    StoreMisconfigured,
    StoreNotFound,
    VersionNotFound,
)
from nbvc.model import Digest, VersionId
from nbvc.stores import local_index
from nbvc.stores.base import (
    Blob,
    Capabilities,
    Create,
    Head,
    KeyEntry,
    Replace,
    Stored,
    VersionEntry,
)
from nbvc.stores.limits import check_metadata, check_prefix, check_store_key
from nbvc.stores.local_blobs import BlobFolder
from nbvc.stores.local_database import Database
from nbvc.stores.local_errors import FILE_NAME, translated
from nbvc.stores.local_index import Content

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbvc.model import Data
    from nbvc.stores.base import Key, Metadata, PutMode, RetainUntil
    from nbvc.stores.local_index import Found, Row

MAX_INLINE_BYTES = 16 * 1024
"""Objects up to this size lie in the index: a record of a manifest costs no file of its own."""

PAGE_SIZE = 500
_Read = TypeVar("_Read")
_LOST_HINT = "Save the notebook again if you still have it, or bring the store back from a backup."


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LocalStore:
    """A :class:`~nbvc.stores.base.Store` in a folder.

    Safe for several threads and processes on one machine; not to be carried over a fork. The folder
    must be on a local disk: SQLite's write-ahead log does not work over network file systems.
    The ETag of an object is the SHA-256 of its bytes.

    A process that is killed leaves at worst a temporary file, or a blob that no version names; both
    are harmless, and the blob is used again when the same bytes are written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        create: bool = False,
        now: Callable[[], datetime] = _utc_now,
        page_size: int = PAGE_SIZE,
    ) -> None:
        """Open the store in *folder*.

        Args:
            folder: Where the store is; kept as an absolute path without symbolic links.
            create: Make the folder and the store where they are missing. Idempotent, durable.
            now: The store's clock, in UTC.
            page_size: How many entries of a listing are in memory at once.

        Raises:
            StoreNotFound: There is no store in *folder*, and *create* is False.
            StoreMisconfigured: A newer release of nbvc made it.
            AccessDenied: It cannot be read and written.
            IntegrityError: Its index is damaged.
        """
        with translated(folder):
            self._folder = looking.resolve(folder)
        self._now = now
        self._page_size = page_size
        self._blobs = BlobFolder(self._folder / "blobs")
        self._database = Database(self._folder)
        if create:
            self._database.create()
        self._check_exists()

    def _check_exists(self) -> None:
        with translated(self._folder):
            exists = (self._folder / FILE_NAME).is_file()
        if not exists:
            raise StoreNotFound(
                f"There is no store in {self._folder}.", hint="nbvc init makes a store."
            )
        with self._database.read():
            pass  # opening a connection checks the format

    @property
    def url(self) -> str:
        """``file:///folder``, percent-encoded, without a trailing slash."""
        return self._folder.as_uri()

    @property
    def capabilities(self) -> Capabilities:
        """Both conditions are honoured atomically."""
        return Capabilities(conditional_create=True, conditional_replace=True)

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
        """Write *data* under *key* as a new version; see the protocol.

        Atomic, and durable when this returns: the bytes are synced before the index names them.
        The outcome is always known.

        Raises:
            PreconditionFailed: The condition in *mode* did not hold; nothing was written.
            InvalidInput: The key or the metadata is beyond the limits.
            StoreMisconfigured: It was to be locked, which a folder cannot do.
            StoreError: The disk is full.
        """
        if retain_until is not None:
            raise StoreMisconfigured(
                "The embedded store cannot lock versions: who may write to a folder may empty it.",
                hint="Move to a bucket with Object Lock: nbvc migrate s3://bucket",
            )
        check_store_key(key)
        check_metadata(metadata)
        content = Content(
            digest=Digest.of(data),
            size_bytes=len(data),
            content_type=content_type,
            inline_data=bytes(data) if len(data) <= MAX_INLINE_BYTES else None,
        )
        if content.inline_data is None:
            with translated(self._folder):
                self._blobs.write(content.digest, data)
        try:
            with self._database.write() as connection:
                _check_condition(local_index.find(connection, key, None), key, mode)
                # Since the file was written somebody may have removed the last version that named
                # it, and the file too. That happens in a transaction only, so not from here on.
                if not self._has_bytes(content):
                    self._blobs.write(content.digest, data)
                return self._insert(connection, key, content, metadata)
        except PreconditionFailed:
            self._remove_unused_blob(content)
            raise

    def _has_bytes(self, content: Content) -> bool:
        return content.inline_data is not None or self._blobs.holds(content.digest)

    def _insert(
        self, connection: sqlite3.Connection, key: Key, content: Content, metadata: Metadata
    ) -> Stored:
        version_id = _new_version_id()
        local_index.insert(
            connection, key, version_id, content, metadata=metadata, modified_at=self._now()
        )
        return Stored(version_id=version_id, etag=content.digest)

    def get(self, key: Key, version_id: VersionId | None = None) -> Blob:
        """Read one version, the current one by default, verified against its SHA-256.

        Raises:
            VersionNotFound: No such key or version, or it is a delete marker.
            IntegrityError: The bytes are missing, or are not those that were put.
        """
        found = self._find(key, version_id)
        data: Data | None = found.content.inline_data
        if data is None:
            data = self._read_blob(found, self._blobs.read)
        actual = Digest.of(data)
        if actual != found.content.digest:
            raise IntegrityError(
                f"The bytes of {_name(found)} in {self._folder} are not those that were stored:"
                " the disk damaged them, or somebody changed them.",
                hint=_LOST_HINT,
                actual=actual,
            )
        head = _head_of(found)
        return Blob(
            key=head.key,
            version_id=head.version_id,
            etag=head.etag,
            size_bytes=head.size_bytes,
            modified_at=head.modified_at,
            metadata=head.metadata,
            data=data,
        )

    def get_range(self, key: Key, version_id: VersionId | None, start: int, stop: int) -> bytes:
        """Read a part of one version; see the protocol."""
        found = self._find(key, version_id)
        if found.content.inline_data is not None:
            data = found.content.inline_data[start:stop]
        else:
            data = self._read_blob(
                found, lambda digest: self._blobs.read_range(digest, start, stop)
            )
        if len(data) != stop - start:
            raise IntegrityError(
                f"{_name(found)} in {self._folder} has no bytes {start} to {stop}.",
                hint=_LOST_HINT,
            )
        return data

    def _read_blob(self, found: Found, read: Callable[[Digest], _Read]) -> _Read:
        with translated(self._folder):
            try:
                return read(found.content.digest)
            except FileNotFoundError as error:
                # Removed with its version since the index was read, or lost?
                self._find(found.row.key, found.row.version_id)
                raise self._bytes_missing(found) from error

    def _bytes_missing(self, found: Found) -> IntegrityError:
        path = self._blobs.path(found.content.digest)
        return IntegrityError(
            f"The file with the bytes of {_name(found)} is missing: {path}.", hint=_LOST_HINT
        )

    def head(self, key: Key, version_id: VersionId | None = None) -> Head:
        """Read what is known about one version, the current one by default.

        Raises:
            VersionNotFound: No such key or version, or it is a delete marker.
        """
        return _head_of(self._find(key, version_id))

    def _find(self, key: Key, version_id: VersionId | None) -> Found:
        check_store_key(key)
        with self._database.read() as connection:
            return self._find_in(connection, key, version_id)

    def _find_in(
        self, connection: sqlite3.Connection, key: Key, version_id: VersionId | None
    ) -> Found:
        found = local_index.find(connection, key, version_id)
        if found is None:
            which = "" if version_id is None else f" with the version ID {version_id!a}"
            raise VersionNotFound(f"There is no {key!r}{which} in {self._folder}.")
        return found

    def copy(
        self, source: Key, source_version: VersionId, target: Key, *, metadata: Metadata
    ) -> Stored:
        """Write the bytes of one version under *target* as a new version, at no cost in space.

        Atomic and durable like :meth:`put`; keeps the content type. The bytes are not verified.

        Raises:
            VersionNotFound: No such source.
            IntegrityError: The file with the source's bytes is missing.
        """
        check_store_key(source)
        check_store_key(target)
        check_metadata(metadata)
        with self._database.write() as connection:
            found = self._find_in(connection, source, source_version)
            if not self._has_bytes(found.content):
                raise self._bytes_missing(found)
            return self._insert(connection, target, found.content, metadata)

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """Yield the current objects whose keys begin with *prefix*, in key order, as a stream.

        Each page is one short read; nothing is locked in between, so that what others write
        meanwhile may or may not be listed.
        """
        check_prefix(prefix)
        check_prefix(start_after or "")
        start = prefix if start_after is None else local_index.next_key(start_after)
        for count in self._page_counts(limit):
            with self._database.read() as connection:
                rows = local_index.current_rows(connection, prefix, start=start, count=count)
            for row in rows:
                yield KeyEntry(
                    key=row.key,
                    etag=row.etag,
                    size_bytes=row.size_bytes,
                    modified_at=row.modified_at,
                )
            if len(rows) < count:
                return
            start = local_index.next_key(rows[-1].key)

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """Yield all versions and delete markers whose keys begin with *prefix*, as a stream.

        In key order, newest first within a key; page by page like :meth:`list_keys`.
        """
        check_prefix(prefix)
        last: Row | None = None
        for count in self._page_counts(limit):
            with self._database.read() as connection:
                rows = local_index.version_rows(connection, prefix, after=last, count=count)
            for row in rows:
                yield _version_entry(row, is_latest=last is None or last.key != row.key)
                last = row
            if len(rows) < count:
                return

    def _page_counts(self, limit: int | None) -> Iterator[int]:
        """Yield how many rows to ask for, page after page, until *limit* is reached."""
        if limit is None:
            yield from repeat(self._page_size)
        else:
            for done in range(0, limit, self._page_size):
                yield min(self._page_size, limit - done)

    def delete(self, key: Key) -> VersionId:
        """Hide *key* behind a delete marker and return the marker's version ID; loses nothing."""
        check_store_key(key)
        version_id = _new_version_id()
        with self._database.write() as connection:
            local_index.insert(
                connection, key, version_id, None, metadata={}, modified_at=self._now()
            )
        return version_id

    def delete_version(self, key: Key, version_id: VersionId) -> None:
        """Remove one version, or one delete marker, for good. Idempotent.

        The file with its bytes goes too when no version names it any more; after a crash in
        between it stays.
        """
        check_store_key(key)
        with self._database.write() as connection:
            found = local_index.find(connection, key, version_id)
            if version_id.isascii():
                local_index.remove(connection, key, version_id)
        if found is not None:
            self._remove_unused_blob(found.content)

    def _remove_unused_blob(self, content: Content) -> None:
        """Remove the file with *content* unless a version names it.

        In a transaction of its own: the removal of the version must be durable before the file
        goes, and no writer may come to rely on the file in between.
        """
        if content.inline_data is not None:
            return
        with self._database.write() as connection:
            if not local_index.is_blob_used(connection, content.digest):
                self._blobs.remove(content.digest)

    def locate(self, key: Key, version_id: VersionId | None = None) -> str:
        """Return ``file:///folder/<key>[?versionId=...]``, percent-encoded; there is no such file.

        Raises:
            InvalidKey: The key is beyond the limits.
        """
        check_store_key(key)
        query = "" if version_id is None else f"?versionId={quote(version_id, safe='')}"
        return f"{self.url}/{quote(key)}{query}"

    def find_damage(self) -> str | None:
        """Return what SQLite finds wrong with the index, or ``None``. Reads all of it, once.

        Raises:
            IntegrityError: It is so damaged that it cannot be read.
        """
        return self._database.find_damage()

    def close(self) -> None:
        """Let go of the files. Idempotent; a later call opens them again for its own duration."""
        self._database.close()


def _new_version_id() -> VersionId:
    # The letter keeps it apart from a digest, and from an option of a command.
    return VersionId("L" + secrets.token_urlsafe(16))


def _check_condition(current: Found | None, key: Key, mode: PutMode) -> None:
    if isinstance(mode, Create) and current is not None:
        raise PreconditionFailed(f"{key!r} is already there; nothing was written.")
    if isinstance(mode, Replace) and (current is None or current.row.etag != mode.etag):
        raise PreconditionFailed(f"{key!r} was changed in the meantime; nothing was written.")


def _name(found: Found) -> str:
    return f"{found.row.key!r}, version {found.row.version_id},"


def _head_of(found: Found) -> Head:
    return Head(
        key=found.row.key,
        version_id=found.row.version_id,
        etag=found.row.etag,
        size_bytes=found.row.size_bytes,
        modified_at=found.row.modified_at,
        metadata=found.metadata,
    )


def _version_entry(row: Row, *, is_latest: bool) -> VersionEntry:
    return VersionEntry(
        key=row.key,
        version_id=row.version_id,
        is_latest=is_latest,
        is_delete_marker=row.digest is None,
        size_bytes=row.size_bytes,
        etag=row.etag,
        modified_at=row.modified_at,
    )
