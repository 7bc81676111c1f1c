"""Stays: the runs of numbers in the manifest of one key, and reading through them either way.

A notebook that was never renamed has one stay, from v1 on. One that was renamed away and back has
several under the same key, with a gap where its versions lie under the other name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from nbvc.errors import Conflict, IntegrityError
from nbvc.manifest.metadata import Provenance, from_metadata, to_metadata
from nbvc.manifest.records import WIDEST_STRIDE, RecordFile, carried, check_chain
from nbvc.manifest.states import State
from nbvc.model import Area, Digest, NotebookKey, Record
from nbvc.repository.backend import Backend
from nbvc.repository.records import Manifest, Start
from nbvc.repository.states import read_state
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A run of numbers in the manifest of one key.

    Attributes:
        first: Its first number.
        last: Its last number; one less than *first* while there is no record.
        before: The key that holds the record before *first*, where there is one.
    """

    first: int
    last: int
    before: NotebookKey | None


def find_stays(manifest: Manifest, key: NotebookKey, state: State | None) -> list[Stay]:
    """Return the stays of *key*, oldest first; the last one may hold no record yet. 2 requests.

    Raises:
        IntegrityError: A record is damaged, or no state says what lies before the first.
    """
    segments = state.segments if state else ()
    before = {segment.last + 1: segment.key for segment in segments}
    spans = [(segment.first, segment.last) for segment in segments if segment.key == key]
    begin = segments[-1].last + 1 if segments else 1
    newest = manifest.newest()
    if newest is not None and newest.record.number >= begin:
        spans.append((newest.first, newest.record.number))
    else:
        spans.append((begin, begin - 1))
    for first, _ in spans:
        if first > 1 and first not in before:
            raise IntegrityError(
                f"The history of {key} begins with v{first}, and nothing says what came before."
            )
    return [Stay(first=first, last=last, before=before.get(first)) for first, last in spans]


def read_up(manifest: Manifest, first: int, last: int) -> Iterator[Record]:
    """Yield the records from number *first* up to *last*, following the hash chain.

    As a stream: at most 4,096 records are in memory, and as many come with one request.

    Raises:
        IntegrityError: A record is damaged, missing or altered.
    """
    before: Record | None = None
    while first <= last:
        top = min(last, -(-first // WIDEST_STRIDE) * WIDEST_STRIDE)
        page = list(manifest.back_from(manifest.file(top), first))[::-1]
        if before is not None:
            check_chain([page[0], before], what="manifest")
        yield from page
        before = page[-1]
        first = top + 1


def read_down(
    backend: Backend, key: NotebookKey, newest: RecordFile, oldest: int, *, elsewhere: bool
) -> Iterator[Record]:
    """Yield the records of *key* in the workspace, newest first, down to those around *oldest*.

    Also those from before the notebook was renamed away and back again, if it was. As a stream; no
    request is made for what nobody goes on to.

    Args:
        backend: The store to work on.
        key: The notebook.
        newest: Where to begin.
        oldest: The last number that is of interest.
        elsewhere: Also yield what lies under other names that the notebook had.

    Raises:
        IntegrityError: A record is damaged, missing or altered.
    """
    manifest = Manifest(backend, Area.WORKSPACE, key)
    yield from manifest.back_from(newest, max(newest.first, min(oldest, newest.record.number)))
    state = read_state(backend, Area.WORKSPACE, key) if newest.first > max(oldest, 1) else None
    for segment in reversed(state.segments if state else ()):
        if elsewhere or segment.key == key:
            there = Manifest(backend, Area.WORKSPACE, segment.key)
            first = max(segment.first, min(oldest, segment.last))
            yield from there.back_from(there.file(segment.last), first)


def find_recorded(
    backend: Backend, key: NotebookKey, newest: RecordFile, is_it: Callable[[Record], bool]
) -> Record | None:
    """Return the record that is looked for, among all of *key*, also those under earlier names.

    ``None`` where there is none; also where damage further back hides it, for who looks wants to
    save, and that must not keep anybody from saving.

    Args:
        backend: The store to work on.
        key: The notebook, in the workspace.
        newest: Where to begin.
        is_it: Tells the record.
    """
    with suppress(IntegrityError):
        return next(filter(is_it, read_down(backend, key, newest, 1, elsewhere=True)), None)
    return None


class Appender:
    """Claims one number after the other in one stay.

    The newest 4,095 records stay in memory, so that a record that carries many costs no reading.

    Args:
        manifest: Where to claim.
        first: First number of the stay.
    """

    def __init__(self, manifest: Manifest, first: int) -> None:
        self._manifest = manifest
        self._first = first
        self._newest: deque[Record] = deque(maxlen=WIDEST_STRIDE - 1)

    def skip(self, record: Record) -> None:
        """Go on after *record*, which is there already."""
        self._newest.appendleft(record)

    def append(self, record: Record, before: Digest | None) -> Record:
        """Claim the next number for *record* and return it as it was stored.

        Atomic and durable.

        Args:
            record: Its ``prev`` is filled in here.
            before: Hash of the record before the stay.

        Raises:
            Conflict: Somebody else claimed that number.
        """

        def make(number: int, prev: Digest | None) -> Record:
            return replace(record, number=number, prev=prev)

        start = Start(first=self._first, prev=before)
        file = self._manifest.claim_next(self._head(record.number), make, start)
        if file is None:
            file = self._manifest.file(record.number)
            if file.record != make(record.number, file.record.prev):
                raise Conflict(
                    f"Somebody else saved v{record.number} of the notebook in the target meanwhile."
                )
        self._newest.appendleft(file.record)
        return file.record

    def _head(self, number: int) -> RecordFile | None:
        if not self._newest:
            return None
        recent = tuple(islice(self._newest, 1, carried(number, self._first)))
        return RecordFile(record=self._newest[0], recent=recent, first=self._first)


def provenance_of(record: Record) -> Provenance:
    """Return what the object of *record* says of itself."""
    return Provenance(
        digest=record.digest,
        write_id=record.write_id,
        saved_at=record.saved_at,
        author=record.author,
        message=record.message,
        parent=record.parent,
        source_number=record.source.number if record.source else None,
        source_version_id=record.source.version_id if record.source else None,
    )


def agrees(copy: Record, original: Record) -> bool:
    """Return whether *copy* says what *original* says, but for what each store gives itself.

    Also where *copy* was rebuilt from an object's metadata, before *original* was recorded.
    """
    copy = replace(copy, version_id=original.version_id, prev=original.prev)
    if copy == original:
        return True
    known = from_metadata(to_metadata(provenance_of(original)))
    rebuilt = replace(
        original,
        run=None,
        author=known.author,
        message=known.message or "",
        changes=None,
        source=None,
        extra={},
    )
    return replace(copy, source=None) == rebuilt
