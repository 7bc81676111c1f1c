"""The embedded store beside git: save, log and checkout, as commands."""

from __future__ import annotations

from pathlib import Path

from scripts.benchmarks.measuring import NBVC, Case, Row, compare, process
from scripts.benchmarks.notebooks import notebook, rewrite
from scripts.benchmarks.surroundings import Surroundings
from scripts.benchmarks.warm import save_versions

NAME = "mine.ipynb"
VERSIONS = 24
SIZE_BYTES, LARGE_BYTES = 200_000, 2_000_000
COMMIT = f"git add {NAME} && git commit -q -m m"


def repository(around: Surroundings, name: str) -> Path:
    """Make an empty repository, which may not tidy up while it is measured."""
    folder = around.folder / name
    folder.mkdir()
    process("git", "init", "-q", cwd=folder, env=around.env)()
    process("git", "config", "gc.auto", "0", cwd=folder, env=around.env)()
    return folder


def commands(around: Surroundings) -> list[Row]:
    """Compare on the same history of a notebook with figures."""
    ours = around.workspace("versions", files={NAME: notebook(0, SIZE_BYTES)})
    theirs = repository(around, "commits")

    def run(folder: Path, *command: str) -> Case:
        return Case(run=process(*command, cwd=folder, env=around.env))

    versions = [notebook(-1 - number, SIZE_BYTES) for number in range(VERSIONS)]
    save_versions(ours, around.env, ((NAME, data) for data in versions))
    for data in versions:
        (theirs / NAME).write_bytes(data)
        process("sh", "-c", COMMIT, cwd=theirs, env=around.env)()
    old = f"HEAD~{VERSIONS - 5}"
    log = {"nbvc": run(ours, NBVC, "log", "-n", "20")}
    log["git log"] = run(theirs, "git", "log", "-n", "20", "--", NAME)
    checkout = {"nbvc": run(ours, NBVC, "checkout", "--force", "v5")}
    checkout["git checkout"] = run(theirs, "git", "checkout", old, "--", NAME)
    about = f"{VERSIONS} versions of {SIZE_BYTES / 1e3:.0f} kB"
    return [
        *(_save(around, ours, theirs, SIZE_BYTES)),
        *(_save(around, ours, theirs, LARGE_BYTES)),
        *compare(f"nbvc log -n 20, {about}", log, rounds=around.rounds),
        *compare(f"nbvc checkout v5, {about}", checkout, rounds=around.rounds),
    ]


def _save(around: Surroundings, ours: Path, theirs: Path, size_bytes: int) -> list[Row]:
    cases = {
        name: Case(
            prepare=rewrite(folder / NAME, size_bytes),
            run=process(*command, cwd=folder, env=around.env),
        )
        for name, folder, command in (
            ("nbvc", ours, (NBVC, "save")),
            ("git add, git commit", theirs, ("sh", "-c", COMMIT)),
        )
    }
    what = f"nbvc save of {size_bytes / 1e6:g} MB, embedded store"
    return compare(what, cases, rounds=around.rounds)
