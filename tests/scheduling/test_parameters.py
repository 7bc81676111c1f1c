"""Parameters: how they are typed, and what is recorded of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.cli import _resolve_type

from nbvc.errors import InvalidInput, NotFound
from nbvc.manifest.executions import MAX_PARAMETERS_BYTES, run_from_document, run_to_document
from nbvc.manifest.sealing import canonical
from nbvc.model import Run
from nbvc.scheduling.parameters import read_file, recorded, typed_value
from tests.manifest.samples import json_values

WORDS = [
    "True",
    "False",
    "None",
    "true",
    "1",
    "-1",
    "1_000",
    "0x10",
    "1.5",
    "1e3",
    "nan",
    "",
    " 7 ",
]


@given(st.sampled_from(WORDS) | st.text())
def test_a_value_is_read_as_papermill_reads_it(text: str) -> None:
    """Whoever moves a command line over gets the same types."""
    ours, theirs = typed_value(text), _resolve_type(text)
    assert (type(ours), repr(ours)) == (type(theirs), repr(theirs))


@given(st.dictionaries(st.text(max_size=300), json_values, max_size=30))
def test_what_is_recorded_fits_a_record(parameters: dict[str, Any]) -> None:
    """However many there are, and however long: each is recorded, or named, or counted as more."""
    kept, left_out = recorded(parameters)
    assert len(canonical(kept)) <= MAX_PARAMETERS_BYTES
    assert len(canonical({"names": list(left_out)})) <= MAX_PARAMETERS_BYTES + 50
    assert kept.keys() | set(left_out) - {"..."} <= parameters.keys() | {"..."}
    assert left_out[-1:] == ("...",) or len(kept) + len(left_out) == len(parameters)
    run = Run(outcome="completed", parameters=kept, left_out=left_out)
    assert run_from_document(run_to_document(run)) == run


def test_what_looks_secret_is_named_and_not_recorded() -> None:
    """Texts only: a number of tokens is no token."""
    given = {"api_key": "s3cret", "DB_PASSWORD": "s3cret", "max_tokens": 100, "region": "eu"}
    kept, left_out = recorded(given)
    assert kept == {"max_tokens": 100, "region": "eu"}
    assert left_out == ("api_key", "DB_PASSWORD")


def test_a_long_value_leaves_room_for_the_others() -> None:
    """One table of data does not hide the date of the run."""
    kept, left_out = recorded({"data": "x" * 5_000, "day": "2026-11-28"})
    assert (kept, left_out) == ({"day": "2026-11-28"}, ("data",))


def test_numbers_that_json_does_not_know_are_recorded_as_text() -> None:
    """Python has them, and papermill takes them."""
    assert recorded({"x": float("nan"), "y": [float("inf")]})[0] == {"x": "nan", "y": ["inf"]}


def test_a_file_of_parameters_is_read_as_papermill_reads_it(tmp_path: Path) -> None:
    """YAML, of which JSON is a part; a day stays a text."""
    file = tmp_path / "parameters.yaml"
    file.write_text("alpha: 0.1\nday: 2026-11-28\nregions: [eu, us]\n")
    assert read_file(file) == {"alpha": 0.1, "day": "2026-11-28", "regions": ["eu", "us"]}
    file.write_text(json.dumps({"alpha": 0.1}))
    assert read_file(file) == {"alpha": 0.1}
    file.write_text("")
    assert read_file(file) == {}


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "1: 2", "\udcff"])
def test_a_file_without_names_and_values_is_refused(tmp_path: Path, text: str) -> None:
    """Before anything runs."""
    file = tmp_path / "parameters.yaml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InvalidInput, match=r"parameters\.yaml"):
        read_file(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the exit code of what is not found."""
    with pytest.raises(NotFound, match=r"gone\.yaml"):
        read_file(tmp_path / "gone.yaml")
