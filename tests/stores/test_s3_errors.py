"""What S3 and botocore can say, and which of our errors it becomes."""

from __future__ import annotations

import inspect
import ssl
from dataclasses import replace
from typing import Any

import botocore.exceptions as bc
import pytest
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ProtocolError

from nbvc import errors as e
from nbvc.stores.s3_call import Call
from nbvc.stores.s3_errors import FOREIGN, translate, translated

READ = Call(
    action="read",
    permission="s3:GetObject",
    bucket="my-bucket",
    store="s3://my-bucket",
    url="s3://my-bucket/k",
)
WRITE = Call(
    action="write",
    permission="s3:PutObject",
    bucket="my-bucket",
    store="s3://my-bucket",
    url="s3://my-bucket/k",
    changes=True,
)
CREATE = replace(WRITE, conditional=True)
COPY = replace(WRITE, action="copy to", source="s3://my-bucket/source")
LIST = Call(
    action="list",
    permission="s3:ListBucket",
    bucket="my-bucket",
    store="s3://my-bucket",
    url="s3://my-bucket/",
    keyed=False,
)
SECRETS = ("AKIACANARY", "canary-secret", "X-Amz-Signature=canary", "canary-token")
LEAKY = " ".join(SECRETS)


def answer(
    status: int, code: str, *, message: str = LEAKY, headers: dict[str, str] | None = None
) -> bc.ClientError:
    """Return botocore's exception for a reply that repeats secrets."""
    response: Any = {
        "Error": {"Code": code, "Message": message, "AWSAccessKeyId": SECRETS[0]},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
    }
    return bc.ClientError(response, "PutObject")


REPLIES: list[tuple[Call, int, str, type[e.NbvcError]]] = [
    (READ, 404, "NoSuchKey", e.VersionNotFound),
    (READ, 404, "NoSuchVersion", e.VersionNotFound),
    (READ, 404, "404", e.VersionNotFound),
    (READ, 405, "MethodNotAllowed", e.VersionNotFound),
    (READ, 405, "405", e.VersionNotFound),
    (COPY, 404, "NoSuchKey", e.VersionNotFound),
    (COPY, 404, "NoSuchVersion", e.VersionNotFound),
    (CREATE, 404, "NoSuchKey", e.PreconditionFailed),
    (WRITE, 404, "404", e.StoreError),
    (WRITE, 405, "405", e.StoreError),
    (READ, 404, "NoSuchBucket", e.StoreNotFound),
    (LIST, 404, "NoSuchBucket", e.StoreNotFound),
    (LIST, 404, "404", e.StoreNotFound),
    (CREATE, 412, "PreconditionFailed", e.PreconditionFailed),
    (CREATE, 412, "412", e.PreconditionFailed),
    (CREATE, 409, "ConditionalRequestConflict", e.StoreUnavailable),
    (WRITE, 409, "OperationAborted", e.StoreUnavailable),
    (READ, 403, "AccessDenied", e.AccessDenied),
    (READ, 403, "403", e.AccessDenied),
    (READ, 403, "InvalidAccessKeyId", e.AccessDenied),
    (READ, 403, "SignatureDoesNotMatch", e.AccessDenied),
    (READ, 401, "Unauthorized", e.AccessDenied),
    (READ, 400, "ExpiredToken", e.CredentialsExpired),
    (READ, 400, "InvalidToken", e.CredentialsExpired),
    (READ, 403, "RequestTimeTooSkewed", e.ClockSkewed),
    (READ, 301, "PermanentRedirect", e.StoreMisconfigured),
    (READ, 301, "301", e.StoreMisconfigured),
    (READ, 307, "TemporaryRedirect", e.StoreMisconfigured),
    (READ, 400, "AuthorizationHeaderMalformed", e.StoreMisconfigured),
    (LIST, 400, "IllegalLocationConstraintException", e.StoreMisconfigured),
    (READ, 400, "400", e.StoreMisconfigured),
    (READ, 501, "NotImplemented", e.StoreMisconfigured),
    (CREATE, 501, "NotImplemented", e.StoreMisconfigured),
    (CREATE, 501, "501", e.StoreMisconfigured),
    (WRITE, 400, "BadDigest", e.IntegrityError),
    (WRITE, 400, "XAmzContentSHA256Mismatch", e.IntegrityError),
    (WRITE, 400, "KeyTooLongError", e.InvalidKey),
    (WRITE, 400, "EntityTooLarge", e.InvalidInput),
    (WRITE, 400, "MetadataTooLarge", e.InvalidInput),
    (WRITE, 400, "RequestTimeout", e.StoreUnavailable),
    (WRITE, 503, "SlowDown", e.StoreUnavailable),
    (WRITE, 503, "ServiceUnavailable", e.StoreUnavailable),
    (WRITE, 503, "503", e.StoreUnavailable),
    (WRITE, 429, "TooManyRequests", e.StoreUnavailable),
    (WRITE, 500, "InternalError", e.OutcomeUnknown),
    (WRITE, 502, "502", e.OutcomeUnknown),
    (WRITE, 504, "504", e.OutcomeUnknown),
    (WRITE, 599, "Surprise", e.OutcomeUnknown),
    (READ, 500, "InternalError", e.StoreUnavailable),
    (READ, 502, "502", e.StoreUnavailable),
    (READ, 504, "504", e.StoreUnavailable),
    (READ, 503, "SlowDown", e.StoreUnavailable),
    (READ, 403, "InvalidObjectState", e.StoreError),
    (LIST, 409, "BucketAlreadyExists", e.AlreadyExists),
    (LIST, 409, "BucketAlreadyOwnedByYou", e.AlreadyExists),
    (LIST, 400, "InvalidBucketName", e.InvalidConfig),
    (WRITE, 400, "NeverHeardOf", e.StoreError),
    (WRITE, 418, "Teapot", e.StoreError),
    (WRITE, 200, "", e.StoreError),
    (WRITE, 0, "", e.StoreError),
]


