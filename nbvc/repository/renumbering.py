"""Tell which number a version had whose record is lost, from what is left: pure, no requests.

Versions are stored in nearly the order in which their numbers are claimed, and most say which
version they were based on. Numbers that people know must not change, so a number of which nothing
is left stays empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from nbvc.manifest.metadata import Provenance
from nbvc.model import MAX_NUMBER, Record, VersionId
from nbvc.repository.adopting import LOOKBACK
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass

MAX_EMPTY = 10_000
"""Numbers in a row that get a record that says that they are lost; more were forged."""

MAX_CANDIDATES = 8
"""Versions among which the one of a lost record is looked for by its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """Which version each number had.

    Attributes:
        lost: For each lost number its versions, the most likely first; none where nothing is left.
        added: The numbers after the newest record, in order, each with its version; ``None`` where
            nothing is left of one that was given.
        refused: Runs of lost numbers, from first to last, that are too long to be true.
    """

    lost: Mapping[int, Sequence[VersionEntry]] = field(default_factory=dict)
    added: Sequence[tuple[int, VersionEntry | None]] = ()
    refused: Sequence[tuple[int, int]] = ()


class Renumbering:
    """Finds the numbers of the versions of one notebook key that no good record names.

    Args:
        listed: Versions that the store lists, newest first.
        records: The good records by number.
        unindexed: Versions that none of them names, oldest first.
        said: What those say of themselves.
    """

    def __init__(
        self,
        listed: Sequence[VersionEntry],
        records: Mapping[int, Record],
        unindexed: Sequence[VersionEntry],
        said: Mapping[VersionId, Provenance],
    ) -> None:
        self._places = {e.version_id: place for place, e in enumerate(reversed(listed))}
        self._records = records
        self._unindexed = unindexed
        self._said = said
        self._taken: set[VersionId] = set()

    def find(self, lost: Sequence[tuple[int, int]], next_number: int, known_to: int) -> Numbering:
        """Return which version each number had.

        Args:
            lost: Runs of numbers of whose records nothing is left.
            next_number: The number after the newest record.
            known_to: A number up to which numbers are known to have been given, as by a tag.
        """
        found: dict[int, Sequence[VersionEntry]] = {}
        refused = []
        for first, last in lost:
            candidates = self._candidates(first, last)
            if last - first + 1 - len(candidates) > MAX_EMPTY:
                refused.append((first, last))
                continue
            found.update(self._numbered(first, last, candidates))
        return Numbering(
            lost=found, added=tuple(self._added(next_number, known_to)), refused=tuple(refused)
        )

    # Lost numbers

    def _candidates(self, first: int, last: int) -> list[VersionEntry]:
        """Return the versions that lie where those of a run of lost numbers must, oldest first."""
        low = max((self._place(n) for n in self._records if n < first), default=-1)
        above = [self._place(n) for n in self._records if n > last and self._place(n) >= 0]
        high = min(above, default=len(self._places))
        within, near = [], []
        for entry in self._unindexed:
            place = self._places.get(entry.version_id, -1)
            if entry.version_id in self._taken or not self._may_be(entry, last):
                continue
            if low < place < high:
                within.append(entry)
            elif low - LOOKBACK < place < high + LOOKBACK and self._is_ours(entry):
                # Two who saved at once may have claimed their numbers the other way round.
                near.append(entry)
        wanted = last - first + 1
        within.sort(key=lambda entry: not self._is_ours(entry))
        chosen = (within + near)[: max(wanted, MAX_CANDIDATES if wanted == 1 else 0)]
        if wanted == 1:
            return chosen
        return sorted(chosen, key=lambda entry: self._places[entry.version_id])

    def _numbered(
        self, first: int, last: int, candidates: Sequence[VersionEntry]
    ) -> Iterator[tuple[int, Sequence[VersionEntry]]]:
        if first == last:
            self._taken.update(entry.version_id for entry in candidates[:1])
            yield first, candidates
            return
        number = first
        for index, entry in enumerate(candidates):
            latest = last - (len(candidates) - index - 1)
            at = min(max(number, self._hint(entry)), latest)
            yield from ((empty, ()) for empty in range(number, at))
            self._taken.add(entry.version_id)
            yield at, (entry,)
            number = at + 1
        yield from ((empty, ()) for empty in range(number, last + 1))

    # Numbers after the newest record

    def _added(self, number: int, known_to: int) -> Iterator[tuple[int, VersionEntry | None]]:
        rest = [entry for entry in self._unindexed if entry.version_id not in self._taken]
        for index, entry in enumerate(rest):
            hint = self._hint(entry)
            following = rest[index + 1] if index + 1 < len(rest) else None
            # A single version may be a copy from another notebook, which kept the metadata.
            is_true = hint - 1 <= known_to or (
                following is not None and self._hint(following) == hint + 1
            )
            if is_true and 0 < hint - number <= MAX_EMPTY:
                yield from ((empty, None) for empty in range(number, hint))
                number = hint
            if number > MAX_NUMBER:  # the newest one was forged
                return
            yield number, entry
            number += 1

    # One version

    def _place(self, number: int) -> int:
        return self._places.get(self._records[number].version_id, -1)

    def _is_ours(self, entry: VersionEntry) -> bool:
        return self._provenance(entry).write_id is not None

    def _may_be(self, entry: VersionEntry, last: int) -> bool:
        return (self._provenance(entry).parent or 0) < last

    def _hint(self, entry: VersionEntry) -> int:
        """Return the least number that the version can have, by what it says: usually its own."""
        return (self._provenance(entry).parent or 0) + 1

    def _provenance(self, entry: VersionEntry) -> Provenance:
        return self._said.get(entry.version_id, Provenance())
