"""States: they come back as they were written, and damage shows."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given

from nbvc.errors import IntegrityError, StoreMisconfigured
from nbvc.manifest.sealing import seal
from nbvc.manifest.states import Segment, State, decode, encode
from nbvc.model import Digest, NotebookKey, WriteId
from tests.manifest.damage import assert_damage_shows
from tests.manifest.samples import NOON, states

STATE = State(
    number=3,
    write_id=WriteId("w"),
    saved_at=NOON,
    author="Ada",
    action="tag",
    tags={"release": 3, "entwürfe": 7},
    segments=(Segment(key=NotebookKey("k/old.ipynb"), first=1, last=20),),
    moved_to=NotebookKey("k/new.ipynb"),
    removed=True,
    prev=Digest.of(b"before"),
)


def read(data: bytes) -> State:
    """Decode *data*."""
    return decode(data, what="state 3 of a.ipynb")


@given(states)
def test_any_state_comes_back(state: State) -> None:
    """Every field survives, unknown ones too, and the same state has the same bytes."""
    data = encode(state)
    assert read(data) == state
    assert encode(read(data)) == data


def test_every_damaged_byte_shows() -> None:
    """Each byte flipped, removed, doubled or cut at gives the error, never another state."""
    assert_damage_shows(encode(STATE), read)


@pytest.mark.parametrize("name", sorted(json.loads(encode(STATE)).keys() - {"check"} | {"gone"}))
@pytest.mark.parametrize("value", ["missing", None, 2.5, "../x", [1], {"a": "b"}, 1e300])
def test_a_sealed_document_that_is_no_state_is_an_integrity_error(name: str, value: object) -> None:
    """Members missing or of another kind give a clear error or a state, never a crash."""
    document = json.loads(encode(STATE))
    del document["check"]
    if value == "missing":
        document.pop(name, None)
    else:
        document[name] = value
    with suppress(IntegrityError, StoreMisconfigured):
        assert isinstance(read(seal(document)), State)


def test_only_a_state_that_knows_of_lost_numbers_says_so() -> None:
    """Both ends of a range count, and the bytes of all other states are as they ever were."""
    state = replace(STATE, gone=((2, 2), (5, 7)))
    assert read(encode(state)) == state
    assert [number for number in range(10) if state.is_gone(number)] == [2, 5, 6, 7]
    assert b'"gone"' not in encode(STATE)


def test_two_states_that_differ_have_different_bytes() -> None:
    """The bytes are what the next state names as its predecessor."""
    assert encode(STATE) != encode(replace(STATE, removed=False))
