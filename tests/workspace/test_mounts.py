"""Which file system a folder is on, by what Linux lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbvc.workspace import mounts
from nbvc.workspace.mounts import MOUNTS, file_system_of, is_network

LISTED = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:40 / /home rw,relatime shared:1 master:2 - nfs4 server:/home rw,vers=4.2
41 40 0:41 / /home/ada/fast rw,relatime - xfs /dev/vdb rw
42 27 0:42 / /mnt/my\040share rw - cifs //server/share rw
43 27 0:43 / /mnt/twice rw - ext4 /dev/vdc rw
44 43 0:44 / /mnt/twice rw - fuse.sshfs host: rw
a line that is none
"""


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/srv/rain", "ext4"),
        ("/home/ada/rain", "nfs4"),
        ("/home/ada/fast/rain", "xfs"),
        ("/homes/ada", "ext4"),
        ("/mnt/my share/rain", "cifs"),
        ("/mnt/twice/x", "fuse.sshfs"),
        ("/", "ext4"),
    ],
)
def test_the_nearest_mount_decides(folder: str, expected: str) -> None:
    """With odd names, mounts within mounts, and one mounted over another."""
    assert file_system_of(Path(folder), LISTED) == expected


def test_without_a_list_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems than Linux have none."""
    assert file_system_of(Path("/x"), "") is None
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "missing")
    assert is_network(tmp_path) is None


def test_a_network_file_system_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local one is not."""
    listed = tmp_path / "mounts"
    monkeypatch.setattr(mounts, "MOUNTS", listed)
    for kind, expected in (("nfs4", "nfs4"), ("ext4", None)):
        listed.write_text(f"1 1 0:1 / {tmp_path} rw - {kind} x rw\n")
        assert is_network(tmp_path / "folder") == expected


@pytest.mark.skipif(not MOUNTS.exists(), reason="needs Linux")
def test_this_machine_lists_its_root() -> None:
    """The form is that of a real kernel."""
    assert file_system_of(Path("/"), MOUNTS.read_text())
