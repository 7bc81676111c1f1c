"""Processes that serve on loopback: free ports, a start with a clean environment, a sure end."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

HOST = "127.0.0.1"
START_TIMEOUT_SECONDS = 90
STOP_TIMEOUT_SECONDS = 5
LOG_TAIL_LINES = 40
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
"""What a server sees of the caller's variables: no settings of its own, no credentials."""


class StartError(Exception):
    """The server did not start; the message is for the user."""


@contextmanager
def reserved_port(port: int = 0) -> Iterator[int]:
    """Give *port*, or any free one for 0, and keep it from others until the end of the block.

    A server can listen on it all the same, for all of them set ``SO_REUSEADDR``; but it is no port
    that an outgoing connection gets, as a port that was only looked at may be.

    Raises:
        StartError: It is taken.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((HOST, port))
        except OSError as error:
            raise StartError(f"port {port} of {HOST} cannot be used: {error.strerror}") from error
        yield holder.getsockname()[1]


def clean_variables(folder: Path) -> dict[str, str]:
    """Return the variables of a process whose home is *folder*."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "HOME": str(folder)}


def start(
    command: Sequence[str], folder: Path, log: Path, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start *command* in *folder*, its output in *log*.

    It gets a session of its own, so that Ctrl-C is ours to pass on.
    """
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**clean_variables(folder), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=output.fileno(),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until_ready(
    name: str, process: subprocess.Popen[bytes], port: int, health: str, log: Path
) -> None:
    """Wait until the server answers 200 to a request for the path *health*.

    Raises:
        StartError: It ended, or did not answer in time.
    """
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not answers(port, health):
        status = process.poll()
        if status is not None or time.monotonic() > deadline:
            what = "is not ready" if status is None else f"ended with status {status}"
            raise failure(f"{name} {what}", log)
        time.sleep(0.05)


def failure(what: str, log: Path) -> StartError:
    """Return the error that says *what* and shows the end of the log."""
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return StartError("\n".join([f"{what}; the end of its log:", *lines]))


def answers(port: int, path: str) -> bool:
    """Tell whether the server answers 200, without regard to proxies."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(
    process: subprocess.Popen[bytes],
    signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGKILL),
) -> None:
    """End the server and its children; by force where it takes too long, as LocalStack may."""
    for signal_number in signals:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_SECONDS)
            return
