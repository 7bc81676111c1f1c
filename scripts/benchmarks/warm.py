"""Processes that are warm when they are measured: they do one act after the other on request."""

from __future__ import annotations

import json
import select
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from scripts.benchmarks.measuring import PYTHON, TIMEOUT_SECONDS

WORKERS = Path(__file__).with_name("workers")


class Stopped(Exception):
    """The act took longer than it was given; its process was ended."""


class Worker:
    """A process of one of the programs in ``workers``.

    Args:
        process: Its process.
        said: What it writes on standard error.
    """

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self._process = process
        self._said = said

    def ask(
        self, act: str, *, timeout_seconds: float = TIMEOUT_SECONDS, **arguments: object
    ) -> dict[str, Any]:
        """Have it do *act* once, and return its answer, which has at least ``seconds``.

        Raises:
            Stopped: It took longer than *timeout_seconds*.
            RuntimeError: It failed.
        """
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({"act": act, **arguments}).encode() + b"\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], timeout_seconds)[0]:
            self.end()
            raise Stopped(f"{act} took longer than {timeout_seconds:g} s")
        line = process.stdout.readline()
        if not line:
            process.wait()
            self._said.seek(0)
            said = self._said.read().decode(errors="replace")
            raise RuntimeError(f"{act} ended its process:\n{said}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def seconds(self, act: str, **arguments: object) -> float:
        """Have it do *act* once, and return how long that took."""
        return float(self.ask(act, **arguments)["seconds"])

    def end(self) -> None:
        """End the process. Idempotent."""
        self._process.kill()
        self._process.wait()


@contextmanager
def worker(
    python: str, program: str, *arguments: str, cwd: Path, env: Mapping[str, str]
) -> Iterator[Worker]:
    """Start one of the programs in ``workers`` with its Python; end it after the block."""
    command = [python, str(WORKERS / program), *arguments]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said.fileno(),
            bufsize=-1,
        )
        started = Worker(process, said)
        try:
            yield started
        finally:
            started.end()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()


def save_versions(
    folder: Path, env: Mapping[str, str], versions: Iterable[tuple[str, bytes]]
) -> None:
    """Save one content after the other in the workspace *folder*, in one process.

    Args:
        folder: The workspace.
        env: Variables of the process.
        versions: Name of a notebook in it, and its next content, which may be invalid.
    """
    with worker(PYTHON, "nbvc_worker.py", cwd=folder, env=env) as process:
        for name, data in versions:
            (folder / name).write_bytes(data)
            process.ask("save", path=name, allow_invalid=True)
