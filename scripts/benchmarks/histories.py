"""Whether a long history costs more than a short one."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from nbvc.manifest.layout import Layout
from nbvc.model import NotebookKey
from nbvc.repository import Known
from nbvc.stores.local import LocalStore
from scripts.benchmarks.growth import NOISE, grows
from scripts.benchmarks.measuring import NBVC, Case, Row, compare, process
from scripts.benchmarks.notebooks import notebook, rewrite
from scripts.benchmarks.surroundings import Surroundings
from tests.histories import generate
from tests.repository.support import find, open_repository, save
from tests.stores.counting import CountingStore

SHORT, LONG, QUICK_LONG = 100, 100_000, 5_000
TENTH = 10


def lengths(around: Surroundings) -> list[Row]:
    """Compare acts in a long history with the same in a short one, and a check for each version."""
    long = QUICK_LONG if around.quick else LONG
    made = {count: _history(around, count) for count in (long, long // TENTH, SHORT)}
    rows = []
    for what, command in (
        ("log -n 20", ["log", "-n", "20"]),
        ("save", ["save"]),
        ("checkout v5", ["checkout", "--force", "v5"]),
    ):
        cases = {
            f"{count:,} versions": Case(
                prepare=rewrite(folder / "mine.ipynb") if what == "save" else lambda: None,
                run=process(NBVC, *command, cwd=folder, env=around.env),
            )
            for count, folder in ((count, made[count][0]) for count in (long, SHORT))
        }
        limits = {f"{SHORT} versions": NOISE}
        (row,) = compare(
            f"nbvc {what}, {long:,} versions", cases, rounds=around.rounds, at_most=limits
        )
        counts = [made[count][1][what] for count in (long, SHORT)]
        rows.append(
            replace(
                row,
                target=f"same requests, at most {NOISE:g} x",
                note=f"{counts[0]} requests, {counts[1]} with {SHORT} versions",
                met=bool(row.met) and counts[0] == counts[1],
            )
        )
    folders = {count: made[count][0] for count in (long, long // TENTH)}
    return [
        *rows,
        *grows(
            around,
            "nbvc check",
            folders,
            lambda _: ("check",),
            things="versions",
            rounds=around.few_rounds,
        ),
    ]


def _history(around: Surroundings, count: int) -> tuple[Path, dict[str, int]]:
    """Make a workspace with so many versions; count what each act asks of its store, too."""
    folder = around.workspace(f"history-{count}", files={"mine.ipynb": notebook(0)})
    key = NotebookKey(f"bench/{folder.name}/mine.ipynb")
    with closing(LocalStore(folder / ".nbvc" / "store")) as local:
        known = generate(local, Layout(), key, count)
        requests = _requests(CountingStore(local), key, known)
    process(NBVC, "checkout", "--force", "latest", cwd=folder, env=around.env)()
    return folder, requests


def _requests(store: CountingStore, key: NotebookKey, known: Known) -> dict[str, int]:
    repository = open_repository(store)
    counts = {}
    for what, act in (
        ("log -n 20", lambda: list(repository.log(key, limit=20))),
        ("save", lambda: save(repository, notebook(1), known, key=key)),
        ("checkout v5", lambda: repository.read(find(repository, "v5", key))),
    ):
        store.reset()
        act()
        counts[what] = len(store.requests)
    return counts