@pytest.mark.parametrize(
    ("call", "status", "code", "expected"),
    REPLIES,
    ids=[f"{call.action}-{status}-{code}" for call, status, code, _ in REPLIES],
)
def test_every_reply_becomes_exactly_one_error(
    call: Call, status: int, code: str, expected: type[e.NbvcError]
) -> None:
    """The table of replies, one line each; the class is exact, not a child of it."""
    assert type(translate(answer(status, code), call)) is expected


@pytest.mark.parametrize("status", range(300, 600, 7))
def test_a_code_that_nobody_knows_still_becomes_an_error_of_ours(status: int) -> None:
    """Whatever the status, an unlisted code ends in a StoreError or one of its neighbours."""
    for call in (READ, WRITE, CREATE, COPY, LIST):
        assert isinstance(translate(answer(status, "Unheard"), call), e.NbvcError)


def test_an_unlisted_code_is_named() -> None:
    """What we cannot explain, the reader can look up."""
    assert "NeverHeardOf (HTTP 400)" in translate(answer(400, "NeverHeardOf"), WRITE).message


def test_an_empty_reply_still_becomes_an_error_of_ours() -> None:
    """Botocore's exception may hold none of the usual parts."""
    assert type(translate(bc.ClientError({}, "GetObject"), READ)) is e.StoreError


