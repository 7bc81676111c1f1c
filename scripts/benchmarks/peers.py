"""Peers that have an environment of their own, made when one is first needed."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from scripts.benchmarks.surroundings import PROJECT

INSTALLER = PROJECT / "scripts" / "own_environments.py"


class MissingPeer(Exception):
    """A peer cannot be installed here; the message says why."""


@cache
def environment(name: str) -> Path:
    """Return the folder of a peer's environment.

    Raises:
        MissingPeer: It cannot be made.
    """
    ran = subprocess.run(
        [sys.executable, "-E", "-s", "-B", str(INSTALLER), name],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise MissingPeer(f"{name} cannot be installed: {ran.stderr.strip()}")
    return Path(ran.stdout.strip())


def program(name: str) -> str:
    """Return the path of the program *name* of the peer *name*."""
    return str(environment(name) / "bin" / name)


def python(name: str) -> str:
    """Return the Python of the peer *name*."""
    return str(environment(name) / "bin" / "python")
