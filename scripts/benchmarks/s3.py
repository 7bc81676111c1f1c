"""Commands on S3 beside the ``aws`` tool and boto3 alone: put, list, get, and copy a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.benchmarks import git, peers
from scripts.benchmarks.measuring import NBVC, PYTHON, Case, Row, compare, output, process
from scripts.benchmarks.notebooks import notebook, rewrite
from scripts.benchmarks.proxy import DelayProxy, delay_proxy
from scripts.benchmarks.surroundings import LATENCIES_SECONDS, Surroundings
from scripts.benchmarks.warm import WORKERS, save_versions, worker

NAME = "mine.ipynb"
SIZE_BYTES = 2_000_000
SMALL_BYTES = 20_000
VERSIONS = 24
FOLDER, QUICK_FOLDER = 1_000, 100
BARE, COPYING = (str(WORKERS / name) for name in ("bare.py", "copying.py"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A workspace on a bucket, and a plain folder beside it for the peers.

    Attributes:
        around: Where it is.
        proxy: What everything goes through.
        bucket: Name of the bucket.
        folder: The workspace.
        plain: The folder of the peers.
    """

    around: Surroundings
    proxy: DelayProxy
    bucket: str
    folder: Path
    plain: Path

    @property
    def prefix(self) -> str:
        """The keys of the workspace."""
        return f"workspace/bench/{self.folder.name}/"

    def nbvc(self, *command: str, prepare: Callable[[], object] = lambda: None) -> Case:
        """Return a run of nbvc, which finds nothing in its cache."""

        def forget() -> None:
            self.around.forget_cache()
            prepare()

        run = process(NBVC, *command, cwd=self.folder, env=self.around.env)
        return Case(prepare=forget, run=run)

    def peer(self, *command: str, typed: str = "", prepare: Callable[[], object] = int) -> Case:
        """Return a run of a peer in its own folder."""
        run = process(*command, cwd=self.plain, env=self.around.env, typed=typed)
        return Case(prepare=prepare, run=run)

    def aws(self, *command: str, prepare: Callable[[], object] = int) -> Case:
        """Return a run of the aws tool."""
        tool = (peers.program("aws"), "--endpoint-url", self.proxy.url)
        return self.peer(*tool, *command, prepare=prepare)

    def boto3(self, request: str, prepare: Callable[[], object] = int) -> Case:
        """Return a run of a script that makes one request."""
        return self.peer(PYTHON, BARE, "boto3", self.proxy.url, typed=request, prepare=prepare)

    def measure(
        self, what: str, cases: Mapping[str, Case], *, rounds: int, warm_up: bool = True
    ) -> list[Row]:
        """Compare at each latency."""
        rows = []
        for seconds in LATENCIES_SECONDS:
            self.proxy.round_trip_seconds = seconds
            rows += compare(what, cases, rounds=rounds, meter=self.proxy, warm_up=warm_up)
        self.proxy.round_trip_seconds = 0.0
        return rows


@contextmanager
def bound(around: Surroundings, name: str, files: Mapping[str, bytes]) -> Iterator[Bound]:
    """Make a bucket and a workspace with *files* on it, and the same files for the peers."""
    with delay_proxy(around.endpoint) as proxy:
        arguments = around.bucket(name, proxy.url)
        folder = around.workspace(f"s3-{name}", *arguments, files=files)
        plain = around.folder / f"plain-{name}"
        plain.mkdir()
        for path, data in files.items():
            (plain / path).write_bytes(data)
        bucket = arguments[0].removeprefix("s3://")
        yield Bound(around=around, proxy=proxy, bucket=bucket, folder=folder, plain=plain)


def commands(around: Surroundings) -> list[Row]:
    """Compare put, list and get of one notebook."""
    with bound(around, "commands", {NAME: notebook(0, SIZE_BYTES)}) as on:
        return [*_put(on), *_list_and_get(on)]


def _put(on: Bound) -> list[Row]:
    """Compare a save with an upload, and with a commit, which stays on this machine."""
    commits = git.repository(on.around, "s3-commits")
    commit = process("sh", "-c", git.COMMIT, cwd=commits, env=on.around.env)
    change = rewrite(on.plain / NAME, SIZE_BYTES)
    cases = {
        "nbvc": on.nbvc("save", prepare=rewrite(on.folder / NAME, SIZE_BYTES)),
        "aws s3 cp": on.aws("s3", "cp", "--quiet", NAME, f"s3://{on.bucket}/aws", prepare=change),
        "boto3": on.boto3(f"PUT /{on.bucket}/bare {NAME}", prepare=change),
        "git commit, local": Case(prepare=rewrite(commits / NAME, SIZE_BYTES), run=commit),
    }
    return on.measure("nbvc save of 2 MB", cases, rounds=on.around.few_rounds)


