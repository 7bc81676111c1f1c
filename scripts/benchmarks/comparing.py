"""How long a diff of two real notebooks takes, beside nbdime's own command."""

from __future__ import annotations

import tarfile

from scripts.benchmarks.measuring import BIN, NBVC, Case, Row, compare, process
from scripts.benchmarks.surroundings import PROJECT, Surroundings

CORPUS = PROJECT.parent / "shared" / "corpus" / "handson-ml.tar.xz"
"""Real notebooks, which not every checkout has beside it."""

PAIRS = (
    ("02_end_to_end_machine_learning_project", "020", "021"),
    ("03_classification", "005", "006"),
    ("08_dimensionality_reduction", "005", "006"),
)


def diffs(around: Surroundings) -> list[Row]:
    """Compare ``nbvc diff`` with ``nbdiff`` on the same two notebooks; none without the corpus."""
    if not CORPUS.is_file():
        return []
    rows = []
    with tarfile.open(CORPUS) as archive:
        wanted = {f"handson/{name}/{number}.ipynb" for name, *both in PAIRS for number in both}
        found = {
            member.name: file.read()
            for member in archive
            if member.name in wanted and (file := archive.extractfile(member))
        }
    for name, old, new in PAIRS:
        before, after = (found[f"handson/{name}/{number}.ipynb"] for number in (old, new))
        folder = around.workspace(f"diff-{name}", files={"mine.ipynb": before})
        run = {"cwd": folder, "env": around.env}
        process(NBVC, "save", **run)()
        (folder / "mine.ipynb").write_bytes(after)
        process(NBVC, "save", **run)()
        (folder / "old").write_bytes(before)
        (folder / "new").write_bytes(after)
        size = (len(before) + len(after)) / 2e6
        cases = {
            "nbvc": Case(run=process(NBVC, "diff", "mine.ipynb", "v1", "v2", **run)),
            "nbdiff": Case(run=process(str(BIN / "nbdiff"), "old", "new", **run)),
        }
        what = f"nbvc diff, {name[:2]}: {old} to {new}, {size:.1f} MB"
        rows += compare(what, cases, rounds=max(2, around.rounds // 4))
    return rows
