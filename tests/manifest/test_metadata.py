"""User metadata: fits into what S3 allows, whatever people write, and tells it back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvc.manifest.metadata import Provenance, from_metadata, to_metadata
from nbvc.model import Digest, WriteId
from nbvc.stores.limits import check_metadata
from tests.manifest.samples import NOON, digests, moments, numbers

FULL = Provenance(
    digest=Digest.of(b"x"),
    write_id=WriteId("0123456789abcdef0123456789abcdef"),
    saved_at=NOON,
    author="Ada",
    message="first try",
    parent=9_999_999_999,
    source_number=9_999_999_999,
    source_version_id="v" * 64,
)
long_texts = st.text(max_size=200).map(lambda text: text * 40) | st.text(max_size=2_000)
well_formed = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(long_texts, long_texts)
def test_any_author_and_message_fit(author: str, message: str) -> None:
    """At most 2,048 bytes, printable ASCII, no blank at either end: what every store takes."""
    check_metadata(to_metadata(replace(FULL, author=author, message=message)))


@pytest.mark.parametrize("text", [" ", "  a  ", "\t", "\n", "é", "日" * 2_000, "😀" * 200])
@pytest.mark.parametrize("repeat", [1, 500])
def test_awkward_texts_fit(text: str, repeat: int) -> None:
    """Blanks at the ends, line feeds, and long texts in wide alphabets."""
    metadata = to_metadata(replace(FULL, author=text * repeat, message=text * repeat))
    check_metadata(metadata)
    assert from_metadata(metadata).digest == FULL.digest


@given(
    st.builds(
        Provenance,
        digest=digests,
        write_id=st.uuids().map(lambda uuid: WriteId(uuid.hex)),
        saved_at=moments,
        author=st.none() | well_formed.filter(bool),
        message=st.none() | well_formed.filter(bool),
        parent=st.none() | numbers,
        source_number=st.none() | numbers,
        source_version_id=st.none() | st.just("null"),
    )
)
def test_what_is_short_comes_back_unchanged(provenance: Provenance) -> None:
    """Short texts of any alphabet, and all other facts, survive exactly."""
    assert from_metadata(to_metadata(provenance)) == provenance


def test_plain_text_stays_readable_in_other_tools() -> None:
    """English text is not encoded at all; a per cent sign is."""
    metadata = to_metadata(replace(FULL, message="Fix #3: 5% less (a+b)!"))
    assert metadata["nbvc-message"] == "Fix #3: 5%25 less (a+b)!"


def test_a_long_message_is_shortened_between_characters() -> None:
    """What is left is a beginning of the message, with three dots, and no half character."""
    message = "é" * 2_000
    shown = from_metadata(to_metadata(replace(FULL, message=message))).message
    assert shown is not None
    assert shown.endswith("é...")
    assert message.startswith(shown.removesuffix("..."))
    assert len(shown) > 100


def test_what_is_not_known_is_not_written() -> None:
    """No empty values, which some stores drop."""
    assert to_metadata(Provenance(author="", message="")) == {}
    assert from_metadata({"x-other": "y"}) == Provenance()


@given(st.dictionaries(st.sampled_from(sorted(to_metadata(FULL))), st.text(max_size=40)))
def test_any_metadata_of_others_can_be_read(metadata: dict[str, str]) -> None:
    """Anyone may write there, so nothing in it is an error."""
    assert isinstance(from_metadata(metadata), Provenance)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nbvc-digest", "ABC"),
        ("nbvc-saved-at", "yesterday"),
        ("nbvc-saved-at", "2026-08-01T00:00:00"),
        ("nbvc-saved-at", "0001-01-01T00:00:00+01:00"),
        ("nbvc-parent", "-1"),
        ("nbvc-parent", "0"),
        ("nbvc-parent", "1_0"),
        ("nbvc-parent", "٣"),
        ("nbvc-source-number", "10000000000"),
        ("nbvc-source-number", "9" * 5_000),
    ],
)
def test_what_cannot_be_read_is_left_out(name: str, value: str) -> None:
    """A value that nbvc would not write counts as not known; the others are read."""
    metadata = {**to_metadata(FULL), name: value}
    del metadata["nbvc-message"]
    read = from_metadata(metadata)
    left_out = {"digest": read.digest, "saved-at": read.saved_at, "parent": read.parent}
    left_out["source-number"] = read.source_number
    assert left_out.pop(name.removeprefix("nbvc-")) is None
    assert None not in left_out.values()
    assert read.author == "Ada"
