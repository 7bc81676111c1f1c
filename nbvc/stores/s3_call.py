"""What was asked of S3, and the errors that a reply and a library may both lead to."""

from __future__ import annotations

from typing import Self

from nbvc.errors import CredentialsExpired, InvalidConfig, OutcomeUnknown
from nbvc.text import typed
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked of the store, for the choice of the error and for its words.

    Attributes:
        action: Verb for messages: ``"write"``, ``"read"``, ``"list"`` ...
        permission: The IAM action that it needs.
        bucket: Name of the bucket.
        store: URL of the store, as ``nbvc init`` takes it; a hint has it from :attr:`typed_store`.
        url: What it was about, as ``s3://bucket/key``.
        changes: Whether a lost reply leaves open what the store now holds.
        conditional: Whether it carries ``If-Match`` or ``If-None-Match``.
        keyed: Whether it is about one object, not about the bucket.
        source: What it reads, where that is not *url*: the source of a copy.
        locks: Whether it writes a version under Object Lock.
    """

    action: str
    permission: str
    bucket: str
    store: str
    url: str
    changes: bool = False
    conditional: bool = False
    keyed: bool = True
    source: str | None = None
    locks: bool = False

    @classmethod
    def on_bucket(cls, bucket: str, store: str, *, action: str, permission: str) -> Self:
        """Return a call that is about the bucket itself."""
        return cls(
            action=action,
            permission=permission,
            bucket=bucket,
            store=store,
            url=f"s3://{bucket}",
            keyed=False,
        )

    @property
    def typed_store(self) -> str:
        """The URL of the store as a person would type it: its root may hold anything."""
        return typed(self.store)

    @property
    def reads(self) -> bool:
        """Whether it needs an object that is there already."""
        return self.source is not None or self.action == "read"

    @property
    def read_url(self) -> str:
        """What must exist for the call to succeed."""
        return self.source or self.url


def outcome_unknown(
    call: Call, why: str, *, retry_after_seconds: float | None = None
) -> OutcomeUnknown:
    """Return the error for a write without a clear reply."""
    return OutcomeUnknown(
        f"It is not known whether {call.url} was changed: {why}.",
        hint="nbvc looks what is stored before it writes again.",
        retry_after_seconds=retry_after_seconds,
    )


def credentials_expired(call: Call) -> CredentialsExpired:
    """Return the error for credentials that were valid once."""
    return CredentialsExpired(
        f"Your credentials have expired, so you may not {call.action} {call.url}.",
        hint="Log in again (for example: aws sso login), then repeat the command.",
    )


def bad_bucket_name(call: Call) -> InvalidConfig:
    """Return the error for a name that no bucket can have."""
    return InvalidConfig(
        f"{call.bucket!r} is not a name for a bucket.",
        hint="3 to 63 lower-case letters, digits, dots and hyphens.",
    )
