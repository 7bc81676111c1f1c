"""What came of a comparison is kept: a second look reads nothing and computes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbvc.diffing import DiffOptions
from nbvc.model import Digest
from nbvc.workspace import comparing
from nbvc.workspace.cache import DiskCache
from nbvc.workspace.comparing import Comparison, Side
from tests.notebook_samples import code, notebook, stream

ONE = notebook(code("x = 1", id="a"))
TWO = notebook(code("x = 2 # \udc80", id="a", outputs=[stream("2\n")]))
LIMIT_BYTES = 1_000_000
RESULTS: dict[str, Callable[[Comparison], Any]] = {
    "view": lambda comparison: comparison.view,
    "diff": lambda comparison: comparison.diff,
}


class Look:
    """Looks at two notebooks, each time anew, and counts how often they are read.

    Args:
        folder: Of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reads = 0

    def comparison(self, old: bytes = ONE, new: bytes = TWO, **options: bool) -> Comparison:
        """Return a comparison of which nothing is known yet."""
        sides = [self._side(name, data) for name, data in (("old", old), ("new", new))]
        return Comparison(*sides, DiffOptions(**options), DiskCache(self.folder, LIMIT_BYTES))

    def _side(self, name: str, data: bytes) -> Side:
        def start() -> Callable[[], bytes]:
            self.reads += 1
            return lambda: data

        return Side(name=name, digest=Digest.of(data), start=start)

    def files(self) -> list[Path]:
        """Return the files of the cache."""
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return who looks, with an empty cache."""
    return Look(tmp_path / "cache")


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_a_second_look_reads_nothing(look: Look, result: Callable[[Comparison], Any]) -> None:
    """Without the notebooks nothing can be computed: what is seen was kept, and is the same."""
    first = result(look.comparison())
    assert look.reads == 2
    assert result(look.comparison()) == first
    assert look.reads == 2


def test_view_and_diff_are_read_once_together(look: Look) -> None:
    """One command never compares twice."""
    comparison = look.comparison()
    assert comparison.view.is_different
    assert comparison.diff
    assert look.reads == 2


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_other_bytes_or_options_are_another_result(
    look: Look, result: Callable[[Comparison], Any]
) -> None:
    """In either direction, and with every option."""
    seen = [
        result(look.comparison()),
        result(look.comparison(TWO, ONE)),
        result(look.comparison(ignore_outputs=True)),
        result(look.comparison(source_only=True)),
    ]
    assert look.reads == 8
    assert seen[0] not in seen[1:]
    assert seen[2] != seen[1]


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("damage", [b"", b"rotten", None], ids=["empty", "rotten", "one bit"])
def test_a_damaged_entry_is_a_miss(
    look: Look, result: Callable[[Comparison], Any], damage: bytes | None
) -> None:
    """It is worked out again, and kept again."""
    first = result(look.comparison())
    (file,) = look.files()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data if damage is None else damage)
    assert result(look.comparison()) == first
    assert look.reads == 4
    assert result(look.comparison()) == first
    assert look.reads == 4


def test_an_entry_is_believed_under_its_own_name_only(look: Look) -> None:
    """One that was moved to another's place is damaged."""
    look.comparison().view  # noqa: B018
    (one,) = look.files()
    other = look.comparison(TWO, ONE)
    other.view  # noqa: B018
    (two,) = (file for file in look.files() if file != one)
    two.write_bytes(one.read_bytes())
    assert look.comparison(TWO, ONE).view == other.view


def test_results_of_another_engine_count_no_more(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do those of another release."""
    for name, value in (("RESULTS", comparing.RESULTS + 1), ("__version__", "99.0")):
        look.comparison().view  # noqa: B018
        before = look.reads
        with monkeypatch.context() as patch:
            patch.setattr(comparing, name, value)
            look.comparison().view  # noqa: B018
        assert look.reads == before + 2


def test_equal_bytes_are_not_read_at_all(look: Look) -> None:
    """Their digests say that nothing changed."""
    comparison = look.comparison(ONE, ONE)
    assert comparison.is_same
    assert not comparison.view.is_different
    assert look.reads == 0
