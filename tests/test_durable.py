"""Files that survive a loss of power, and that nobody reads who may not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nbvc.durable import written


def test_a_private_file_is_private_before_there_is_anything_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user who opens it in between finds it empty."""
    found: list[tuple[int, int]] = []
    change_mode = os.fchmod

    def watched(descriptor: int, mode: int) -> None:
        found.append((mode, os.fstat(descriptor).st_size))
        change_mode(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", watched)
    with written(tmp_path / "new", b"secret", mode=0o600):
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
        assert (tmp_path / "new").read_bytes() == b"secret"
    assert found == [(0o600, 0)]
