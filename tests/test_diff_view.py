"""Our own view of a diff: what it lists, what it folds, and that nothing blows it up."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from nbvc import diffing
from nbvc.diffing import DiffOptions, View
from nbvc.diffing.drawing import MAX_CELLS, draw, draw_stat, folded, summary
from nbvc.diffing.folding import MAX_OUTPUTS, MAX_QUOTED, change_outputs
from nbvc.diffing.hunks import MAX_LINE, MAX_LINES, MAX_LINES_IN_ALL
from nbvc.diffing.words import marks_of
from tests.hostile.notebooks import FINE, OBEYED, ODD, Make
from tests.notebook_samples import code, display, markdown, notebook, old_notebook, stream
from tests.test_diffing import any_notebook

A, B, C, D = (code(f"{name} = 1", id=name) for name in "abcd")
COMPARABLE = {
    name: make
    for name, make in ODD.items()
    # What is nested so deeply leaves no room on the stack below pytest; tests/hostile runs it.
    if not name.endswith("levels deep") and name != "format 3 with outputs of all kinds"
}
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066\u200f\u2028\ud800-\udfff]")


def view(old: bytes, new: bytes, **options: bool) -> View:
    """Return what is seen of the diff of two notebooks."""
    a, b = diffing.load(old), diffing.load(new)
    chosen = DiffOptions(**options)
    return diffing.view_of(a, b, diffing.diff_notebooks(a, b, chosen), chosen)


def drawn(old: bytes, new: bytes, **options: bool) -> list[str]:
    """Return the lines that are drawn, without the two names at the top."""
    lines = ["".join(p.text for p in line) for line in draw(view(old, new, **options), ("a", "b"))]
    assert lines[:2] == ["--- a", "+++ b"]
    return lines[2:]


def sources(old: str, new: str) -> list[str]:
    """Return what is drawn below the heading of a cell with these two sources."""
    first, heading, *body = drawn(notebook(code(old, id="a")), notebook(code(new, id="a")))
    assert (first, heading[:7]) == ("", "cell 1 ")
    return body


def outputs(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    """Return what is drawn for a cell with these outputs, before and after."""
    return drawn(
        notebook(code("x", id="a", outputs=old)), notebook(code("x", id="a", outputs=new))
    )[2:]


def error(name: str, value: str, *traceback: str) -> dict[str, Any]:
    """Return the output of a cell that failed."""
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": list(traceback)}


class TestCells:
    """Which cells are listed, and under which name."""

    def test_a_cell_is_named_by_number_and_first_line(self) -> None:
        """The first that is not blank; the number is the one in the new notebook."""
        old, new = (
            notebook(A, code("\n\n first\nx", id="z")),
            notebook(code("\n\n first\ny", id="z")),
        )
        assert drawn(old, new)[4] == "cell 1 (code) changed: first"

    def test_cells_come_in_the_order_of_the_new_notebook(self) -> None:
        """Each says what happened to it; a removed one has its old number."""
        old = notebook(A, B, C, D)
        new = notebook(code("a = 2", id="a"), C, code("n", id="n"), {**D, "outputs": [stream("1")]})
        cells = [(c.kind, c.old_number, c.new_number, c.parts) for c in view(old, new).cells]
        assert cells == [
            ("changed", 1, 1, ("source",)),
            ("removed", 2, None, ()),
            ("added", None, 3, ()),
            ("changed", 4, 4, ("outputs",)),
        ]
        headings = [line for line in drawn(old, new) if "(code)" in line]
        assert headings == [
            "cell 1 (code) changed: a = 2",
            "old cell 2 (code) removed",
            "cell 3 (code) added",
            "cell 4 (code) changed: d = 1",
        ]

    def test_a_moved_cell_is_shown_as_moved(self) -> None:
        """From number to number, and not as one removed and another added."""
        (cell,) = view(notebook(A, B, C, D), notebook(B, C, D, A)).cells
        assert (cell.is_moved, cell.old_number, cell.new_number) == (True, 1, 4)
        assert drawn(notebook(A, B, C, D), notebook(B, C, D, A)) == [
            "",
            "cell 4 (code) moved from 1: a = 1",
        ]

    def test_a_cell_that_was_moved_and_edited_shows_both(self) -> None:
        """With a hunk of what changed in it, and its outputs."""
        long = [f"line {n}" for n in range(9)]
        before = code("\n".join(long), id="m", outputs=[stream("1")])
        after = code("\n".join([*long, "more"]), id="m", outputs=[stream("2")])
        lines = drawn(notebook(before, B, C, D), notebook(B, C, D, after))
        assert lines[1] == "cell 4 (code) moved from 1, changed: line 0"
        assert lines[-2:] == ["+more", '* output changed: stdout "2", was "1"']
        (cell,) = view(notebook(before, B, C, D), notebook(B, C, D, after)).cells
        assert (cell.lines_added, cell.lines_removed) == (1, 0)

    def test_an_added_cell_shows_its_source_and_folds_its_outputs(self) -> None:
        """A removed one too; with sources only, outputs are left out."""
        cell = code(
            "one\ntwo", id="n", outputs=[stream("hey\nyou\n"), display({"image/png": "A" * 80})]
        )
        shown = ['* output: stdout "hey" (2 lines)', "* output: image/png 60 B"]
        assert drawn(notebook(A), notebook(A, cell))[2:] == ["+one", "+two", *shown]
        assert drawn(notebook(A, cell), notebook(A))[2:] == ["-one", "-two", *shown]
        assert drawn(notebook(A), notebook(A, cell), source_only=True)[2:] == ["+one", "+two"]

    def test_another_type_is_said(self) -> None:
        """Code that became text, with what it had put out."""
        old = notebook(code("# Title", id="a", outputs=[stream("1")]))
        assert drawn(old, notebook(markdown("# Title", id="a")))[1:] == [
            "cell 1 (markdown) changed: # Title",
            "* type changed: markdown, was code",
            "* 1 output removed",
        ]

    def test_attached_files_are_named(self) -> None:
        """Those that came, went or changed."""
        old = markdown("x", id="a", attachments={"a.png": {"image/png": "AA"}})
        new = markdown("x", id="a", attachments={"b.png": {"image/png": "AA"}})
        assert drawn(notebook(old), notebook(new))[2:] == ["* attachments changed: a.png, b.png"]


class TestSources:
    """Hunks."""

    def test_a_hunk_has_a_few_lines_around(self) -> None:
        """And says at which line it begins, unless that is the first."""
        old = [f"x{n} = {n}" for n in range(30)]
        new = [*old[:20], "here", *old[20:]]
        assert sources("\n".join(old), "\n".join(new)) == [
            "@@ line 18 @@",
            *(" x17 = 17", " x18 = 18", " x19 = 19", "+here"),
            *(" x20 = 20", " x21 = 21", " x22 = 22"),
        ]

    def test_changes_that_are_near_make_one_hunk(self) -> None:
        """And those that are far apart make two."""
        lines = [f"x{n} = {n}" for n in range(40)]
        changed = [*lines]
        changed[10] = changed[16] = changed[35] = "other(thing)"
        hunks = (
            view(
                notebook(code("\n".join(lines), id="a")), notebook(code("\n".join(changed), id="a"))
            )
            .cells[0]
            .hunks
        )
        assert [hunk.start for hunk in hunks] == [8, 33]

    def test_what_was_taken_out_of_a_run_comes_before_what_was_put_in(self) -> None:
        """As in every diff, so that both can be read as text."""
        old, new = "mean = sum(rain)\nprint(mean, 1)", "mean = sum(wet)\nprint(mean, 2)"
        assert sources(old, new) == [
            "-mean = sum(rain)",
            "-print(mean, 1)",
            "+mean = sum(wet)",
            "+print(mean, 2)",
        ]

    def test_words_that_changed_are_emphasised(self) -> None:
        """Within a line that is otherwise the same, on both sides."""
        old = notebook(code("total = sum(first_values) + offset", id="a"))
        new = notebook(code("total = sum(other_values) + offset", id="a"))
        removed, added = view(old, new).cells[0].hunks[0].lines
        for line, word in ((removed, "first_values"), (added, "other_values")):
            assert line.parts == ("total = sum(", word, ") + offset")
        styles = [piece.style for line in draw(view(old, new), ("a", "b")) for piece in line]
        assert {"removed", "added"} <= set(styles)

    def test_a_mark_covers_whole_words(self) -> None:
        """Though the letters at one end of a word stayed; but not of one that never ends."""
        entries = [
            {"op": "addrange", "key": 4, "valuelist": "ROOT"},
            {"op": "removerange", "key": 4, "length": 3},
        ]
        assert marks_of("x, A_URL_B + 1", "x, AROOTURL_B + 1", entries) == (((3, 10),), ((3, 13),))
        long = "y" * 100
        assert marks_of(
            f"{long}cat {long}",
            f"{long}dog {long}",
            [
                {"op": "addrange", "key": 100, "valuelist": "dog"},
                {"op": "removerange", "key": 100, "length": 3},
            ],
        ) == (((100, 103),), ((100, 103),))

    def test_an_empty_line_end_is_no_change(self) -> None:
        """A line put after the last one does not change that one, though its line end came."""
        assert sources("a\nb", "a\nb\nc") == [" a", " b", "+c"]

    def test_line_ends_alone_are_said(self) -> None:
        """For nothing can be seen of them."""
        assert sources("a\nb", "a\r\nb") == ["* only line ends changed"]

    def test_lines_are_counted_as_git_does(self) -> None:
        """A changed line is one that came and one that went."""
        old, new = (
            notebook(code("a\nb = 1\nc", id="a"), B),
            notebook(code("a\nb = 2\nc\nd", id="a")),
        )
        cells = view(old, new).cells
        assert [(c.lines_added, c.lines_removed) for c in cells] == [(2, 1), (0, 1)]


class TestOutputs:
    """Each is folded to one line."""

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            (
                [display({"image/png": "A" * 60_000, "text/plain": "<Figure>"})],
                [display({"image/png": "A" * 59_000, "text/plain": "<Figure>"})],
                "output changed: image/png 44 kB, was 45 kB",
            ),
            (
                [display({"image/png": "A" * 60_000})],
                [display({"image/png": "A" * 60_004})],
                "output changed: image/png 45,003 B, was 45,000 B",
            ),
            (
                [display({"image/png": "A" * 60_000})],
                [display({"image/png": "B" * 60_000})],
                "output changed: image/png 45 kB, the same size",
            ),
            (
                [stream("epoch 1\nloss 0.5\n")],
                [stream("epoch 1\nloss 0.4\n")],
                'output changed: stdout line 2 "loss 0.4", was "loss 0.5"',
            ),
            (
                [stream("epoch 1\n")],
                [stream("epoch 1\nepoch 2\n")],
                'output changed: stdout "epoch 1" (2 lines), was 1 line',
            ),
            (
                [error("ValueError", "bad", "at 1")],
                [error("KeyError", "'x'\nmore", "at 1")],
                "output changed: KeyError: 'x', was ValueError: bad",
            ),
            (
                [error("ValueError", "bad", "at 1")],
                [error("ValueError", "bad", "at 2")],
                "output changed: ValueError: bad (another traceback)",
            ),
            (
                [display({"text/html": "<td>1", "text/plain": "0 1"})],
                [display({"text/html": "<td>2", "text/plain": "0 2"})],
                'output changed: text/html "0 2", was "0 1"',
            ),
            ([], [stream("x\n", name="stderr")], 'output added: stderr "x"'),
            ([error("E", "v")], [], "output removed: E: v"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_changed_is_said_in_a_line(
        self, old: list[dict[str, Any]], new: list[dict[str, Any]], said: str
    ) -> None:
        """An image by its size, a text by the first line that differs, an error by its name."""
        assert outputs(old, new) == [f"* {said}"]

    def test_an_output_that_became_of_another_kind_is_named_as_both(self) -> None:
        """As a diff of another tool may have it."""
        entry = {"op": "replace", "key": "output_type", "value": "error"}
        change = change_outputs(
            [stream("1")], [error("E", "v")], [{"op": "patch", "key": 0, "diff": [entry]}]
        )
        assert change.lines == ['output changed: E: v, was stdout "1"']

    def test_a_difference_far_along_a_line_is_shown(self) -> None:
        """A piece of it around the difference, not its start."""
        (line,) = outputs(
            [stream("x" * 500 + "cat" + "y" * 500)], [stream("x" * 500 + "dog" + "y" * 500)]
        )
        assert "dog" in line
        assert "cat" in line
        assert len(line) < 4 * MAX_QUOTED

    def test_addresses_in_memory_are_folded_away(self) -> None:
        """Every run has others; the cell is not listed for them."""
        at = "<Axes at 0x7f{}c0d0>"
        old = notebook(code("plot()", id="a", outputs=[display({"text/plain": at.format(1)})]))
        new = notebook(code("plot()", id="a", outputs=[display({"text/plain": at.format(2)})]))
        assert drawn(old, new)[1:] == [
            "notebook",
            "* only memory addresses changed in the outputs of cell 1",
        ]

    def test_many_outputs_are_named_up_to_a_bound(self) -> None:
        """And the rest is counted."""
        lines = outputs([], [stream(f"{n}\n") for n in range(100)])
        assert len(lines) == MAX_OUTPUTS + 1
        assert lines[-1] == f"* {100 - MAX_OUTPUTS} more outputs that changed"


class TestFolding:
    """What no reader looks at cell by cell."""

    def test_counts_and_ids_are_one_line_each(self) -> None:
        """However many cells have others."""
        old = [code(f"x{n}", id=f"a{n}", execution_count=n) for n in range(12)]
        new = [code(f"x{n}", id=f"b{n}", execution_count=n + 1) for n in range(12)]
        assert drawn(notebook(*old), notebook(*new))[1:] == [
            "notebook",
            "* execution counts changed in 12 cells",
            "* ids changed in 12 cells",
        ]

    def test_metadata_is_named_by_its_place(self) -> None:
        """Of the notebook, and of the cells in which the same places changed."""
        old = notebook(A, B, C, kernelspec={"name": "python2", "language": "python"})
        tagged = [{**cell, "metadata": {"tags": ["x"]}} for cell in (A, B)]
        new = notebook(*tagged, C, kernelspec={"name": "python3", "language": "python"}, minor=4)
        assert drawn(old, new)[1:] == [
            "notebook",
            "* metadata changed: kernelspec.name",
            "* format changed: 4.4, was 4.5",
            "* metadata changed in cells 1, 2: tags",
        ]

    def test_options_leave_their_parts_out(self) -> None:
        """Also of a cell that was moved, for which nbdime's format has no word."""
        moved = {**A, "outputs": [stream("1")], "execution_count": 3, "metadata": {"a": 1}}
        old, new = notebook(A, B, C, D), notebook(B, C, D, moved)
        (cell,) = view(old, new).cells
        assert cell.parts == ("outputs", "metadata", "execution_count", "order")
        (cell,) = view(old, new, source_only=True).cells
        assert cell.parts == ("order",)


