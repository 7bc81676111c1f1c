"""Saves through nbvc's Python API, in the workspace that this process was started in."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from serving import serve

from nbvc import Workspace
from nbvc.stores.base import Capabilities, Overwrite
from nbvc.stores.s3 import S3Store

BODY = b"x" * 20_000


@cache
def workspace() -> Workspace:
    """Return the workspace, which stays open."""
    return Workspace.open()


@cache
def store(endpoint: str, bucket: str) -> S3Store:
    """Return a store whose client stays connected."""
    both = Capabilities(conditional_create=True, conditional_replace=True)
    return S3Store(
        bucket, "", endpoint_url=endpoint, region="us-east-1", profile=None, capabilities=both
    )


def save(path: str, allow_invalid: bool = False) -> dict[str, float]:
    """Save one notebook; it must arrive in the store."""
    opened = workspace()
    start = time.perf_counter()
    (result,) = opened.save(path, allow_invalid=allow_invalid, require_store=True)
    seconds = time.perf_counter() - start
    if not result.saved:
        raise RuntimeError(f"{path} had not changed")
    return {"seconds": seconds}


def burst(path: str, sources: list[str], gap_seconds: float) -> None:
    """Save one content after the other, each so long after the one before or as soon as it can."""
    start = time.monotonic()
    for number, source in enumerate(sources):
        time.sleep(max(0.0, start + number * gap_seconds - time.monotonic()))
        Path(path).write_bytes(Path(source).read_bytes())
        save(path)


def put(endpoint: str, bucket: str) -> dict[str, float]:
    """Write one object."""
    client = store(endpoint, bucket)
    start = time.perf_counter()
    client.put("k", BODY, mode=Overwrite(), metadata={}, content_type="text/plain")
    return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    serve({"save": save, "burst": burst, "put": put})
