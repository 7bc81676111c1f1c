"""Records: one immutable JSON document per version, linked by hashes, carrying its predecessors.

A record file holds the record and, under ``recent``, copies of records before it, so that a few
reads give a long history: 15 copies in most, 255 in every 256th, 4,095 in every 4,096th.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from nbvc.errors import IntegrityError
from nbvc.manifest.executions import run_from_document, run_to_document
from nbvc.manifest.members import changes, integer, malformed, number, text, version_id
from nbvc.manifest.sealing import (
    FORMAT,
    MALFORMED,
    canonical,
    format_time,
    parse_time,
    seal_canonical,
    unseal,
)
from nbvc.manifest.sources import source_from_document, source_to_document
from nbvc.model import Changes, Digest, Record, WriteId
from nbvc.values import dataclass

STRIDE, WIDE_STRIDE, WIDEST_STRIDE = 16, 256, 4096
MAX_AUTHOR_LENGTH = 200
MAX_MESSAGE_LENGTH = 2_000

_RECENT = "recent"
_OF_FILE = frozenset({"format", "first", "check"})
_KNOWN = frozenset(Record.__dataclass_fields__) - {"extra"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFile:
    """What the key of one number holds.

    Attributes:
        record: The record of that number.
        recent: Copies of the records just before it in the same manifest, newest first.
        first: First number of this manifest; more than 1 after a rename, when the earlier ones lie
            under the earlier name.
    """

    record: Record
    recent: tuple[Record, ...] = ()
    first: int = 1

    def __iter__(self) -> Iterator[Record]:
        """Iterate over all records in the file, newest first."""
        yield self.record
        yield from self.recent


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenApart:
    """A record file whose copies were not looked at.

    Attributes:
        record: The record of its number.
        copies: The bytes of the copies, newest first: :func:`decode_copy` reads one.
        first: First number of the manifest.
    """

    record: Record
    copies: tuple[bytes, ...]
    first: int


def carried(number: int, first: int = 1) -> int:
    """Return how many predecessors the file of *number* carries in a manifest from *first* on."""
    stride = STRIDE
    if number % WIDEST_STRIDE == 0:
        stride = WIDEST_STRIDE
    elif number % WIDE_STRIDE == 0:
        stride = WIDE_STRIDE
    return min(stride - 1, number - first)


def plan_reads(newest: int, oldest: int) -> Iterator[int]:
    """Yield the fewest numbers whose files hold all records from *newest* down to *oldest*.

    A short way is walked file by file; a long one steps down to the multiples of the strides, so
    that the wide files are met: a history of 100,000 versions is about 40 reads. All are known
    beforehand, so they can be made in parallel.
    """
    align = newest - oldest >= WIDE_STRIDE
    number = newest
    while number >= oldest:
        yield number
        unaligned = number % STRIDE if align else 0
        number = number - unaligned if unaligned else number - carried(number) - 1


def record_hash(record: Record) -> Digest:
    """Return the SHA-256 that the next record names as ``prev``."""
    return Digest.of(encode_copy(record))


def encode(file: RecordFile) -> bytes:
    """Return the bytes to store under the number of the record."""
    return assemble(file.record, map(encode_copy, file.recent), first=file.first)


def encode_copy(record: Record) -> bytes:
    """Return *record* as later files carry it: the bytes that are hashed."""
    return canonical(_to_document(record))


def assemble(record: Record, copies: Iterable[bytes], *, first: int) -> bytes:
    """Return the file of *record* from encoded copies of the records before it.

    For who makes the files of many records, each of which is carried by many.
    """
    document = {**_to_document(record), "format": FORMAT, "first": first}
    before = canonical({name: value for name, value in document.items() if name < _RECENT})
    after = canonical({name: value for name, value in document.items() if name > _RECENT})
    body = b'%s,"%s":[%s],%s' % (before[:-1], _RECENT.encode(), b",".join(copies), after[1:])
    return seal_canonical(body)


def decode(data: bytes, *, what: str) -> RecordFile:
    """Return the record and the copies in *data*.

    The hash chain from the record through its copies is followed, so a copy that differs from what
    was recorded shows, even in a file that was sealed again.

    Args:
        data: Bytes of a record file.
        what: How to name it in an error.

    Raises:
        IntegrityError: It is damaged, or not a chain of records.
        StoreMisconfigured: A newer release of nbvc wrote it.
    """
    file = parse(data, what=what)
    check_chain(tuple(file), what=what)
    return file


def parse(data: bytes, *, what: str) -> RecordFile:
    """Return the record and the copies in *data*, whether or not they are a chain.

    For who looks for what is left of a damaged manifest; others use :func:`decode`.

    Raises:
        IntegrityError: It is damaged, or holds no records.
        StoreMisconfigured: A newer release of nbvc wrote it.
    """
    document = unseal(data, what=what)
    document.pop("format")
    try:
        copies, first = document.pop("recent"), integer(document.pop("first"))
        record = _from_document(document)
        recent = tuple(_from_document(copy) for copy in copies)
        if not 1 <= first <= record.number - len(recent):
            raise ValueError(f"first is {first}, and the file goes back further")
    except MALFORMED as error:
        raise malformed(what, "record", error) from error
    return RecordFile(record=record, recent=recent, first=first)


def take_apart(data: bytes, *, what: str) -> TakenApart:
    """Return the record in *data*, and the copies as they stand, which may be 2 MB of them.

    Raises:
        IntegrityError: It is not, byte for byte, what :func:`encode` makes.
    """
    import msgspec  # costs start-up time

    try:
        members = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        copies = msgspec.json.decode(members.pop(_RECENT), type=list[msgspec.Raw])
        document = {name: json.loads(bytes(raw)) for name, raw in members.items()}
        found = TakenApart(
            record=_from_document({n: v for n, v in document.items() if n not in _OF_FILE}),
            copies=tuple(map(bytes, copies)),
            first=integer(document["first"]),
        )
        if assemble(found.record, found.copies, first=found.first) == data:
            return found
    except (*MALFORMED, RecursionError, msgspec.MsgspecError) as error:
        raise malformed(what, "record", error) from error
    raise IntegrityError(f"The {what} is not as nbvc writes it.")


def decode_copy(data: bytes, *, what: str) -> Record:
    """Return the record that :func:`encode_copy` made *data* of.

    Raises:
        IntegrityError: It made something else.
    """
    try:
        record = _from_document(json.loads(data))
        if encode_copy(record) == data:
            return record
    except (*MALFORMED, RecursionError) as error:
        raise malformed(what, "record", error) from error
    raise IntegrityError(f"The {what} is not as nbvc writes it.")


def follows(newer: Record, older: Record) -> bool:
    """Return whether *newer* names the hash of *older*, or the one that *older* stands for."""
    return newer.prev == record_hash(older) or (
        older.stands_for is not None and newer.prev == older.stands_for
    )


def check_chain(records: Sequence[Record], *, what: str) -> None:
    """Check that each of *records*, newest first, names the hash of the next one.

    Raises:
        IntegrityError: One does not, or their numbers do not count down by one.
    """
    for newer, older in pairwise(records):
        if newer.number != older.number + 1 or not follows(newer, older):
            raise IntegrityError(
                f"The {what} breaks the hash chain between v{older.number} and v{newer.number}: "
                "one of them was altered."
            )


def _to_document(record: Record) -> dict[str, Any]:
    document: dict[str, Any] = dict(record.extra)
    document.update(
        number=record.number,
        digest=record.digest,
        version_id=record.version_id,
        size_bytes=record.size_bytes,
        saved_at=format_time(record.saved_at),
        author=record.author,
        message=record.message,
        parent=record.parent,
        write_id=record.write_id,
        changes=_changes_to_document(record.changes) if record.changes else None,
        prev=record.prev,
    )
    if record.source:
        document["source"] = source_to_document(record.source)
    if record.run:
        document["run"] = run_to_document(record.run)
    if record.stands_for:
        document["stands_for"] = record.stands_for
    return document


def _from_document(document: Mapping[str, Any]) -> Record:
    author, parent, prev = document["author"], document["parent"], document["prev"]
    source, stands_for = document.get("source"), document.get("stands_for")
    run = document.get("run")
    return Record(
        number=number(document["number"]),
        digest=Digest(document["digest"]),
        version_id=version_id(document["version_id"]),
        size_bytes=integer(document["size_bytes"]),
        saved_at=parse_time(document["saved_at"]),
        author=None if author is None else text(author),
        message=text(document["message"]),
        parent=None if parent is None else number(parent),
        write_id=WriteId(text(document["write_id"])),
        changes=changes(document["changes"]),
        source=None if source is None else source_from_document(source),
        run=None if run is None else run_from_document(run),
        prev=Digest(prev) if prev is not None else None,
        stands_for=Digest(stands_for) if stands_for is not None else None,
        extra={name: value for name, value in document.items() if name not in _KNOWN},
    )


def _changes_to_document(found: Changes) -> dict[str, Any]:
    return {
        "cells_added": found.cells_added,
        "cells_removed": found.cells_removed,
        "cells_changed": found.cells_changed,
        "outputs_only": found.outputs_only,
    }
