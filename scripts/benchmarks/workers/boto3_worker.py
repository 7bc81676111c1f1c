"""Writes objects with boto3 alone, its client as it comes."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import boto3
from serving import serve

BODY = b"x" * 20_000


@cache
def client(endpoint: str) -> Any:  # noqa: ANN401
    """Return a client that stays connected."""
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")


def put(endpoint: str, bucket: str) -> dict[str, float]:
    """Write one object."""
    made = client(endpoint)
    start = time.perf_counter()
    made.put_object(Bucket=bucket, Key="k", Body=BODY)
    return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    serve({"put": put})
