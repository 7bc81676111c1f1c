"""From what botocore and urllib3 raise to the errors of nbvc; no exception gets past it.

Texts are written here, never copied from an exception, which may hold key IDs, tokens or URLs.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any

import botocore.exceptions as bc
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError as Urllib3Error

from nbvc import errors as e
from nbvc.stores.s3_call import Call, bad_bucket_name, credentials_expired, outcome_unknown
from nbvc.stores.s3_replies import Reply, from_reply

FOREIGN = (bc.BotoCoreError, bc.ClientError, ResponseParserError, Urllib3Error)
"""What the libraries below raise on purpose."""

_CREDENTIALS_HINT = (
    "Run aws configure, or set AWS_PROFILE, or name a profile: nbvc init {store} --profile NAME."
)


@contextmanager
def translated(call: Call) -> Iterator[None]:
    """Turn every exception of botocore and urllib3 inside into one of ours."""
    try:
        yield
    except FOREIGN as error:
        raise translate(error, call) from error
    except RuntimeError as error:
        # botocore.credentials raises a bare RuntimeError when a refresh brings expired credentials.
        if not str(error).startswith("Credentials were refreshed"):
            raise
        raise credentials_expired(call) from error
    except (ValueError, TypeError, OverflowError) as error:
        if not _comes_from_a_reply(error):
            raise
        raise _unreadable(error, call) from error


def _comes_from_a_reply(error: Exception) -> bool:
    """Return whether botocore met *error* in a reply: a date or a number that is none.

    Its parsers let pass what ``int`` and the like raise.
    """
    frames = walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") == "botocore.parsers" for frame, _ in frames)


def translate(error: Exception, call: Call) -> e.NbvcError:
    """Return our error for an exception of the libraries below."""
    if isinstance(error, bc.ClientError):
        return from_reply(Reply.of(error), call)
    for classes, build in _EXCEPTIONS:
        if isinstance(error, classes):
            return build(error, call)
    return e.StoreError(f"Could not {call.action} {call.url} ({type(error).__name__}).")


def _not_reached(_: Exception, call: Call) -> e.NbvcError:
    return e.StoreUnavailable(
        f"Could not connect to the store to {call.action} {call.url}.",
        hint="Check the network, the proxy and the endpoint; nothing was changed.",
    )


def _cut(_: Exception, call: Call) -> e.NbvcError:
    if call.changes:
        return outcome_unknown(call, "the connection broke before the store replied")
    return e.StoreUnavailable(
        f"The connection broke while nbvc tried to {call.action} {call.url}.",
        hint="Check the network, then try again.",
    )


def _tls(error: Exception, call: Call) -> e.NbvcError:
    cause = getattr(error, "kwargs", {}).get("error", error)
    text = str(cause)
    if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in text:
        return e.StoreMisconfigured(
            f"The store's certificate is not trusted, so nbvc will not {call.action} {call.url}.",
            hint="Name the right authority in AWS_CA_BUNDLE.",
        )
    if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text:
        return e.StoreMisconfigured(
            f"The endpoint of {call.url} does not speak TLS.",
            hint="Does its address begin with http://?",
        )
    return _cut(error, call)


def _unreadable(_: Exception, call: Call) -> e.NbvcError:
    if call.changes:
        return outcome_unknown(call, "its reply could not be read")
    return e.StoreUnavailable(
        f"The reply about {call.url} could not be read.",
        hint="Is the endpoint an S3 server? If so, try again.",
    )


def _mismatch(_: Exception, call: Call) -> e.NbvcError:
    return e.IntegrityError(f"The bytes of {call.url} do not fit the checksum the store keeps.")


def _no_credentials(_: Exception, call: Call) -> e.NbvcError:
    return e.CredentialsMissing(
        f"No credentials were found to {call.action} {call.url}.",
        hint=_CREDENTIALS_HINT.format(store=call.typed_store),
    )


def _half_credentials(_: Exception, call: Call) -> e.NbvcError:
    return e.CredentialsMissing(
        f"The credentials for s3://{call.bucket} are incomplete or could not be fetched.",
        hint=_CREDENTIALS_HINT.format(store=call.typed_store),
    )


def _expired_login(_: Exception, call: Call) -> e.NbvcError:
    return credentials_expired(call)


def _no_profile(error: Exception, _: Call) -> e.NbvcError:
    profile = str(getattr(error, "kwargs", {}).get("profile", ""))
    return e.InvalidConfig(
        f"There is no profile {profile!r} in the AWS configuration.",
        hint="List them: aws configure list-profiles.",
    )


def _bad_aws_config(_: Exception, call: Call) -> e.NbvcError:
    return e.InvalidConfig(
        f"The AWS configuration for s3://{call.bucket} cannot be used.",
        hint="Check ~/.aws/config, ~/.aws/credentials and the AWS_* variables.",
    )


def _bad_endpoint(_: Exception, call: Call) -> e.NbvcError:
    return e.StoreMisconfigured(
        f"The endpoint or the region of s3://{call.bucket} cannot be used.",
        hint=f"nbvc init {call.typed_store} --endpoint-url https://HOST --region REGION",
    )


def _bad_parameter(_: Exception, call: Call) -> e.NbvcError:
    if call.keyed:
        return e.InvalidInput(f"S3 cannot hold {call.url} with these values.")
    return bad_bucket_name(call)


def _if_known(name: str) -> tuple[type[Exception], ...]:
    """Return the exception class of this name, which older releases of botocore do not have."""
    found = getattr(bc, name, None)
    return (found,) if found else ()


_Builder = Callable[[Any, Call], e.NbvcError]

_EXCEPTIONS: list[tuple[type[Exception] | tuple[type[Exception], ...], _Builder]] = [
    ((bc.SSLError, ssl.SSLError), _tls),
    (
        (bc.EndpointConnectionError, bc.ConnectTimeoutError, bc.ProxyConnectionError),
        _not_reached,
    ),
    ((bc.FlexibleChecksumError, bc.ChecksumError), _mismatch),
    ((bc.NoCredentialsError, bc.NoAuthTokenError), _no_credentials),
    (
        (
            bc.UnauthorizedSSOTokenError,
            bc.SSOTokenLoadError,
            bc.TokenRetrievalError,
            bc.RefreshWithMFAUnsupportedError,
            *_if_known("LoginError"),
        ),
        _expired_login,
    ),
    (
        (bc.PartialCredentialsError, bc.CredentialRetrievalError, bc.MetadataRetrievalError),
        _half_credentials,
    ),
    (bc.ProfileNotFound, _no_profile),
    (
        (
            bc.EndpointProviderError,
            bc.InvalidEndpointConfigurationError,
            bc.BaseEndpointResolverError,
            bc.InvalidRegionError,
            bc.InvalidProxiesConfigError,
            bc.UnsupportedS3ConfigurationError,
            bc.InvalidHostLabelError,
        ),
        _bad_endpoint,
    ),
    (
        (
            bc.ConfigParseError,
            bc.ConfigNotFound,
            bc.InvalidConfigError,
            bc.InvalidDefaultsMode,
            bc.InvalidRetryConfigurationError,
            bc.InvalidS3AddressingStyleError,
            bc.UnknownCredentialError,
            bc.SSOError,
            bc.MissingDependencyException,
        ),
        _bad_aws_config,
    ),
    ((bc.ParamValidationError, bc.ValidationError, bc.InvalidDNSNameError), _bad_parameter),
    (ResponseParserError, _unreadable),
    (
        (bc.HTTPClientError, bc.ConnectionError, bc.IncompleteReadError, Urllib3Error),
        _cut,
    ),
]
"""First match wins: subclasses stand before their bases."""
