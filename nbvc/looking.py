"""Look at paths that anybody may have typed: too long for a name, in a circle of links, unreadable.

``pathlib`` raises for some of these, another error in each release of Python.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_UNUSABLE = (OSError, ValueError)


def exists(path: Path) -> bool:
    """Return whether *path* leads to something, links followed."""
    with suppress(*_UNUSABLE):
        return path.exists()
    return False


def is_file(path: Path) -> bool:
    """Return whether *path* leads to a regular file, links followed."""
    with suppress(*_UNUSABLE):
        return path.is_file()
    return False


def is_folder(path: Path) -> bool:
    """Return whether *path* leads to a folder, links followed."""
    with suppress(*_UNUSABLE):
        return path.is_dir()
    return False


def resolve(path: Path) -> Path:
    """Return *path*, which need not exist, absolute and with links followed.

    Raises:
        OSError: Links lead in a circle, or it can be no path.
    """
    try:
        return path.resolve()
    except RuntimeError as error:  # Python 3.11 and 3.12 call a circle of links that
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error
    except ValueError as error:  # NUL, or a lone surrogate
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), ascii(str(path))) from error
