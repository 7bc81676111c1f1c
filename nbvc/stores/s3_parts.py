"""A large object in parts: several at once, each checked on arrival, and all of them or nothing.

Amazon S3 User Guide, "Uploading and copying objects using multipart upload". No part is visible
before the upload is completed, and what is not completed is aborted, for its parts cost money.

S3 keeps no SHA-256 of such an object, only one of the SHA-256s of its parts: the *composite*. So
each part travels with its own, which the server checks, and the reply that completes the upload is
compared with the composite of what was sent. Where a server tells none, the size is compared.

A locked version never goes in parts: Ceph 16, and the test servers moto and ministack, say yes to a
lock on such an upload, and keep none.
"""

from __future__ import annotations

import hashlib
import threading
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbvc.errors import IntegrityError, Interrupted, NbvcError
from nbvc.stores.s3_errors import translated
from nbvc.stores.s3_wire import body, checksums, required
from nbvc.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

    from nbvc.model import Data
    from nbvc.stores.s3_call import Call
    from nbvc.stores.s3_patience import Repeat

LARGEST_WHOLE_BYTES = 32 * 1024 * 1024
"""Larger objects go in parts; up to here one request is quicker, and keeps the plain SHA-256."""

PART_BYTES = 8 * 1024 * 1024
"""Size of a part, but for the last; S3 takes none below 5 MiB."""

MAX_PARTS = 10_000
"""S3's limit for one object."""

PARTS_IN_FLIGHT = 4
ABANDON_SECONDS = 2.0
"""How long an interrupted command waits for the reply to its abort."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeObject:
    """What is to be written.

    Attributes:
        target: Bucket and key, as botocore takes them.
        data: Its bytes.
        described: What is kept with it, its metadata and type; as botocore takes it.
        only_if: The condition, as botocore takes it; empty for none.
        call: What was asked for, for errors.
    """

    target: Mapping[str, Any]
    data: Data
    described: Mapping[str, Any]
    only_if: Mapping[str, Any]
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the server said of it: a version ID, if it keeps versions, and an ETag."""

    version_id: str | None
    etag: str


class PartWriter:
    """Writes large objects, one at a time: one alone keeps enough connections busy.

    Safe for several threads.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self._alone = threading.Lock()
        self._under_way: _Upload | None = None

    def write(self, large: LargeObject, repeat: Repeat) -> Written:
        """Write an object; see :meth:`nbvc.stores.base.Store.put`.

        Requests: one to begin, one for each part, one to complete; one more where the server does
        not say what it has.

        Args:
            large: The object.
            repeat: Sends a request that may be sent twice, as a part may, as often as is wise.

        Raises:
            PreconditionFailed: The condition did not hold in the end; nothing was written.
            OutcomeUnknown: No clear reply came to the request that completes it.
            Interrupted: It was abandoned meanwhile.
        """
        with self._alone:
            upload = _Upload(self._client, large, repeat)
            self._under_way = upload
            try:
                return upload.run()
            finally:
                self._under_way = None

    def abandon(self) -> None:
        """Abort what another thread is writing, if anything. Waits a moment, and never fails."""
        upload = self._under_way
        if upload is None:
            return
        aborting = threading.Thread(target=upload.abort, name="nbvc-abort", daemon=True)
        aborting.start()
        aborting.join(ABANDON_SECONDS)


class _Upload:
    """One object on its way."""

    def __init__(
        self,
        client: S3Client,
        large: LargeObject,
        repeat: Repeat,
    ) -> None:
        self._client = client
        self._large = large
        self._repeat = repeat
        self._size_bytes = len(large.data)
        self._part_bytes = max(PART_BYTES, -(-self._size_bytes // MAX_PARTS))
        self._upload_id = ""
        self._aborted = False

    def run(self) -> Written:
        self._begin()
        try:
            parts = self._send_parts()
            reply = self._complete(parts)
        except BaseException:
            # Also after a lost reply: then it is either complete already, or never will be.
            self.abort()
            raise
        return self._confirmed(reply, parts)

    def abort(self) -> None:
        """Make the server forget the parts. Idempotent; what fails is left to a lifecycle rule."""
        self._aborted = True
        if not self._upload_id:
            return
        call = replace(self._part_call(), permission="s3:AbortMultipartUpload")
        with suppress(NbvcError), translated(call):
            self._client.abort_multipart_upload(**self._large.target, UploadId=self._upload_id)

    def _begin(self) -> None:
        with translated(self._part_call()):
            reply = self._client.create_multipart_upload(
                **self._large.target, **self._large.described, ChecksumAlgorithm="SHA256"
            )
            self._upload_id = required(reply, "UploadId")

    def _send_parts(self) -> list[CompletedPartTypeDef]:
        count = -(-self._size_bytes // self._part_bytes)
        with ThreadPoolExecutor(PARTS_IN_FLIGHT, "nbvc-part") as pool:
            # The first error cancels those that have not begun, and waits for the others.
            return list(pool.map(self._send_part, range(1, count + 1)))

    def _send_part(self, number: int) -> CompletedPartTypeDef:
        if self._aborted:
            raise Interrupted(f"The upload of {self._large.call.url} was abandoned.")
        start = (number - 1) * self._part_bytes
        part = memoryview(self._large.data)[start : start + self._part_bytes]
        checks = checksums(part)

        def send() -> str:
            with translated(self._part_call()):
                reply = self._client.upload_part(
                    **self._large.target,
                    UploadId=self._upload_id,
                    PartNumber=number,
                    Body=body(part),
                    **checks,
                )
                etag: str = required(reply, "ETag")
                return etag

        etag = self._repeat(send)
        return {"PartNumber": number, "ETag": etag, "ChecksumSHA256": checks["ChecksumSHA256"]}

    def _complete(self, parts: list[CompletedPartTypeDef]) -> Mapping[str, Any]:
        with translated(self._large.call):
            return self._client.complete_multipart_upload(
                **self._large.target,
                **self._large.only_if,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": parts},
            )

    def _confirmed(self, reply: Mapping[str, Any], parts: list[CompletedPartTypeDef]) -> Written:
        """Return what the server has, once it is sure that it is what was sent."""
        version_id, etag = reply.get("VersionId"), reply.get("ETag")
        said = reply.get("ChecksumSHA256")
        if said is not None and not self._fits(said, parts):
            raise self._damaged()
        if said is None or not etag:
            with translated(self._large.call):
                named = {"VersionId": version_id} if version_id else {}
                head = self._client.head_object(**self._large.target, **named)
                etag = required(head, "ETag")
                if required(head, "ContentLength") != self._size_bytes:
                    raise self._damaged()
        return Written(version_id=version_id, etag=etag)

    def _fits(self, said: str, parts: list[CompletedPartTypeDef]) -> bool:
        composite = hashlib.sha256()
        for part in parts:
            composite.update(b64decode(part["ChecksumSHA256"]))
        return said == f"{b64encode(composite.digest()).decode('ascii')}-{len(parts)}"

    def _part_call(self) -> Call:
        return replace(self._large.call, changes=False, conditional=False)

    def _damaged(self) -> IntegrityError:
        return IntegrityError(
            f"The store put {self._large.call.url} together wrongly: it is not what was sent.",
            hint="Repeat the command; nbvc check finds what was stored.",
        )
