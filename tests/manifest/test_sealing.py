"""Sealed documents: what was written is what is read, and damage shows."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvc.errors import IntegrityError, StoreMisconfigured
from nbvc.manifest.sealing import FORMAT, canonical, format_time, parse_time, seal, unseal
from tests.manifest.damage import assert_damage_shows
from tests.manifest.samples import moments, unknown_fields


def sealed(body: bytes) -> bytes:
    """Return *body*, whatever it is, with a check that fits: what only a forger would make."""
    check = hashlib.sha256(body).hexdigest().encode()
    return body[:-1] + b',"check":"' + check + b'"}'


def test_sealing_keeps_the_document() -> None:
    """The worked example of docs/format.md: sorted members, no blanks, the check last."""
    data = seal({"format": FORMAT, "b": "é", "a": [1, None]})
    body = b'{"a":[1,null],"b":"\\u00e9","format":1}'
    assert data == body[:-1] + b',"check":"' + hashlib.sha256(body).hexdigest().encode() + b'"}'
    assert json.loads(data)["b"] == "é"
    assert unseal(data, what="thing") == {"format": FORMAT, "b": "é", "a": [1, None]}


@given(unknown_fields)
def test_any_document_comes_back(fields: dict[str, object]) -> None:
    """Any JSON values survive, lone surrogates too, and the encoding is the canonical one."""
    document = {**fields, "format": FORMAT}
    data = seal(document)
    assert unseal(data, what="thing") == document
    assert data.startswith(canonical(document)[:-1])


def test_every_damaged_byte_shows() -> None:
    """No flipped, removed or doubled byte, and no cut, is read as a document."""
    document = {"format": FORMAT, "name": "a b", "numbers": [1, 2, 3]}
    assert_damage_shows(seal(document), lambda data: unseal(data, what="thing"))


@pytest.mark.parametrize(
    "body",
    [
        b"{garbage}",
        b"{}}",
        b'{"a":NaN,"format":1}',
        b'{"a":1e999,"format":1}',
        b"}",
        b'{"a":' + b"[" * 100_000 + b"}",
        b'{"a":' + b"9" * 5_000 + b',"format":1}',
    ],
    ids=["no json", "extra", "nan", "infinite", "bare", "deep", "long number"],
)
def test_a_fitting_check_over_no_document_is_an_integrity_error(body: bytes) -> None:
    """Even bytes that a forger sealed give the one error, never a crash."""
    with pytest.raises(IntegrityError):
        unseal(sealed(body), what="thing")


def test_a_newer_format_asks_for_an_upgrade() -> None:
    """A document of a later release is not damaged: the error says what to do."""
    with pytest.raises(StoreMisconfigured, match="format 2") as caught:
        unseal(seal({"format": 2}), what="record v1")
    assert "pip install --upgrade nbvc" in str(caught.value.hint)


def test_an_infinite_number_is_not_written() -> None:
    """JSON has no infinity, so it never gets into a store."""
    with pytest.raises(ValueError, match="JSON compliant"):
        seal({"format": FORMAT, "a": float("inf")})


@given(moments)
def test_times_come_back_in_utc(moment: datetime) -> None:
    """Any zone goes in, the same moment in UTC with microseconds comes out."""
    text = format_time(moment)
    assert parse_time(text) == moment.astimezone(UTC)
    assert text.endswith("Z")
    assert len(text) == len("2026-08-01T09:30:00.000000Z")


def test_times_of_other_zones_are_understood() -> None:
    """Another writer may name its zone instead of UTC."""
    east = datetime(2026, 8, 1, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    assert parse_time("2026-08-01T09:30:00+02:00") == east


@given(
    st.text()
    | st.sampled_from(["2026-08-01", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59-01:00"])
)
def test_what_is_no_time_is_a_value_error(text: str) -> None:
    """Nothing else escapes, also not for years that UTC cannot express."""
    with suppress(ValueError):
        assert parse_time(text).tzinfo is UTC
