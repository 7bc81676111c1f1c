"""Where requests to S3 go, and with what kind of credentials: never a value of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import NoCredentialsError

from nbvc.stores.s3_call import Call
from nbvc.stores.s3_errors import translated

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_s3 import S3Client

_KINDS = {
    "env": "environment variables",
    "shared-credentials-file": "the AWS credentials file",
    "config-file": "the AWS configuration file",
    "boto-config": "the old boto configuration file",
    "ec2-credentials-file": "the old file of EC2 credentials",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "a role assumed with a web identity",
    "sso": "AWS IAM Identity Center (SSO)",
    "login": "an AWS console login",
    "custom-process": "a program (credential_process)",
    "container-role": "the role of this container",
    "iam-role": "the role of this machine",
}
"""What botocore calls the places that credentials come from, in words."""


class S3Connection:
    """How one store reaches its server.

    Args:
        session: The AWS configuration.
        client: Made from it.
        bucket: Name of the bucket, for errors.
        store_url: The store in it, for their hints.
    """

    def __init__(self, session: Session, client: S3Client, *, bucket: str, store_url: str) -> None:
        self._session = session
        self._client = client
        self._bucket = bucket
        self._store_url = store_url

    @property
    def endpoint(self) -> str:
        """The address that requests go to: scheme, host and port, and nothing else of it."""
        parts = urlsplit(self._client.meta.endpoint_url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}"

    @property
    def region(self) -> str:
        """The region that requests are signed for."""
        return self._client.meta.region_name

    def credentials_kind(self) -> str:
        """Return where the credentials come from. May ask the service of a machine's role.

        Raises:
            CredentialsMissing: There are none, or not all of them.
        """
        call = Call.on_bucket(
            self._bucket, self._store_url, action="open", permission="s3:ListBucket"
        )
        with translated(call):
            found = self._session.get_credentials()
            if found is None:
                raise NoCredentialsError
        return _KINDS.get(found.method, "another source")
