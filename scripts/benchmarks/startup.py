"""How long the commands take that people type most, beside the least that they could take.

That least is a script which imports what the command imports of others, and makes its requests.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from scripts.benchmarks.measuring import NBVC, PYTHON, Case, Row, compare, process
from scripts.benchmarks.notebooks import notebook, rewrite
from scripts.benchmarks.proxy import DelayProxy, delay_proxy
from scripts.benchmarks.surroundings import LATENCIES_SECONDS, Surroundings
from scripts.benchmarks.warm import WORKERS, save_versions

BARE = str(WORKERS / "bare.py")
BARE_LOCAL = str(WORKERS / "bare_local.py")
RECORDING = str(WORKERS / "recording.py")
VERSIONS = 24
QUICK_ROUNDS = 2
LIMIT = 1.3
TYPER_LIMITS = {("log", "-n", "20"): 3.0}
IMPORTED = re.compile(r"import time:\s*\d+ \|\s*\d+ \|( *)(\S+)")
COMMANDS: Sequence[tuple[str, ...]] = (
    ("--version",),
    ("log", "-n", "20"),
    ("status",),
    ("save",),
)


def embedded(around: Surroundings) -> list[Row]:
    """Compare commands on the embedded store with a bare script, and with importing typer alone."""
    folder = around.workspace("startup", files={"mine.ipynb": notebook(0)})
    save_versions(folder, around.env, _versions())
    run = {"cwd": folder, "env": around.env}
    typer = Case(run=process(PYTHON, "-c", "import typer", **run))
    rows = []
    for arguments in (*COMMANDS, ("--help",)):
        change = _changed(folder, arguments)
        modules = ",".join(imports(around, folder, arguments))
        change()
        recorded = folder / "requests"
        process(PYTHON, RECORDING, str(recorded), *arguments, **run)()
        bare = process(
            PYTHON,
            BARE_LOCAL,
            str(folder / ".nbvc" / "store"),
            modules,
            typed=recorded.read_text(),
            **run,
        )
        cases = {
            "nbvc": Case(prepare=change, run=process(NBVC, *arguments, **run)),
            "its imports and requests": Case(run=bare),
            "import typer": typer,
        }
        limits = {"its imports and requests": LIMIT}
        if limit := TYPER_LIMITS.get(arguments):
            limits["import typer"] = limit
        if arguments == ("--help",):
            limits = {}
        what = f"nbvc {' '.join(arguments)}"
        requests = len(recorded.read_text().splitlines())
        note = f"{requests} requests to the store"
        rows += compare(what, cases, rounds=around.rounds, at_most=limits, note=note)
    return rows


def on_s3(around: Surroundings) -> list[Row]:
    """Compare commands on S3 with scripts that make the same imports and requests."""
    with delay_proxy(around.endpoint) as proxy:
        bucket = around.bucket("start", proxy.url)
        folder = around.workspace("s3-start", *bucket, files={"mine.ipynb": notebook(0)})
        save_versions(folder, around.env, _versions())
        rows = []
        for arguments in COMMANDS[1:]:
            rows += _on_s3(around, folder, proxy, arguments)
        return rows


def _on_s3(
    around: Surroundings, folder: Path, proxy: DelayProxy, arguments: tuple[str, ...]
) -> list[Row]:
    run = {"cwd": folder, "env": around.env}
    change, command = _changed(folder, arguments), process(NBVC, *arguments, **run)
    proxy.round_trip_seconds = 0.0
    modules = ",".join(imports(around, folder, arguments))
    change()
    proxy.reset()
    command()
    requests = "\n".join(_elsewhere(*request) for request in proxy.requests)
    cases = {"nbvc": Case(prepare=change, run=command)}
    for library in ("boto3", "botocore"):
        bare = process(PYTHON, BARE, library, proxy.url, modules, typed=requests, **run)
        cases[f"the same by {library}"] = Case(run=bare)
    rows = []
    for seconds in LATENCIES_SECONDS:
        proxy.round_trip_seconds = seconds
        rows += compare(
            f"nbvc {' '.join(arguments)}, S3",
            cases,
            rounds=QUICK_ROUNDS if around.quick else around.rounds,
            at_most=dict.fromkeys(list(cases)[1:], LIMIT),
            meter=proxy,
        )
    return rows


def imports(around: Surroundings, folder: Path, arguments: Sequence[str]) -> list[str]:
    """Return the modules of others that nbvc itself imports for a command, in their order."""
    _changed(folder, arguments)()
    ran = subprocess.run(
        [PYTHON, "-X", "importtime", NBVC, *arguments],
        cwd=folder,
        env=around.env,
        capture_output=True,
        text=True,
        check=True,
    )
    return direct_imports(ran.stderr)


def direct_imports(report: str) -> list[str]:
    """Return what a report of ``-X importtime`` says that nbvc, or its start script, imported.

    The report names a module after those that it imported, which are indented further.
    """
    found: list[str] = []
    parents: dict[int, str] = {}
    for indent, name in reversed(IMPORTED.findall(report)):
        depth = len(indent)
        parents[depth] = name
        parent = parents.get(depth - 2, "nbvc") if depth > 1 else "nbvc"
        if _is_ours(parent) and not _is_ours(name):
            found.append(name)
    return list(reversed(found))


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == "nbvc"


def _changed(folder: Path, arguments: Sequence[str]) -> Callable[[], object]:
    """Return what has to be done before each run of a command: a save needs a change."""
    return rewrite(folder / "mine.ipynb") if "save" in arguments else lambda: None


def _elsewhere(method: str, target: str) -> str:
    """Return a request as a line for the bare script; what it puts must not become a version."""
    if method == "PUT":
        bucket, _, key = target.lstrip("/").partition("/")
        return f"{method} /{bucket}/bare/{key.partition('?')[0]}"
    return f"{method} {target}"


def _versions() -> Iterator[tuple[str, bytes]]:
    return (("mine.ipynb", notebook(number + 1)) for number in range(VERSIONS))