EXCEPTIONS: list[tuple[Exception, type[e.NbvcError], type[e.NbvcError]]] = [
    (bc.EndpointConnectionError(endpoint_url=LEAKY), e.StoreUnavailable, e.StoreUnavailable),
    (bc.ConnectTimeoutError(endpoint_url=LEAKY), e.StoreUnavailable, e.StoreUnavailable),
    (bc.ProxyConnectionError(proxy_url=LEAKY), e.StoreUnavailable, e.StoreUnavailable),
    (bc.ReadTimeoutError(endpoint_url=LEAKY), e.StoreUnavailable, e.OutcomeUnknown),
    (bc.ConnectionClosedError(endpoint_url=LEAKY), e.StoreUnavailable, e.OutcomeUnknown),
    (bc.HTTPClientError(error=LEAKY), e.StoreUnavailable, e.OutcomeUnknown),
    (bc.ResponseStreamingError(error=LEAKY), e.StoreUnavailable, e.OutcomeUnknown),
    (
        bc.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        e.StoreUnavailable,
        e.OutcomeUnknown,
    ),
    (ProtocolError(LEAKY), e.StoreUnavailable, e.OutcomeUnknown),
    (ResponseParserError(LEAKY), e.StoreUnavailable, e.OutcomeUnknown),
    (
        bc.SSLError(endpoint_url=LEAKY, error=ssl.SSLError("EOF occurred")),
        e.StoreUnavailable,
        e.OutcomeUnknown,
    ),
    (
        bc.SSLError(endpoint_url=LEAKY, error=ssl.SSLCertVerificationError("self-signed")),
        e.StoreMisconfigured,
        e.StoreMisconfigured,
    ),
    (
        bc.SSLError(endpoint_url=LEAKY, error=ssl.SSLError("[SSL: WRONG_VERSION_NUMBER]")),
        e.StoreMisconfigured,
        e.StoreMisconfigured,
    ),
    (bc.FlexibleChecksumError(error_msg=LEAKY), e.IntegrityError, e.IntegrityError),
    (bc.NoCredentialsError(), e.CredentialsMissing, e.CredentialsMissing),
    (
        bc.PartialCredentialsError(provider="env", cred_var=LEAKY),
        e.CredentialsMissing,
        e.CredentialsMissing,
    ),
    (
        bc.CredentialRetrievalError(provider="process", error_msg=LEAKY),
        e.CredentialsMissing,
        e.CredentialsMissing,
    ),
    (bc.MetadataRetrievalError(error_msg=LEAKY), e.CredentialsMissing, e.CredentialsMissing),
    (bc.UnauthorizedSSOTokenError(), e.CredentialsExpired, e.CredentialsExpired),
    (bc.SSOTokenLoadError(error_msg=LEAKY), e.CredentialsExpired, e.CredentialsExpired),
    (
        bc.TokenRetrievalError(provider="sso", error_msg=LEAKY),
        e.CredentialsExpired,
        e.CredentialsExpired,
    ),
    (bc.ProfileNotFound(profile="nobody"), e.InvalidConfig, e.InvalidConfig),
    (bc.ConfigParseError(path="x"), e.InvalidConfig, e.InvalidConfig),
    (bc.InvalidConfigError(error_msg=LEAKY), e.InvalidConfig, e.InvalidConfig),
    (bc.NoRegionError(), e.StoreMisconfigured, e.StoreMisconfigured),
    (bc.InvalidRegionError(region_name="x y"), e.StoreMisconfigured, e.StoreMisconfigured),
    (bc.EndpointResolutionError(msg=LEAKY), e.StoreMisconfigured, e.StoreMisconfigured),
    (bc.InvalidEndpointConfigurationError(msg=LEAKY), e.StoreMisconfigured, e.StoreMisconfigured),
    (bc.ParamValidationError(report=LEAKY), e.InvalidInput, e.InvalidInput),
    (bc.DataNotFoundError(data_path="x"), e.StoreError, e.StoreError),
]


@pytest.mark.parametrize(
    ("error", "when_reading", "when_writing"),
    EXCEPTIONS,
    ids=[f"{type(error).__name__}-{number}" for number, (error, _, _) in enumerate(EXCEPTIONS)],
)
def test_every_exception_becomes_exactly_one_error(
    error: Exception, when_reading: type[e.NbvcError], when_writing: type[e.NbvcError]
) -> None:
    """What breaks after a write was sent leaves its outcome open; a read can be repeated."""
    assert type(translate(error, READ)) is when_reading
    assert type(translate(error, WRITE)) is when_writing


def every_exception() -> list[type[Exception]]:
    """Return every exception class of botocore, in whatever release is installed."""
    found = [each for _, each in inspect.getmembers(bc, inspect.isclass)]
    return [each for each in found if issubclass(each, bc.BotoCoreError | bc.ClientError)]


