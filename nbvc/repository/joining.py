"""Join the records of a notebook with the store's listing of its versions, as two streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import islice

from nbvc.model import Version, VersionId

LOOKAHEAD = 12
"""Records read ahead of the listing: two writers may claim numbers in another order than the one in
which their versions were stored, within the number of writers at work at once. With it, the first
20 versions are two reads of records."""

LISTED_AHEAD = 500
"""Entries of the listing that are in hand at least, where it has as many: half a page."""

RECORDS_AHEAD = 1_000
"""Records read ahead at most, where the store has lost the versions of many in a row."""


class Join:
    """Indexed versions merged with a listing that holds them too, both newest first.

    Args:
        records: The indexed versions.
        listing: The listed ones, without a number.
        whole: Whether *listing* ends where the versions of the notebook do. Where it was cut off,
            a version near its end is not taken for missing.
        listed_elsewhere: Whether an indexed version lies where *listing* does not look.
        confirm: Lists once more. Asked at most once, before the first version is called missing:
            *listing* may be older than *records*.
    """

    def __init__(
        self,
        records: Iterator[Version],
        listing: Iterator[Version],
        *,
        whole: bool = True,
        listed_elsewhere: Callable[[Version], bool] = lambda _: False,
        confirm: Callable[[], Collection[VersionId]] = frozenset,
    ) -> None:
        self._records = records
        self._listing = listing
        self._whole = whole
        self._listed_elsewhere = listed_elsewhere
        self._confirm = confirm
        self._confirmed: Collection[VersionId] | None = None
        self._ahead: deque[Version] = deque()
        self._numbers: dict[VersionId, int] = {}
        self._listed: deque[Version] = deque()
        self._found: set[VersionId] = set()

    def __iter__(self) -> Iterator[Version]:
        """Yield every indexed version in order, and where the store lacks one, mark it.

        A listed version that is not among them comes before the next older one that is.
        """
        self._list_ahead()
        self._read_ahead()
        while self._ahead:
            version = self._ahead.popleft()
            self._read_ahead()
            yield from self._unindexed_before(version)
            yield replace(version, missing=True) if self._is_missing(version) else version
            if version.version_id not in self._numbers:
                self._found.discard(version.version_id)
        while self._listed:
            indexed = self._listed[0].version_id in self._numbers
            listed = self._take()
            if not indexed:
                yield listed

    def _unindexed_before(self, version: Version) -> Iterator[Version]:
        while self._listed:
            number = self._numbers.get(self._listed[0].version_id)
            if number is not None and number < (version.number or 0):
                return
            listed = self._take()
            if number is None:
                yield listed
            elif number == version.number:
                return

    def _take(self) -> Version:
        listed = self._listed.popleft()
        if self._numbers.pop(listed.version_id, None) is None:
            self._found.discard(listed.version_id)
        self._list_ahead()
        return listed

    def _list_ahead(self) -> None:
        if len(self._listed) < LISTED_AHEAD:
            for listed in islice(self._listing, LISTED_AHEAD):
                self._listed.append(listed)
                self._found.add(listed.version_id)

    def _read_ahead(self) -> None:
        """Read so many records that what is listed next is known to be indexed, if it is."""
        found = sum(map(self._is_found, self._ahead))
        while found <= LOOKAHEAD and len(self._ahead) < RECORDS_AHEAD:
            if len(self._ahead) >= LOOKAHEAD and self._is_bottom_known():
                return
            version = next(self._records, None)
            if version is None:
                return
            self._ahead.append(version)
            self._numbers[version.version_id] = version.number or 0
            found += self._is_found(version)

    def _is_bottom_known(self) -> bool:
        """Return whether the last listed entry in hand is one of a record that was read."""
        return not self._listed or self._listed[-1].version_id in self._numbers

    def _is_found(self, version: Version) -> bool:
        return version.version_id in self._found or self._listed_elsewhere(version)

    def _is_missing(self, version: Version) -> bool:
        if version.missing or self._is_found(version):
            return version.missing
        if not self._whole and not any(map(self._is_found, self._ahead)):
            return False  # perhaps it is listed further down
        if self._confirmed is None:
            self._confirmed = self._confirm()
        return version.version_id not in self._confirmed
