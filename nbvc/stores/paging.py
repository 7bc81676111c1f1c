"""Listings that come in pages: an iterator that can go on after a page could not be fetched."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from nbvc.errors import StoreError
from nbvc.values import dataclass

if TYPE_CHECKING:
    from nbvc.stores.base import VersionEntry

T = TypeVar("T")
Token = tuple[str, str]
"""Where a page begins, as the store said it; opaque. ``("", "")`` is the first page."""

FIRST: Token = ("", "")
MAX_EMPTY_PAGES = 1000
"""Pages in a row without an entry that a store may answer before it counts as broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Entries in order, and where the next page begins; ``None`` after the last."""

    entries: Sequence[T]
    following: Token | None


MAX_REMEMBERED = 4000
"""Entries among which a repeated one is noticed: those of some pages, however long the listing."""


class Paged(Iterator[T]):
    """Iterate over the entries of all pages, fetching a page only when it is needed.

    Unlike a generator it survives an error: when *fetch* raises, the next call of ``next`` asks for
    the same page again, so no entry is lost or repeated. ``RetryingStore`` relies on that.

    What a store lists a second time, entry by entry or as a whole page, is left out.
    """

    def __init__(
        self,
        fetch: Callable[[Token, int | None], Page[T]],
        *,
        limit: int | None,
        what: str,
        name: Callable[[T], Hashable] | None = None,
    ) -> None:
        """Make the iterator; nothing is fetched yet.

        Args:
            fetch: Returns the page at a token, with at most so many entries as its second
                argument says.
            limit: Yield at most this many.
            what: Name of what is listed, for errors.
            name: Tells an entry from all others; ``None`` where the store is known to repeat none.
        """
        self._fetch = fetch
        self._name = name
        self._names: dict[Hashable, None] = {}
        self._left = limit
        self._what = what
        self._next: Token | None = FIRST
        self._seen: set[Token] = set()
        self._empty_pages = 0
        self._ready: deque[T] = deque()

    def __iter__(self) -> Paged[T]:
        """Return this very iterator."""
        return self

    def __next__(self) -> T:
        """Return the next entry.

        Raises:
            StoreError: The store leads in a circle, or answers empty pages without end.
        """
        if self._left == 0:
            raise StopIteration
        while not self._ready:
            if self._next is None:
                raise StopIteration
            self._take(self._fetch(self._next, self._left))
        if self._left is not None:
            self._left -= 1
        return self._ready.popleft()

    def _take(self, page: Page[T]) -> None:
        self._empty_pages = 0 if page.entries else self._empty_pages + 1
        # A token is 2 short strings for 1,000 entries, so remembering them all is cheap.
        if page.following in self._seen or self._empty_pages > MAX_EMPTY_PAGES:
            raise StoreError(f"The store's listing of {self._what} does not come to an end.")
        if page.following is not None:
            self._seen.add(page.following)
        self._next = page.following
        self._ready.extend(entry for entry in page.entries if self._is_new(entry))

    def _is_new(self, entry: T) -> bool:
        """Take note of *entry*, and return whether it is none of the last ones over again."""
        if self._name is None:
            return True
        name = self._name(entry)
        if name in self._names:
            return False
        self._names[name] = None
        if len(self._names) > MAX_REMEMBERED:
            del self._names[next(iter(self._names))]
        return True


def merge_versions(
    versions: Sequence[VersionEntry], markers: Sequence[VersionEntry]
) -> list[VersionEntry]:
    """Return one page's versions and delete markers as one sequence.

    S3 sends both kinds mixed, in the order of writing; botocore hands them out as two lists, each
    in that order. Promised: keys in byte order; versions among themselves, and markers among
    themselves, exactly as the store lists them; the latest entry of a key first. Where a marker
    that is not the latest stands among the versions of its key follows from ``modified_at``, which
    may be whole seconds: within one second a marker stands before one version, for a delete
    usually follows a write.
    """
    merged: list[VersionEntry] = []
    left, right = deque(versions), deque(markers)
    while left and right:
        after_marker = bool(merged) and merged[-1].is_delete_marker
        source = right if _marker_first(left[0], right[0], after_marker=after_marker) else left
        merged.append(source.popleft())
    return [*merged, *left, *right]


def _marker_first(version: VersionEntry, marker: VersionEntry, *, after_marker: bool) -> bool:
    if version.key != marker.key:
        return marker.key.encode() < version.key.encode()
    if version.is_latest or marker.is_latest:
        return marker.is_latest
    if version.modified_at != marker.modified_at:
        return marker.modified_at > version.modified_at
    return not after_marker
