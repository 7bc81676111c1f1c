"""The benchmarks: they count what they say, and tell when a target is missed. Nothing is timed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scripts.benchmarks import main, measuring, saving
from scripts.benchmarks.surroundings import Surroundings
from tests.s3_server import isolate_aws_settings, real_endpoint


def test_a_slower_candidate_misses_its_target() -> None:
    """A ratio is that of the first candidate to its peer, and is held against the limit."""
    cases = {
        "slow": measuring.Case(run=lambda: time.sleep(0.02)),
        "quick": measuring.Case(run=lambda: None),
    }
    (row,) = measuring.compare("x", cases, rounds=2, at_most={"quick": 2.0})
    assert (row.target, row.met) == ("at most 2 x", False)
    assert main.cells(row)[4].endswith("peer wins")
    (turned,) = measuring.compare("x", dict(reversed(cases.items())), rounds=2)
    assert (turned.target, turned.met) == (None, None)
    assert main.cells(turned)[4].endswith("nbvc wins")


def test_a_process_that_fails_ends_the_measurement(tmp_path: Path) -> None:
    """A command that fails quickly is no result."""
    run = measuring.process(
        measuring.PYTHON, "-c", "raise SystemExit('no such')", cwd=tmp_path, env={}
    )
    with pytest.raises(RuntimeError, match="no such"):
        run()


@pytest.mark.real_s3
def test_a_put_is_one_round_trip_where_boto3_makes_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees boto3 wait for ``100 Continue``, and nbvc not."""
    isolate_aws_settings(monkeypatch, tmp_path)
    around = Surroundings(folder=tmp_path, endpoint=real_endpoint(), quick=True, rounds=1)
    rows = saving.put_latency(around)
    assert [row.note for row in rows] == ["1 round trip, boto3 2"] * 2
    assert all(row.met for row in rows)
