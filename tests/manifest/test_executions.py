"""The member ``run`` of a record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from nbvc.errors import IntegrityError
from nbvc.manifest.executions import MAX_PARAMETERS_BYTES, run_from_document, run_to_document
from nbvc.manifest.records import decode, encode, record_hash
from nbvc.manifest.sealing import MALFORMED
from nbvc.model import Area, NotebookKey, Run, Source, VersionId
from tests.manifest.samples import NOON, chain, file_of, record, runs

EXECUTED = Source(
    area=Area.WORKSPACE,
    key=NotebookKey("kylek/mine.ipynb"),
    number=3,
    version_id=VersionId("3HL4kqtJvjVBH40Nrjfkd"),
)
RUN = Run(
    outcome="failed",
    input=EXECUTED,
    started_at=NOON,
    asked="published",
    parameters={"alpha": 0.1, "region": "eu"},
    left_out=("api_key",),
    error="ZeroDivisionError",
    failed_cell=4,
)


@given(runs)
def test_what_is_written_of_a_run_is_read_again(run: Run) -> None:
    """Whatever it was, nothing of it is lost."""
    assert run_from_document(run_to_document(run)) == run


def test_what_is_empty_takes_no_room() -> None:
    """A record is carried by fifteen others."""
    assert run_to_document(Run(outcome="completed")) == {"outcome": "completed"}


def test_a_release_that_knows_no_runs_keeps_the_chain_whole() -> None:
    """To it the member is one that it does not know, which it keeps, and hashes, as it is."""
    known = record(run=RUN)
    unknown = record(extra={"run": run_to_document(RUN)})
    assert record_hash(known) == record_hash(unknown)
    assert record_hash(known) != record_hash(record())


def test_a_record_file_carries_runs() -> None:
    """Its own, and those of the records before it."""
    file = file_of(chain(3, run=RUN))
    read = decode(encode(file), what="record")
    assert [each.run for each in read] == [RUN] * 3


BAD: list[dict[str, Any]] = [
    {},
    {"outcome": ""},
    {"outcome": 1},
    {"outcome": "x" * 201},
    {"outcome": "failed", "surprise": 1},
    {"outcome": "failed", "started_at": "yesterday"},
    {"outcome": "failed", "input": {"area": "workspace"}},
    {"outcome": "failed", "asked": ["v3"]},
    {"outcome": "failed", "parameters": [1]},
    {"outcome": "failed", "parameters": {"x": "x" * MAX_PARAMETERS_BYTES}},
    {"outcome": "failed", "left_out": [1]},
    {"outcome": "failed", "failed_cell": 0},
    {"outcome": "failed", "failed_cell": True},
    {"outcome": "failed", "error": None},
]


@pytest.mark.parametrize("document", BAD, ids=str)
def test_what_is_no_run_is_refused(document: dict[str, Any]) -> None:
    """A seal tells damage, and not who made a record."""
    with pytest.raises(MALFORMED):
        run_from_document(document)


def test_a_record_with_what_is_no_run_is_an_integrity_error() -> None:
    """Nothing of a malformed run reaches a reader."""
    spoilt = replace(record(), extra={"run": "soon"})
    with pytest.raises(IntegrityError, match="is not a record"):
        decode(encode(file_of([spoilt])), what="record v1")
