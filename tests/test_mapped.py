"""Large bytes that stay on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbvc.mapped import LARGE_BYTES, CannotSpool, read_mapped, spool
from nbvc.workspace.files import read_file

LARGE = bytes(range(251)) * (LARGE_BYTES // 251 + 1)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let temporary files lie on a disk without room."""
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")

    def open_full(**_: Any) -> Any:
        return Path("/dev/full").open("w+b")

    monkeypatch.setattr(tempfile, "TemporaryFile", open_full)


@pytest.mark.parametrize("start", [0, 7])
def test_a_large_file_is_mapped_and_outlives_its_name(tmp_path: Path, start: int) -> None:
    """As when the cache forgets what a command is still reading."""
    file = tmp_path / "large"
    file.write_bytes(LARGE)
    data = read_mapped(file, start=start)
    file.unlink()
    assert isinstance(data, memoryview)
    assert data.readonly
    assert data == LARGE[start:]


def test_a_small_file_is_read(tmp_path: Path) -> None:
    """Small also without what is left out at its beginning."""
    file = tmp_path / "small"
    file.write_bytes(LARGE)
    start = len(LARGE) - LARGE_BYTES
    data = read_mapped(file, start=start)
    assert isinstance(data, bytes)
    assert data == LARGE[start:]


def test_what_is_spooled_has_no_name(tmp_path: Path) -> None:
    """So nothing is left of it, however the process ends; the folder is made."""
    folder = tmp_path / "a" / "b"
    assert spool(folder, [b"12", b"", b"3"]) == b"123"
    assert spool(folder, []) == b""
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("chunks", [[b"1"], [LARGE, LARGE]], ids=["at the end", "at once"])
def test_a_full_disk_is_told(tmp_path: Path, chunks: list[bytes]) -> None:
    """Whenever the system notices."""
    with pytest.raises(CannotSpool):
        spool(tmp_path, chunks)


def test_an_error_of_the_source_is_none_of_the_disk(tmp_path: Path) -> None:
    """A connection that breaks is told as such."""

    def breaks() -> Iterator[bytes]:
        yield b"1"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        spool(tmp_path, breaks())


def test_a_large_notebook_does_not_change_while_it_is_saved(tmp_path: Path) -> None:
    """Its bytes are a copy: who writes to the file meanwhile, or cuts it short, does no harm."""
    file = tmp_path / "large"
    file.write_bytes(LARGE)
    data, _ = read_file(file, shown="large", room=tmp_path)
    assert isinstance(data, memoryview)
    file.write_bytes(b"")
    assert data == LARGE


@pytest.mark.usefixtures("full_disk")
def test_a_large_notebook_is_read_without_room_for_a_copy(tmp_path: Path) -> None:
    """A full disk is no reason not to save to a bucket; it takes memory then."""
    file = tmp_path / "large"
    file.write_bytes(LARGE)
    data, _ = read_file(file, shown="large", room=tmp_path)
    assert data == LARGE
