"""Run nbvc as a person would: quickly in this process, or as a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

PROJECT = Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 120

_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "TIME"),
    (re.compile(r"\bL[\w-]{22}(?![\w-])"), "VERSION-ID"),
    (re.compile(r" +$", re.MULTILINE), ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command did.

    Attributes:
        exit_code: Its exit status.
        data: The bytes on standard output.
        stderr: The text on standard error.
    """

    exit_code: int
    data: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        """The text on standard output."""
        return self.data.decode()

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.data)

    @property
    def error(self) -> Any:
        """The error on standard error, read as JSON."""
        return json.loads(self.stderr)["error"]


def normal(text: str) -> str:
    """Return *text* with what differs from run to run replaced."""
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return text


class CommandLine:
    """Runs ``nbvc`` in a folder, apart from the settings of who runs the tests.

    Args:
        folder: Where commands start.
        home: The home directory.
        monkeypatch: Sets variables for this process.
    """

    def __init__(self, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.home = home
        self.config = home / "config.toml"
        self.cache = home / "cache"
        self._monkeypatch = monkeypatch
        for name in list(os.environ):
            if name.startswith("NBVC_") and not name.startswith("NBVC_TEST_"):
                monkeypatch.delenv(name)
        for name in ("PYTHONUNBUFFERED", "JUPYTERHUB_USER", "NO_COLOR", "PAGER", "LESS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in self.variables.items():
            monkeypatch.setenv(name, value)

    @property
    def variables(self) -> Mapping[str, str]:
        """What keeps a command apart from the settings of who runs the tests."""
        return {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "NBVC_CONFIG": str(self.config),
            "NBVC_CACHE_DIR": str(self.cache),
            "NBVC_AUTHOR": "ada",
            "PYTHONPATH": str(PROJECT),
        }

    def __call__(
        self,
        *arguments: str | Path,
        exit_code: int | None = 0,
        cwd: Path | None = None,
        stdin: str | None = None,
    ) -> Result:
        """Run a command in this process, and check its exit status unless that is ``None``."""
        from nbvc.cli.main import app

        with self._monkeypatch.context() as patch:
            patch.chdir(cwd or self.folder)
            found = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        result = Result(
            exit_code=found.exit_code, data=found.stdout_bytes, stderr=found.stderr_bytes.decode()
        )
        assert exit_code in {None, result.exit_code}, (arguments, result)
        return result

    def process(
        self,
        *arguments: str | Path,
        exit_code: int | None = 0,
        cwd: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Result:
        """Run a command in a process of its own."""
        found = subprocess.run(
            self.command(*arguments),
            cwd=cwd or self.folder,
            env={**os.environ, **(variables or {})},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        result = Result(
            exit_code=found.returncode,
            data=found.stdout,
            stderr=found.stderr.decode(errors="backslashreplace"),
        )
        assert exit_code in {None, result.exit_code}, (arguments, result)
        return result

    @staticmethod
    def command(*arguments: str | Path) -> Sequence[str]:
        """Return the words that start a process of its own."""
        return [sys.executable, "-m", "nbvc", *map(str, arguments)]

    def write(self, path: str, data: bytes) -> Path:
        """Write a file in the folder."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file
