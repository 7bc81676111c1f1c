"""How long it takes to put a notebook into a store: whole processes, and single requests."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nbvc.stores.base import Capabilities, Overwrite
from nbvc.stores.s3 import S3Store
from scripts.benchmarks.measuring import NBVC, PYTHON, Case, Row, compare, process
from scripts.benchmarks.notebooks import notebook, rewrite
from scripts.benchmarks.proxy import DelayProxy, delay_proxy
from scripts.benchmarks.startup import BARE
from scripts.benchmarks.surroundings import Surroundings

SIZE_BYTES = 2_000_000
ROUND_TRIPS_SECONDS = (0.0, 0.04)
BODY = b"x" * 20_000


def whole_process(around: Surroundings) -> list[Row]:
    """Compare a save of a changed 2 MB notebook with git, and with boto3 alone."""
    name, first = "mine.ipynb", {"mine.ipynb": notebook(0, SIZE_BYTES)}
    local = around.workspace("save", files=first)
    bucket = around.bucket("save")
    remote = around.workspace("s3-save", *bucket, files=first)
    git = around.folder / "git"
    git.mkdir()
    process("git", "init", "-q", cwd=git, env=around.env)()

    def case(folder: Path, *command: str, typed: str = "") -> Case:
        run = process(*command, cwd=folder, env=around.env, typed=typed)
        return Case(prepare=rewrite(folder / name, SIZE_BYTES), run=run)

    commit = case(git, "sh", "-c", f"git add {name} && git commit -q -m m")
    target = f"PUT /{bucket[0].removeprefix('s3://')}/bare/{name} {name}"
    put = case(git, PYTHON, BARE, around.endpoint, typed=target)
    rows = compare(
        "nbvc save of 2 MB, embedded store",
        {"nbvc": case(local, NBVC, "save"), "git add, git commit": commit},
        rounds=around.rounds,
    )
    s3 = {"nbvc": case(remote, NBVC, "save"), "a PUT by boto3": put, "git add, git commit": commit}
    return rows + compare("nbvc save of 2 MB, S3", s3, rounds=around.rounds)


def put_latency(around: Surroundings) -> list[Row]:
    """Compare one PUT with boto3's default, over a link with and without latency."""
    import boto3

    rows = []
    with delay_proxy(around.endpoint) as proxy:
        bucket = around.bucket("put")[0].removeprefix("s3://")
        store = _connect(bucket, proxy)
        store.administration.create()
        store.administration.enable_versioning()
        client = boto3.client("s3", endpoint_url=proxy.url, region_name="us-east-1")
        ours = partial(
            store.put, "k", BODY, mode=Overwrite(), metadata={}, content_type="text/plain"
        )
        theirs = partial(client.put_object, Bucket=bucket, Key="k", Body=BODY)
        for seconds in ROUND_TRIPS_SECONDS:
            proxy.round_trip_seconds = seconds
            trips, others = _round_trips(proxy, ours), _round_trips(proxy, theirs)
            found = compare(
                f"a PUT, {seconds * 1000:.0f} ms round trip",
                {"nbvc": Case(run=ours), "boto3": Case(run=theirs)},
                rounds=around.rounds,
                note=f"{trips} round trip, boto3 {others}",
            )
            rows += [_with_target(row, met=trips == 1) for row in found]
        store.close()
        client.close()
    return rows


def _connect(bucket: str, proxy: DelayProxy) -> S3Store:
    return S3Store(
        bucket,
        "",
        endpoint_url=proxy.url,
        region="us-east-1",
        profile=None,
        capabilities=Capabilities(conditional_create=True, conditional_replace=True),
    )


def _round_trips(proxy: DelayProxy, put: Any) -> int:  # noqa: ANN401
    put()
    proxy.reset()
    put()
    return proxy.round_trips


def _with_target(row: Row, *, met: bool) -> Row:
    return replace(row, target="1 round trip", met=met)
