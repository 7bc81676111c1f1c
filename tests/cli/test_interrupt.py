"""Ctrl-C while the store does not answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.command_line import CommandLine
from tests.moto_server import serve_moto
from tests.notebook_samples import code, notebook

FAR_BELOW_THE_DEADLINE_SECONDS = 10


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """Return a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server


@pytest.mark.parametrize("command", [["log"], ["save", "-m", "x"], ["status"]])
def test_ctrl_c_ends_a_command_at_once_while_the_store_is_silent(
    cli: CommandLine, silent_server: socket.socket, command: list[str]
) -> None:
    """Nobody waits for the replies to requests under way, which may take a minute."""
    with serve_moto() as endpoint:
        cli("init", "s3://bucket", "--endpoint-url", endpoint, "--create")
        cli.write("mine.ipynb", notebook(code("1")))
        cli("save")
    cli.write("mine.ipynb", notebook(code("2")))
    port = silent_server.getsockname()[1]
    process = subprocess.Popen(
        cli.command(*command),
        cwd=cli.folder,
        env={**os.environ, "NBVC_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    connection, _ = silent_server.accept()
    with connection:
        connection.recv(1)  # the request is under way
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Interrupted" in stderr
    assert b"Traceback" not in stderr
    assert time.monotonic() - started < FAR_BELOW_THE_DEADLINE_SECONDS
