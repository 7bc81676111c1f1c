"""Copy a folder of a bucket to here, or one here to a bucket, with boto3 and 16 threads.

Usage: copying.py ENDPOINT BUCKET PREFIX FOLDER [up]
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

THREADS = 16


def main() -> None:
    """Copy."""
    endpoint, bucket, prefix, folder, *up = sys.argv[1:]
    config = Config(max_pool_connections=THREADS)
    client = boto3.client("s3", endpoint_url=endpoint, config=config)
    target = Path(folder)

    def download(key: str) -> None:
        path = target / key.removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def upload(path: Path) -> None:
        key = prefix + str(path.relative_to(target))
        client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    with ThreadPoolExecutor(THREADS) as threads:
        if up:
            list(threads.map(upload, sorted(target.rglob("*.ipynb"))))
            return
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            list(threads.map(download, [entry["Key"] for entry in page.get("Contents", ())]))


if __name__ == "__main__":
    main()
