"""What a person would write with boto3, or with botocore alone: a peer to measure against.

Usage: bare.py boto3|botocore ENDPOINT [MODULES], with requests as lines of ``METHOD TARGET [FILE]``
on standard input. MODULES, separated by commas, are imported first. Without a file, a PUT sends
this one.
"""

import importlib
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


def main() -> None:
    """Make the requests, one after the other."""
    library, endpoint, *modules = sys.argv[1:]
    for name in filter(None, "".join(modules).split(",")):
        # What is optional, and not there, was looked for as well.
        with suppress(ImportError):
            importlib.import_module(name)
    client = None
    for line in sys.stdin:
        client = client or connect(library, endpoint)
        method, target, *file = line.split()
        request(client, method, target, *file)


def connect(library, endpoint):  # noqa: ANN001, ANN201
    """Return a client as the library makes it."""
    if library == "boto3":
        import boto3

        return boto3.client("s3", endpoint_url=endpoint)
    from botocore.session import get_session

    return get_session().create_client("s3", endpoint_url=endpoint)


def request(client, method, target, file=__file__):  # noqa: ANN001, ANN201
    """Make the request that *target* describes, in path style."""
    url = urlsplit(target)
    bucket, _, key = unquote(url.path).lstrip("/").partition("/")
    query = parse_qs(url.query, keep_blank_values=True)
    if method == "PUT":
        return client.put_object(Bucket=bucket, Key=key, Body=Path(file).read_bytes())
    if method == "HEAD":
        # A notebook that is not published is no error, but it is a request.
        with suppress(client.exceptions.ClientError):
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
