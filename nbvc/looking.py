"""Look at paths that anybody may have typed: too long for a name, in a circle of links.

``pathlib`` raises for some of these, another error in each release of Python. Where the disk fails,
or a folder may not be looked into, nobody knows what is there, and these say so.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from nbvc.errors import AccessDenied, NbvcError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NOTHING_THERE = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EBADF,
}
_DENIED = {errno.EACCES, errno.EPERM}


def exists(path: Path) -> bool:
    """Return whether *path* leads to something, links followed.

    Raises:
        AccessDenied: Its folder may not be looked into.
        NbvcError: The disk fails.
    """
    return _look(path, path.exists)


def is_file(path: Path) -> bool:
    """Return whether *path* leads to a regular file, links followed; raises like :func:`exists`."""
    return _look(path, path.is_file)


def is_folder(path: Path) -> bool:
    """Return whether *path* leads to a folder, links followed; raises like :func:`exists`."""
    return _look(path, path.is_dir)


def _look(path: Path, ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except ValueError:
        return False
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return False
        if error.errno in _DENIED:
            raise AccessDenied(
                f"{path} may not be looked at ({error.strerror}).", hint=f"ls -ld {path.parent}"
            ) from error
        raise NbvcError(
            f"{path} cannot be looked at: {error.strerror}.", hint="Check the disk."
        ) from error


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
