"""Records and states for tests: fixed ones, and strategies for arbitrary ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from nbvc.errors import InvalidKey
from nbvc.manifest.records import RecordFile, carried, record_hash
from nbvc.manifest.states import Segment, State
from nbvc.model import (
    Area,
    Changes,
    Digest,
    NotebookKey,
    Record,
    Run,
    Source,
    VersionId,
    WriteId,
)

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


def record(number: int = 1, **fields: object) -> Record:
    """Return a record as an ordinary save makes it."""
    made = Record(
        number=number,
        digest=Digest.of(b"v%d" % number),
        version_id=VersionId(f"3HL4kqtJvjVBH40Nrjfkd{number:011}"),
        size_bytes=48_213 + number,
        saved_at=NOON + timedelta(minutes=number),
        author="Ada Lovelace",
        message=f"Try the larger learning rate, run {number}",
        parent=number - 1 or None,
        write_id=WriteId(f"a3f1c9e2b4d5{number:020}"),
        changes=Changes(cells_added=1, cells_removed=0, cells_changed=3, outputs_only=False),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def chain(count: int, **fields: object) -> list[Record]:
    """Return *count* records, oldest first, each naming the hash of the one before it."""
    records: list[Record] = []
    for number in range(1, count + 1):
        prev = record_hash(records[-1]) if records else None
        records.append(record(number, prev=prev, **fields))
    return records


def file_of(records: Sequence[Record]) -> RecordFile:
    """Return the file of the last of *records*, with the copies that belong in it."""
    newest = records[-1]
    count = carried(newest.number, records[0].number)
    copies = tuple(reversed(records[:-1]))[:count]
    return RecordFile(record=newest, recent=copies, first=records[0].number)


texts = st.text(max_size=80)
version_ids = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=80).map(
    VersionId
)
numbers = st.integers(1, 9_999_999_999)
digests = st.binary(max_size=8).map(Digest.of)
moments = st.datetimes(
    datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.timezones() | st.just(UTC)
).map(lambda moment: moment.astimezone(UTC))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
).filter(lambda value: "inf" not in repr(value))
unknown_fields = st.dictionaries(st.from_regex(r"x_[a-z]{1,8}", fullmatch=True), json_values)


def _is_key(text: str) -> bool:
    try:
        NotebookKey(text)
    except InvalidKey:
        return False
    return True


keys = (
    st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4)
    .map(lambda segments: "/".join(segments) + ".ipynb")
    .filter(_is_key)
    .map(NotebookKey)
)
sources = st.builds(
    Source,
    area=st.sampled_from(Area),
    key=keys,
    number=st.none() | numbers,
    version_id=version_ids,
)
counts = st.integers(0, 10_000)
changes = st.builds(
    Changes,
    cells_added=counts,
    cells_removed=counts,
    cells_changed=counts,
    outputs_only=st.booleans(),
)
words = st.text(min_size=1, max_size=80)
runs = st.builds(
    Run,
    outcome=words,
    input=st.none() | sources,
    started_at=st.none() | moments,
    asked=st.none() | words,
    parameters=st.dictionaries(
        texts, st.none() | st.booleans() | st.integers() | texts, max_size=1
    ),
    left_out=st.lists(texts, max_size=3).map(tuple),
    error=st.none() | words,
    failed_cell=st.none() | st.integers(1, 10_000),
)
records = st.builds(
    Record,
    number=numbers,
    digest=digests,
    version_id=version_ids,
    size_bytes=st.integers(0, 2**50),
    saved_at=moments,
    author=st.none() | texts,
    message=texts,
    parent=st.none() | numbers,
    write_id=texts.map(WriteId),
    changes=st.none() | changes,
    source=st.none() | sources,
    run=st.none() | runs,
    prev=st.none() | digests,
    stands_for=st.none() | digests,
    extra=unknown_fields,
)
states = st.builds(
    State,
    number=numbers,
    write_id=texts.map(WriteId),
    saved_at=moments,
    author=texts,
    action=texts,
    tags=st.dictionaries(texts, numbers, max_size=4),
    segments=st.lists(st.builds(Segment, key=keys, first=numbers, last=numbers), max_size=3).map(
        tuple
    ),
    moved_to=st.none() | keys,
    removed=st.booleans(),
    prev=st.none() | digests,
    gone=st.lists(st.tuples(numbers, numbers), max_size=3).map(tuple),
    extra=unknown_fields,
)
