from __future__ import annotations

import random
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvc.errors import InvalidNotebook
from nbvc.model import Changes
from nbvc.notebook import compare, describe_changes, read_outline
from nbvc.notebook.comparing import cell_changes
from nbvc.notebook.outline import CellOutline, Outline
from nbvc.notebook.pairing import pair_cells
from tests.notebook_samples import (
    CORPUS,
    code,
    markdown,
    needs_corpus,
    notebook,
    stream,
)


def changes_between(old: bytes, new: bytes) -> tuple[int, int, int, bool]:
    """Return added, removed, changed and outputs_only."""
    found = compare(read_outline(old), read_outline(new))
    return found.cells_added, found.cells_removed, found.cells_changed, found.outputs_only


A, B, C = (code(source, id=source) for source in "abc")


def test_the_first_version_adds_every_cell() -> None:
    """Without an old notebook each cell counts as added."""
    changes = compare(None, read_outline(notebook(A, B)))
    assert changes == Changes(cells_added=2, cells_removed=0, cells_changed=0, outputs_only=False)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ([A, B, C], (0, 0, 0, False)),
        ([A, code("new", id="n"), B, C], (1, 0, 0, False)),
        ([A, C], (0, 1, 0, False)),
        ([A, code("B", id="b"), C], (0, 0, 1, False)),
        ([A, code("b", id="b", outputs=[stream("1")]), C], (0, 0, 1, True)),
        ([A, code("b", id="b", execution_count=2), C], (0, 0, 1, True)),
        ([A, code("b", id="b", metadata={"x": 1}), C], (0, 0, 1, False)),
        ([A, code("b", id="other"), C], (0, 0, 0, False)),
        ([A, code("B", id="other"), C], (1, 1, 0, False)),
        ([B, C, A], (0, 0, 1, False)),
        ([C, B, A], (0, 0, 2, False)),
        ([], (0, 3, 0, False)),
    ],
)
def test_each_kind_of_change_is_counted(
    new: list[dict[str, Any]], expected: tuple[int, int, int, bool]
) -> None:
    """Added, removed, edited, re-run, re-tagged, moved: each as a person would count them."""
    assert changes_between(notebook(A, B, C), notebook(*new)) == expected


def test_outputs_with_an_edit_elsewhere_are_not_outputs_only() -> None:
    """One edited source makes the whole change more than a re-run."""
    rerun = code("a", id="a", execution_count=1)
    assert changes_between(notebook(A, B), notebook(rerun, code("B", id="b"))) == (0, 0, 2, False)


def test_cells_without_ids_pair_in_order_between_equal_ones() -> None:
    """Before format 4.5 an edited cell is found by its place."""
    old = notebook(code("a"), code("b"), code("c"), minor=4)
    new = notebook(code("a"), markdown("## text"), code("b2"), code("c"), minor=4)
    assert changes_between(old, new) == (1, 0, 1, False)
    kinds = [change.kind for change in cell_changes(read_outline(old), read_outline(new))]
    assert kinds == ["added", "changed"]


def test_duplicate_ids_are_not_trusted() -> None:
    """Cells that share an id are told apart by their source."""
    twins = [code("a", id="x"), code("b", id="x"), code("c", id="x")]
    assert changes_between(notebook(*twins), notebook(twins[2], *twins[:2])) == (0, 0, 1, False)


def test_another_metadata_of_the_notebook_changes_no_cell() -> None:
    """Kernel and language are not counted."""
    assert changes_between(notebook(A), notebook(A, kernelspec={"name": "x"})) == (0, 0, 0, False)


@pytest.mark.parametrize(
    ("counts", "outputs_only", "text"),
    [
        ((0, 0, 0), False, "no cells changed"),
        ((1, 0, 0), False, "1 cell changed"),
        ((2, 1, 0), False, "2 cells changed, 1 added"),
        ((2, 0, 0), True, "2 cells changed; outputs only"),
        ((0, 1, 0), False, "1 cell added"),
        ((0, 12, 3), False, "12 cells added, 3 removed"),
        ((1, 2, 3), False, "1 cell changed, 2 added, 3 removed"),
    ],
)
def test_changes_read_as_a_sentence(
    counts: tuple[int, int, int], outputs_only: bool, text: str
) -> None:
    """Zero counts are left out, and the noun agrees with the first number."""
    changed, added, removed = counts
    changes = Changes(
        cells_changed=changed,
        cells_added=added,
        cells_removed=removed,
        outputs_only=outputs_only,
    )
    assert describe_changes(changes) == text


def test_unknown_changes_read_as_nothing() -> None:
    """A version of another tool has no summary."""
    assert describe_changes(None) == ""


