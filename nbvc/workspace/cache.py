"""A bounded folder of bytes that never change, shared by all workspaces of a user."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from nbvc.durable import sweep
from nbvc.mapped import read_mapped
from nbvc.model import Data

_LARGEST_SHARE = 4
_SWEEPING_PREFIXES = ("00", "40", "80", "c0")  # one write in 64
_SWEEP_TO = 0.9
_WRITING = "writing"


class DiskCache:
    """Keeps bytes in files named by hashes. Never fails: what cannot be kept is forgotten.

    Readers check what they get (a digest, or a seal), so a damaged file costs a request at most.

    Args:
        folder: Where the files are; made when first needed, readable by the user alone.
        limit_bytes: Size of all files together, approximately; 0 keeps nothing.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._has_swept = False

    def get(self, name: str) -> Data | None:
        """Return what was kept under *name*, or ``None``. Large bytes stay on disk."""
        path = self._path(name)
        try:
            data = read_mapped(path)
            os.utime(path)
        except OSError:
            return None
        return data

    def put(self, name: str, data: Data) -> None:
        """Keep *data* under *name*, unless it would take a quarter of the cache."""
        if len(data) > self._limit_bytes // _LARGEST_SHARE:
            return
        path = self._path(name)
        # All lie in one folder, where the next process finds what a killed one left.
        writing = self._folder / _WRITING
        temporary = writing / f"{path.parent.name}{path.name}.{os.getpid()}.tmp"
        with contextlib.suppress(OSError):
            for folder in (path.parent, writing):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._has_swept:
                self._has_swept = True
                # Who writes at this very moment loses a file that is only kept for speed.
                sweep(writing, "*.tmp", writing.stat().st_mtime_ns)
            temporary.write_bytes(data)
            temporary.replace(path)
        if path.parent.name in _SWEEPING_PREFIXES:
            self._sweep()

    def _path(self, name: str) -> Path:
        hashed = hashlib.sha256(name.encode()).hexdigest()
        return self._folder / hashed[:2] / hashed[2:]

    def _sweep(self) -> None:
        """Remove what was not used for longest, once the files are larger than the limit."""
        found: list[tuple[float, int, Path]] = []
        with contextlib.suppress(OSError):
            for path in self._folder.glob("??/*"):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self._limit_bytes:
            return
        for _, size, path in sorted(found, key=lambda entry: entry[0]):
            if total <= self._limit_bytes * _SWEEP_TO:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size
