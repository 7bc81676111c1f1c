"""Verify versions by reading them: every byte against the digest that was recorded."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from hashlib import sha256

from nbvc.errors import IntegrityError, VersionNotFound
from nbvc.manifest.metadata import from_metadata
from nbvc.model import Area, Digest, NotebookKey, Record
from nbvc.repository.backend import Backend
from nbvc.repository.findings import Finding, Kind
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass

LARGE_BYTES = 16 * 1024 * 1024
"""Notebooks larger than this are read one at a time, so that memory holds one of them at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A version to read, and what became of it.

    Attributes:
        area: Its area.
        key: Its notebook.
        entry: What the store lists of it.
        record: Its record; ``None`` for one that has none.
        size_bytes: How many bytes were read; ``None`` before.
        finding: What is wrong with them.
    """

    area: Area
    key: NotebookKey
    entry: VersionEntry
    record: Record | None
    size_bytes: int | None = None
    finding: Finding | None = None

    @property
    def name(self) -> str:
        """How to call the version."""
        if self.record is not None:
            return f"v{self.record.number} of {self.key}"
        return f"The version {self.entry.version_id} of {self.key}"


class Verifier:
    """Reads versions. Safe for several threads.

    Args:
        backend: The store to read.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._one_large = threading.Lock()

    def verify(self, reading: Reading) -> Reading:
        """Read a version and compare it with its digest; a second time before it is called damaged.

        1 request. A version without a record is compared with the digest that its object names, if
        it names one.
        """
        is_large = reading.entry.size_bytes > LARGE_BYTES
        alone: AbstractContextManager[object] = self._one_large if is_large else nullcontext()
        with alone:
            read = self._read(reading)
            return self._read(reading) if read.finding is not None else read

    def _read(self, reading: Reading) -> Reading:
        entry, record = reading.entry, reading.record
        expected = record.digest if record is not None else None
        try:
            blob = self._backend.store.get(entry.key, entry.version_id)
        except VersionNotFound:
            if (
                record is None
            ):  # deleted since it was listed, and nobody says that it should be there
                return replace(reading, size_bytes=0)
            message = f"{reading.name} is not in the store any more: it was deleted just now."
            return self._failed(reading, Kind.MISSING_VERSION, message, expected)
        except IntegrityError as error:
            message = f"{reading.name} is damaged. {error.message}"
            return self._failed(reading, Kind.DAMAGED_BYTES, message, expected, error.actual)
        expected = expected or from_metadata(blob.metadata).digest
        actual = Digest.of(blob.data)
        if expected is None or actual == expected:
            return replace(reading, size_bytes=len(blob.data))
        message = f"{reading.name} is damaged: its bytes are not those that were saved."
        return self._failed(reading, Kind.DAMAGED_BYTES, message, expected, actual)

    def _failed(
        self,
        reading: Reading,
        kind: Kind,
        message: str,
        expected: str | None,
        actual: str | None = None,
    ) -> Reading:
        finding = Finding(
            kind=kind,
            message=message,
            area=reading.area,
            key=reading.key,
            number=reading.record.number if reading.record is not None else None,
            version_id=reading.entry.version_id,
            object_key=reading.entry.key,
            expected=expected,
            actual=actual,
        )
        return replace(reading, size_bytes=reading.entry.size_bytes, finding=finding)


def is_drawn(entry: VersionEntry, *, sample: float, seed: str) -> bool:
    """Return whether a version belongs to a sample: always the same one for the same seed.

    Args:
        entry: The version.
        sample: The share of all versions, up to 1.
        seed: Decides which ones.
    """
    if sample >= 1:
        return True
    name = f"{seed}\n{entry.key}\n{entry.version_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(sha256(name).digest()[:8]) < sample * 2**64
