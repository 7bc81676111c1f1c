"""Pairs of notebooks that take nbdime long, made the same in each run: what people do to theirs."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

Maker = Callable[[], tuple[bytes, bytes]]
Cell = dict[str, Any]
SEED = 4
WORDS = ("data", "frame", "model", "train", "score", "plot", "axis", "table", "column", "mean")


def _notebook(cells: Sequence[Cell]) -> bytes:
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1).encode() + b"\n"


def _cell(number: int, source: str, outputs: Sequence[Cell] = (), *, name: str = "cell") -> Cell:
    return {
        "cell_type": "code",
        "execution_count": number + 1,
        "id": f"{name}-{number}",
        "metadata": {},
        "outputs": list(outputs),
        "source": source,
    }


def _display(kind: str, text: str) -> Cell:
    return {"output_type": "display_data", "metadata": {}, "data": {kind: text}}


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def _source(chance: random.Random, lines: int = 5) -> str:
    return "\n".join(
        f"{chance.choice(WORDS)}_{chance.randrange(1000)} = {_text(chance, 4)!r}"
        for _ in range(lines)
    )


def _table(chance: random.Random, rows: int = 20, columns: int = 5) -> str:
    body = "\n".join(
        "<tr>" + "".join(f"<td>{chance.random():.6f}</td>" for _ in range(columns)) + "</tr>"
        for _ in range(rows)
    )
    return f"<table>\n{body}\n</table>"


def rerun_tables(count: int) -> tuple[bytes, bytes]:
    """Run *count* cells again whose outputs are tables of other numbers."""
    chance = random.Random(SEED)
    sources = [_source(chance) for _ in range(count)]
    old, new = (
        [
            _cell(number, source, [_display("text/html", _table(chance))])
            for number, source in enumerate(sources)
        ]
        for _ in range(2)
    )
    return _notebook(old), _notebook(new)


def regenerated_ids(count: int) -> tuple[bytes, bytes]:
    """Give each of *count* cells another id, as a tool does that knows of none."""
    chance = random.Random(SEED)
    sources = [_source(chance) for _ in range(count)]
    old, new = (
        [_cell(number, source, name=name) for number, source in enumerate(sources)]
        for name in ("old", "new")
    )
    return _notebook(old), _notebook(new)


def rewritten_cells(count: int) -> tuple[bytes, bytes]:
    """Write *count* other small cells."""
    chance = random.Random(SEED)
    old, new = (
        [_cell(number, _source(chance), name=name) for number in range(count)]
        for name in ("old", "new")
    )
    return _notebook(old), _notebook(new)


def outputs_of_one_cell(count: int) -> tuple[bytes, bytes]:
    """Run a cell again that shows *count* short results."""
    chance = random.Random(SEED)
    old, new = (
        [_display("text/plain", f"{_text(chance, 20)} {chance.random()}") for _ in range(count)]
        for _ in range(2)
    )
    return _notebook([_cell(0, "show()", old)]), _notebook([_cell(0, "show()", new)])


def figures_of_one_cell(count: int) -> tuple[bytes, bytes]:
    """Run a cell again that draws *count* figures."""
    chance = random.Random(SEED)
    old, new = (
        [
            _display("image/png", base64.b64encode(chance.randbytes(4_500)).decode())
            for _ in range(count)
        ]
        for _ in range(2)
    )
    return _notebook([_cell(0, "draw()", old)]), _notebook([_cell(0, "draw()", new)])


def changed_lines(count: int) -> tuple[bytes, bytes]:
    """Change each of the *count* lines of a cell."""
    chance = random.Random(SEED)
    lines = _source(chance, count).split("\n")
    changed = [line.replace(" = ", f" = {chance.randrange(10)} + ") for line in lines]
    return _notebook([_cell(0, "\n".join(lines))]), _notebook([_cell(0, "\n".join(changed))])


def long_line(size_bytes: int) -> tuple[bytes, bytes]:
    """Change words here and there in one line of *size_bytes*."""
    chance = random.Random(SEED)
    words = _text(chance, size_bytes // 5)[:size_bytes].split(" ")
    changed = [chance.choice(WORDS) if chance.random() < 0.1 else word for word in words]
    return _notebook([_cell(0, " ".join(words))]), _notebook([_cell(0, " ".join(changed))])


PAIRS: Mapping[str, Maker] = {
    "50 re-run tables": partial(rerun_tables, 50),
    "500 re-run tables": partial(rerun_tables, 500),
    "500 regenerated ids": partial(regenerated_ids, 500),
    "2,000 regenerated ids": partial(regenerated_ids, 2000),
    "200 rewritten cells": partial(rewritten_cells, 200),
    "500 rewritten cells": partial(rewritten_cells, 500),
    "500 outputs in a cell": partial(outputs_of_one_cell, 500),
    "200 figures in a cell": partial(figures_of_one_cell, 200),
    "1,000 changed lines in a cell": partial(changed_lines, 1000),
    "a line of 60 kB": partial(long_line, 60_000),
}
