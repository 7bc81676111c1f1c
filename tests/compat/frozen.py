"""Frozen stores: how they lie in a folder, and how a test brings one to life, in a copy.

::

    v1/project.tar.gz   a workspace with its embedded store, as it lay on disk
    v1/bucket.json      the same content as objects: each version of each key, oldest first
    v1/locked.json      another store, whose versions are locked
    v1/objects/         the bytes of these versions, named by their SHA-256
    v1/expected.json    every version of every notebook, and what refs lead to
    v1/SHA256SUMS       the digests of all these files
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nbvc.model import VersionId
from tests.format_reader import ObjectVersion
from tests.stores.memory import Entry, MemoryStore

HERE = Path(__file__).parent
FOLDERS = sorted(HERE.glob("v[0-9]*"))
SUMS = "SHA256SUMS"
PROJECT = "project.tar.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumped:
    """One version of an object, or a delete marker (then without data), as it was in a store."""

    key: str
    version_id: VersionId
    data: bytes | None
    metadata: dict[str, str]
    content_type: str
    modified_at: datetime
    locked_until: datetime | None


def read_dump(folder: Path, name: str) -> Iterator[Dumped]:
    """Yield what a dump holds, in the order in which it was written."""
    for entry in json.loads((folder / name).read_text(encoding="utf-8")):
        digest, locked = entry["sha256"], entry.get("locked_until")
        yield Dumped(
            key=entry["key"],
            version_id=VersionId(entry["version_id"]),
            data=(folder / "objects" / digest).read_bytes() if digest else None,
            metadata=entry["metadata"],
            content_type=entry["content_type"],
            modified_at=datetime.fromisoformat(entry["modified_at"]),
            locked_until=datetime.fromisoformat(locked) if locked else None,
        )


def to_document(version: Dumped) -> dict[str, Any]:
    """Return *version* as a dump holds it; its bytes lie beside it."""
    digest = None if version.data is None else hashlib.sha256(version.data).hexdigest()
    locked = {"locked_until": version.locked_until.isoformat()} if version.locked_until else {}
    return {
        "key": version.key,
        "version_id": version.version_id,
        "sha256": digest,
        "metadata": version.metadata,
        "content_type": version.content_type,
        "modified_at": version.modified_at.isoformat(),
        **locked,
    }


def load(folder: Path, name: str) -> MemoryStore:
    """Return a store in memory with what a dump holds, under the same version IDs."""
    store = MemoryStore(url="s3://frozen")
    for version in read_dump(folder, name):
        store.bring_back(
            version.key,
            Entry(
                version_id=version.version_id,
                data=version.data,
                etag=hashlib.md5(version.data or b"").hexdigest(),
                metadata=version.metadata,
                modified_at=version.modified_at,
                locked_until=version.locked_until,
            ),
        )
    return store


def as_bucket(folder: Path, name: str) -> dict[str, list[ObjectVersion]]:
    """Return what a dump holds for the independent reader."""
    bucket: dict[str, list[ObjectVersion]] = {}
    for version in read_dump(folder, name):
        found = ObjectVersion(version.version_id, version.data, version.metadata)
        bucket.setdefault(version.key, []).append(found)
    return bucket


def unpack_project(folder: Path, target: Path) -> Path:
    """Unpack the frozen workspace into *target*, and return where it is."""
    with tarfile.open(folder / PROJECT) as archive:
        archive.extractall(target, filter="data")
    return target / "project"


def sums(folder: Path) -> str:
    """Return the digests of all files in *folder*, one a line, as ``sha256sum`` writes them."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != SUMS]
    named = sorted((path.relative_to(folder).as_posix(), path) for path in files)
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in named)
    return "".join(lines)
