"""What a person would write with boto3 alone: a peer to measure against.

Usage: bare.py ENDPOINT [MODULES], with requests as lines of ``METHOD TARGET [FILE]`` on standard
input. MODULES, separated by commas, are imported first. Without a file, a PUT sends this one.
"""

import importlib
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore.exceptions import ClientError


def main() -> None:
    """Make the requests, one after the other."""
    for name in filter(None, "".join(sys.argv[2:]).split(",")):
        # What is optional, and not there, was looked for as well.
        with suppress(ImportError):
            importlib.import_module(name)
    client = None
    for line in sys.stdin:
        client = client or boto3.client("s3", endpoint_url=sys.argv[1])
        method, target, *file = line.split()
        request(client, method, target, *file)


def request(client, method, target, file=__file__):  # noqa: ANN001, ANN201
    """Make the request that *target* describes, in path style."""
    url = urlsplit(target)
    bucket, _, key = unquote(url.path).lstrip("/").partition("/")
    query = parse_qs(url.query, keep_blank_values=True)
    if method == "PUT":
        return client.put_object(Bucket=bucket, Key=key, Body=Path(file).read_bytes())
    if method == "HEAD":
        # A notebook that is not published is no error, but it is a request.
        with suppress(ClientError):
            client.head_object(Bucket=bucket, Key=key)
        return None
    if key:
        named = {"VersionId": query["versionId"][0]} if "versionId" in query else {}
        return client.get_object(Bucket=bucket, Key=key, **named)["Body"].read()
    page = {"Bucket": bucket, "Prefix": query["prefix"][0]}
    if "max-keys" in query:
        page["MaxKeys"] = int(query["max-keys"][0])
    return (client.list_object_versions if "versions" in query else client.list_objects_v2)(**page)


if __name__ == "__main__":
    main()
