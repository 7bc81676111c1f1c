"""The objects of a notebook's index as the store lists them, with every stored version of each.

A record or a state is written once. Where its object has more than one version all the same, an S3
tool wrote over it or deleted it: the oldest version is the one that was claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nbvc.errors import IntegrityError, VersionNotFound
from nbvc.manifest.layout import entry_key, entry_number
from nbvc.repository.backend import Backend
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexObject:
    """A record file or a state.

    Attributes:
        key: Its key in the store.
        number: The number that it claims.
        versions: Its stored versions and delete markers, newest first.
    """

    key: str
    number: int
    versions: tuple[VersionEntry, ...]

    def readable(self, backend: Backend) -> VersionEntry | None:
        """Return the version that every reader gets, or ``None`` where they find nothing."""
        if not self.versions or self.versions[0].is_delete_marker:
            return None
        return self.versions[0] if backend.capabilities.conditional_create else self.stored[0]

    @property
    def stored(self) -> tuple[VersionEntry, ...]:
        """The versions that have bytes, oldest first: the first was claimed."""
        return tuple(entry for entry in reversed(self.versions) if not entry.is_delete_marker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was read of one stored version.

    Attributes:
        entry: The version.
        data: Its bytes; ``None`` where they cannot be read.
        problem: Why they cannot be read.
    """

    entry: VersionEntry
    data: bytes | None
    problem: str = ""


def group(prefix: str, entries: Iterable[VersionEntry]) -> dict[int, IndexObject]:
    """Return the entries of the sequence under *prefix* by number; other keys are left out."""
    found: dict[int, list[VersionEntry]] = {}
    for entry in entries:
        number = entry_number(prefix, entry.key)
        if number is not None:
            found.setdefault(number, []).append(entry)
    return {
        number: IndexObject(key=entry_key(prefix, number), number=number, versions=tuple(versions))
        for number, versions in found.items()
    }


def look_again(backend: Backend, prefix: str, number: int) -> IndexObject:
    """Return what the store lists for one number now. 1 request."""
    key = entry_key(prefix, number)
    return IndexObject(key=key, number=number, versions=tuple(entries_of(backend.store, key)))


def read(backend: Backend, entry: VersionEntry) -> Content:
    """Read one stored version, past any cache. 1 request."""
    try:
        return Content(entry=entry, data=bytes(backend.store.get(entry.key, entry.version_id).data))
    except (VersionNotFound, IntegrityError) as error:
        return Content(entry=entry, data=None, problem=error.message)


def runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the runs of *numbers* without a gap, the highest first, each from top to bottom."""
    top: int | None = None
    bottom = 0
    for number in sorted(numbers, reverse=True):
        if top is None or number != bottom - 1:
            if top is not None:
                yield top, bottom
            top = number
        bottom = number
    if top is not None:
        yield top, bottom


def without(first: int, last: int, present: Mapping[int, object]) -> Iterator[tuple[int, int]]:
    """Yield the runs of numbers from *first* to *last* that are not *present*, lowest first.

    The work grows with what is present, not with the numbers, which a hostile file may name.
    """
    return between(first, last, ((number, number) for number in present))


def between(first: int, last: int, runs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the runs of numbers from *first* to *last* that are in none of *runs*, lowest first."""
    for start, end in sorted(runs):
        if start > last:
            break
        if start > first:
            yield first, start - 1
        first = max(first, end + 1)
    if first <= last:
        yield first, last
