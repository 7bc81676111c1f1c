"""Saves in a running process beside bookstore, which nbvc succeeds: how long, and how many arrive.

Both processes are warm, as a Jupyter server is. bookstore's save is what its hook sets going: it
writes the content of the notebook as text and puts it, with a client that it makes for each save.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.benchmarks import peers
from scripts.benchmarks.measuring import PYTHON, Case, Row, compare, counted
from scripts.benchmarks.notebooks import notebook, rewrite
from scripts.benchmarks.proxy import DelayProxy, delay_proxy
from scripts.benchmarks.surroundings import LATENCIES_SECONDS, Surroundings
from scripts.benchmarks.warm import Worker, worker

SIZES_BYTES = (20_000, 2_000_000)
SAVES = 20
GAPS_SECONDS = (0.0, 0.1)
NAME = "mine.ipynb"
BOOKSTORE = "bookstore"


@dataclass(slots=True, kw_only=True)
class Side:
    """One of the two: its process, its folder and its bucket.

    Attributes:
        process: Its process.
        folder: Where its notebooks are.
        bucket: Its bucket.
        prefix: What it puts before the name of a notebook.
        client: Lists what is in the bucket, not through the proxy.
    """

    process: Worker
    folder: Path
    bucket: str
    prefix: str
    client: Any

    def versions(self, name: str) -> int:
        """Return how many versions of a notebook are in the bucket."""
        pages = self.client.get_paginator("list_object_versions").paginate(
            Bucket=self.bucket, Prefix=self.prefix + name
        )
        return sum(len(page.get("Versions", ())) for page in pages)


def saves(around: Surroundings) -> list[Row]:
    """Compare single saves, and how many of 20 quick ones arrive."""
    with delay_proxy(around.endpoint) as proxy, _sides(around, proxy) as (ours, theirs):
        rows = []
        for seconds in LATENCIES_SECONDS:
            proxy.round_trip_seconds = seconds
            for size in SIZES_BYTES:
                rows += _single(around, proxy, ours, theirs, size)
            for gap in GAPS_SECONDS:
                rows.append(_burst(around, proxy, ours, theirs, gap))
        return rows


@contextmanager
def _sides(around: Surroundings, proxy: DelayProxy) -> Iterator[tuple[Side, Side]]:
    import boto3

    arguments = around.bucket("archive", proxy.url)
    folder = around.workspace("archive", *arguments, files={})
    plain = around.folder / "bookstore"
    plain.mkdir()
    bucket = arguments[0].removeprefix("s3://")
    keys = {
        "aws_access_key_id": around.env["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": around.env["AWS_SECRET_ACCESS_KEY"],
    }
    with ExitStack() as stack:
        client = boto3.client("s3", endpoint_url=around.endpoint, region_name="us-east-1", **keys)
        stack.callback(client.close)
        ours = stack.enter_context(worker(PYTHON, "nbvc_worker.py", cwd=folder, env=around.env))
        theirs = stack.enter_context(
            worker(
                peers.python(BOOKSTORE),
                "bookstore_worker.py",
                proxy.url,
                bucket,
                cwd=plain,
                env=around.env,
            )
        )
        shared = {"bucket": bucket, "client": client}
        yield (
            Side(process=ours, folder=folder, prefix=f"workspace/bench/{folder.name}/", **shared),
            Side(process=theirs, folder=plain, prefix="workspace/", **shared),
        )


def _single(
    around: Surroundings, proxy: DelayProxy, ours: Side, theirs: Side, size_bytes: int
) -> list[Row]:
    name = f"{size_bytes}-{proxy.round_trip_seconds * 1000:.0f}.ipynb"
    rows = compare(
        f"a save of {size_bytes / 1e6:g} MB in a running process",
        {who: _case(side, name, size_bytes) for who, side in (("nbvc", ours), (BOOKSTORE, theirs))},
        rounds=around.rounds,
        meter=proxy,
    )
    for side in (ours, theirs):
        # bookstore only logs what goes wrong.
        if (found := side.versions(name)) != around.rounds + 1:
            raise RuntimeError(f"{found} versions of {side.prefix}{name} have arrived")
    return rows


def _case(side: Side, name: str, size_bytes: int) -> Case:
    return Case(
        prepare=rewrite(side.folder / name, size_bytes),
        run=lambda: side.process.seconds("save", path=name),
    )


def _burst(
    around: Surroundings, proxy: DelayProxy, ours: Side, theirs: Side, gap_seconds: float
) -> Row:
    """Return how many of quick saves of one notebook, each with a change, do not arrive."""
    latency = proxy.round_trip_seconds * 1000
    name = f"burst-{latency:.0f}-{gap_seconds * 1000:.0f}.ipynb"
    sources = []
    for number in range(SAVES):
        source = around.folder / f"source-{number}.ipynb"
        source.write_bytes(notebook(number, SIZES_BYTES[0]))
        sources.append(str(source))
    missing, seconds, traffic = [], [], []
    for side in (ours, theirs):
        proxy.reset()
        seconds.append(
            side.process.seconds("burst", path=name, sources=sources, gap_seconds=gap_seconds)
        )
        traffic.append(proxy.traffic)
        missing.append(SAVES - side.versions(name))
    pace = f"one every {gap_seconds * 1000:.0f} ms" if gap_seconds else "as fast as they go"
    row = counted(
        f"lost of {SAVES} saves, {pace}",
        "versions",
        missing[0],
        BOOKSTORE,
        missing[1],
        note=f"took {seconds[0]:.2f} s, bookstore {seconds[1]:.2f} s",
    )
    return replace(
        row,
        latency_ms=latency,
        traffic=traffic[0],
        peer_traffic=traffic[1],
        target="none",
        met=missing[0] == 0,
    )
