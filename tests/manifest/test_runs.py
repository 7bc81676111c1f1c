"""Sets of numbers as runs, against plain sets of numbers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nbvc.manifest.runs import Numbers, count, merged, runs_of, subtract

NUMBERS = st.sets(st.integers(1, 30))
RUNS = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 10)).map(lambda p: (p[0], sum(p))))


def numbers_in(runs: object) -> set[int]:
    """Return the numbers in runs, one by one."""
    return {n for first, last in runs for n in range(first, last + 1)}  # type: ignore[attr-defined]


@given(NUMBERS)
def test_numbers_become_as_few_runs_as_possible(numbers: set[int]) -> None:
    """None touch, none overlap, and they hold what they were made of."""
    runs = runs_of(numbers)
    assert numbers_in(runs) == numbers
    assert count(runs) == len(numbers)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(runs))


@given(RUNS, RUNS)
def test_subtracting_leaves_what_is_in_the_one_and_not_in_the_other(
    runs: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    """Whatever the order of the runs, and however they overlap."""
    assert numbers_in(subtract(runs, others)) == numbers_in(runs) - numbers_in(others)
    assert numbers_in(merged(runs)) == numbers_in(runs)


@given(RUNS)
def test_asking_for_a_number_finds_it_in_any_run(runs: list[tuple[int, int]]) -> None:
    """And nothing that is in none of them."""
    numbers = Numbers(runs)
    assert {n for n in range(40) if n in numbers} == numbers_in(runs)
    assert None not in numbers


def test_the_work_does_not_grow_with_the_numbers() -> None:
    """A hostile file may name any; this would not end if they were counted out."""
    huge = [(1, 9_999_999_999), (5, 9_999_999_998)]
    assert list(merged(huge)) == [(1, 9_999_999_999)]
    assert list(subtract(huge, [(2, 9_999_999_998)])) == [(1, 1), (9_999_999_999, 9_999_999_999)]
    assert 9_000_000_000 in Numbers(huge)
