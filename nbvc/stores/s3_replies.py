"""From an error reply of S3 to an error of nbvc: one table of codes, one of HTTP statuses.

Codes: Amazon S3 API Reference, "Error responses". A code that is not in the table falls back to its
status, so every reply ends in an ``NbvcError``. Texts are written here, never copied from a server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nbvc import errors as e
from nbvc.stores.s3_call import Call, bad_bucket_name, credentials_expired, outcome_unknown
from nbvc.values import dataclass

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

MAX_RETRY_AFTER_SECONDS = 3600.0
"""A longer wait that a server asks for counts as this."""

_SAFE_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The parts of an error reply that decide what it means."""

    code: str
    status: int
    headers: Mapping[str, str]
    error: Mapping[str, Any]

    @classmethod
    def of(cls, error: ClientError) -> Reply:
        """Take the parts out of botocore's exception, whatever is missing there."""
        details: Mapping[str, Any] = error.response.get("Error", {})
        meta: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
        code = str(details.get("Code", ""))
        return cls(
            code=code if _SAFE_CODE.fullmatch(code) else "no code",
            status=int(meta.get("HTTPStatusCode") or (code if code.isdigit() else 0)),
            headers=meta.get("HTTPHeaders", {}),
            error=details,
        )


def from_reply(reply: Reply, call: Call) -> e.NbvcError:
    """Return our error for an error reply."""
    build = _CODES.get(reply.code) or _STATUSES.get(reply.status)
    if build is not None:
        return build(reply, call)
    if reply.status >= 500:
        return _failed(reply, call)
    return _refused(reply, call)


def _refused(reply: Reply, call: Call) -> e.NbvcError:
    return e.StoreError(
        f"The store refused to {call.action} {call.url}: {reply.code} (HTTP {reply.status})."
    )


def _bad_request(reply: Reply, call: Call) -> e.NbvcError:
    if reply.code not in {"400", "no code"}:
        return _refused(reply, call)
    return e.StoreMisconfigured(
        f"The store refused to {call.action} {call.url} (HTTP 400) without saying why.",
        hint="Check the region and the endpoint: is it an S3 server?",
    )


def _missing(reply: Reply, call: Call) -> e.NbvcError:
    if not call.keyed:
        return _no_bucket(reply, call)
    if call.conditional:  # If-Match on a key without a current object
        return _condition(reply, call)
    if call.changes and not call.reads:  # nothing had to be there
        return _refused(reply, call)
    if reply.headers.get("x-amz-delete-marker") == "true":
        return e.VersionNotFound(
            f"{call.read_url} was deleted.", hint="Its older versions are still in the bucket."
        )
    return e.VersionNotFound(f"There is no {call.read_url} in the store.")


def _not_allowed(reply: Reply, call: Call) -> e.NbvcError:
    if call.reads:
        return e.VersionNotFound(f"{call.read_url} is a delete marker: it has no content.")
    return _refused(reply, call)


def _no_lock(reply: Reply, call: Call) -> e.NbvcError:
    return e.StoreMisconfigured(
        f"The store refused to lock {call.url} ({reply.code}): the bucket {call.bucket} has no "
        "Object Lock, or this machine's clock is wrong.",
        hint=f"nbvc doctor {call.typed_store} finds out which.",
    )


def _invalid_argument(reply: Reply, call: Call) -> e.NbvcError:
    if call.locks:
        return _no_lock(reply, call)
    if call.keyed and "version" in str(reply.error).lower():
        return e.VersionNotFound(f"There is no {call.read_url} in the store.")
    return _refused(reply, call)


def _invalid_request(reply: Reply, call: Call) -> e.NbvcError:
    if call.locks:
        return _no_lock(reply, call)
    if call.keyed and "delete marker" in str(reply.error).lower():
        return e.VersionNotFound(f"{call.read_url} is a delete marker: it has no content.")
    return _refused(reply, call)


def _no_range(_: Reply, call: Call) -> e.NbvcError:
    return e.IntegrityError(f"{call.read_url} is shorter than what was stored there.")


