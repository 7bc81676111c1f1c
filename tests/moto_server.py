"""An S3 server for commands that run in processes of their own: moto, on loopback, empty."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

REGION = "us-east-1"


@contextmanager
def serve_moto() -> Iterator[str]:
    """Run an empty server, and give its address."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        # What an earlier server of this process was told is still there.
        reset = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()
        yield endpoint
    finally:
        server.stop()


def aws_variables(endpoint: str, *, key: str = "ana", secret: str = "secret") -> dict[str, str]:
    """Return the environment variables that send AWS clients there."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
