"""Pages of listings: their order, their end, and what happens when a page does not come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from nbvc.errors import StoreError, StoreUnavailable
from nbvc.model import VersionId
from nbvc.stores.base import VersionEntry
from nbvc.stores.paging import (
    FIRST,
    MAX_EMPTY_PAGES,
    MAX_REMEMBERED,
    Page,
    Paged,
    Token,
    merge_versions,
)


def pages(
    entries: list[list[int]], *, failing: set[int] | None = None
) -> Callable[[Token, int | None], Page[int]]:
    """Return a fetch over *entries*; the pages in *failing* fail once."""
    to_fail = set(failing or ())

    def fetch(token: Token, _: int | None) -> Page[int]:
        number = 0 if token == FIRST else int(token[0])
        if number in to_fail:
            to_fail.remove(number)
            raise StoreUnavailable("no")
        following = (str(number + 1), "") if number + 1 < len(entries) else None
        return Page(entries=entries[number], following=following)

    return fetch


def test_empty_and_short_pages_do_not_end_a_listing() -> None:
    """Only the store's own word ends it: Ceph answers short pages."""
    listing = Paged(pages([[1], [], [2, 3], [], []]), limit=None, what="x")
    assert list(listing) == [1, 2, 3]
    assert list(listing) == []


def test_a_listing_goes_on_after_an_error() -> None:
    """The page that failed is asked for again; nothing is lost or repeated."""
    listing = Paged(pages([[1, 2], [3], [4]], failing={0, 1, 2}), limit=None, what="x")
    got: list[int] = []
    failures = 0
    while True:
        try:
            got.append(next(listing))
        except StopIteration:
            break
        except StoreUnavailable:
            failures += 1
    assert (got, failures) == ([1, 2, 3, 4], 3)


def test_a_limit_asks_for_no_more_than_is_left() -> None:
    """Each page is told how many entries are still wanted, and none is fetched for nothing."""
    wanted: list[int | None] = []

    def fetch(token: Token, count: int | None) -> Page[int]:
        wanted.append(count)
        return Page(entries=[1, 2], following=(f"{len(wanted)}", ""))

    assert list(Paged(fetch, limit=5, what="x")) == [1, 2, 1, 2, 1]
    assert wanted == [5, 3, 1]
    assert list(Paged(fetch, limit=0, what="x")) == []
    assert len(wanted) == 3


@pytest.mark.parametrize(
    "listed",
    [[[1, 1, 2, 2], [3, 3]], [[1, 2], [1, 2], [3]], [[1, 2], [2, 3]], [[1], [1], [2], [3], [3]]],
    ids=["entries", "page", "overlap", "last"],
)
def test_what_is_listed_twice_is_yielded_once(listed: list[list[int]]) -> None:
    """Entry by entry or as a page; a page of nothing else does not end the listing."""
    listing = Paged(pages(listed), limit=3, what="x", name=lambda entry: entry)
    assert list(listing) == [1, 2, 3]


def test_a_long_listing_is_not_remembered_as_a_whole() -> None:
    """Memory does not grow with the number of entries."""
    listed = [list(range(first, first + 1000)) for first in range(0, 20_000, 1000)]
    listing = Paged(pages(listed), limit=None, what="x", name=lambda entry: entry)
    assert list(listing) == list(range(20_000))
    assert len(listing._names) == MAX_REMEMBERED


@pytest.mark.parametrize("circle", [1, 2, 5])
def test_a_listing_in_a_circle_is_an_error(circle: int) -> None:
    """A store that leads back to a page that was read would be listed for ever."""

    def fetch(token: Token, _: int | None) -> Page[int]:
        number = 0 if token == FIRST else int(token[0])
        return Page(entries=[number], following=(str((number + 1) % circle), ""))

    with pytest.raises(StoreError, match="does not come to an end"):
        list(Paged(fetch, limit=None, what="x"))


def test_empty_pages_without_end_are_an_error() -> None:
    """Each with a new token, and never an entry: given up after a bound."""
    asked = 0

    def fetch(token: Token, _: int | None) -> Page[int]:
        nonlocal asked
        asked += 1
        return Page(entries=[], following=(str(asked), ""))

    with pytest.raises(StoreError, match="does not come to an end"):
        list(Paged(fetch, limit=None, what="x"))
    assert asked == MAX_EMPTY_PAGES + 1


def entry(name: str, second: int, *, latest: bool = False, key: str = "k") -> VersionEntry:
    """Return an entry; names that begin with ``M`` are delete markers."""
    return VersionEntry(
        key=key,
        version_id=VersionId(name),
        is_latest=latest,
        is_delete_marker=name.startswith("M"),
        size_bytes=0,
        etag="",
        modified_at=datetime.fromtimestamp(second, UTC),
    )


def merged(*newest_first: VersionEntry) -> list[str]:
    """Take a true history apart as botocore does, merge it, and return the names."""
    markers = [each for each in newest_first if each.is_delete_marker]
    versions = [each for each in newest_first if not each.is_delete_marker]
    return [each.version_id for each in merge_versions(versions, markers)]


def test_versions_keep_the_order_of_the_store_whatever_their_times() -> None:
    """A store's clock may jump; its listing is still the order of writing."""
    assert merged(entry("c", 5, latest=True), entry("b", 9), entry("a", 1)) == ["c", "b", "a"]


def test_keys_are_merged_in_byte_order() -> None:
    """Versions and markers of different keys do not mix, and the order is that of UTF-8."""
    names = merged(
        entry("M1", 1, key="a", latest=True),
        entry("b", 9, key="b", latest=True),
        entry("M2", 9, key="\uff5e", latest=True),
        entry("c", 1, key="\U0001f600", latest=True),
    )
    assert names == ["M1", "b", "M2", "c"]


def test_the_latest_comes_first_whatever_its_time() -> None:
    """The store says which is the latest; its clock does not."""
    assert merged(entry("M1", 1, latest=True), entry("a", 9)) == ["M1", "a"]
    assert merged(entry("b", 1, latest=True), entry("M1", 9), entry("a", 1)) == ["b", "M1", "a"]


def test_a_marker_finds_its_place_by_time_and_within_a_second_before_one_version() -> None:
    """Exact where the times differ; in one second each marker hides one version."""
    assert merged(entry("c", 9, latest=True), entry("b", 7), entry("M1", 5), entry("a", 3)) == [
        "c",
        "b",
        "M1",
        "a",
    ]
    in_one_second = [
        entry("c", 1, latest=True),
        entry("M2", 1),
        entry("b", 1),
        entry("M1", 1),
        entry("a", 1),
    ]
    assert merged(*in_one_second) == ["c", "M2", "b", "M1", "a"]
