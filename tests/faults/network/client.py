"""Runs commands on S3 in forks of itself; started by ``world.Client``."""

from __future__ import annotations

import os
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session

from nbvc import environment
from tests.faults.forked import import_everything, serve
from tests.s3_server import REGION


def main() -> None:
    """Serve until standard input ends."""
    import_everything("nbvc.diffing")
    read_descriptions_once()
    boto3.client("s3", region_name=REGION).close()
    serve(_note_pauses)


def read_descriptions_once() -> None:
    """Let botocore remember its descriptions of services: it reads them anew for each client."""
    botocore.session.create_loader = cache(botocore.session.create_loader)


def _note_pauses(job: dict[str, Any]) -> None:
    """Let the command not wait, but note how long it would."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    pauses = os.open(job["pauses"], flags, 0o600)

    def note(seconds: float) -> None:
        os.write(pauses, f"{seconds}\n".encode())

    environment.time = SimpleNamespace(sleep=note)  # type: ignore[assignment]


if __name__ == "__main__":
    main()
