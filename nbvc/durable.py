"""Folders whose names survive a loss of power. Errors are those of the system."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Make *folder* and its missing parents, each durably. Idempotent.

    Args:
        folder: The folder; one that exists stays as it is.
        mode: Permissions of a new one, before the user's mask; its parents have the usual ones.

    Raises:
        OSError: It cannot be made, or a file is in the way.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode, exist_ok=True)
    # A parent such as /home may be writable or searchable, but not readable; it cannot be synced.
    with suppress(PermissionError):
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable, where the system can.

    Raises:
        OSError: The disk fails.
    """
    if os.name == "nt":  # Windows cannot open a folder; its names are journalled.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
