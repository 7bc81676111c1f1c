"""Compares two notebooks with nbvc's engine, and with nbdime's: the same loaded notebooks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbdime
from serving import serve

from nbvc.diffing import diff_notebooks, load

Engine = Callable[[Any, Any], "list[Any]"]
ENGINES: dict[str, Engine] = {"nbvc": diff_notebooks, "nbdime": nbdime.diff_notebooks}


class Compared:
    """The two notebooks at hand."""

    def __init__(self) -> None:
        self.old: Any = None
        self.new: Any = None

    def load(self, old: str, new: str) -> None:
        """Read two files."""
        self.old = load(Path(old).read_bytes())
        self.new = load(Path(new).read_bytes())

    def diff(self, engine: str) -> dict[str, Any]:
        """Compare them with one engine; say how long it took, and how large the result is."""
        start = time.perf_counter()
        found = ENGINES[engine](self.old, self.new)
        seconds = time.perf_counter() - start
        # Only of nbvc's own, for it costs time, and nbdime's would count as time over its limit.
        patches = engine != "nbvc" or nbdime.patch_notebook(self.old, found) == self.new
        return {"seconds": seconds, "patches": patches, **sizes(found)}


def sizes(diff: list[Any]) -> dict[str, int]:
    """Return how many cells a diff touches, how many operations it has, and its bytes as JSON."""
    cells = next((entry["diff"] for entry in diff if entry.get("key") == "cells"), [])
    return {
        "cells": sum(map(_touched, cells)),
        "operations": _operations(diff),
        "bytes": len(json.dumps(diff, ensure_ascii=False, separators=(",", ":")).encode()),
    }


def _touched(entry: Any) -> int:  # noqa: ANN401
    if entry["op"] == "addrange":
        return len(entry["valuelist"])
    return int(entry["length"]) if entry["op"] == "removerange" else 1


def _operations(diff: list[Any]) -> int:
    """Return the number of additions, removals and replacements, at whatever depth."""
    return sum(_operations(entry["diff"]) if entry["op"] == "patch" else 1 for entry in diff)


if __name__ == "__main__":
    compared = Compared()
    serve({"load": compared.load, "diff": compared.diff})
