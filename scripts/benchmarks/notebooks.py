"""Notebooks to measure with: of any size, each different from the one before."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from itertools import count
from pathlib import Path


def notebook(seed: int, size_bytes: int = 0) -> bytes:
    """Return a valid notebook whose figure, if it has one, is as random as *seed* makes it."""
    outputs = []
    if size_bytes:
        figure = base64.b64encode(random.Random(seed).randbytes(size_bytes * 3 // 4)).decode()
        data = {"image/png": figure}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    cell = {
        "cell_type": "code",
        "execution_count": 1,
        "id": "cell",
        "metadata": {},
        "outputs": outputs,
        "source": f"draw({seed})",
    }
    document = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1).encode() + b"\n"


_seeds = count(1)


def rewrite(path: Path, size_bytes: int = 0) -> Callable[[], object]:
    """Return a function that puts another notebook at *path* each time."""
    return lambda: path.write_bytes(notebook(next(_seeds), size_bytes))
