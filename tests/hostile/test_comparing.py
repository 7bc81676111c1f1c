"""Pairs of notebooks that nbdime would compare for hours: compared in seconds, more coarsely."""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable

import nbdime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvc import diffing
from nbvc.diffing.drawing import MAX_CELLS, draw
from nbvc.diffing.effort import Effort
from nbvc.diffing.hunks import MAX_LINES_IN_ALL
from nbvc.diffing.likeness import Likeness
from nbvc.diffing.settling import settle
from nbvc.diffing.texts import diff_texts
from nbvc.diffing.values import diff_values
from tests.notebook_samples import code, display, notebook, stream

SECONDS = 60
"""Bound for one pair, on a busy machine; alone each takes less than a tenth of that."""

Pair = tuple[bytes, bytes]


def one_cell(old: str, new: str) -> Pair:
    """Return notebooks whose only cell has another source."""
    return notebook(code(old, id="a")), notebook(code(new, id="a"))


def lines(make: Callable[[int], str], count: int) -> str:
    """Return a text of so many lines."""
    return "\n".join(map(make, range(count)))


def letters(count: int, seed: int) -> str:
    """Return a text in which everything is like everything."""
    return "".join(random.Random(seed).choices("ab", k=count))


def words(count: int, seed: int) -> str:
    """Return a text of a few words."""
    return " ".join(random.Random(seed).choices(["alpha", "beta", "=", "1", "(", "foo"], k=count))


def cells(count: int, make: Callable[[int], str]) -> bytes:
    """Return a notebook of so many code cells."""
    return notebook(*(code(make(number)) for number in range(count)))


def outputs(count: int, make: Callable[[int], str], *, kind: str = "") -> bytes:
    """Return a notebook of a cell with so many outputs."""
    made = (display({kind: make(n)}) if kind else stream(make(n)) for n in range(count))
    return notebook(code("x", outputs=list(made)))


def metadata(values: object) -> bytes:
    """Return a notebook with these values in its metadata."""
    return notebook(code("x"), a=values)


PAIRS: dict[str, Callable[[], Pair]] = {
    "1,000 other lines": lambda: one_cell(
        lines("x = {}".format, 1_000), lines("y{}".format, 1_000)
    ),
    "20,000 lines, a few changed": lambda: one_cell(
        lines("x = {}".format, 20_000),
        lines(lambda n: f"x = {n if n % 4_000 else 'new'}", 20_000),
    ),
    "50,000 equal lines": lambda: one_cell("x\n" * 50_000, "x\n" * 50_005 + "y"),
    "20,000 lines of a hundred kinds": lambda: one_cell(
        lines(lambda n: f"l{n % 101}", 20_000),
        lines(lambda n: f"l{n % 101}" if n % 2 else f"u{n}", 20_000),
    ),
    "a line of a million letters": lambda: one_cell("x" * 10**6, "y" * 10**6 + "x" * 10**6),
    "a line of two letters": lambda: one_cell(letters(100_000, 1), letters(100_000, 2)),
    "100 lines that are all alike": lambda: one_cell(
        lines(lambda n: letters(190, n), 100), lines(lambda n: letters(190, -1 - n), 100)
    ),
    "1,000 other cells": lambda: (
        cells(1_000, "x = {}".format),
        cells(1_000, lambda n: f"yy = {n} * 2"),
    ),
    "200 long cells": lambda: (
        cells(200, lambda n: words(100, n)),
        cells(200, lambda n: words(100, -1 - n)),
    ),
    "5,000 cells, a few changed": lambda: (
        cells(5_000, "x = {}".format),
        cells(5_000, lambda n: f"x = {n if n % 1_000 else 'new'}"),
    ),
    "1,000 other outputs": lambda: (outputs(1_000, "{}\n".format), outputs(1_000, "a{}\n".format)),
    "50 pages of 9,000 letters": lambda: (
        outputs(50, lambda n: words(2_500, n), kind="text/html"),
        outputs(50, lambda n: words(2_500, -1 - n), kind="text/html"),
    ),
    "50 other images": lambda: (
        outputs(50, lambda n: f"{n:08}" + "iVBORw0K" * 20_000, kind="image/png"),
        outputs(50, lambda n: f"{n:08}" + "jVBORw0K" * 20_000, kind="image/png"),
    ),
    "50 cells of 50 outputs": lambda: (
        notebook(*(code("x", outputs=[stream(f"{n} {m}") for m in range(50)]) for n in range(50))),
        notebook(*(code("x", outputs=[stream(f"{m}-{n}") for m in range(50)]) for n in range(50))),
    ),
    "20,000 other values": lambda: (
        metadata(list(range(20_000))),
        metadata(list(range(20_000, 40_000))),
    ),
    "lists of lists of lists": lambda: (
        metadata([[list(range(200))] * 20] * 20),
        metadata([[list(range(1, 201))] * 20] * 20),
    ),
}


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("make", PAIRS.values(), ids=PAIRS)
def test_no_pair_of_notebooks_takes_for_ever(make: Callable[[], Pair]) -> None:
    """The diff still leads from one to the other, and can be printed."""
    old, new = map(diffing.load, make())
    found = diffing.diff_notebooks(old, new)
    assert nbdime.patch_notebook(old, found) == new
    out = io.StringIO()
    diffing.render(old, found, out=out, names=("a", "b"))
    assert out.getvalue().startswith("--- a\n+++ b\n")
    drawn = list(draw(diffing.view_of(old, new, found, diffing.DiffOptions()), ("a", "b")))
    assert 2 < len(drawn) < 2 * (MAX_CELLS + MAX_LINES_IN_ALL)


