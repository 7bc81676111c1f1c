"""Where a benchmark works: a folder of its own, and no settings of who runs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.measuring import NBVC, process

PROJECT = Path(__file__).resolve().parents[2]
LATENCIES_SECONDS = (0.0, 0.05)
"""What a round trip to the server takes longer; each row with a server is measured with both."""

KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
GIT_IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "bench"), ("EMAIL", "bench@example.org"))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every benchmark gets.

    Attributes:
        folder: Empty folder.
        endpoint: Address of a real S3 server.
        quick: Whether few rounds and short histories will do.
        rounds: How often to repeat what takes less than a second.
    """

    folder: Path
    endpoint: str
    quick: bool
    rounds: int

    @property
    def few_rounds(self) -> int:
        """How often to repeat what takes a second or more."""
        return max(1, self.rounds // 4)

    @property
    def env(self) -> dict[str, str]:
        """The variables of every process that is measured."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            **kept,
            **GIT_IDENTITY,
            "HOME": str(home),
            "NBVC_AUTHOR": "bench",
            "AWS_ACCESS_KEY_ID": os.environ.get("NBVC_TEST_S3_ACCESS_KEY", "test"),
            "AWS_SECRET_ACCESS_KEY": os.environ.get("NBVC_TEST_S3_SECRET_KEY", "testtest"),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def workspace(self, name: str, *arguments: str, files: Mapping[str, bytes]) -> Path:
        """Make a folder with *files* and bind it with ``nbvc init``."""
        folder = self.folder / name
        folder.mkdir()
        for path, data in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(data)
        namespace = ("--namespace", f"bench/{name}")
        process(NBVC, "init", *arguments, *namespace, cwd=folder, env=self.env)()
        return folder

    def forget_cache(self) -> None:
        """Remove what nbvc keeps in the user's cache, so that the next command asks its store."""
        shutil.rmtree(Path(self.env["HOME"]) / ".cache" / "nbvc", ignore_errors=True)

    def bucket(self, name: str, endpoint: str | None = None) -> tuple[str, ...]:
        """Return the arguments of ``nbvc init`` for a new bucket."""
        address = endpoint or self.endpoint
        return (f"s3://bench-{os.getpid()}-{name}", "--create", "--endpoint-url", address)