class TestStat:
    """One line for each cell."""

    OLD = notebook(A, B, C, D, kernelspec={"name": "x"})
    NEW = notebook(
        code("b = 1\nb = 2", id="b"), C, {**D, "execution_count": 2}, A, code("n", id="n")
    )

    def test_rows_are_those_of_the_cells_that_are_drawn(self) -> None:
        """The same cells with the same words, and what is folded is folded there too."""
        rows = [row[:5] for row in draw_stat(view(self.OLD, self.NEW))]
        assert rows == [
            ("cell 1", "code", "changed", "+1", "source"),
            ("cell 4", "code", "moved from 1", "", ""),
            ("cell 5", "code", "added", "+1", ""),
        ]
        lines = drawn(self.OLD, self.NEW)
        headings = [line.partition(":")[0] for line in lines if line.startswith("cell")]
        assert headings == [f"{row[0]} ({row[1]}) {row[2]}" for row in rows]
        assert lines[-2:] == [f"* {note}" for note in folded(view(self.OLD, self.NEW))]

    def test_the_last_line_sums_up(self) -> None:
        """Cells and lines, as git does."""
        assert summary(view(self.OLD, self.NEW)) == "1 cell changed, 1 added, 1 moved; +2 lines"
        both = summary(view(notebook(A, B), notebook(code("a = 2", id="a"))))
        assert both == "1 cell changed, 1 removed; +1 -2 lines"
        assert summary(view(notebook(A), notebook({**A, "execution_count": 2}))) == "no cell listed"

    def test_lines_add_up_to_those_that_are_drawn(self) -> None:
        """Where nothing is cut."""
        lines = drawn(self.OLD, self.NEW)
        cells = view(self.OLD, self.NEW).cells
        assert sum(c.lines_added for c in cells) == sum(line[:1] == "+" for line in lines)
        assert sum(c.lines_removed for c in cells) == sum(line[:1] == "-" for line in lines)


