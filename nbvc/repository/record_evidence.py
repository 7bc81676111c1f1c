"""Find the good records of a manifest, whatever happened to its files.

Every record is in several places: in its own file, as a copy in later files, and, where an S3 tool
wrote over a file or deleted it, in an older stored version of that. The hash chain tells which of
them is the one that was recorded: record n+1 names the hash of record n.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from nbvc.errors import IntegrityError, StoreMisconfigured
from nbvc.manifest.records import (
    STRIDE,
    WIDE_STRIDE,
    WIDEST_STRIDE,
    RecordFile,
    assemble,
    carried,
    encode_copy,
    follows,
    parse,
    plan_reads,
)
from nbvc.model import Digest, Record, VersionId
from nbvc.repository.backend import Backend
from nbvc.repository.index_objects import Content, IndexObject, read, runs
from nbvc.stores.base import Head, VersionEntry
from nbvc.values import dataclass


class Evidence:
    """What the record files of one manifest say, read with as few requests as that takes.

    Reading goes from the newest record down, by the files that carry many copies; below a file that
    is damaged, missing or altered it goes on with the next one.

    Args:
        backend: The store to read.
        objects: The record files by number, with all their stored versions.
        listed: Version IDs that the store lists of the notebook.

    Attributes:
        records: The good records by number.
        firsts: For each of them, the first number of the run of records that it belongs to.
        seen: What was read of what readers get, by number.
        etags: What the ETags of the store are worth.
    """

    def __init__(
        self, backend: Backend, objects: Mapping[int, IndexObject], listed: Collection[VersionId]
    ) -> None:
        self.records: dict[int, Record] = {}
        self.firsts: dict[int, int] = {}
        self.seen: dict[int, Seen] = {}
        self.etags = Etags()
        self._backend = backend
        self._objects = objects
        self._listed = listed
        self._tried: set[int] = set()
        self._copy = lru_cache(maxsize=2 * WIDEST_STRIDE)(self._encode_copy)
        for top, bottom in runs(objects):
            self._walk(top, bottom)
        for number in sorted(objects, reverse=True):
            if number not in self.records:
                self._search_copies(number)

    def find(self, number: int) -> Record | None:
        """Return record *number*, also where only a copy of it is left."""
        if number not in self.records:
            self._search_copies(number)
        return self.records.get(number)

    def expected(self, number: int) -> bytes | None:
        """Return what the file of *number* must hold; ``None`` where not all of it is known."""
        record, first = self.records.get(number), self.firsts.get(number, 1)
        if record is None:
            return None
        copies = range(number - 1, number - 1 - carried(number, first), -1)
        if not all(copy in self.records for copy in copies):
            return None
        return assemble(record, map(self._copy, copies), first=first)

    def _encode_copy(self, number: int) -> bytes:
        return encode_copy(self.records[number])

    def _walk(self, top: int, bottom: int) -> None:
        """Learn the records from *top* down to *bottom*, all of which have an object."""
        for number in range(top, bottom - 1, -1):
            if number not in self.records and number not in self._tried:
                self._read_all(plan_reads(number, max(bottom, number - WIDEST_STRIDE + 1)))

    def _search_copies(self, number: int) -> None:
        """Look for *number* in the files that carry a copy of it."""
        near = range(number + 1, number + STRIDE)
        wide = (-(-(number + 1) // stride) * stride for stride in (WIDE_STRIDE, WIDEST_STRIDE))
        for carrier in (*near, *wide):
            if carrier in self._objects and carrier - carried(carrier) <= number:
                self._read_all(iter([carrier]))
                if number in self.records:
                    return

    def _read_all(self, numbers: Iterator[int]) -> None:
        wanted = [n for n in numbers if n in self._objects and n not in self._tried]
        self._tried.update(wanted)
        found = self._backend.parallel.map(self._candidates, wanted)
        for number, files in zip(wanted, found, strict=True):
            self._take(number, files)

    def _candidates(self, number: int) -> list[RecordFile]:
        """Return what can be read as record *number*: the version that was claimed comes first."""
        item, files = self._objects[number], []
        readable = item.readable(self._backend)
        for entry in item.stored:
            content, file = self._read(number, entry)
            if file is None:  # what was damaged on the way is not damaged in the store
                content, file = self._read(number, entry)
            if entry == readable:
                self.seen[number] = Seen.of(content)
            if file is not None and file.record.number == number:
                files.append(file)
        return files

    def _read(self, number: int, entry: VersionEntry) -> tuple[Content, RecordFile | None]:
        content = read(self._backend, entry)
        if content.data is None:
            return content, None
        try:
            file = parse(content.data, what=f"record v{number}")
        except (IntegrityError, StoreMisconfigured):
            return content, None
        # Its seal shows that these are the bytes that were put, so the ETag must be theirs.
        self.etags.learn(entry, content.data)
        return content, file

    def _take(self, number: int, files: list[RecordFile]) -> None:
        """Learn the first of *files* that the record after it, where that is known, confirms."""
        newer = self.records.get(number + 1)
        for file in files:
            if follows(newer, file.record) if newer is not None else not self._is_foreign(file):
                known = self.records.setdefault(number, file.record)
                if known == file.record:
                    self._learn(file)
                    return

    def _is_foreign(self, file: RecordFile) -> bool:
        """Return whether a file that no later one confirms is another notebook's.

        It names no version of this notebook, itself or in its copies, and contradicts the file
        before it, which does: believed, it would put another history in the place of this one.
        """
        before = file.record.number - 1
        if before not in self._objects or any(r.version_id in self._listed for r in file):
            return False
        older = [each.record for each in self._candidates(before)]
        is_ours = any(record.version_id in self._listed for record in older)
        return is_ours and not any(follows(file.record, record) for record in older)

    def _learn(self, file: RecordFile) -> None:
        """Learn *file* and its copies, as far down as the hash chain holds."""
        last = file.record
        self.firsts.setdefault(last.number, file.first)
        for copy in file.recent:
            if copy.number != last.number - 1 or not follows(last, copy):
                return
            last = self.records.setdefault(copy.number, copy)
            self.firsts.setdefault(last.number, file.first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is kept of bytes that were read, which may be many: enough to compare them.

    Attributes:
        digest: Their SHA-256; ``None`` where they cannot be read.
        problem: Why they cannot be read.
    """

    digest: Digest | None
    problem: str = ""

    @classmethod
    def of(cls, content: Content) -> Seen:
        """Return what is kept of *content*."""
        digest = None if content.data is None else Digest.of(content.data)
        return cls(digest=digest, problem=content.problem)