@pytest.mark.parametrize("kind", every_exception(), ids=lambda kind: kind.__name__)
def test_no_exception_of_botocore_is_left_out(kind: type[Exception]) -> None:
    """Every class that botocore knows is caught and becomes an error of ours, secrets left out."""
    error = kind.__new__(kind)
    Exception.__init__(error, LEAKY)
    if isinstance(error, bc.ClientError):
        error.response = {}
    with pytest.raises(e.NbvcError) as caught, translated(WRITE):
        raise error
    assert issubclass(kind, FOREIGN)
    assert caught.value.__cause__ is error
    assert not any(secret in str(caught.value.to_dict()) for secret in SECRETS)


@pytest.mark.parametrize("call", [READ, WRITE, CREATE, COPY, LIST], ids=lambda call: call.action)
def test_no_message_repeats_what_a_server_or_a_library_said(call: Call) -> None:
    """Key IDs, tokens and signed URLs in replies and exceptions do not reach our messages."""
    errors = [answer(status, code) for _, status, code, _ in REPLIES]
    for error in [*errors, *[each for each, _, _ in EXCEPTIONS], answer(400, LEAKY)]:
        shown = str(translate(error, call).to_dict())
        assert not any(secret in shown for secret in SECRETS)


def test_every_message_names_the_thing_and_most_give_a_hint() -> None:
    """Each message names the bucket or the object; what a person can mend says how."""
    for call, status, code, expected in REPLIES:
        error = translate(answer(status, code), call)
        assert "my-bucket" in error.message
        if issubclass(expected, (e.AccessDenied, e.StoreNotFound, e.ClockSkewed)):
            assert error.hint


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (answer(403, "AccessDenied"), ["may not write s3://my-bucket/k", "s3:PutObject"]),
        (answer(404, "NoSuchBucket"), ["no bucket my-bucket", "nbvc init s3://my-bucket --create"]),
        (
            answer(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
            ["region eu-west-1", "nbvc init s3://my-bucket --region eu-west-1"],
        ),
        (answer(301, "PermanentRedirect"), ["another region", "--region REGION"]),
        (bc.NoCredentialsError(), ["aws configure", "AWS_PROFILE", "--profile"]),
        (bc.ProfileNotFound(profile="nobody"), ["'nobody'", "list-profiles"]),
        (answer(400, "ExpiredToken"), ["expired", "aws sso login"]),
        (
            answer(403, "RequestTimeTooSkewed", headers={"date": "Mon, 02 Nov 2026 10:00:00 GMT"}),
            ["clock", "Mon, 02 Nov 2026 10:00:00 GMT", "timedatectl"],
        ),
        (answer(501, "NotImplemented"), ["conditional writes", "nbvc init s3://my-bucket"]),
    ],
    ids=lambda value: "" if isinstance(value, list) else type(value).__name__,
)
def test_a_message_tells_the_cause_and_the_next_step(error: Exception, words: list[str]) -> None:
    """What a person needs to mend it is in the message or its hint."""
    ours = translate(error, CREATE)
    assert all(word in f"{ours.message} {ours.hint}" for word in words)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("99999999", 3600.0),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("Fri, 31 Dec 2027 23:59:59 GMT", None),
    ],
)
def test_a_wait_that_the_store_asks_for_is_kept_within_bounds(
    value: str, seconds: float | None
) -> None:
    """Retry-After in seconds is passed on, up to an hour; nonsense and dates are not."""
    error = translate(answer(503, "SlowDown", headers={"retry-after": value}), READ)
    assert isinstance(error, e.StoreUnavailable)
    assert error.retry_after_seconds == seconds
    error = translate(answer(500, "InternalError", headers={"retry-after": value}), WRITE)
    assert isinstance(error, e.OutcomeUnknown)
    assert error.retry_after_seconds == seconds


def test_credentials_that_are_expired_after_a_refresh_are_told_as_such() -> None:
    """Botocore says so with a bare RuntimeError."""
    with pytest.raises(e.CredentialsExpired), translated(READ):
        raise RuntimeError("Credentials were refreshed, but the refreshed ones are still expired.")


def test_a_defect_is_not_dressed_up() -> None:
    """Other exceptions pass as they are: they are ours to mend."""
    with pytest.raises(RuntimeError, match="defect"), translated(READ):
        raise RuntimeError("defect")
