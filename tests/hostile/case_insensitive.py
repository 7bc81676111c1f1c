"""A file system that takes ``Mine`` and ``mine`` for one name, on one that does not.

Stands in for that of macOS and Windows: within a folder, the functions of the system see each name
in small letters. Nothing of nbvc is replaced.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_ONE_PATH = ("stat", "lstat", "open", "mkdir", "unlink", "readlink", "chmod", "listdir", "scandir")
_TWO_PATHS = ("link", "replace", "rename")


def fold_case(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system not tell case apart in *folder*, in this process, until the test ends."""
    root = str(folder)

    def folded(path: Any) -> Any:
        if isinstance(path, int):
            return path
        text = os.fspath(path)
        if isinstance(text, str) and text.startswith(f"{root}/"):
            return root + text[len(root) :].lower()
        return path

    def wrapped(function: Callable[..., Any], paths: int) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            return function(*map(folded, args[:paths]), *args[paths:], **options)

        return call

    for name in _ONE_PATH:
        monkeypatch.setattr(os, name, wrapped(getattr(os, name), 1))
    for name in _TWO_PATHS:
        monkeypatch.setattr(os, name, wrapped(getattr(os, name), 2))
    monkeypatch.setattr(io, "open", wrapped(io.open, 1))
