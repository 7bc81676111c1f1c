"""Requests that are tried again by others than they belong to.

The bucket as a whole, for what ``nbvc init`` asks of it, and the parts of large objects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from nbvc.errors import OutcomeUnknown

if TYPE_CHECKING:
    from nbvc.stores.s3_bucket import ObjectLock, S3Bucket, VersioningStatus

T = TypeVar("T")


class Repeat(Protocol):
    """Sends a request that may be sent twice, as often as a policy allows."""

    def __call__(self, request: Callable[[], T]) -> T:
        """Return what it returns in the end."""
        ...


def once(request: Callable[[], T]) -> T:
    """Send a request, and do not send it again."""
    return request()


class PatientBucket:
    """One bucket as a whole; see :class:`nbvc.stores.s3_bucket.S3Bucket`.

    Args:
        bucket: Sends the requests.
        repeat: Sends them again.
    """

    def __init__(self, bucket: S3Bucket, repeat: Repeat) -> None:
        self._bucket = bucket
        self._repeat = repeat
        self.name = bucket.name

    def exists(self) -> bool:
        """Return whether there is a bucket of this name that these credentials may see."""
        return self._repeat(self._bucket.exists)

    def create(self, *, object_lock: bool = False) -> None:
        """Create the bucket; after a lost reply, one that is there counts as this one."""
        create = partial(self._bucket.create, object_lock=object_lock)
        try:
            self._repeat(create)
        except OutcomeUnknown:
            if not self.exists():
                self._repeat(create)

    def versioning_status(self) -> VersioningStatus:
        """Return what the bucket says about versioning."""
        return self._repeat(self._bucket.versioning_status)

    def enable_versioning(self) -> None:
        """Turn versioning on. Idempotent."""
        self._repeat(self._bucket.enable_versioning)

    def object_lock(self) -> ObjectLock:
        """Return whether versions in the bucket can be locked."""
        return self._repeat(self._bucket.object_lock)
