"""A race on one notebook: processes that save, and that read, list and check it, all at once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from typing import Any

WRITERS, SAVES = 8, 25
FEW_SAVES = 8
"""Enough for the ordinary suite, where a server is asked for everything."""

KEY = "ada/race.ipynb"
TIMEOUT_SECONDS = 500
_FOLDER = Path(__file__).parent


class Race:
    """What the processes of one race said.

    Attributes:
        seed: From which all that is random in it follows; printed, so that a failure tells it.
        saved: What was acknowledged, newest first: number, parent and digest, as the log says it.
        readers: What the reader, the lister and the checker counted.
    """

    def __init__(self, url: str, variables: Mapping[str, str], *, saves: int) -> None:
        """Run it.

        Args:
            url: A store that is prepared.
            variables: Environment variables of the processes.
            saves: How often each writer saves.
        """
        self._saves = saves
        self.seed = int(os.environ.get("NBVC_TEST_SEED") or random.randrange(2**32))
        print(f"NBVC_TEST_SEED={self.seed}")  # noqa: T201
        self._environment = {**os.environ, **variables}
        self.saved: list[dict[str, Any]] = []
        self.readers: dict[str, Any] = {}
        with ExitStack() as stack:
            readers = {
                kind: stack.enter_context(self._start("read_often", kind, url, KEY))
                for kind in ("reader", "lister", "checker")
            }
            writers = [
                stack.enter_context(self._start("save_often", url, KEY, f"w{n}", str(saves)))
                for n in range(WRITERS)
            ]
            for writer in writers:
                self._note(self._output(writer))
            for kind, reader in readers.items():
                self.readers[kind] = json.loads(self._output(reader))

    def _start(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(_FOLDER / f"{script}.py"), *arguments, str(self.seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )

    def _output(self, process: subprocess.Popen[str]) -> str:
        output, error = process.communicate(timeout=TIMEOUT_SECONDS)
        assert (process.returncode, error) == (0, ""), f"status {process.returncode}: {error}"
        return output

    def _note(self, output: str) -> None:
        lines = [json.loads(line) for line in output.splitlines()]
        assert len(lines) == self._saves, f"{len(lines)} of {self._saves} saves were acknowledged"
        self.saved += lines
        self.saved.sort(key=itemgetter("number"), reverse=True)