def reruns(count: int) -> Pair:
    """Return a notebook of so many tables, run twice."""
    old, new = (
        notebook(*(code("x", outputs=[display({"text/html": table(n)})]) for n in numbers))
        for numbers in (range(count), range(-count, 0))
    )
    return old, new


def table(seed: int) -> str:
    """Return a table of numbers, as pandas writes it."""
    chance = random.Random(seed)
    row = "".join(f"      <td>{chance.random():.6f}</td>\n" for _ in range(8))
    return "<table>\n" + f"    <tr>\n{row}    </tr>\n" * 5 + "</table>"


GROWING: dict[str, Callable[[int], Pair]] = {
    "tables run again": reruns,
    "other cells": lambda count: (
        cells(count, lambda n: words(12, n)),
        cells(count, lambda n: words(12, -1 - n)),
    ),
    "other ids": lambda count: (
        notebook(*(code(f"value_{n} = {n}", id=f"a{n}") for n in range(count))),
        notebook(*(code(f"value_{n} = {n}", id=f"b{n}") for n in range(count))),
    ),
    "cells of few kinds": lambda count: (
        cells(count, lambda n: f"kind = {n % 3}"),
        cells(count + 7, lambda n: f"kind = {n % 4}"),
    ),
    "cells in reverse": lambda count: (
        cells(count, "value = {}".format),
        cells(count, lambda n: f"value = {count - n}"),
    ),
    "other outputs": lambda count: (
        outputs(count, lambda n: f"loss {n * 7}\n"),
        outputs(count, lambda n: f"loss {n * 9}\n"),
    ),
    "other lines": lambda count: one_cell(
        lines(lambda n: f"x{n} = {n}", count), lines(lambda n: f"x{n} = {n + 1} * 2", count)
    ),
    "lines that are all alike": lambda count: one_cell(
        lines(lambda n: letters(60, n), count), lines(lambda n: letters(60, -1 - n), count)
    ),
    "words of one line": lambda count: one_cell(words(20 * count, 1), words(20 * count, 2)),
    "values": lambda count: (metadata([*range(count)]), metadata([*range(count, 2 * count)])),
}


@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_twice_as_much_costs_twice_as_many_steps(make: Callable[[int], Pair]) -> None:
    """Once there is too much for comparing each with each, work grows with the size."""
    once, twice = calls(make(400)), calls(make(800))
    assert twice < 2.5 * once


def test_many_gaps_cost_no_more_than_one_comparison_may() -> None:
    """Each small enough to be compared each with each, all together too much."""
    old, new = (
        notebook(*(code("x", outputs=printed(90, chance)) for _ in range(120)))
        for chance in (random.Random(1), random.Random(2))
    )
    assert calls((old, new)) < 10_000_000


def printed(count: int, chance: random.Random) -> list[dict[str, object]]:
    """Return outputs, each of which could be any other."""
    return [stream(f"{chance.random()} {chance.random()}") for _ in range(count)]


def calls(pair: Pair) -> int:
    """Return how many functions are called while two notebooks are compared and shown."""
    old, new = map(diffing.load, pair)
    count = 0

    def counting(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event.endswith("call")

    sys.setprofile(counting)
    try:
        found = diffing.diff_notebooks(old, new)
        list(draw(diffing.view_of(old, new, found, diffing.DiffOptions()), ("a", "b")))
    finally:
        sys.setprofile(None)
    return count


def test_a_few_changed_lines_among_many_are_found() -> None:
    """Where the whole is too much, only what lies between lines in common is compared."""
    old, new = map(diffing.load, PAIRS["20,000 lines, a few changed"]())
    ((cells_,),) = (entry.diff for entry in diffing.diff_notebooks(old, new))
    (source,) = cells_.diff
    assert len(source.diff) <= 10
    assert sum(len(entry.get("valuelist", ())) for entry in source.diff) <= 5


def test_a_few_changed_cells_among_many_are_found() -> None:
    """Also where they have no ids."""
    old, new = map(diffing.load, PAIRS["5,000 cells, a few changed"]())
    (found,) = diffing.diff_notebooks(old, new)
    assert len(found.diff) <= 10


def test_equal_notebooks_have_equal_diffs() -> None:
    """The effort is counted, not timed."""
    pair = PAIRS["200 long cells"]()
    assert diffing.diff(*pair) == diffing.diff(*pair)


texts = st.lists(st.sampled_from(["a", "b", "ab", "", "c" * 300]), max_size=12).map("\n".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
)


@given(st.lists(values, max_size=8), st.lists(values, max_size=8), st.sampled_from([0, 50, 10**6]))
def test_with_any_effort_the_diff_leads_from_one_to_the_other(
    old: list[object], new: list[object], steps: int
) -> None:
    """None, a little, enough: coarser or finer, and always right."""
    found = diff_values(old, new, Likeness(effort=Effort(steps)))
    assert found is not None
    assert nbdime.patch(old, found) == new
    assert nbdime.patch(old, settle(old, [])) == old


@given(texts, texts, st.sampled_from([0, 50, 10**6]))
def test_with_any_effort_a_text_leads_to_the_other(old: str, new: str, steps: int) -> None:
    """By whole lines where there is no effort left for their letters."""
    found = diff_texts(old, new, Likeness(effort=Effort(steps)))
    assert nbdime.patch(old, found) == new
