"""Small notebooks for tests, as the bytes that a file would hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the corpus of notebooks is not beside the project"
)


def code(source: str | list[str] = "", **fields: Any) -> dict[str, Any]:
    """Return a code cell without id."""
    base = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    return {**base, "source": source, **fields}


def markdown(source: str = "", **fields: Any) -> dict[str, Any]:
    """Return a markdown cell without id."""
    return {"cell_type": "markdown", "metadata": {}, "source": source, **fields}


def stream(text: str | list[str], name: str = "stdout") -> dict[str, Any]:
    """Return an output of a print statement."""
    return {"output_type": "stream", "name": name, "text": text}


def display(data: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return an output with several representations."""
    return {"output_type": "display_data", "metadata": {}, "data": data, **fields}


def notebook(*cells: dict[str, Any], minor: int = 5, **metadata: Any) -> bytes:
    """Return the bytes of a format 4 notebook."""
    values = {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": list(cells)}
    return json.dumps(values, indent=1).encode()


def runnable(*sources: str, parameters: str | None = None) -> bytes:
    """Return a notebook that a Python kernel can run; *parameters* is a cell of its own, tagged."""
    cells = [code(source, id=f"c{number}") for number, source in enumerate(sources)]
    if parameters is not None:
        cells.insert(0, code(parameters, id="parameters", metadata={"tags": ["parameters"]}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook(*cells, kernelspec=kernel, language_info={"name": "python"})


def old_notebook(*cells: dict[str, Any], nbformat: int = 3) -> bytes:
    """Return the bytes of a format 2 or 3 notebook."""
    values = {
        "nbformat": nbformat,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": [{"cells": list(cells), "metadata": {}}],
    }
    return json.dumps(values).encode()
