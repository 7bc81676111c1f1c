"""Runs commands in forks of itself, with ``strike.c`` loaded; started by ``striking.Disk``."""

from __future__ import annotations

import ctypes
import os
import sys

from tests.faults.forked import import_everything, serve


def main() -> None:
    """Serve until standard input ends."""
    if "--warm" in sys.argv:
        import_everything("nbvc.diffing", "nbvc.stores.s3")
    serve(lambda job: _arm(**job["strike"]))


def _arm(
    *, below: str, kinds: str, at: int, error: int, for_ever: bool, log: str, data: str | None
) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
    ctypes.CDLL(None).strike_arm(
        below.encode(),
        kinds.encode(),
        ctypes.c_long(at),
        error,
        int(for_ever),
        os.open(log, flags, 0o600),
        os.open(data, flags, 0o600) if data else -1,
    )


if __name__ == "__main__":
    main()
