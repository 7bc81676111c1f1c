"""Which cell became which."""

from __future__ import annotations

import random
from typing import Any

import pytest

from nbvc import diffing
from nbvc.diffing.matching import MAX_PAIRS
from tests.diff_sizes import Size
from tests.notebook_samples import code, display, markdown, notebook, stream

Cells = list[dict[str, Any]]
SETUP = "import numpy as np\nimport pandas as pd\nfrom pathlib import Path"
LOAD = "def load(path):\n    frame = pd.read_csv(path)\n    return frame.dropna()"
PLOT = "figure, axes = plt.subplots()\naxes.plot(frame.year, frame.rain)\nplt.show()"
MODEL = "model = LinearRegression()\nmodel.fit(frame[['year']], frame.rain)"


def pairs(old: Cells, new: Cells) -> list[tuple[int, int, bool]]:
    """Return old index, new index and whether it moved, of the cells that are paired."""
    a, b = (diffing.load(notebook(*cells)).cells for cells in (old, new))
    return [(pair.old, pair.new, pair.moved) for pair in diffing.align_cells(a, b)]


def size(old: Cells, new: Cells) -> Size:
    """Return how large the diff is."""
    return Size.of(diffing.diff(notebook(*old), notebook(*new)))


def test_cells_with_other_ids_are_known_by_their_content() -> None:
    """Where a program made all ids anew, each cell is the same cell with another id."""
    old = [code(source, id=f"old{n}") for n, source in enumerate([SETUP, LOAD, PLOT, "x", "x"])]
    new = [{**cell, "id": f"new{n}"} for n, cell in enumerate(old)]
    assert pairs(old, new) == [(n, n, False) for n in range(5)]
    assert size(old, new) == (5, 5)


def test_ids_that_are_counted_anew_are_not_believed() -> None:
    """A cell put in front, and ids that are the cells' numbers: the others are what they were."""
    old = [code(source, id=str(n)) for n, source in enumerate([SETUP, LOAD, PLOT, MODEL])]
    new = [code(source, id=str(n)) for n, source in enumerate(["first = 1", SETUP, LOAD, PLOT])]
    assert pairs(old, new) == [(0, 1, False), (1, 2, False), (2, 3, False)]


def test_an_id_holds_where_everything_else_changed() -> None:
    """A cell that keeps its id is the same cell, whatever is in it now."""
    old = [code(SETUP, id="a"), code(LOAD, id="b"), code(PLOT, id="c")]
    new = [code(SETUP, id="a"), markdown("Nothing is like it.", id="b"), code(PLOT, id="c")]
    assert pairs(old, new) == [(0, 0, False), (1, 1, False), (2, 2, False)]


@pytest.mark.parametrize("ids", ["abcd", ["a"] * 4, [None] * 4], ids=["unique", "repeated", "none"])
def test_a_moved_cell_is_known_with_ids_and_without(ids: list[str | None]) -> None:
    """Fewest cells move: the one that was taken to the end."""
    old = [
        code(source, **({"id": name} if name else {}))
        for source, name in zip([SETUP, LOAD, PLOT, MODEL], ids, strict=True)
    ]
    new = [old[0], old[2], old[3], old[1]]
    assert pairs(old, new) == [(0, 0, False), (2, 1, False), (3, 2, False), (1, 3, True)]
    assert size(old, new) == (2, 2)


def test_a_cell_that_moved_and_was_edited_is_known_by_what_only_it_holds() -> None:
    """Without ids, by lines and words that are in no other cell."""
    old = [code(SETUP), code(LOAD), code(PLOT), code(MODEL)]
    new = [code(SETUP), code(PLOT), code(MODEL), code(LOAD.replace("dropna", "fillna"))]
    assert pairs(old, new)[-1] == (1, 3, True)


def test_a_moved_cell_among_equal_sources_is_known_by_its_outputs() -> None:
    """The source is in three cells, its figure in one; all have other ids."""
    figures = [code(PLOT, outputs=[stream(f"figure {n}")]) for n in range(3)]
    old = [{**cell, "id": f"old{n}"} for n, cell in enumerate(figures)]
    new = [{**cell, "id": f"new{n}"} for n, cell in enumerate([*figures[1:], figures[0]])]
    assert pairs(old, new) == [(1, 0, False), (2, 1, False), (0, 2, True)]


def test_a_short_cell_that_went_and_came_did_not_move() -> None:
    """What is in every notebook says nothing about where it comes from."""
    old = [code("plt.show"), code(SETUP), code(LOAD)]
    new = [code(SETUP), code(LOAD), code("plt.show")]
    assert [moved for _, _, moved in pairs(old, new)] == [False, False]


def test_of_equal_cells_those_with_equal_outputs_are_the_same() -> None:
    """One of two equal cells was removed: the one whose figure is gone."""
    old = [code(PLOT, outputs=[display({"image/png": name * 20})]) for name in ("AAAA", "BBBB")]
    for number in range(2):
        new = [{**old[number], "source": PLOT.replace("year", "month")}]
        assert pairs(old, new) == [(number, 0, False)]


def test_of_two_ways_that_are_as_good_the_same_is_taken_both_ways() -> None:
    """Two equal cells, and one that is like both of them."""
    old = [code(PLOT), code(PLOT)]
    new = [code(PLOT.replace("year", "month")), code(SETUP)]
    ((there, _, _),) = pairs(old, new)
    ((_, back, _),) = pairs(new, old)
    assert there == back


def test_a_rerun_changes_no_pair() -> None:
    """Other outputs, and cells that are equal many times over."""
    old = [code(source) for source in [SETUP, "plt.show()", PLOT, "plt.show()", "plt.show()"]]
    new = [
        {**cell, "outputs": [stream(f"{n}")], "execution_count": n} for n, cell in enumerate(old)
    ]
    assert pairs(old, new) == [(n, n, False) for n in range(5)]


def test_edited_cells_are_found_behind_many_new_ones() -> None:
    """In more cells than are compared each with each, by what only two of them hold."""
    chance = random.Random(4)
    sources = [
        "\n".join(f"value_{chance.random()} = compute({chance.random()})" for _ in range(4))
        for _ in range(200)
    ]
    old, added = sources[:100], sources[100:]
    new = added + [source.replace("compute", "calculate", 1) for source in old]
    assert len(old) * len(new) > MAX_PAIRS
    assert size([*map(code, old)], [*map(code, new)]).cells == len(new)
