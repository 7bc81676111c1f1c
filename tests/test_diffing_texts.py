"""What changed between two texts, in lines and characters."""

from __future__ import annotations

import random
from typing import Any

import nbdime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvc.diffing.effort import Effort
from nbvc.diffing.likeness import Likeness, common_end, common_start, common_subsequence
from nbvc.diffing.texts import diff_texts


def shown(old: str, new: str, *, printed: bool = False) -> list[Any]:
    """Return the changes, each as (line, what); within a line as (line, character, what)."""
    found = diff_texts(old, new, Likeness(effort=Effort()), printed=printed)
    assert nbdime.patch(old, found) == new
    rows: list[Any] = []
    for entry in found:
        if entry.op == "patch":
            rows += [(entry.key, inner.key, _what(inner)) for inner in entry.diff]
        else:
            rows.append((entry.key, _what(entry)))
    return rows


def _what(entry: Any) -> Any:
    return entry.length if entry.op == "removerange" else entry.valuelist


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a = 1\nb = 2\n", "a = 1\nb = 2\n", []),
        ("a = 1\nb = 2\n", "b = 2\n", [(0, 1)]),
        ("b = 2\n", "a = 1\nb = 2\n", [(0, ["a = 1\n"])]),
        ("total = price * 2\n", "total = price * 3\n", [(0, 16, "3"), (0, 16, 1)]),
        ("total = price\n", "total = price", [(0, 13, 1)]),
        ("return found\n", "    return found\n", [(0, 0, "    ")]),
        (
            "It takes alpha_1 from the first table, beta_1 from the second, and gamma_1 as well.\n",
            "It takes alpha_2 from the first table, beta_2 from the second, and gamma_2 as well.\n",
            [(0, at, what) for at in (15, 44, 73) for what in ("2", 1)],
        ),
        ("plt.plot(year, rain)\n", "ax.plot(year, rain)\n", [(0, 0, "ax"), (0, 0, 3)]),
        ("alpha\n", "Something else entirely\n", [(0, ["Something else entirely\n"]), (0, 1)]),
    ],
)
def test_each_change_is_the_one_that_a_person_made(old: str, new: str, expected: Any) -> None:
    """A line taken out, put in, indented; a word of it replaced; a line end; another line."""
    assert shown(old, new) == expected


def test_two_words_of_a_long_line_are_two_changes() -> None:
    """A paragraph is one line: what is between its changes stays."""
    old = "The rain of each year is read from a file, and what is missing is left out of the sum."
    new = old.replace("year", "month").replace("missing", "odd")
    assert shown(old, new) == [(0, 17, "month"), (0, 17, 4), (0, 55, "odd"), (0, 55, 7)]


def test_a_few_words_of_a_line_of_60_kilobytes_are_found() -> None:
    """Words that repeat are known by their place, or by those that follow."""
    chance = random.Random(5)
    words = [f"w{chance.randrange(50)}" for _ in range(15_000)]
    old = " ".join(words)
    for number in (3_000, 9_000, 12_000):
        words[number] = "changed"
    expected = ["changed"] * 3
    assert [what for *_, what in shown(old, " ".join(words)) if what in expected] == expected
    words[6_000:6_000] = ["added", "here"]
    found = [what for *_, what in shown(old, " ".join(words)) if isinstance(what, str)]
    assert sum(map(len, found)) < 100


def test_long_texts_are_compared_by_their_words_at_little_cost() -> None:
    """Two pages, of which a word in ten is another one."""
    chance = random.Random(6)
    words = [f"word{chance.randrange(10_000)}" for _ in range(1_000)]
    changed = [word if number % 10 else "other" for number, word in enumerate(words)]
    likeness = Likeness(effort=Effort(3_000))
    assert 0.8 < likeness.share(" ".join(words), " ".join(changed)) < 1


def test_a_line_with_changes_all_over_is_another_line() -> None:
    """Seven marks in forty characters help nobody."""
    old = "plt.rcParams['axes.labelsize'] = 14\n"
    new = "mpl.rc('axes', labelsize=14)\n"
    assert shown(old, new) == [(0, [new]), (0, 1)]


def test_printed_lines_that_all_changed_are_replaced_together() -> None:
    """A person's lines are compared word by word, however many; a program's are not."""
    old = "".join(f"epoch {number} loss 0.{number * 7}\n" for number in range(8))
    new = "".join(f"epoch {number} loss 0.{number * 9}\n" for number in range(8))
    assert {len(row) for row in shown(old, new)} == {3}
    assert [row[0] for row in shown(old, new, printed=True)] == [1, 1]
    one = old.replace("epoch 3 loss", "epoch 3 gain")
    assert shown(old, one, printed=True) == [(3, 8, "gain"), (3, 8, 4)]


def test_blank_lines_stay_beside_what_they_belong_to() -> None:
    """A function is put in as a whole, not in pieces around a blank line that is everywhere."""
    old = "def a():\n    pass\n\n\ndef c():\n    pass\n"
    new = "def a():\n    pass\n\n\ndef b():\n    return 1\n\n\ndef c():\n    pass\n"
    assert len(shown(old, new)) == 1


texts = st.text("ab c", max_size=30)


@given(texts, texts)
def test_the_common_subsequence_is_the_longest(x: str, y: str) -> None:
    """Counted in another way, with a table of all beginnings."""
    row = [0] * (len(y) + 1)
    for character in x:
        before, row = row, [0]
        for column, other in enumerate(y):
            best = before[column] + 1 if character == other else max(before[column + 1], row[-1])
            row.append(best)
    assert common_subsequence(x, y) == common_subsequence(y, x) == row[-1]


@given(texts, texts, texts)
def test_common_ends_are_as_long_as_can_be(x: str, y: str, z: str) -> None:
    """One character more is not the same."""
    a, b = x + y, x + z
    start = common_start(a, b)
    assert a[:start] == b[:start]
    assert a[start : start + 1] != b[start : start + 1] or start == min(len(a), len(b))
    a, b = y + x, z + x
    end = common_end(a, b, min(len(a), len(b)))
    assert a.endswith(b[len(b) - end :])
    assert end >= len(x)
