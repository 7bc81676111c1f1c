"""A bucket of a test's S3 server, as bookstore or the aws tool would see it."""

from __future__ import annotations

import urllib.request
from typing import Any

import boto3

NAME = "notebooks"


class Bucket:
    """An empty bucket that keeps versions; all else in the server is gone.

    Args:
        endpoint: Address of the server, which must be moto.
    """

    def __init__(self, endpoint: str) -> None:
        reset = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()
        self.endpoint = endpoint
        self.client: Any = boto3.client("s3")
        self.make(NAME)

    def make(self, name: str, *, versions: bool = True) -> None:
        """Make a bucket."""
        self.client.create_bucket(Bucket=name)
        if versions:
            self.client.put_bucket_versioning(
                Bucket=name, VersioningConfiguration={"Status": "Enabled"}
            )

    def put(self, key: str, data: bytes, bucket: str = NAME) -> str:
        """Store an object; return its version ID, or nothing where there are no versions."""
        stored = self.client.put_object(Bucket=bucket, Key=key, Body=data)
        found: str = stored.get("VersionId", "")
        return found

    def get(self, key: str) -> bytes:
        """Return the bytes of an object."""
        found: bytes = self.client.get_object(Bucket=NAME, Key=key)["Body"].read()
        return found

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys of all objects that begin with *prefix*, but for nbvc's index."""
        found = self.client.list_objects_v2(Bucket=NAME, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found if not entry["Key"].startswith(".nbvc/")]

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()
