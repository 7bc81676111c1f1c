"""How long the shortest commands take, as whole processes."""

from __future__ import annotations

from pathlib import Path

from scripts.benchmarks.measuring import NBVC, PYTHON, Case, Row, compare, process
from scripts.benchmarks.notebooks import notebook
from scripts.benchmarks.proxy import delay_proxy
from scripts.benchmarks.surroundings import Surroundings

BARE = str(Path(__file__).with_name("bare.py"))
VERSIONS = 24


def embedded(around: Surroundings) -> list[Row]:
    """Compare start-up, and a log on the embedded store, with importing typer alone."""
    folder = around.workspace("startup", files={"mine.ipynb": notebook(0)})
    _save_versions(around, folder, VERSIONS)
    run = {"cwd": folder, "env": around.env}
    typer = Case(run=process(PYTHON, "-c", "import typer", **run))
    rows = []
    for limit, arguments in (
        (None, ["--version"]),
        (None, ["--help"]),
        (3.0, ["log", "-n", "20"]),
    ):
        cases = {"nbvc": Case(run=process(NBVC, *arguments, **run)), "import typer": typer}
        limits = {"import typer": limit} if limit else None
        what = f"nbvc {' '.join(arguments)}"
        rows += compare(what, cases, rounds=around.rounds, at_most=limits)
    return rows


def s3_log(around: Surroundings) -> list[Row]:
    """Compare a log on S3, with a warm cache, with a boto3 script that makes the same requests."""
    with delay_proxy(around.endpoint) as proxy:
        # Bound to the proxy, which adds nothing but shows what is sent; both sides go through it.
        bucket = around.bucket("log", proxy.url)
        folder = around.workspace("s3-log", *bucket, files={"mine.ipynb": notebook(0)})
        _save_versions(around, folder, VERSIONS)
        run = {"cwd": folder, "env": around.env}
        log = process(NBVC, "log", "-n", "20", **run)
        log()
        proxy.reset()
        log()
        requests = [" ".join(request) for request in proxy.requests]
        bare = process(PYTHON, BARE, proxy.url, typed="\n".join(requests), **run)
        cases = {"nbvc": Case(run=log), "the same by boto3": Case(run=bare)}
        return compare(
            f"nbvc log -n 20 on S3, {VERSIONS} versions",
            cases,
            rounds=around.rounds,
            at_most={"the same by boto3": 1.3},
            note=f"{len(requests)} requests",
        )


def _save_versions(around: Surroundings, folder: Path, count: int) -> None:
    for number in range(count):
        (folder / "mine.ipynb").write_bytes(notebook(number + 1))
        process(NBVC, "save", "-m", f"Run {number}", cwd=folder, env=around.env)()
