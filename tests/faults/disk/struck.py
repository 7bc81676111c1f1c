"""Runs commands in forks of itself, with ``strike.c`` loaded; started by ``striking.Disk``.

Reads one job as a line of JSON from standard input, runs it, and answers with the wait status.
A fork starts in a few milliseconds, as everything is imported, and shares no state with the others.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
from typing import Any

import nbvc
from nbvc.stores.base import Store
from nbvc.workspace.session import Session
from tests.stores.switching import SwitchedStore

_HUNG_SECONDS = 60


def main() -> None:
    """Serve until standard input ends."""
    if "--warm" in sys.argv:
        _import_everything()
        gc.freeze()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(job)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _import_everything() -> None:
    """Import what commands on embedded stores need; the rest takes seconds."""
    for module in pkgutil.walk_packages(nbvc.__path__, "nbvc."):
        if not module.name.startswith(("nbvc.__main__", "nbvc.diffing", "nbvc.stores.s3")):
            importlib.import_module(module.name)


def _become(job: dict[str, Any]) -> None:
    """Run one command in this process, and end it."""
    signal.alarm(_HUNG_SECONDS)
    os.environ.update(job["variables"])
    os.chdir(job["cwd"])
    for descriptor, name in ((0, os.devnull), (1, job["stdout"]), (2, job["stderr"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    if job["offline"]:
        _go_offline()
    _arm(**job["strike"])
    from nbvc.cli.main import run

    sys.argv = ["nbvc", *job["arguments"]]
    code: object = 0
    try:
        run()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - whatever it is, it ends this process
        sys.excepthook(*sys.exc_info())
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _go_offline() -> None:
    """Let every store that the command opens be one that is not reached."""
    open_store = Session.open_store

    def open_switched(session: Session, url: str, *, create: bool = False) -> Store:
        switched = SwitchedStore(open_store(session, url, create=create))
        switched.off()
        return switched

    Session.open_store = open_switched  # type: ignore[method-assign]


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