def _list_and_get(on: Bound) -> list[Row]:
    versions = ((NAME, notebook(-1 - number, SMALL_BYTES)) for number in range(VERSIONS))
    save_versions(on.folder, on.around.env, versions)
    key = f"{on.prefix}{NAME}"
    command = (NBVC, "resolve", f"{NAME}@v5", "--json")
    version = json.loads(output(*command, cwd=on.folder, env=on.around.env))["version_id"]
    named = ("--bucket", on.bucket, "--key", key, "--version-id", version, "out")
    listed = ("--bucket", on.bucket, "--prefix", key, "--max-items", "20")
    versions = {
        "nbvc": on.nbvc("log", "-n", "20"),
        "aws s3api list-object-versions": on.aws("s3api", "list-object-versions", *listed),
        "boto3": on.boto3(f"GET /{on.bucket}?versions&max-keys=20&prefix={key}"),
    }
    get = {
        "nbvc": on.nbvc("checkout", "--force", f"{NAME}@v5"),
        "aws s3api get-object": on.aws("s3api", "get-object", *named),
        "boto3": on.boto3(f"GET /{on.bucket}/{key}?versionId={version}"),
    }
    rounds = on.around.few_rounds
    return [
        *on.measure(f"nbvc log -n 20 of {VERSIONS} versions", versions, rounds=rounds),
        *on.measure("nbvc checkout v5", get, rounds=rounds),
    ]


def folders(around: Surroundings) -> list[Row]:
    """Compare the list of a folder of notebooks, and the copy of it to here."""
    count = QUICK_FOLDER if around.quick else FOLDER
    files = {f"{number:05}.ipynb": notebook(number, SMALL_BYTES) for number in range(count)}
    with bound(around, "folder", files) as on:
        once = {"rounds": 1 if around.quick else 3, "warm_up": False}
        saving = _upload(on, sorted(files), once)
        url = f"s3://{on.bucket}/{on.prefix}"
        listing = {
            "nbvc": on.nbvc("ls"),
            "aws s3 ls": on.aws("s3", "ls", "--recursive", url),
            "boto3": on.boto3(f"GET /{on.bucket}?list-type=2&prefix={on.prefix}"),
        }
        copies = [on.around.folder / name for name in ("copy", "aws-copy", "boto3-copy")]
        fresh = [_without(path) for path in copies]
        ours, tool, script = (str(path) for path in copies)
        quiet = ("s3", "cp", "--recursive", "--quiet", url, tool)
        bare = (PYTHON, COPYING, on.proxy.url, on.bucket, on.prefix, script)
        copying = {
            "nbvc": on.nbvc("clone", url.rstrip("/"), ours, prepare=fresh[0]),
            "aws s3 cp --recursive": on.aws(*quiet, prepare=fresh[1]),
            "boto3, 16 threads": on.peer(*bare, prepare=fresh[2]),
        }
        return [
            *saving,
            *on.measure(f"nbvc ls of {count:,} notebooks", listing, **once),
            *on.measure(f"nbvc clone of {count:,} notebooks", copying, **once),
        ]


def _upload(on: Bound, names: Sequence[str], once: Mapping[str, Any]) -> list[Row]:
    """Compare a save of a folder in which every notebook has changed with uploads of it."""
    # A first save also looks for older versions of each.
    process(NBVC, "save", cwd=on.folder, env=on.around.env)()
    url = f"s3://{on.bucket}/aws/"
    bare = (PYTHON, COPYING, on.proxy.url, on.bucket, "boto3/", str(on.plain), "up")
    cases = {
        "nbvc": on.nbvc("save", prepare=_change_all(on.folder, names)),
        "aws s3 cp --recursive": on.aws(
            "s3", "cp", "--recursive", "--quiet", ".", url, prepare=_change_all(on.plain, names)
        ),
        "boto3, 16 threads": on.peer(*bare, prepare=_change_all(on.plain, names)),
    }
    return on.measure(f"nbvc save of {len(names):,} notebooks", cases, **once)


def _change_all(folder: Path, names: Sequence[str]) -> Callable[[], object]:
    changes = [rewrite(folder / name, SMALL_BYTES) for name in names]
    return lambda: [change() for change in changes]


def _without(folder: Path) -> Callable[[], object]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def puts(around: Surroundings) -> list[Row]:
    """Compare one PUT by a client that stays connected with boto3's own way."""
    with delay_proxy(around.endpoint) as proxy:
        arguments = around.bucket("put", proxy.url)
        folder = around.workspace("s3-put", *arguments, files={})
        target = {"endpoint": proxy.url, "bucket": arguments[0].removeprefix("s3://")}
        run = {"cwd": folder, "env": around.env}
        rows = []
        with (
            worker(PYTHON, "nbvc_worker.py", **run) as ours,
            worker(PYTHON, "boto3_worker.py", **run) as theirs,
        ):
            for seconds in LATENCIES_SECONDS:
                proxy.round_trip_seconds = seconds
                cases = {
                    "nbvc": Case(run=lambda: ours.seconds("put", **target)),
                    "boto3": Case(run=lambda: theirs.seconds("put", **target)),
                }
                rows += compare("a PUT of 20 kB", cases, rounds=around.rounds, meter=proxy)
    return [_counting_round_trips(row) for row in rows]


def _counting_round_trips(row: Row) -> Row:
    assert row.traffic
    assert row.peer_traffic
    ours, theirs = row.traffic.round_trips, row.peer_traffic.round_trips
    note = f"round trips: {ours}, boto3 {theirs}"
    return replace(row, target="1 round trip", met=ours == 1, note=note)
