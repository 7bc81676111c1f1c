"""The records of one notebook in a store: read them, walk back through them, append one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from nbvc.errors import Conflict, IntegrityError, VersionNotFound
from nbvc.manifest.records import (
    RecordFile,
    carried,
    check_chain,
    decode,
    encode,
    follows,
    plan_reads,
    record_hash,
)
from nbvc.model import Area, Digest, NotebookKey, Record
from nbvc.repository import sequence
from nbvc.repository.backend import Backend
from nbvc.values import dataclass

RecordMaker = Callable[[int, Digest | None], Record]
"""Makes a record from its number and the hash of the record before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a manifest begins.

    Attributes:
        first: Its first number; more than 1 where earlier ones lie under an earlier name.
        prev: Hash of the record before *first*.
    """

    first: int = 1
    prev: Digest | None = None


FROM_ONE = Start()


class Manifest:
    """The record sequence of one notebook key in one area.

    Args:
        backend: The store to work on.
        area: Workspace or published.
        key: The notebook.
    """

    def __init__(self, backend: Backend, area: Area, key: NotebookKey) -> None:
        self._backend = backend
        self._area = area
        self._key = key
        self._prefix = backend.layout.records(area, key)

    def newest_entry(self) -> sequence.Newest | None:
        """Return the newest number and its ETag, or ``None`` where there is none. 1 request."""
        return sequence.newest_entry(self._backend, self._prefix)

    def newest_number(self) -> int | None:
        """Return the newest number, or ``None`` where there is none. 1 request."""
        return sequence.newest_number(self._backend, self._prefix)

    def newest(self) -> RecordFile | None:
        """Return the file of the newest record, or ``None`` where there is none.

        2 requests; 1 where the record is cached.
        """
        newest = self.newest_entry()
        return None if newest is None else self.file(newest.number, etag=newest.etag)

    def file(self, number: int, *, etag: str | None = None) -> RecordFile:
        """Return the file of a record that is known to exist. 1 request; none when cached.

        Args:
            number: Of the record.
            etag: Of its file, where it was listed.

        Raises:
            IntegrityError: It is damaged, or missing in the middle of the sequence.
        """
        file = self.find(number, etag=etag)
        if file is None:
            raise IntegrityError(f"The {self._what(number)} is missing from the store.")
        return file

    def find(
        self, number: int, *, etag: str | None = None, fresh: bool = False
    ) -> RecordFile | None:
        """Return the file of record *number*, or ``None`` where there is no such record.

        Args:
            number: Of the record.
            etag: Of its file, where it was listed.
            fresh: Read past the cache.

        Raises:
            IntegrityError: It is damaged, or another record lies in its place.
        """

        def read(data: bytes) -> RecordFile:
            file = decode(data, what=self._what(number))
            if file.record.number != number:
                raise IntegrityError(
                    f"The {self._what(number)} says that it is v{file.record.number}: it was moved."
                )
            return file

        return sequence.read_entry(
            self._backend, self._prefix, number, read, etag=etag, fresh=fresh
        )

    def back_from(
        self, newest: RecordFile, oldest: int, in_hand: Sequence[RecordFile] = ()
    ) -> Iterator[Record]:
        """Yield the records from *newest* down to number *oldest*, following the hash chain.

        As a stream: memory does not grow with the history, and files are fetched a few ahead.

        Args:
            newest: Where to begin.
            oldest: Number of the last record to yield.
            in_hand: Further files, in the order in which they continue *newest*.

        Raises:
            IntegrityError: A record is damaged, missing or altered.
        """
        last: Record | None = None
        for file in self._files_back_from([newest, *in_hand], oldest):
            for record in self._continuing(last, file):
                if record.number < oldest:
                    return
                if last is not None:
                    if record.number >= last.number:
                        continue
                    check_chain([last, record], what=f"manifest of {self._key}")
                last = record
                yield record

    def claim_next(
        self, head: RecordFile | None, make: RecordMaker, start: Start = FROM_ONE
    ) -> RecordFile | None:
        """Try once to claim the number after *head*, or the first one; ``None``: it is taken.

        1 request; 2 without conditional writes. More for every 256th number, which carries many.
        """
        number = head.record.number + 1 if head else start.first
        first = head.first if head else start.first
        record = make(number, record_hash(head.record) if head else start.prev)
        recent = self._recent(head, carried(number, first))
        file = RecordFile(record=record, recent=recent, first=first)
        claimed = sequence.claim(self._backend, self._prefix, number, encode(file), record.write_id)
        return file if claimed else None

    def append(
        self, head: RecordFile | None, make: RecordMaker, start: Start = FROM_ONE
    ) -> RecordFile:
        """Claim the next free number for a record.

        Atomic and durable. Idempotent for one version: if a record of the same version or of the
        same write is met on the way (somebody adopted it meanwhile), that one is returned.

        Args:
            head: The newest file that the caller knows; it may be stale.
            make: Makes the record once its number is known.
            start: Where this manifest begins.

        Raises:
            Conflict: 200 numbers in a row were lost to others.
        """
        for attempt in range(sequence.MAX_CLAIMS):
            file = self.claim_next(head, make, start)
            if file is not None:
                return file
            sequence.back_off(self._backend, attempt)
            known = head.record.number if head else start.first - 1
            head = self.newest()
            if head is None or head.record.number <= known:
                raise Conflict(f"The {self._what(known + 1)} was claimed, and then disappeared.")
            found = self.find_version(head, known + 1, make(known + 1, None))
            if found is not None:
                return found
        raise Conflict(
            f"{sequence.MAX_CLAIMS} others saved {self._key} first, one after the other.",
            hint="Run the command again.",
        )

    def find_version(self, head: RecordFile, oldest: int, wanted: Record) -> RecordFile | None:
        """Return the file of the record of a version among *head* and those before it.

        Args:
            head: Where to begin.
            oldest: The last number to look at.
            wanted: A record of the version to look for. One of the same write with the same bytes
                will do: stored twice, it is one version all the same.
        """
        write = (wanted.write_id, wanted.digest)
        for record in self.back_from(head, max(oldest, head.first)):
            if record.version_id == wanted.version_id or (record.write_id, record.digest) == write:
                return self.file(record.number)
        return None

    def has_version(self, record: Record) -> bool:
        """Return whether the store has the version that *record* names. 1 request."""
        data_key = self._backend.layout.data_key(self._area, self._key)
        try:
            self._backend.store.head(data_key, record.version_id)
        except VersionNotFound:
            return False
        return True

    def _files_back_from(self, in_hand: Sequence[RecordFile], oldest: int) -> Iterator[RecordFile]:
        yield from in_hand
        reached = in_hand[-1].record.number - len(in_hand[-1].recent)
        if reached > oldest:
            yield from self._backend.parallel.map(self.file, plan_reads(reached - 1, oldest))

    def _continuing(self, newer: Record | None, file: RecordFile) -> RecordFile:
        """Return *file*, or what the store has in its place, if *newer* does not go on with it.

        The cache may hold one that somebody had altered, and that a repair has mended since.
        """
        older = next((record for record in file if newer and record.number < newer.number), None)
        if newer is None or older is None or follows(newer, older):
            return file
        return self.find(file.record.number, fresh=True) or file

    def _recent(self, head: RecordFile | None, count: int) -> tuple[Record, ...]:
        if head is None or count == 0:
            return ()
        return tuple(islice(self.back_from(head, head.record.number - count + 1), count))

    def _what(self, number: int) -> str:
        return f"record v{number} of {self._key}"