class Etags:
    """What the ETags of a store are: the MD5 of the bytes, their SHA-256, or nothing to rely on.

    Found out from objects that were read. An ETag of S3 is the MD5 of what was put in one piece
    without encryption by KMS or customer keys (Amazon S3 API Reference, "Object"); that of the
    embedded store is the SHA-256.
    """

    def __init__(self) -> None:
        self._kinds: set[str] = set()

    @property
    def kind(self) -> str | None:
        """``md5``, ``sha256``, or ``None`` where sizes must do."""
        return next(iter(self._kinds)) or None if len(self._kinds) == 1 else None

    def learn(self, entry: VersionEntry | Head, data: bytes) -> None:
        """Compare the ETag of *entry* with its *data*."""
        self._kinds.add(next((kind for kind in _HASHES if _etag(entry) == _hash(kind, data)), ""))

    def fits(self, entry: VersionEntry, data: bytes) -> bool:
        """Return whether the listing gives no reason to doubt that *entry* holds *data*."""
        if entry.size_bytes != len(data):
            return False
        return self.kind is None or _etag(entry) == _hash(self.kind, data)


_HASHES = ("md5", "sha256")


def _hash(kind: str, data: bytes) -> str:
    return hashlib.new(kind, data, usedforsecurity=False).hexdigest()


def _etag(entry: VersionEntry | Head) -> str:
    return entry.etag.strip('"').lower()
