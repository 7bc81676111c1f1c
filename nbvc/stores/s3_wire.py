"""Our values as botocore wants them, its replies as our values, and the client between them."""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote_plus

from botocore.config import Config
from botocore.handlers import add_expect_header
from botocore.parsers import ResponseParserError

from nbvc.errors import StoreMisconfigured
from nbvc.model import VersionId
from nbvc.stores.base import (
    Create,
    Key,
    KeyEntry,
    PutMode,
    Replace,
    RetainUntil,
    VersionEntry,
)
from nbvc.stores.s3_models import quick_session

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_s3 import S3Client

    from nbvc.model import Data
    from nbvc.stores.paging import Token

MAX_CONNECT_SECONDS = 5.0
"""A server that is there takes a connection sooner, however slow its replies are."""

MAX_CONNECTIONS = 64
_BLOCK_BYTES = 256 * 1024
MAX_PAGE_ENTRIES = 1000
"""S3's limit for one page of a listing."""


def open_session(*, region: str | None, profile: str | None) -> Session:
    """Return the AWS configuration, as the variables and files of the user give it."""
    session = quick_session(profile)
    if region is not None:
        session.set_config_variable("region", region)
    return session


def connect(session: Session, *, endpoint_url: str | None, timeout_seconds: float) -> S3Client:
    """Return a client that never repeats a request by itself; no request is sent.

    Args:
        session: The AWS configuration.
        endpoint_url: Address of an S3 server, or ``None`` for what *session* says.
        timeout_seconds: Longest silence of the server before a request counts as lost.

    Raises:
        StoreMisconfigured: The endpoint or the region is not well-formed.
    """
    try:
        config = _config(endpoint_url, timeout_seconds)
        made = session.create_client("s3", endpoint_url=endpoint_url, config=config)
    except ValueError as error:  # botocore's own check of an endpoint raises a bare one
        raise StoreMisconfigured(
            "The endpoint or the region of the store cannot be used.",
            hint="An endpoint looks like https://s3.example.org:9000.",
        ) from error
    # botocore waits for "100 Continue" before it sends a body: a round trip more for each PUT.
    client = cast("S3Client", made)
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client


def _config(endpoint_url: str | None, timeout_seconds: float) -> Config:
    return Config(
        connect_timeout=min(timeout_seconds, MAX_CONNECT_SECONDS),
        read_timeout=timeout_seconds,
        max_pool_connections=MAX_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 1},
        # The newer default sends checksums as trailers, which many servers but AWS do not take.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if endpoint_url else "auto"},
    )


def condition(mode: PutMode) -> dict[str, Any]:
    """Return the arguments of PutObject for *mode*; empty where it is unconditional."""
    match mode:
        case Create():
            return {"IfNoneMatch": "*"}
        case Replace(etag=etag):
            return {"IfMatch": etag}
        case _:
            return {}


def locking(retain_until: RetainUntil | None, data: Data) -> dict[str, Any]:
    """Return the arguments that lock the version that *data* becomes; empty for none.

    S3 takes a locked upload only with a checksum that is announced in one of two older ways (API
    Reference, "PutObject"); AWS takes both, some servers know only ``Content-MD5``.
    """
    if retain_until is None:
        return {}
    md5 = hashlib.md5(data, usedforsecurity=False).digest()
    return {
        "ObjectLockMode": retain_until.mode.value,
        "ObjectLockRetainUntilDate": retain_until.moment,
        "ChecksumAlgorithm": "SHA256",
        "ContentMD5": b64encode(md5).decode("ascii"),
    }


def checksums(data: Data) -> dict[str, Any]:
    """Return the arguments by which the server refuses other bytes than *data*."""
    return {"ChecksumSHA256": b64encode(hashlib.sha256(data).digest()).decode("ascii")}


def body(data: Data) -> bytes | BinaryIO:
    """Return *data* as botocore takes it: a view is read piece by piece, and not copied."""
    return data if isinstance(data, bytes) else io.BufferedReader(_View(data), _BLOCK_BYTES)


