"""The cache holds what notebooks say, so it is for the user alone."""

from __future__ import annotations

import stat
from pathlib import Path

from nbvc.workspace.cache import DiskCache


def test_what_is_cached_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """In a cache folder that others may look into, as ~/.cache often is."""
    cache = DiskCache(tmp_path / "cache" / "nbvc", limit_bytes=1_000_000)
    cache.put("sha256-of-a-notebook", b"secret")
    assert cache.get("sha256-of-a-notebook") == b"secret"
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """At its first write; what it writes itself is not touched by that."""
    folder = tmp_path / "nbvc"
    DiskCache(folder, limit_bytes=1_000_000).put("one", b"1")
    left = folder / "writing" / "00aa.1.tmp"
    left.write_bytes(b"half")
    cache = DiskCache(folder, limit_bytes=1_000_000)
    for name in ("two", "three"):
        cache.put(name, name.encode())
    assert not left.exists()
    assert [cache.get(name) for name in ("one", "two", "three")] == [b"1", b"two", b"three"]
    assert list(folder.rglob("*.tmp")) == []
