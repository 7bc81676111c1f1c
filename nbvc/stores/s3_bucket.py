"""The bucket itself: whether it is there, what is set for all of it, and the clock of its server.

Saves and reads need none of this; ``nbvc init`` and ``nbvc doctor`` do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from nbvc.errors import StoreNotFound
from nbvc.stores.base import LockMode
from nbvc.stores.s3_call import Call
from nbvc.stores.s3_errors import translated
from nbvc.stores.s3_lifecycle import LifecycleRule, parse_rules
from nbvc.values import dataclass

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_REGION = "us-east-1"
"""The region that a bucket is made in when the request names none."""

VersioningStatus = Literal["Enabled", "Suspended", "Off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultLock:
    """How a bucket locks versions that are written without a lock of their own.

    Attributes:
        period: Such as ``30 days``.
        mode: Whom it binds.
    """

    period: str
    mode: LockMode


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLock:
    """What a bucket says about Object Lock.

    Attributes:
        enabled: Whether versions in it can be locked. Once they can, that is for ever.
        default: Its own rule, where it has one.
    """

    enabled: bool
    default: DefaultLock | None = None


class S3Bucket:
    """One bucket as a whole. Every method is one request, tried once.

    Each may raise what :class:`nbvc.stores.base.Store` may; ``AccessDenied`` names the permission.

    Args:
        client: Sends the requests.
        name: Name of the bucket.
        store_url: The store in it, for the hints of errors.
    """

    def __init__(self, client: S3Client, name: str, *, store_url: str) -> None:
        self._client = client
        self.name = name
        self._store_url = store_url

    def exists(self) -> bool:
        """Return whether there is a bucket of this name that these credentials may see.

        Raises:
            AccessDenied: There is one, and they may not.
            StoreMisconfigured: It is in another region.
        """
        try:
            with translated(self._call("look at", "s3:ListBucket")):
                self._client.head_bucket(Bucket=self.name)
        except StoreNotFound:
            return False
        return True

    def create(self, *, object_lock: bool = False) -> None:
        """Create the bucket in the client's region.

        Args:
            object_lock: Make one whose versions can be locked; that turns versioning on, for good.
                Without it, versioning is off.

        Raises:
            AlreadyExists: The name is taken, by these credentials' owner or by somebody else.
            InvalidConfig: The name is none that a bucket can have.
            StoreMisconfigured: The server has no Object Lock.
        """
        region = self._client.meta.region_name
        options: dict[str, Any] = {}
        if region and region not in {DEFAULT_REGION, "aws-global"}:
            options["CreateBucketConfiguration"] = {"LocationConstraint": region}
        permission = "s3:CreateBucket"
        if object_lock:
            options["ObjectLockEnabledForBucket"] = True
            permission += ", s3:PutBucketObjectLockConfiguration and s3:PutBucketVersioning"
        with translated(replace(self._call("create", permission), changes=True)):
            self._client.create_bucket(Bucket=self.name, **options)

    def versioning_status(self) -> VersioningStatus:
        """Return what the bucket says about versioning; believe only the replies to writes.

        AWS may take 15 minutes until a change holds everywhere (Amazon S3 User Guide, "Enabling
        versioning on buckets").
        """
        with translated(self._call("read the versioning of", "s3:GetBucketVersioning")):
            return self._client.get_bucket_versioning(Bucket=self.name).get("Status", "Off")

    def enable_versioning(self) -> None:
        """Turn versioning on. Idempotent."""
        with translated(self._call("set the versioning of", "s3:PutBucketVersioning")):
            self._client.put_bucket_versioning(
                Bucket=self.name, VersioningConfiguration={"Status": "Enabled"}
            )

    def object_lock(self) -> ObjectLock:
        """Return whether versions in the bucket can be locked, and whether it does so by itself."""
        call = self._call("read the Object Lock of", "s3:GetBucketObjectLockConfiguration")
        with translated(call):
            try:
                reply = self._client.get_object_lock_configuration(Bucket=self.name)
            except ClientError as error:
                if _code(error) != "ObjectLockConfigurationNotFoundError":
                    raise
                return ObjectLock(enabled=False)
        found: Mapping[str, Any] = reply.get("ObjectLockConfiguration") or {}
        return ObjectLock(
            enabled=found.get("ObjectLockEnabled") == "Enabled",
            default=_default_lock((found.get("Rule") or {}).get("DefaultRetention") or {}),
        )

    def lifecycle_rules(self) -> list[LifecycleRule]:
        """Return the lifecycle rules that hide, destroy or archive objects without tags."""
        call = self._call("read the lifecycle rules of", "s3:GetLifecycleConfiguration")
        with translated(call):
            try:
                reply = self._client.get_bucket_lifecycle_configuration(Bucket=self.name)
            except ClientError as error:
                if _code(error) != "NoSuchLifecycleConfiguration":
                    raise
                return []
        return parse_rules(reply)

    def server_time(self) -> datetime | None:
        """Return the time at which the server answered, in whole seconds; UTC.

        Any answer will do: that of a refusal too. ``None`` where it carries no date.
        """
        with translated(self._call("look at", "s3:ListBucket")):
            try:
                reply: Any = self._client.head_bucket(Bucket=self.name)
            except ClientError as error:
                reply = error.response
        date = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            return parsedate_to_datetime(date).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def _call(self, action: str, permission: str) -> Call:
        return Call.on_bucket(self.name, self._store_url, action=action, permission=permission)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _default_lock(retention: Mapping[str, Any]) -> DefaultLock | None:
    mode = retention.get("Mode")
    if mode not in set(LockMode):
        return None
    unit = "year" if retention.get("Years") else "day"
    number = retention.get("Years") or retention.get("Days") or 0
    return DefaultLock(period=f"{number} {unit}{'' if number == 1 else 's'}", mode=LockMode(mode))