def random_cells(seed: int, count: int, *, prefix: str) -> list[CellOutline]:
    """Return cells of which many are alike, in an order given by *seed*."""
    chance = random.Random(seed)
    names = [f"{prefix}{chance.randrange(count)}" for _ in range(count)]
    return [outline_cell(name, name) for name in names]


def outline_cell(cell_id: str | None, source: str) -> CellOutline:
    """Return a cell outline with these two values."""
    return CellOutline(
        id=cell_id, cell_type="code", source_hash=source, outputs_hash="", metadata_hash=""
    )


def test_large_notebooks_are_compared_in_linear_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the cells cost at most about twice the comparisons, in the worst cases known."""
    comparisons = 0
    original = CellOutline.__eq__

    def counting(self: CellOutline, other: object) -> bool:
        nonlocal comparisons
        comparisons += 1
        return original(self, other)

    monkeypatch.setattr(CellOutline, "__eq__", counting)
    size = 2000
    base = [outline_cell(f"a{i}", f"x{i}") for i in range(size)]
    cases = [
        [outline_cell(f"a{i}", f"y{i}") for i in range(size)],
        [outline_cell(f"b{i}", f"x{i}") for i in range(size)],
        [outline_cell(f"b{i}", f"y{i}") for i in range(size)],
        [outline_cell(None, "") for _ in range(size)],
        base[::-1],
    ]
    for case in cases:
        pair_cells(base, case)
    assert comparisons < 3 * size * len(cases)


_cells = st.lists(
    st.builds(
        CellOutline,
        id=st.none() | st.sampled_from("abcdef"),
        cell_type=st.sampled_from(["code", "markdown"]),
        source_hash=st.sampled_from("12345"),
        outputs_hash=st.sampled_from("01"),
        metadata_hash=st.just("0"),
    ),
    max_size=12,
)
_outlines = _cells.map(
    lambda cells: Outline(nbformat=4, nbformat_minor=5, language=None, cells=tuple(cells))
)


@given(_outlines, _outlines)
def test_counts_always_add_up(old: Outline, new: Outline) -> None:
    """The new length is the old one, plus added, minus removed; the changed fit in both."""
    changes = compare(old, new)
    assert len(new.cells) == len(old.cells) + changes.cells_added - changes.cells_removed
    kept = len(new.cells) - changes.cells_added
    assert 0 <= changes.cells_changed <= kept
    if changes.outputs_only:
        assert [c.source_hash for c in old.cells] == [c.source_hash for c in new.cells]


@given(_outlines, _outlines)
def test_no_cell_is_paired_twice(old: Outline, new: Outline) -> None:
    """Each cell has at most one partner, and the ones that did not move are in order."""
    pairs = pair_cells(old.cells, new.cells)
    assert len({pair.old for pair in pairs}) == len({pair.new for pair in pairs}) == len(pairs)
    in_order = [pair.old for pair in pairs if not pair.moved]
    assert in_order == sorted(in_order)


@given(_outlines)
def test_a_notebook_never_differs_from_itself(outline: Outline) -> None:
    """Identical outlines give zeros, whatever ids they repeat or lack."""
    assert describe_changes(compare(outline, outline)) == "no cells changed"


@given(_outlines, st.randoms(use_true_random=False))
def test_reordering_never_adds_or_removes_distinct_cells(
    outline: Outline, chance: random.Random
) -> None:
    """Shuffling cells with distinct sources only changes their order."""
    cells = [outline_cell(None, str(i)) for i in range(len(outline.cells))]
    shuffled = cells[:]
    chance.shuffle(shuffled)
    old, new = (
        Outline(nbformat=4, nbformat_minor=4, language=None, cells=tuple(c))
        for c in (cells, shuffled)
    )
    changes = compare(old, new)
    assert (changes.cells_added, changes.cells_removed, changes.outputs_only) == (0, 0, False)
    assert (changes.cells_changed == 0) == (cells == shuffled)


@needs_corpus
@pytest.mark.corpus
def test_two_hundred_real_versions_add_up() -> None:
    """From version to version of real notebooks the counts hold, and broken JSON is named."""
    previous: dict[str, Outline] = {}
    broken = []
    with tarfile.open(CORPUS / "handson-ml.tar.xz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None:
                continue
            folder, _, name = member.name.rpartition("/")
            try:
                outline = read_outline(file.read(), name=name)
            except InvalidNotebook as error:
                broken.append(error.message)
                continue
            old = previous.get(folder)
            changes = compare(old, outline)
            before = len(old.cells) if old else 0
            assert len(outline.cells) == before + changes.cells_added - changes.cells_removed
            assert Outline.from_bytes(outline.to_bytes()) == outline
            previous[folder] = outline
    assert [message.partition(" ")[0] for message in broken] == [
        f"0{n}.ipynb" for n in (14, 15, 16)
    ]
    assert all("line 4642, column 5" in message for message in broken)
    assert len(previous) == 8