def _no_bucket(_: Reply, call: Call) -> e.NbvcError:
    return e.StoreNotFound(
        f"There is no bucket {call.bucket}.",
        hint=f"Create it: nbvc init {call.typed_store} --create",
    )


def _condition(_: Reply, call: Call) -> e.NbvcError:
    return condition_failed(call.url)


def condition_failed(url: str) -> e.PreconditionFailed:
    """Return the error for a write whose condition does not hold."""
    return e.PreconditionFailed(f"{url} is not in the expected state; nothing was written.")


def _upload_gone(_: Reply, call: Call) -> e.NbvcError:
    if call.changes:
        return outcome_unknown(call, "the store does not know the upload of its parts any more")
    return e.StoreError(
        f"Somebody aborted the upload of {call.url}; nothing was written.",
        hint="Repeat the command.",
    )


def _raced(_: Reply, call: Call) -> e.NbvcError:
    return e.StoreUnavailable(
        f"Another write to {call.url} got in between; nothing was written.",
        hint="Repeat the command.",
    )


def _denied(reply: Reply, call: Call) -> e.NbvcError:
    return e.AccessDenied(
        f"You may not {call.action} {call.url} ({reply.code}).",
        hint=f"Ask the owner of the bucket for the permission {call.permission}, "
        "or choose other credentials with AWS_PROFILE.",
    )


def _unknown_key(_: Reply, call: Call) -> e.NbvcError:
    return e.AccessDenied(
        f"The store does not know your access key, so you may not {call.action} {call.url}.",
        hint="Check which credentials are used: aws configure list.",
    )


def _bad_signature(_: Reply, call: Call) -> e.NbvcError:
    return e.AccessDenied(
        f"Your secret key does not fit your access key, so you may not {call.action} {call.url}.",
        hint="Enter both again: aws configure.",
    )


def _expired_reply(_: Reply, call: Call) -> e.NbvcError:
    return credentials_expired(call)


def _clock(reply: Reply, call: Call) -> e.NbvcError:
    date = str(reply.headers.get("date", ""))[:40]
    there = f"; there it is {date}" if date else ""
    return e.ClockSkewed(
        f"This machine's clock differs too much from that of {call.url}{there}.",
        hint="Set the clock (for example: timedatectl set-ntp true), then repeat the command.",
    )


def _wrong_region(reply: Reply, call: Call) -> e.NbvcError:
    named = reply.headers.get("x-amz-bucket-region") or reply.error.get("Region") or ""
    region = named if _SAFE_CODE.fullmatch(str(named)) else ""
    where = f"in region {region}" if region else "in another region or at another endpoint"
    return e.StoreMisconfigured(
        f"The bucket {call.bucket} is {where}.",
        hint=f"nbvc init {call.typed_store} --region {region or 'REGION'}",
    )


def _bad_region(_: Reply, call: Call) -> e.NbvcError:
    return e.StoreMisconfigured(
        f"The bucket {call.bucket} cannot be made in this region through this endpoint.",
        hint=f"nbvc init {call.typed_store} --create --region REGION, with one that the server "
        "knows; us-east-1 leaves the place to it.",
    )


def _unsupported(reply: Reply, call: Call) -> e.NbvcError:
    if call.conditional:
        return e.StoreMisconfigured(
            f"The store cannot write {call.url} on a condition ({reply.code}): it has no "
            "conditional writes.",
            hint=f"nbvc init {call.typed_store} finds that out and works without them.",
        )
    return e.StoreMisconfigured(f"The store cannot {call.action} {call.url} ({reply.code}).")


def _damaged(_: Reply, call: Call) -> e.NbvcError:
    return e.IntegrityError(
        f"The bytes of {call.url} were damaged on the way; the store did not keep them.",
        hint="Repeat the command; if it fails again, suspect a proxy or this machine's memory.",
    )


def _busy(reply: Reply, call: Call) -> e.NbvcError:
    return e.StoreUnavailable(
        f"The store is too busy to {call.action} {call.url} (HTTP {reply.status}).",
        hint="Try again later.",
        retry_after_seconds=_retry_after(reply.headers),
    )


