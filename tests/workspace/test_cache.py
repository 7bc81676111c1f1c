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
