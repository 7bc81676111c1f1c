"""Content-addressed files of the embedded store."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from nbvc.durable import make_folder, sweep, sync_folder, written
from nbvc.mapped import read_mapped

if TYPE_CHECKING:
    from pathlib import Path

    from nbvc.model import Data, Digest


class BlobFolder:
    """Files named by the SHA-256 of their bytes: ``<folder>/ab/abcdef...``.

    A name is visible only with its bytes complete, and files never change, so any number of
    processes may write and read at once. Methods raise ``OSError``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: Digest) -> Path:
        """Return where the bytes of *digest* are, or would be."""
        return self._folder / digest[:2] / digest

    def holds(self, digest: Digest) -> bool:
        """Tell whether there is a file for *digest*; its bytes are not read."""
        return self.path(digest).is_file()

    def read(self, digest: Digest) -> Data:
        """Return the bytes as they are on disk, not verified; large ones stay there."""
        return read_mapped(self.path(digest))

    def read_range(self, digest: Digest, start: int, stop: int) -> bytes:
        """Return some of the bytes as they are on disk, not verified."""
        with self.path(digest).open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    def write(self, digest: Digest, data: Data) -> None:
        """Keep *data*; durable when this returns. A file that is there and undamaged is reused."""
        path = self.path(digest)
        make_folder(path.parent)
        if not self._is_intact(digest):
            # All lie in one folder, where the next writer finds what a killed one left.
            temporary = self._folder / f"{secrets.token_hex(8)}.tmp"
            with written(temporary, data):
                sweep(self._folder, "*.tmp", temporary.stat().st_mtime_ns)
                temporary.replace(path)
        # Even where nothing was made here: another process may have made the file or the folder a
        # moment ago, and may die before it has synced them.
        sync_folder(path.parent)
        sync_folder(self._folder)

    def remove(self, digest: Digest) -> None:
        """Remove the file of *digest*. Idempotent."""
        self.path(digest).unlink(missing_ok=True)

    def _is_intact(self, digest: Digest) -> bool:
        try:
            with self.path(digest).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == digest
        except FileNotFoundError:
            return False