def _failed(reply: Reply, call: Call) -> e.NbvcError:
    if call.changes:
        return outcome_unknown(
            call,
            f"the store failed with HTTP {reply.status}",
            retry_after_seconds=_retry_after(reply.headers),
        )
    return e.StoreUnavailable(
        f"The store failed to {call.action} {call.url} (HTTP {reply.status}).",
        hint="Try again later.",
        retry_after_seconds=_retry_after(reply.headers),
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:  # absent, or a date
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if seconds >= 0 else None


def _long_key(_: Reply, call: Call) -> e.NbvcError:
    return e.InvalidKey(f"The key of {call.url[:80]}... is too long for the store.")


def _too_large(_: Reply, call: Call) -> e.NbvcError:
    return e.InvalidInput(f"{call.url} is larger than the store takes in one piece.")


def _long_metadata(_: Reply, call: Call) -> e.NbvcError:
    return e.InvalidInput(f"The metadata of {call.url} is larger than the store takes.")


def _bad_bucket(_: Reply, call: Call) -> e.NbvcError:
    return bad_bucket_name(call)


def _taken(_: Reply, call: Call) -> e.NbvcError:
    return e.AlreadyExists(
        f"The bucket name {call.bucket} is taken by somebody else.",
        hint="Choose another name; bucket names are shared by all accounts.",
    )


def _owned(_: Reply, call: Call) -> e.NbvcError:
    return e.AlreadyExists(f"You already have a bucket {call.bucket}.")


def _archived(_: Reply, call: Call) -> e.NbvcError:
    return e.StoreError(
        f"{call.url} is in an archive tier and cannot be read now.",
        hint="Restore it first: aws s3api restore-object.",
    )


_ReplyBuilder = Callable[[Reply, Call], e.NbvcError]

_CODES: dict[str, _ReplyBuilder] = {
    "NoSuchKey": _missing,
    "NoSuchVersion": _missing,
    "NoSuchBucket": _no_bucket,
    "NoSuchUpload": _upload_gone,
    "MethodNotAllowed": _not_allowed,
    "InvalidArgument": _invalid_argument,
    "InvalidRequest": _invalid_request,
    "PreconditionFailed": _condition,
    "ConditionalRequestConflict": _raced,
    "OperationAborted": _raced,
    "AccessDenied": _denied,
    "AllAccessDisabled": _denied,
    "AccountProblem": _denied,
    "NotSignedUp": _denied,
    "InvalidAccessKeyId": _unknown_key,
    "SignatureDoesNotMatch": _bad_signature,
    "ExpiredToken": _expired_reply,
    "TokenRefreshRequired": _expired_reply,
    "InvalidToken": _expired_reply,
    "RequestTimeTooSkewed": _clock,
    "PermanentRedirect": _wrong_region,
    "TemporaryRedirect": _wrong_region,
    "AuthorizationHeaderMalformed": _wrong_region,
    "IllegalLocationConstraintException": _bad_region,
    "InvalidLocationConstraint": _bad_region,
    "NotImplemented": _unsupported,
    "BadDigest": _damaged,
    "InvalidDigest": _damaged,
    "XAmzContentSHA256Mismatch": _damaged,
    "IncompleteBody": _busy,
    "RequestTimeout": _busy,
    "SlowDown": _busy,
    "ServiceUnavailable": _busy,
    "TooManyRequests": _busy,
    "KeyTooLongError": _long_key,
    "KeyTooLong": _long_key,
    "EntityTooLarge": _too_large,
    "MetadataTooLarge": _long_metadata,
    "InvalidBucketName": _bad_bucket,
    "BucketAlreadyExists": _taken,
    "BucketAlreadyOwnedByYou": _owned,
    "InvalidObjectState": _archived,
    "InvalidRange": _no_range,
}

_STATUSES: dict[int, _ReplyBuilder] = {
    301: _wrong_region,
    307: _wrong_region,
    308: _wrong_region,
    400: _bad_request,
    401: _denied,
    403: _denied,
    404: _missing,
    405: _not_allowed,
    408: _busy,
    412: _condition,
    429: _busy,
    501: _unsupported,
    503: _busy,
}