class _View(io.RawIOBase):
    """A view of bytes as a file that is read."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        piece = self._view[self._position : self._position + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = (0, self._position, len(self._view))[whence]
        self._position = max(start + offset, 0)
        return self._position


def version(version_id: VersionId | None) -> dict[str, Any]:
    """Return the arguments that name a version; empty for the current one."""
    return {} if version_id is None else {"VersionId": version_id}


def read_permission(version_id: VersionId | None) -> str:
    """Return the IAM action that reading needs."""
    return "s3:GetObject" if version_id is None else "s3:GetObjectVersion"


def write_permission(retain_until: RetainUntil | None) -> str:
    """Return the IAM actions that writing needs; which of them is missing, S3 does not say."""
    return "s3:PutObject" + (" and s3:PutObjectRetention" if retain_until else "")


def kept_version(version_id: str | None) -> VersionId | None:
    """Return the version ID, or ``None`` for ``null``, which the next write may overwrite."""
    return VersionId(version_id) if version_id and version_id != "null" else None


def page_size(wanted: int | None) -> int:
    """Return how many entries to ask for."""
    return MAX_PAGE_ENTRIES if wanted is None else min(wanted, MAX_PAGE_ENTRIES)


def required(reply: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401
    """Return a part of a reply that every whole reply of its kind has.

    Raises:
        ResponseParserError: It is not there. A connection that is closed in good order while the
            reply is under way leaves a shorter one, which botocore takes for a whole one.
    """
    if name not in reply:
        raise ResponseParserError(f"a reply without {name}")
    return reply[name]


def head_values(key: Key, reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a ``Head`` from a reply to HEAD or GET."""
    version_id = reply.get("VersionId")
    locked_until = reply.get("ObjectLockRetainUntilDate")
    return {
        "key": key,
        "version_id": None if version_id is None else VersionId(version_id),
        "etag": required(reply, "ETag"),
        "size_bytes": required(reply, "ContentLength"),
        "modified_at": required(reply, "LastModified").astimezone(UTC),
        "metadata": reply.get("Metadata", {}),
        "locked_until": locked_until.astimezone(UTC) if locked_until else None,
    }


def key_entry(key: Key, entry: Mapping[str, Any]) -> KeyEntry:
    """Return one line of ListObjectsV2."""
    return KeyEntry(
        key=key,
        etag=required(entry, "ETag"),
        size_bytes=required(entry, "Size"),
        modified_at=required(entry, "LastModified").astimezone(UTC),
    )


def version_entry(key: Key, entry: Mapping[str, Any], *, is_marker: bool) -> VersionEntry:
    """Return one line of ListObjectVersions."""
    return VersionEntry(
        key=key,
        version_id=VersionId(entry.get("VersionId", "null")),
        is_latest=required(entry, "IsLatest"),
        is_delete_marker=is_marker,
        size_bytes=entry.get("Size", 0),
        etag=entry.get("ETag", ""),
        modified_at=required(entry, "LastModified").astimezone(UTC),
    )


def listed_key(text: str, reply: Mapping[str, Any]) -> str:
    """Return a key of ListObjectVersions as it is: decoded, where the reply says it is encoded."""
    return unquote_plus(text) if reply.get("EncodingType") == "url" else text


def next_versions(reply: Mapping[str, Any], last_key: str | None) -> Token | None:
    """Return where the next page of ListObjectVersions begins; ``None`` after the last.

    botocore decodes the key marker whenever keys are encoded. Ceph 16 and LocalStack 4.13 encode
    the keys and not the marker: ``a%7Eb`` would become ``a~b``, and the keys between the two would
    be lost. The marker is the last key of the page, so it shows which of the two it is.

    Args:
        reply: The reply, not decoded.
        last_key: The last key of the page, decoded.
    """
    if not required(reply, "IsTruncated"):
        return None
    marker = reply.get("NextKeyMarker", "")
    if marker != last_key:
        marker = listed_key(marker, reply)
    return marker, reply.get("NextVersionIdMarker", "")
