"""Which store a URL means, and how to open it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from nbvc.errors import InvalidInput, InvalidKey
from nbvc.model import check_key_path
from nbvc.stores.base import Capabilities
from nbvc.text import has_controls
from nbvc.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbvc.stores.base import Store
    from nbvc.stores.s3 import S3Store
    from nbvc.stores.s3_patience import PatientBucket

S3_SCHEME = "s3://"
FILE_SCHEME = "file://"
_FORMS = "A store is s3://bucket, s3://bucket/root, or the absolute path of a folder."
_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]*)://"
_BUCKET = r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]"
_LONGEST_OUTAGE_SECONDS = 60.0
"""How long a command waits for a store that does not answer, with the usual timeout."""
_LEAST_RETRYING_SECONDS = 10.0
"""How long it tries again at least, for a user who chose to bear a long silence."""
_NOTHING_KNOWN = Capabilities(conditional_create=False, conditional_replace=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """How to reach an S3 server; ``None`` leaves it to the AWS configuration.

    Attributes:
        endpoint_url: Address of an S3 server that is not AWS.
        region: Region to sign for.
        profile: Profile in the AWS configuration.
        timeout_seconds: Longest silence of an S3 server, and longest wait for a connection, before
            a request counts as lost.
    """

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    timeout_seconds: float = 20.0


_DEFAULTS = ConnectionOptions()


def open_store(
    url: str,
    *,
    options: ConnectionOptions = _DEFAULTS,
    capabilities: Capabilities | None = None,
    sleep: Callable[[float], None],
    jitter: Callable[[], float],
    room: Path | None = None,
    create: bool = False,
) -> Store:
    """Open the store that *url* names. A bucket is not asked anything; a folder is looked at.

    Args:
        url: ``s3://bucket[/root]``, ``file:///folder``, or the absolute path of a folder.
        options: For S3 only.
        capabilities: What an S3 store was found to do; by default it is trusted with nothing. The
            embedded store knows for itself.
        sleep: Waits for so many seconds, before an S3 request is tried again.
        jitter: Returns a random number from 0 up to 1.
        room: A folder for large objects while they are in use, so that memory need not hold them.
        create: Make the folder of an embedded store where it is missing. Makes no bucket.

    Returns:
        The store; S3 is wrapped so that it tries again what may be tried again.

    Raises:
        InvalidInput: The URL cannot be read.
        StoreNotFound: There is no such folder, and *create* is False.
        InvalidConfig: The AWS configuration cannot be used.
    """
    if not url.startswith(S3_SCHEME):
        from nbvc.stores.local import LocalStore

        return LocalStore(parse_folder(url), create=create)
    # botocore takes longer to import than most commands on the embedded store take in all.
    from nbvc.stores.retry import RetryingStore, RetryPolicy
    from nbvc.stores.s3 import S3Store

    bucket, root = parse_s3_url(url)
    store = S3Store(
        bucket,
        root,
        endpoint_url=options.endpoint_url,
        region=options.region,
        profile=options.profile,
        timeout_seconds=options.timeout_seconds,
        capabilities=capabilities or _NOTHING_KNOWN,
        room=room,
    )
    # The last attempt may be a silence as long as the first, and belongs to what is waited.
    last_begin = max(_LONGEST_OUTAGE_SECONDS - options.timeout_seconds, _LEAST_RETRYING_SECONDS)
    policy = RetryPolicy(deadline_seconds=last_begin)
    retrying = RetryingStore(store, policy, sleep=sleep, jitter=jitter)
    store.repeat = retrying.repeat
    return retrying


def find_s3(store: Store) -> S3Store | None:
    """Return the S3 store that *store* is or wraps; ``None`` for any other."""
    if not store.url.startswith(S3_SCHEME):
        return None
    from nbvc.stores.s3 import S3Store

    inner = getattr(store, "inner", store)
    return inner if isinstance(inner, S3Store) else None


def find_bucket(store: Store) -> PatientBucket | None:
    """Return the bucket of an S3 store, for requests that are tried again; ``None`` for any other.

    A store that is not wrapped, as tests have it, tries them once.
    """
    found = find_s3(store)
    if found is None:
        return None
    from nbvc.stores.retry import RetryingStore
    from nbvc.stores.s3_patience import PatientBucket, once

    repeat = store.repeat if isinstance(store, RetryingStore) else once
    return PatientBucket(found.administration, repeat)


def parse_s3_url(url: str) -> tuple[str, str]:
    """Split ``s3://bucket[/root]`` into the bucket and the root, without slashes at its ends.

    The root is taken as it is written: nothing in it is percent-decoded. Messages repeat no part of
    the URL that may be a secret.

    Raises:
        InvalidInput: It is no such URL, holds credentials, a query or a fragment, or names a root
            that cannot begin a key.
    """
    if not url.startswith(S3_SCHEME):
        raise _unreadable(url)
    bucket, _, root = url.removeprefix(S3_SCHEME).partition("/")
    if "@" in bucket or ":" in bucket:
        raise InvalidInput(
            "The URL of a store holds no credentials and no port, and this one has '@' or ':' where"
            " the bucket's name belongs.",
            hint="Write s3://bucket/root; keep keys in the AWS configuration (aws configure), and"
            " name another server with --endpoint-url.",
        )
    if any(mark in bucket + root for mark in "?#%"):
        raise InvalidInput(
            "The URL of a store cannot hold '?', '#' or '%'.",
            hint="Write s3://bucket/root, with the root as it is, not percent-encoded.",
        )
    if not re.fullmatch(_BUCKET, bucket):
        raise InvalidInput(
            f"{bucket!a} cannot be the name of a bucket." if bucket else "The URL names no bucket.",
            hint=_FORMS,
        )
    return bucket, _checked_root(root.strip("/"))


def _checked_root(root: str) -> str:
    if root:
        try:
            check_key_path(root)
        except InvalidKey as error:
            raise InvalidInput(
                f"The root of the store cannot be used: {error.message}", hint=_FORMS
            ) from error
    return root


def parse_folder(url: str) -> Path:
    """Return the folder that ``file:///folder`` (percent-encoded) or an absolute path names.

    Raises:
        InvalidInput: It is neither, or names another machine.
    """
    if has_controls(url):
        raise InvalidInput(f"{url!a} holds a character that no store's name can hold.")
    if not url.startswith(FILE_SCHEME):
        if re.match(_SCHEME, url) or not Path(url).is_absolute():
            raise _unreadable(url)
        return Path(url)
    host, _, path = url.removeprefix(FILE_SCHEME).partition("/")
    if host not in {"", "localhost"}:
        raise InvalidInput(
            "A file URL names a folder of this machine: three slashes, then its path.",
            hint="Write file:///path/to/folder.",
        )
    if "?" in path or "#" in path:
        raise InvalidInput(
            "The URL of a store cannot hold '?' or '#'; in a folder's name they are %3F and %23.",
            hint="Write the absolute path of the folder instead.",
        )
    return _absolute("/" + unquote(path))


def _absolute(path: str) -> Path:
    # file:///C:/folder has the path /C:/folder
    folder = Path(path.removeprefix("/") if os.name == "nt" else path)
    if not folder.is_absolute() or "\0" in path:
        raise _unreadable(path)
    return folder


def _unreadable(url: str) -> InvalidInput:
    scheme = re.match(_SCHEME, url)
    if scheme:
        # What follows may hold a password.
        return InvalidInput(
            f"A store's URL begins with {S3_SCHEME} or {FILE_SCHEME}, not {scheme[0]}.",
            hint="For an S3 server that is not AWS, write s3://bucket and --endpoint-url.",
        )
    return InvalidInput(f"{url!a} names no store.", hint=_FORMS)
