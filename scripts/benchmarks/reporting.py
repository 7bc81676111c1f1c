"""Show the rows: a table for people, the same in Markdown, and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from scripts.benchmarks.measuring import Row
from scripts.benchmarks.proxy import Traffic

HEADERS = ("WHAT", "NBVC", "PEER", "PEER'S", "RATIO", "TARGET", "MET", "COUNTED")
EVEN = 0.05
"""Ratios that differ from 1 by less name no winner."""

WHOLE_FROM_MS = 100


def table(rows: Sequence[Row]) -> str:
    """Return the table in columns."""
    lines = [HEADERS, *(cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return "\n".join(padded)


def markdown(rows: Sequence[Row]) -> str:
    """Return the table as Markdown."""
    lines = [[header.lower() for header in HEADERS], ["---"] * len(HEADERS)]
    lines += [[cell.replace("|", "\\|") for cell in cells(row)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def document(about: Mapping[str, str], rows: Sequence[Row]) -> str:
    """Return the result as JSON: what is known about the run, and a member ``rows``."""
    listed = [{**asdict(row), "winner": winner(row)} for row in rows]
    return json.dumps({**about, "rows": listed}, indent=2) + "\n"


def cells(row: Row) -> tuple[str, ...]:
    """Return the cells of one line."""
    latency = f", {row.latency_ms:.0f} ms away" if row.latency_ms is not None else ""
    met = {True: "yes", False: "NO", None: ""}[row.met]
    more = "over " if row.is_bound else ""
    less = "under " if row.is_bound else ""
    ratio = "" if row.ratio is None else f"{less}{_digits(row.ratio)}, "
    return (
        row.what + latency,
        quantity(row.ours, row.unit),
        row.peer,
        more + quantity(row.theirs, row.unit) if row.theirs is not None else "",
        (ratio + (winner(row) or "")).removesuffix(", "),
        row.target or "",
        met,
        "; ".join(filter(None, (_exchanged(row), row.note))),
    )


def winner(row: Row) -> str | None:
    """Say who is better; ``None`` where nobody else was measured, or not for long enough."""
    if row.ours is None or row.theirs is None:
        return None
    ratio = row.ratio
    if row.is_bound and row.ours > row.theirs:
        return None
    if ratio is None:
        return "even" if row.ours == row.theirs else "peer wins"
    if abs(ratio - 1) < EVEN:
        return "even"
    return "nbvc wins" if ratio < 1 else "peer wins"


def quantity(value: float | None, unit: str) -> str:
    """Return a number with its unit, as short as a reader needs it."""
    if value is None:
        return ""
    if unit == "ms":
        return f"{value:,.0f} ms" if value >= WHOLE_FROM_MS else f"{value:,.1f} ms"
    if unit == "bytes":
        return _size(value)
    return f"{value:,g} {unit}" if value < 1e6 else f"{value:,.0f} {unit}"


def _digits(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def _size(value: float) -> str:
    for limit, divisor, unit in ((1e3, 1, "B"), (1e6, 1e3, "kB")):
        if value < limit:
            return f"{value / divisor:.3g} {unit}"
    return f"{value / 1e6:,.1f} MB"


def _exchanged(row: Row) -> str:
    sides = (("nbvc", row.traffic), ("peer", row.peer_traffic))
    return "; ".join(f"{who}: {_traffic(traffic)}" for who, traffic in sides if traffic)


def _traffic(traffic: Traffic) -> str:
    requests = f"{traffic.requests:,} request{'s' * (traffic.requests != 1)}"
    return f"{requests}, {_size(traffic.sent_bytes)} up, {_size(traffic.received_bytes)} down"
