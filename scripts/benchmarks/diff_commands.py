"""How long a diff of two real notebooks takes as a command, beside nbdime's own."""

from __future__ import annotations

from scripts.benchmarks import corpus
from scripts.benchmarks.measuring import BIN, NBVC, Case, Row, compare, process
from scripts.benchmarks.surroundings import Surroundings

PAIRS = (
    ("02_end_to_end_machine_learning_project", "020", "021"),
    ("03_classification", "005", "006"),
    ("08_dimensionality_reduction", "005", "006"),
)


def commands(around: Surroundings) -> list[Row]:
    """Compare ``nbvc diff`` with ``nbdiff`` on the same two notebooks."""
    histories = corpus.unpacked()
    rows = []
    for name, *numbers in PAIRS[:1] if around.quick else PAIRS:
        files = {path.stem: path for path in histories[name]}
        before, after = (files[number].read_bytes() for number in numbers)
        folder = around.workspace(f"diff-{name}", files={"mine.ipynb": before})
        run = {"cwd": folder, "env": around.env}
        process(NBVC, "save", **run)()
        (folder / "mine.ipynb").write_bytes(after)
        process(NBVC, "save", **run)()
        (folder / "old").write_bytes(before)
        (folder / "new").write_bytes(after)
        size = (len(before) + len(after)) / 2e6
        what = f"nbvc diff, {name[:2]}: {' to '.join(numbers)}, {size:.1f} MB"
        command = process(NBVC, "diff", "mine.ipynb", "v1", "v2", **run)
        nbdiff = Case(run=process(str(BIN / "nbdiff"), "old", "new", **run))
        fresh = Case(prepare=around.forget_cache, run=command)
        rows += compare(what, {"nbvc": fresh, "nbdiff": nbdiff}, rounds=around.few_rounds)
        again = {"nbvc": Case(run=command), "nbdiff": nbdiff}
        rows += compare(f"{what}, shown before", again, rounds=around.few_rounds)
    return rows
