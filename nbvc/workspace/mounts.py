"""Which file system a folder is on, where the system says so for nothing."""

from __future__ import annotations

import re
from pathlib import Path

from nbvc import looking

MOUNTS = Path("/proc/self/mountinfo")
"""Linux lists its mounts there (proc(5)); other systems have no such file."""

NETWORK = frozenset(
    (
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fuse.ceph",
        "fuse.davfs",
        "fuse.glusterfs",
        "fuse.goofys",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "orangefs",
        "smb3",
        "smbfs",
    )
)
"""File systems on which several machines may have the same file open."""

_ESCAPED = re.compile(r"\\(\d{3})")


def file_system_of(folder: Path, mounts: str) -> str | None:
    """Return the type of the file system that holds *folder*, such as ``ext4`` or ``nfs4``.

    Args:
        folder: Absolute, without symbolic links.
        mounts: What ``MOUNTS`` holds.

    Returns:
        ``None`` where it is not listed.
    """
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if "-" not in fields[6:]:
            continue
        point = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields[4]))
        depth = len(point.parts)
        # Of two mounts on one point, the later one hides the earlier one.
        if folder.is_relative_to(point) and (best is None or depth >= best[0]):
            best = depth, fields[fields.index("-", 6) + 1]
    return best[1] if best else None


def is_network(folder: Path) -> str | None:
    """Return the type of the network file system that holds *folder*; ``None`` where it is local.

    Also ``None`` where the system does not say.
    """
    try:
        found = file_system_of(
            looking.resolve(folder), MOUNTS.read_text("utf-8", "surrogateescape")
        )
    except OSError:
        return None
    return found if found in NETWORK else None
