"""Records: they come back as they were written, damage shows, and few reads give all of them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbvc.errors import IntegrityError, StoreMisconfigured
from nbvc.manifest.records import (
    RecordFile,
    carried,
    check_chain,
    decode,
    encode,
    plan_reads,
    record_hash,
)
from nbvc.manifest.sealing import FORMAT, seal
from nbvc.model import Area, Digest, NotebookKey, Record, Source, VersionId
from tests.manifest.damage import assert_damage_shows
from tests.manifest.samples import chain, file_of, record, records


def read(data: bytes) -> RecordFile:
    """Decode *data*."""
    return decode(data, what="record v1 of a.ipynb")


def documents(count: int) -> list[dict[str, object]]:
    """Return the document in the file of the last of *count* records, and its copies."""
    document = json.loads(encode(file_of(chain(count))))
    del document["check"]
    return [document, *document["recent"]]


def covered(reads: list[int], first: int = 1) -> set[int]:
    """Return all numbers whose records the files of *reads* hold."""
    return {number for read in reads for number in range(read - carried(read, first), read + 1)}


@given(records)
def test_any_record_comes_back(original: Record) -> None:
    """Every field survives, in any zone and alphabet, and unknown fields are kept."""
    file = read(encode(RecordFile(record=original, first=1)))
    assert file.record == original
    assert record_hash(file.record) == record_hash(original)


def test_a_file_comes_back_with_its_copies() -> None:
    """The copies of the records before it, and its first number, are read too."""
    file = file_of(chain(40))
    assert [copy.number for copy in file.recent] == list(range(39, 24, -1))
    assert read(encode(file)) == file
    assert [each.number for each in file] == list(range(40, 24, -1))


def test_unknown_fields_survive_in_copies_too() -> None:
    """What a later release adds is in the hash, so copies that keep it still fit the chain."""
    file = file_of(chain(3, extra={"kernel": {"name": "python3"}, "x": [1.5, None]}))
    assert read(encode(file)) == file
    document = json.loads(encode(file))
    assert [copy["kernel"] for copy in document["recent"]] == [{"name": "python3"}] * 2


def test_every_damaged_byte_shows() -> None:
    """A file of three records: each byte flipped, removed, doubled or cut at gives the error."""
    assert_damage_shows(encode(file_of(chain(3))), read)


def test_a_forged_copy_shows() -> None:
    """A copy that was altered breaks the hash chain, even where the file was sealed again."""
    document, first_copy, *_ = documents(3)
    first_copy["message"] = "forged"
    with pytest.raises(IntegrityError, match="hash chain between v2 and v3"):
        read(seal(document))


@pytest.mark.parametrize("name", sorted(documents(2)[0]))
@pytest.mark.parametrize("value", ["missing", None, -1, 2.5, "x", True, [], [1], {}, {"a": 1}])
def test_a_sealed_document_that_is_no_record_is_an_integrity_error(
    name: str, value: object
) -> None:
    """Members missing or of another kind give a clear error or a record, never a crash."""
    document = documents(2)[0]
    document[name] = value
    if value == "missing":
        del document[name]
    with suppress(IntegrityError, StoreMisconfigured):
        assert read(seal(document)).record.number in {2, -1}


@pytest.mark.parametrize("member", ["area", "key", "number", "version_id"])
def test_a_source_that_cannot_be_is_an_integrity_error(member: str) -> None:
    """A forged source, such as a key that leads upwards, is refused."""
    document = documents(1)[0]
    source = {"area": "workspace", "key": "a.ipynb", "number": 1, "version_id": "x"}
    document["source"] = {**source, member: "../x.ipynb"}
    if member in {"area", "key"}:
        with pytest.raises(IntegrityError):
            read(seal(document))
    del source[member]
    document["source"] = source
    with pytest.raises(IntegrityError):
        read(seal(document))


def test_the_chain_notices_a_record_that_was_left_out_or_replaced() -> None:
    """Numbers count down by one, and each record names the hash of the one before it."""
    newest_first = chain(5)[::-1]
    check_chain(newest_first, what="manifest")
    with pytest.raises(IntegrityError, match="v3 and v5"):
        check_chain([newest_first[0], *newest_first[2:]], what="manifest")
    for name, value in [("digest", Digest.of(b"other")), ("version_id", VersionId("other"))]:
        altered = [*newest_first]
        altered[2] = replace(altered[2], **{name: value})
        with pytest.raises(IntegrityError, match="v3 and v4"):
            check_chain(altered, what="manifest")


@given(records, records)
def test_different_records_have_different_hashes(one: Record, other: Record) -> None:
    """The hash covers every field."""
    same = encode(RecordFile(record=one)) == encode(RecordFile(record=other))
    assert (record_hash(one) == record_hash(other)) == same


def test_a_rebuilt_record_stands_for_the_one_that_the_next_names() -> None:
    """Its own hash is that of what it says now, so one change more breaks the chain after it."""
    older, newer = chain(2)
    rebuilt = replace(older, message="lost", stands_for=newer.prev)
    assert record_hash(rebuilt) != newer.prev
    file = RecordFile(record=newer, recent=(rebuilt,))
    assert read(encode(file)) == file
    after_it = replace(newer, prev=record_hash(rebuilt))
    check_chain([after_it, rebuilt], what="manifest")
    with pytest.raises(IntegrityError, match="v1 and v2"):
        check_chain([after_it, replace(rebuilt, message="altered")], what="manifest")
    with pytest.raises(IntegrityError, match="v1 and v2"):
        check_chain([newer, replace(rebuilt, stands_for=Digest.of(b"other"))], what="manifest")


def test_an_ordinary_record_stands_for_nothing_else() -> None:
    """Only its own hash is a name for it: no hash at all is none, and its bytes are as ever."""
    older, newer = chain(2)
    assert b"stands_for" not in encode(RecordFile(record=newer, recent=(older,)))
    with pytest.raises(IntegrityError):
        check_chain([replace(newer, prev=None), older], what="manifest")


def test_an_ordinary_file_is_at_most_8_kilobytes() -> None:
    """A record with its 15 copies, with messages as people write them, stays in the cost model."""
    assert len(encode(file_of(chain(31)))) <= 8 * 1024 - 200


@pytest.mark.parametrize(
    ("number", "first", "count"),
    [
        (1, 1, 0),
        (2, 1, 1),
        (15, 1, 14),
        (16, 1, 15),
        (17, 1, 15),
        (255, 1, 15),
        (256, 1, 255),
        (512, 1, 255),
        (4096, 1, 4095),
        (8192, 1, 4095),
        (41, 41, 0),
        (43, 41, 2),
        (256, 41, 215),
    ],
)
def test_how_many_predecessors_a_file_carries(number: int, first: int, count: int) -> None:
    """15, in every 256th 255, in every 4,096th 4,095; never more than the manifest has."""
    assert carried(number, first) == count


@given(st.integers(1, 200_000), st.integers(0, 30_000), st.integers(1, 200_000))
@settings(max_examples=300)
def test_the_planned_reads_hold_every_record(newest: int, length: int, first: int) -> None:
    """Whatever the range and wherever the manifest begins, no record is missed."""
    oldest = max(newest - length, 1)
    first = min(first, oldest)
    reads = list(plan_reads(newest, oldest))
    assert reads == sorted(set(reads), reverse=True)
    assert reads[0] == newest
    assert set(range(oldest, newest + 1)) <= covered(reads, first)


def test_every_short_history_is_covered() -> None:
    """All histories of up to 600 versions, read whole."""
    for newest in range(1, 601):
        assert covered(list(plan_reads(newest, 1))) == set(range(1, newest + 1))


@pytest.mark.parametrize(
    ("newest", "oldest", "reads"),
    [(1, 1, 1), (20, 1, 2), (100, 81, 2), (100_000, 99_981, 2), (99_999, 99_968, 2)],
)
def test_the_last_versions_are_two_reads(newest: int, oldest: int, reads: int) -> None:
    """The last 20 to 32 versions of any history are two files."""
    assert len(list(plan_reads(newest, oldest))) == reads


def test_a_hundred_thousand_versions_are_41_reads() -> None:
    """A whole long history takes few reads, at any length."""
    assert len(list(plan_reads(100_000, 1))) <= 41
    for newest in range(99_000, 100_000, 37):
        assert len(list(plan_reads(newest, 1))) <= 15 + 15 + 1 + 25


def test_a_published_record_names_its_source() -> None:
    """Area, key, number and version ID of the source survive."""
    source = Source(
        area=Area.WORKSPACE, key=NotebookKey("k/a.ipynb"), number=None, version_id=VersionId("x")
    )
    assert read(encode(RecordFile(record=record(source=source)))).record.source == source


def test_a_file_says_which_format_it_has() -> None:
    """Every file names format 1, so that a later release can tell."""
    assert json.loads(encode(file_of(chain(1))))["format"] == FORMAT == 1
