"""The other half of ``forking.Forks``: reads jobs, and runs each in a fork of this process.

A job is a line of JSON on standard input. The answer is two lines: the number of the process, and
its exit status. A fork shares no state with the others.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
from collections.abc import Callable
from typing import Any

import nbvc
from nbvc.stores.base import Store
from nbvc.workspace.session import Session
from tests.stores.switching import SwitchedStore

_HUNG_SECONDS = 60


def serve(before: Callable[[dict[str, Any]], None]) -> None:
    """Serve until standard input ends.

    Args:
        before: Called in each fork with its job, right before the command runs.
    """
    gc.freeze()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(job, before)
        _answer(child)
        _, status = os.waitpid(child, 0)
        _answer(os.waitstatus_to_exitcode(status))


def import_everything(*without: str) -> None:
    """Import all of nbvc but modules that begin like that, for imports take seconds."""
    for module in pkgutil.walk_packages(nbvc.__path__, "nbvc."):
        if not module.name.startswith(("nbvc.__main__", *without)):
            importlib.import_module(module.name)


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _become(job: dict[str, Any], before: Callable[[dict[str, Any]], None]) -> None:
    """Run one command in this process, and end it."""
    signal.alarm(_HUNG_SECONDS)
    os.environ.update(job["variables"])
    os.chdir(job["cwd"])
    for descriptor, name in ((0, os.devnull), (1, job["stdout"]), (2, job["stderr"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    if job["offline"]:
        _go_offline()
    before(job)
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
