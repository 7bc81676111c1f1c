"""Tell a version that repeats a recorded write from one that nobody has recorded yet.

A write whose reply is lost is sent again. The first one may land all the same, long after the
second one was recorded and others have saved: the same bytes, the same write ID, no new version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from nbvc.manifest.metadata import Provenance
from nbvc.manifest.records import RecordFile
from nbvc.manifest.runs import Numbers
from nbvc.model import Record, VersionId, WriteId
from nbvc.repository.records import Manifest

REACH = 256
"""Records to either side among which that of a late write is looked for: more saves of one notebook
than fit into the time for which a request may be under way."""


def adoption_id(version_id: VersionId) -> WriteId:
    """Return the write ID under which a version of another tool is recorded: always the same."""
    return WriteId("adopted-" + hashlib.sha256(version_id.encode()).hexdigest()[:22])


class Repeats:
    """The writes that the records of one notebook name, as many as were needed so far.

    Args:
        manifest: Where the records are.
        newest: The newest of them, where there is one.
        in_hand: Those that were read already, the newest first, without a gap.
        let_go: Numbers whose versions nobody wants any more: a repeat of one is no version either.
    """

    def __init__(
        self,
        manifest: Manifest,
        newest: RecordFile | None,
        in_hand: Iterable[Record],
        *,
        let_go: Numbers,
    ) -> None:
        self._manifest = manifest
        self._newest = newest
        self._let_go = let_go
        records = list(in_hand)
        self._records = {record.write_id: record for record in records}
        after_newest = newest.record.number + 1 if newest else 1
        self._oldest = records[-1].number if records else after_newest

    def find(self, provenance: Provenance, number: int) -> Record | None:
        """Return the record, near *number*, of the write that *provenance* tells of.

        ``None`` also where the store has lost the version of that record: then this one is no
        repeat, but all that is left of it. No request where the version names no write; else one,
        and some reads of records where those in hand do not tell.

        Args:
            provenance: What the object of the version says.
            number: Where the version would stand among the records.
        """
        write_id = provenance.write_id
        if write_id is None:
            return None
        found = self._records.get(write_id)
        if found is None and self._newest is not None:
            # A version is recorded after the one that it was based on.
            oldest = max(number - REACH, self._newest.first, (provenance.parent or 0) + 1)
            self._read(min(number + REACH, self._newest.record.number, self._oldest - 1), oldest)
            found = self._records.get(write_id)
        if found is None and provenance.number is not None:
            found = self._numbered(provenance.number, write_id)
        if found is None or found.number in self._let_go:
            return found
        return found if self._manifest.has_version(found) else None

    def _numbered(self, number: int, write_id: WriteId) -> Record | None:
        """Return record *number*, if it is of this write: a version says so that was made plain."""
        file = self._manifest.find(number)
        return file.record if file is not None and file.record.write_id == write_id else None

    def add(self, record: Record) -> None:
        """Note a write that has a record now, or is about to have one."""
        self._records.setdefault(record.write_id, record)

    def _read(self, top: int, oldest: int) -> None:
        if oldest <= top:
            records = self._manifest.back_from(self._manifest.file(top), oldest)
            self._records.update((record.write_id, record) for record in records)
            self._oldest = oldest