class TestBounds:
    """No notebook makes the view long, slow or dangerous."""

    def test_a_long_line_is_cut_with_a_note(self) -> None:
        """Around what changed in it."""
        old, new = "x" * 10**6 + "cat" + "y" * 10**6, "x" * 10**6 + "dog" + "y" * 10**6
        removed, added = sources(old, new)
        assert (removed[:2], added[:2]) == ("-…", "+…")
        assert "cat" in removed
        assert "dog" in added
        assert removed.endswith(f"… ({10**6 + 63 - MAX_LINE:,} more characters)")
        assert len(removed) < MAX_LINE + 60

    def test_a_long_source_is_cut_with_a_note(self) -> None:
        """The count of the lines is whole all the same."""
        long = notebook(A, code("\n".join(map(str, range(MAX_LINES + 100))), id="n"))
        lines = drawn(notebook(A), long)
        assert lines[-1] == "* 100 more lines that were added or removed"
        assert len(lines) == MAX_LINES + 3
        assert view(notebook(A), long).cells[0].lines_added == MAX_LINES + 100

    def test_a_long_diff_is_cut_with_a_note(self) -> None:
        """In lines and in cells; the rows of ``--stat`` are complete."""
        many = [code("\n".join(str(n) * 3 for n in range(20)), id=f"n{n}") for n in range(3_000)]
        seen = view(notebook(), notebook(*many))
        lines = ["".join(p.text for p in line) for line in draw(seen, ("a", "b"))]
        assert sum(line[:2] != "++" and line[:1] == "+" for line in lines) == MAX_LINES_IN_ALL
        assert sum(line.startswith("cell ") for line in lines) == MAX_CELLS
        assert (
            lines[-1] == f"{3_000 - MAX_CELLS:,} cells more changed: nbvc diff --stat lists them."
        )
        assert len(list(draw_stat(seen))) == 3_000

    @pytest.mark.parametrize("make", COMPARABLE.values(), ids=COMPARABLE)
    def test_every_odd_notebook_can_be_seen(self, make: Make) -> None:
        """Both ways; nothing that a terminal obeys is drawn, and each line is one line."""
        for old, new in ((FINE, make()), (make(), FINE)):
            seen = view(old, new)
            for line in draw(seen, (OBEYED, OBEYED)):
                text = "".join(piece.text for piece in line)
                assert not UNSAFE.search(text)
                assert "\n" not in text
            for row in draw_stat(seen):
                assert not UNSAFE.search("".join(row))

    def test_text_of_a_notebook_cannot_pass_for_a_line_of_ours(self) -> None:
        """Every line of a source has a sign before it, whatever it says."""
        hostile = "cell 9 (code) added\n* output: none\n@@ line 1 @@\r--- a"
        body = sources("x", hostile)
        assert all(line[0] in "+-" for line in body)

    def test_format_3_is_seen_after_its_upgrade(self) -> None:
        """Its inputs are sources."""
        old = old_notebook({"cell_type": "code", "input": "x = 1", "outputs": []})
        new = old_notebook({"cell_type": "code", "input": "x = 2", "outputs": []})
        assert drawn(old, new)[2:] == ["-x = 1", "+x = 2"]


@settings(max_examples=100, deadline=None)
@given(any_notebook, any_notebook)
def test_any_diff_can_be_seen(old: bytes, new: bytes) -> None:
    """Empty exactly where the diff is, with counts that fit, and the same after being kept."""
    a, b = diffing.load(old), diffing.load(new)
    diff = diffing.diff_notebooks(a, b)
    seen = diffing.view_of(a, b, diff, DiffOptions())
    assert seen.is_different == bool(diff)
    kinds = [cell.kind for cell in seen.cells]
    assert len(b.cells) == len(a.cells) + kinds.count("added") - kinds.count("removed")
    for line in draw(seen, ("a", "b")):
        assert not UNSAFE.search("".join(piece.text for piece in line))
    assert len(list(draw_stat(seen))) == len(seen.listed)
    assert msgspec.json.decode(msgspec.json.encode(seen), type=View) == seen
