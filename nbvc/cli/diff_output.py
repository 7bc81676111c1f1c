"""Print what a comparison found: our own view, one line a cell, nbdime's print, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from nbvc.cli.output import Output
    from nbvc.diffing import View
    from nbvc.workspace.comparing import Comparison


def print_found(output: Output, comparison: Comparison, way: str, *, pager: str | None) -> None:
    """Print what was found, in the way that an option names; without one, for a person."""
    if way == "--json":
        output.emit(comparison.diff)
    elif way == "--stat" and output.json:
        output.emit(_facts(comparison.view))
    elif not comparison.differs:
        what = "are the same" if comparison.is_same else "differ in nothing that is shown here"
        output.note(f"{comparison.old.name} and {comparison.new.name} {what}.")
    elif way == "--stat":
        _print_stat(output, comparison.view)
    elif way == "--nbdime":
        _print_as_nbdime(output, comparison, pager)
    else:
        _print_view(output, comparison, pager)


def _print_view(output: Output, comparison: Comparison, pager: str | None) -> None:
    from nbvc.diffing.drawing import draw, names_a_cell

    with output.pager(pager) as stream:
        for line in draw(comparison.view, (comparison.old.name, comparison.new.name)):
            stream.write(output.drawn(line, may_cut=names_a_cell(line)) + "\n")


def _print_stat(output: Output, view: View) -> None:
    from nbvc.diffing.drawing import STAT_HEADERS, draw_stat, folded, summary

    for line in output.table(draw_stat(view), headers=STAT_HEADERS):
        output.data(line)
    for note in folded(view):
        output.data(f"* {note}")
    output.data(summary(view))


def _print_as_nbdime(output: Output, comparison: Comparison, pager: str | None) -> None:
    with without_address_grammar():
        from nbvc.diffing import render

    with output.pager(pager) as stream:
        render(
            comparison.notebooks[0],
            comparison.diff,
            out=cast("TextIO", stream),
            names=(comparison.old.name, comparison.new.name),
            use_color=output.use_color,
            options=comparison.options,
        )


@contextmanager
def without_address_grammar() -> Iterator[None]:
    """Keep jsonschema, which nbformat imports, from a grammar that takes a second to compile.

    It is for the format ``iri``, which no notebook's schema uses. Only for a process of our own.
    """
    modules = cast("dict[str, object]", sys.modules)
    name = "rfc3987_syntax"
    if name in modules:
        yield
        return
    modules[name] = None  # an import of it then fails, as if it were not installed
    try:
        yield
    finally:
        del modules[name]


def _facts(view: View) -> dict[str, object]:
    """Return what the rows say, and all that they fold, for programs."""
    from nbvc.diffing import CellView

    names = [each.name for each in fields(CellView) if each.name not in {"hunks", "cut"}]
    return {
        "cells": [{name: getattr(cell, name) for name in names} for cell in view.cells],
        "metadata": view.metadata,
        "fields": view.fields,
        "lines_added": sum(cell.lines_added for cell in view.cells),
        "lines_removed": sum(cell.lines_removed for cell in view.cells),
    }
