"""The store in a versioned S3 bucket, through botocore.

Importing this module imports botocore, so only ``nbvc.stores.opening`` does, when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nbvc.errors import (
    IntegrityError,
    OutcomeUnknown,
    StoreError,
    StoreMisconfigured,
    VersioningOff,
    VersionNotFound,
)
from nbvc.mapped import CHUNK_BYTES, LARGE_BYTES, CannotSpool, spool
from nbvc.stores import s3_parts
from nbvc.stores.base import (
    NOTEBOOK_TYPE,
    WRITE_ID,
    Blob,
    Capabilities,
    Head,
    Key,
    KeyEntry,
    Metadata,
    Overwrite,
    PutMode,
    Replace,
    RetainUntil,
    Stored,
    VersionEntry,
)
from nbvc.stores.landing import find_write
from nbvc.stores.limits import check_metadata, check_prefix, check_store_key
from nbvc.stores.paging import FIRST, Page, Paged, Token, merge_versions
from nbvc.stores.s3_bucket import S3Bucket
from nbvc.stores.s3_call import Call
from nbvc.stores.s3_connection import S3Connection
from nbvc.stores.s3_errors import translated
from nbvc.stores.s3_patience import Repeat, once
from nbvc.stores.s3_replies import condition_failed
from nbvc.stores.s3_wire import (
    body,
    checksums,
    condition,
    connect,
    head_values,
    kept_version,
    key_entry,
    listed_key,
    locking,
    next_versions,
    open_session,
    page_size,
    read_permission,
    required,
    version,
    version_entry,
    write_permission,
)
from nbvc.text import typed

if TYPE_CHECKING:
    from pathlib import Path

    from nbvc.model import Data, VersionId

_PARTIAL_CONTENT = 206


class S3Store:
    """Store in one S3 bucket, below *root*. Fulfils :class:`nbvc.stores.base.Store`.

    It never tries a request twice; ``RetryingStore`` does, for it knows when that is safe, and
    lends its patience to the parts of large objects. In
    versioned buckets a listing has the order of :func:`nbvc.stores.paging.merge_versions`. A HEAD
    of S3 has no error body, so :meth:`head` says ``VersionNotFound`` where the bucket is missing.

    Attributes:
        bucket: Name of the bucket.
        root: Prefix of all keys, without slashes at its ends.
        administration: The bucket as a whole, whatever the root.
        connection: Where requests go.
        repeat: Sends a request that may be sent twice: each of the parts of a large object.
    """

    def __init__(
        self,
        bucket: str,
        root: str,
        *,
        endpoint_url: str | None,
        region: str | None,
        profile: str | None,
        timeout_seconds: float = 20.0,
        capabilities: Capabilities,
        room: Path | None = None,
    ) -> None:
        """Make the client; no request is sent.

        Args:
            bucket: Name of the bucket.
            root: Prefix of all keys, without regard to slashes at its ends; may be empty.
            endpoint_url: Address of an S3 server, or ``None`` for what the AWS configuration says.
            region: Region to sign for, or ``None`` for what the AWS configuration says.
            profile: Profile in the AWS configuration, or ``None`` for the provider chain.
            timeout_seconds: Longest silence of the server before a request counts as lost.
            capabilities: What the store was found to do.
            room: A folder for large objects that are read; ``None`` holds them in memory.

        Raises:
            InvalidConfig: The AWS configuration cannot be used, or has no such profile.
            StoreMisconfigured: The endpoint or the region cannot be used.
        """
        self.bucket = bucket
        self.root = root.strip("/")
        self._prefix = f"{self.root}/" if self.root else ""
        self._capabilities = capabilities
        self._room = room
        self.repeat: Repeat = once
        opening = Call.on_bucket(bucket, self.url, action="open", permission="s3:ListBucket")
        with translated(opening):
            session = open_session(region=region, profile=profile)
            self._client = connect(
                session, endpoint_url=endpoint_url, timeout_seconds=timeout_seconds
            )
        self._parts = s3_parts.PartWriter(self._client)
        self.administration = S3Bucket(self._client, bucket, store_url=self.url)
        self.connection = S3Connection(session, self._client, bucket=bucket, store_url=self.url)

    # -- the protocol ---------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """``s3://bucket[/root]``."""
        return f"s3://{self.bucket}/{self.root}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """What this store was found to do."""
        return self._capabilities

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
        """Write *data* under *key*; see the protocol. One request; more for a large object."""
        full_key = self._full_key(key)
        check_metadata(metadata)
        only_if = condition(mode)
        call = replace(
            self._call("write", write_permission(retain_until), key),
            changes=True,
            conditional=bool(only_if),
            locks=retain_until is not None,
        )
        described: dict[str, Any] = {
            "ContentType": content_type,
            "Metadata": dict(metadata),
        }
        if len(data) > s3_parts.LARGEST_WHOLE_BYTES and retain_until is None:
            return self._put_in_parts(key, data, call, mode, described)
        with translated(call):
            reply = self._client.put_object(
                Bucket=self.bucket,
                Key=full_key,
                Body=body(data),
                **described,
                **only_if,
                **checksums(data),
                **locking(retain_until, data),
            )
            etag = required(reply, "ETag")
        version_id = kept_version(reply.get("VersionId"))
        if version_id is None:
            raise self._versioning_off(key)
        return Stored(version_id=version_id, etag=etag)

    def _put_in_parts(
        self, key: Key, data: Data, call: Call, mode: PutMode, described: Mapping[str, Any]
    ) -> Stored:
        """Write a large object. The condition is checked first, before much is sent for nothing.

        And again when all parts are there, by the server; where it does not know conditions at that
        point, a write that came in between stays below this one, as without conditional writes.
        """
        self._check_condition(key, mode)
        large = s3_parts.LargeObject(
            target={"Bucket": self.bucket, "Key": self._full_key(key)},
            data=data,
            described=described,
            only_if=condition(mode),
            call=call,
        )
        written = self._parts.write(large, self.repeat)
        version_id = kept_version(written.version_id)
        if version_id is None:
            raise self._versioning_off(key)
        return Stored(version_id=version_id, etag=written.etag)

    def _check_condition(self, key: Key, mode: PutMode) -> None:
        if isinstance(mode, Overwrite):
            return
        try:
            current: str | None = self.head(key).etag
        except VersionNotFound:
            current = None
        if current != (mode.etag if isinstance(mode, Replace) else None):
            raise condition_failed(self._shown(key))

    def get(self, key: Key, version_id: VersionId | None = None) -> Blob:
        """Read one version; see the protocol. One request.

        A large one is kept in a file while it is in use, if there is room for it.
        """
        try:
            return self._get(key, version_id, self._room)
        except CannotSpool:
            return self._get(key, version_id, None)

    def _get(self, key: Key, version_id: VersionId | None, room: Path | None) -> Blob:
        full_key = self._full_key(key)
        with translated(self._call("read", read_permission(version_id), key, version_id)):
            reply = self._client.get_object(
                Bucket=self.bucket, Key=full_key, ChecksumMode="ENABLED", **version(version_id)
            )
            with closing(reply["Body"]) as stream:
                found = head_values(key, reply)
                if room is None or found["size_bytes"] <= LARGE_BYTES:
                    return Blob(**found, data=stream.read())
                return Blob(**found, data=spool(room, stream.iter_chunks(CHUNK_BYTES)))

    def get_range(self, key: Key, version_id: VersionId | None, start: int, stop: int) -> bytes:
        """Read a part of one version; see the protocol. One request."""
        with translated(self._call("read", read_permission(version_id), key, version_id)):
            reply = self._client.get_object(
                Bucket=self.bucket,
                Key=self._full_key(key),
                Range=f"bytes={start}-{stop - 1}",
                **version(version_id),
            )
            with closing(reply["Body"]) as stream:
                data = stream.read()
        # A server may answer with all of it instead (RFC 9110, section 14.2).
        if reply["ResponseMetadata"]["HTTPStatusCode"] != _PARTIAL_CONTENT:
            data = data[start:stop]
        if len(data) != stop - start:
            raise IntegrityError(
                f"{self._shown(key, version_id)} has no bytes {start} to {stop}: "
                f"{len(data)} bytes came."
            )
        return data

    def head(self, key: Key, version_id: VersionId | None = None) -> Head:
        """Read what is known about one version; see the protocol. One request."""
        full_key = self._full_key(key)
        call = self._call("read", read_permission(version_id), key, version_id)
        try:
            with translated(call):
                reply = self._client.head_object(
                    Bucket=self.bucket, Key=full_key, **version(version_id)
                )
                return Head(**head_values(key, reply))
        except StoreMisconfigured:
            # A HEAD has no body to tell an unknown version ID from a wrong region; a GET has.
            with translated(call):
                self._client.get_object(
                    Bucket=self.bucket, Key=full_key, Range="bytes=0-0", **version(version_id)
                )
            raise

    def copy(
        self, source: Key, source_version: VersionId, target: Key, *, metadata: Metadata
    ) -> Stored:
        """Copy one version inside the store; see the protocol.

        One request; more where the reply names no version ID, as with Ceph 16. There the version
        with the write ID in *metadata* is looked up, so give one.
        """
        check_metadata(metadata)
        source_key, target_key = self._full_key(source), self._full_key(target)
        call = replace(
            self._call("copy to", "s3:GetObjectVersion and s3:PutObject", target),
            changes=True,
            source=self._shown(source, source_version),
        )
        with translated(call):
            reply = self._client.copy_object(
                Bucket=self.bucket,
                Key=target_key,
                CopySource={
                    "Bucket": self.bucket,
                    "Key": source_key,
                    "VersionId": source_version,
                },
                MetadataDirective="REPLACE",
                Metadata=dict(metadata),
                ContentType=NOTEBOOK_TYPE,
                ChecksumAlgorithm="SHA256",
            )
            etag = required(required(reply, "CopyObjectResult"), "ETag")
        version_id = kept_version(reply.get("VersionId"))
        if version_id is None:
            return self._copied_without_version(target, metadata)
        return Stored(version_id=version_id, etag=etag)

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """Yield the current objects; see the protocol. One request for 1,000 of them."""
        check_prefix(prefix)
        check_prefix(start_after or "")
        start: dict[str, Any] = {"StartAfter": self._prefix + start_after} if start_after else {}
        call = self._listing("s3:ListBucket", prefix)

        def fetch(token: Token, wanted: int | None) -> Page[KeyEntry]:
            more: dict[str, Any] = {} if token == FIRST else {"ContinuationToken": token[0]}
            with translated(call):
                reply = self._client.list_objects_v2(
                    Bucket=self.bucket,
                    Prefix=self._prefix + prefix,
                    MaxKeys=page_size(wanted),
                    **start,
                    **more,
                )
                entries = [
                    key_entry(self._relative(required(entry, "Key")), entry)
                    for entry in reply.get("Contents", [])
                ]
                is_truncated = required(reply, "IsTruncated")
            if not is_truncated:
                return Page(entries=entries, following=None)
            return Page(entries=entries, following=(reply.get("NextContinuationToken", ""), ""))

        return Paged(fetch, limit=limit, what=call.url, name=lambda entry: entry.key)

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """Yield versions and delete markers; see the protocol. One request for 1,000 of them."""
        check_prefix(prefix)
        call = self._listing("s3:ListBucketVersions", prefix)

        def fetch(token: Token, wanted: int | None) -> Page[VersionEntry]:
            markers: dict[str, Any] = dict(
                zip(("KeyMarker", "VersionIdMarker"), token, strict=True)
            )
            with translated(call):
                reply = self._client.list_object_versions(
                    Bucket=self.bucket,
                    Prefix=self._prefix + prefix,
                    MaxKeys=page_size(wanted),
                    EncodingType="url",  # asked for by name, it is left to us to decode
                    **{name: value for name, value in markers.items() if value},
                )
                entries = merge_versions(
                    self._version_entries(reply, "Versions", are_markers=False),
                    self._version_entries(reply, "DeleteMarkers", are_markers=True),
                )
                last = self._prefix + entries[-1].key if entries else None
                return Page(entries=entries, following=next_versions(reply, last))

        return Paged(
            fetch,
            limit=limit,
            what=call.url,
            name=lambda entry: (entry.key, entry.version_id),
        )

    def delete(self, key: Key) -> VersionId:
        """Hide *key* behind a delete marker; see the protocol.

        Two requests: a HEAD comes first, for without versioning a DELETE would destroy the object.

        Raises:
            VersioningOff: The bucket keeps no versions; nothing was deleted.
        """
        full_key = self._full_key(key)
        try:
            current = self.head(key).version_id
        except VersionNotFound:
            pass
        else:
            if (
                kept_version(current) is None
                and self.administration.versioning_status() != "Enabled"
            ):
                raise self._versioning_off(key)
        with translated(replace(self._call("delete", "s3:DeleteObject", key), changes=True)):
            reply = self._client.delete_object(Bucket=self.bucket, Key=full_key)
        marker = kept_version(reply.get("VersionId"))
        if marker is None:
            raise self._versioning_off(key)
        return marker

    def delete_version(self, key: Key, version_id: VersionId) -> None:
        """Remove one version for good; see the protocol. One request."""
        full_key = self._full_key(key)
        call = self._call("delete", "s3:DeleteObjectVersion", key, version_id)
        try:
            with translated(call):
                self._client.delete_object(Bucket=self.bucket, Key=full_key, VersionId=version_id)
        except VersionNotFound:
            return

    def locate(self, key: Key, version_id: VersionId | None = None) -> str:
        """Return the URL of *key* or of one version of it, percent-encoded; no request."""
        version = f"?versionId={quote(version_id, safe='')}" if version_id else ""
        return f"{self.url}/{quote(key)}{version}"

    def close(self) -> None:
        """Close the connections. Idempotent; a later request opens new ones.

        What another thread is still writing in parts is aborted: after Ctrl-C nobody waits for it.
        """
        self._parts.abandon()
        self._client.close()

    # -- helpers --------------------------------------------------------------------------------

    def _full_key(self, key: Key) -> str:
        check_store_key(key, root=self.root)
        return self._prefix + key

    def _shown(self, key: Key, version_id: VersionId | None = None) -> str:
        return f"{self.url}/{key}" + (f"?versionId={version_id}" if version_id else "")

    def _call(
        self, action: str, permission: str, key: Key, version_id: VersionId | None = None
    ) -> Call:
        return Call(
            action=action,
            permission=permission,
            bucket=self.bucket,
            store=self.url,
            url=self._shown(key, version_id),
        )

    def _listing(self, permission: str, prefix: str) -> Call:
        return Call(
            action="list",
            permission=permission,
            bucket=self.bucket,
            store=self.url,
            url=f"{self.url}/{prefix}",
            keyed=False,
        )

    def _relative(self, full_key: str) -> Key:
        if not full_key.startswith(self._prefix):
            raise StoreError(f"The store listed a key outside of {self.url}.")
        return full_key.removeprefix(self._prefix)

    def _version_entries(
        self, reply: Mapping[str, Any], name: str, *, are_markers: bool
    ) -> list[VersionEntry]:
        return [
            version_entry(
                self._relative(listed_key(required(entry, "Key"), reply)),
                entry,
                is_marker=are_markers,
            )
            for entry in reply.get(name, [])
        ]

    def _copied_without_version(self, target: Key, metadata: Metadata) -> Stored:
        write_id = metadata.get(WRITE_ID)
        head = self.head(target)
        version_id = kept_version(head.version_id)
        if version_id is None:
            raise self._versioning_off(target)
        if write_id is not None and head.metadata.get(WRITE_ID) == write_id:
            return Stored(version_id=version_id, etag=head.etag)
        found = find_write(self, target, write_id) if write_id is not None else None
        if found is None:
            raise OutcomeUnknown(
                f"The store did not say which version of {self._shown(target)} the copy became."
            )
        return found

    def _versioning_off(self, key: Key) -> VersioningOff:
        return VersioningOff(
            f"The bucket {self.bucket} keeps no versions, so {self._shown(key)} is not safe there.",
            hint=f"Turn on versioning for the bucket: nbvc init {typed(self.url)}, or aws s3api "
            f"put-bucket-versioning --bucket {self.bucket} "
            "--versioning-configuration Status=Enabled",
        )
