"""The best way through a gap, and what it costs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvc.diffing.effort import Effort
from nbvc.diffing.matching import MAX_PAIRS, MIN_BAND, best_path, match_equal
from nbvc.notebook.aligning import Gap, Level, anchor, longest_increasing

scores = st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=5)


def highest(table: list[list[int]]) -> int:
    """Return the highest sum of a way through *table*, found by trying all."""
    if not table or not table[0]:
        return 0
    rest = [row[1:] for row in table]
    return max(
        highest(table[1:]),
        highest(rest),
        table[0][0] + highest(rest[1:]),
    )


@given(scores)
def test_the_best_path_has_the_highest_sum(table: list[list[int]]) -> None:
    """Both indices rise, and no other way is worth more."""
    gap = Gap(10, 10 + len(table), 20, 24)
    found = best_path(gap, lambda i, j: table[i - 10][j - 20], Effort())
    assert all(one[0] < two[0] and one[1] < two[1] for one, two in pairwise(found))
    assert sum(table[i - 10][j - 20] for i, j in found) == highest(table)


@pytest.mark.parametrize(("rows", "columns"), [(300, 1_500), (1_500, 300), (3_000, 3_000)])
def test_in_a_large_gap_items_are_compared_with_those_in_their_place(
    rows: int, columns: int
) -> None:
    """Few against many and many against few: within the band all that is alike is found."""
    longer = max(rows, columns)
    asked = 0

    def alike(i: int, j: int) -> float:
        nonlocal asked
        asked += 1
        return float(i * (longer // rows) == j * (longer // columns))

    found = best_path(Gap(0, rows, 0, columns), alike, Effort())
    assert len(found) == min(rows, columns)
    assert asked <= max(MAX_PAIRS, rows * MIN_BAND)


def test_what_is_spent_is_gone() -> None:
    """A gap that is not affordable is left as it is, and costs nothing."""
    effort = Effort(100)
    assert len(best_path(Gap(0, 9, 0, 9), lambda i, j: float(i == j), effort)) == 9
    assert best_path(Gap(0, 9, 0, 9), lambda i, j: float(i == j), effort) == []
    assert effort.affords(19)
    assert not effort.affords(1)


def test_at_the_edge_of_the_band_all_is_found_as_well() -> None:
    """The band moves on by several columns at each row."""
    gap = Gap(0, 300, 0, 1_500)
    found = best_path(gap, lambda i, j: float(j == i * 5 + 15), Effort())
    assert len(found) == 297


def test_most_items_in_their_place_need_no_search() -> None:
    """Where each is the same as many others, and too many for a search."""
    old = [number % 7 for number in range(2_000)]
    new = [-1 if number in {500, 1_500} else kind for number, kind in enumerate(old)]
    assert len(match_equal(old, new, Effort())) == 1_998
    assert match_equal(old, [kind + 7 for kind in old], Effort()) == []


def test_what_is_unique_between_anchors_is_an_anchor() -> None:
    """It need not be unique in the whole lists."""
    old, new = list("9xmx8"), list("7xmx6")
    assert anchor([Level(old=old, new=new)], Gap.whole(old, new)) == [(1, 1), (2, 2), (3, 3)]


lists = st.lists(st.integers(0, 6), max_size=12)


@given(lists, lists)
def test_anchors_are_equal_and_in_order(old: list[int], new: list[int]) -> None:
    """Indices rise on both sides; two equal lists are all anchors."""
    found = anchor([Level(old=old, new=new)], Gap.whole(old, new))
    assert all(old[o] == new[n] for o, n in found)
    assert all(one[0] < two[0] and one[1] < two[1] for one, two in pairwise(found))
    if old == new:
        assert len(found) == len(old)


@given(st.permutations(range(7)))
def test_the_most_pairs_that_rise_are_kept(order: list[int]) -> None:
    """No set of pairs in order is larger."""
    kept = longest_increasing([*enumerate(order)])
    assert all(one[0] < two[0] and one[1] < two[1] for one, two in pairwise(kept))
    lengths: list[int] = []
    for index, value in enumerate(order):
        before = [lengths[i] for i in range(index) if order[i] < value]
        lengths.append(1 + max(before, default=0))
    assert len(kept) == max(lengths)
