"""The contract of ``nbvc.stores.base.Store``: one suite for every implementation.

A store joins by subclassing ``StoreContract`` and giving it a fixture ``store``: a fresh, empty
store with versions on.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from nbvc.errors import (
    IntegrityError,
    InvalidInput,
    InvalidKey,
    PreconditionFailed,
    VersionNotFound,
)
from nbvc.model import VersionId
from nbvc.stores.base import WRITE_ID, Create, Overwrite, Replace

if TYPE_CHECKING:
    from nbvc.stores.base import PutMode, Store, Stored

NOTEBOOK = "application/x-ipynb+json"
NOT_A_VERSION = VersionId("no-such-version")
ODD_KEYS = (
    "a b.ipynb",
    "a+b.ipynb",
    "a%20b.ipynb",
    "a%7Eb.ipynb",
    "a&b=c.ipynb",
    "a#b.ipynb",
    "a?versionId=b.ipynb",
    "a'b\"c<d>.ipynb",
    "a_b.ipynb",
    "a*[b].ipynb",
    "caf\u00e9.ipynb",
    "cafe\u0301.ipynb",
    "\u65e5\u672c/\u30ce\u30fc\u30c8.ipynb",
    "\uff5e.ipynb",
    "\U0001f600.ipynb",
    "Z.ipynb",
    "z.ipynb",
)
"""Keys that a careless store confuses, misquotes or sorts wrongly (UTF-16 order puts the emoji
before U+FF5E; case folding mixes Z and z; SQL wildcards match ``_``)."""


def write(
    store: Store,
    key: str,
    data: bytes = b"{}",
    mode: PutMode | None = None,
    metadata: dict[str, str] | None = None,
) -> Stored:
    """Put *data* with the arguments that do not matter to most tests filled in."""
    return store.put(
        key, data, mode=mode or Overwrite(), metadata=metadata or {}, content_type=NOTEBOOK
    )


def copy(
    store: Store,
    source: str,
    version_id: VersionId,
    target: str,
    metadata: dict[str, str] | None = None,
) -> Stored:
    """Copy with a write ID, without which some servers cannot say which version it became."""
    metadata = {WRITE_ID: uuid.uuid4().hex, **(metadata or {})}
    return store.copy(source, version_id, target, metadata=metadata)


def keys_of(store: Store, prefix: str = "", **options: object) -> list[str]:
    """Return the keys of a listing."""
    return [entry.key for entry in store.list_keys(prefix, **options)]  # type: ignore[arg-type]


def history_of(store: Store, key: str) -> list[VersionId]:
    """Return the version IDs of exactly *key*, as listed."""
    return [entry.version_id for entry in store.list_versions(key) if entry.key == key]


class StoreContract:
    """Every obligation of the protocol, as one test each."""

    races_are_atomic: ClassVar[bool] = True
    """False where a test double checks and acts in two steps, so that races have two winners."""

    @pytest.fixture
    def store(self) -> Store:
        """Return a fresh, empty store; every subclass says which."""
        raise NotImplementedError

    # -- write and read ---------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "data",
        [b"", b"\x00\xff\r\n", b"\xef\xbb\xbf{}", b"0123456789abcdef" * 4096, bytes(5_000_000)],
        ids=["empty", "binary", "bom", "64KiB", "5MB"],
    )
    def test_what_was_put_is_what_get_returns(self, store: Store, data: bytes) -> None:
        """Bytes come back exactly, whatever their size, with size, ETag and version ID."""
        stored = write(store, "k/a.ipynb", data)
        blob = store.get("k/a.ipynb")
        assert blob.data == data
        assert (blob.key, blob.size_bytes) == ("k/a.ipynb", len(data))
        assert (blob.version_id, blob.etag) == (stored.version_id, stored.etag)

    def test_head_tells_what_get_tells_without_the_bytes(self, store: Store) -> None:
        """Head and get agree on every fact, for the current version and for a named one."""
        stored = write(store, "a", b"12345", metadata={"author": "ada"})
        for version_id in (None, stored.version_id):
            head, blob = store.head("a", version_id), store.get("a", version_id)
            assert (head.key, head.version_id, head.etag) == ("a", stored.version_id, stored.etag)
            assert (head.size_bytes, dict(head.metadata)) == (5, {"author": "ada"})
            assert (blob.modified_at, dict(blob.metadata)) == (head.modified_at, {"author": "ada"})

    @pytest.mark.parametrize("size", [10, 200_000])
    def test_a_range_of_a_version_is_those_bytes(self, store: Store, size: int) -> None:
        """A part comes back exactly, of an older version too, up to the very last byte."""
        data = bytes(range(250)) * (size // 250 + 1)
        stored = write(store, "a", data[:size])
        write(store, "a", b"other")
        for start, stop in ((0, 1), (3, 9), (size - 1, size), (0, size)):
            assert store.get_range("a", stored.version_id, start, stop) == data[start:stop]

    def test_a_range_beyond_the_end_is_an_error(self, store: Store) -> None:
        """Bytes that a version does not have are never made up, nor cut off in silence."""
        stored = write(store, "a", b"0123456789")
        for start, stop in ((8, 12), (10, 11), (50, 60)):
            with pytest.raises(IntegrityError):
                store.get_range("a", stored.version_id, start, stop)

    def test_a_range_of_what_is_not_there_is_not_found(self, store: Store) -> None:
        """An unknown key and a removed version are told as for a whole read."""
        stored = write(store, "a")
        store.delete_version("a", stored.version_id)
        with pytest.raises(VersionNotFound):
            store.get_range("a", stored.version_id, 0, 1)

    def test_times_are_in_utc(self, store: Store) -> None:
        """Every time that a store tells is aware and in UTC."""
        write(store, "a")
        times = [
            store.head("a").modified_at,
            next(iter(store.list_keys("a"))).modified_at,
            next(iter(store.list_versions("a"))).modified_at,
        ]
        assert [time.utcoffset() for time in times] == [timedelta(0)] * 3

    def test_every_write_makes_a_version_of_its_own(self, store: Store) -> None:
        """Even the same bytes written twice are two versions with different version IDs."""
        stored = [write(store, "a", b"same") for _ in range(5)]
        version_ids = [each.version_id for each in stored]
        assert len(set(version_ids)) == 5
        assert all(version_id not in {"", "null"} for version_id in version_ids)

    def test_old_versions_stay_readable(self, store: Store) -> None:
        """An overwrite hides nothing from who knows the version ID; the newest is current."""
        stored = [write(store, "a", b"%d" % number) for number in range(3)]
        read = [store.get("a", each.version_id).data for each in stored]
        assert read == [b"0", b"1", b"2"]
        assert store.get("a").data == b"2"

    def test_metadata_comes_back_up_to_the_limit(self, store: Store) -> None:
        """Names and values of 2,048 bytes in all, of every printable character, are kept."""
        printable = "".join(map(chr, range(0x20, 0x7F))).strip()
        metadata = {"nbvc-write-id": printable, "m": ""}
        metadata["m"] = "x" * (2048 - sum(len(n) + len(v) for n, v in metadata.items()))
        stored = write(store, "a", metadata=metadata)
        assert dict(store.head("a", stored.version_id).metadata) == metadata
        assert dict(store.get("a", stored.version_id).metadata) == metadata

    def test_metadata_belongs_to_one_version(self, store: Store) -> None:
        """A later write does not inherit or change the metadata of an earlier one."""
        first = write(store, "a", metadata={"message": "one"})
        second = write(store, "a")
        assert dict(store.head("a", first.version_id).metadata) == {"message": "one"}
        assert dict(store.head("a", second.version_id).metadata) == {}

    @pytest.mark.parametrize(
        "metadata",
        [{"m": "x" * 2048}, {"m": "caf\u00e9"}, {"m": "a\nb"}, {"m": " a"}, {"M": "a"}, {"": "a"}],
        ids=["too long", "not ascii", "line feed", "outer blank", "upper case", "no name"],
    )
    def test_metadata_beyond_the_limits_is_refused(
        self, store: Store, metadata: dict[str, str]
    ) -> None:
        """What S3 would refuse, drop or alter is refused by every store, and nothing is written."""
        with pytest.raises(InvalidInput):
            write(store, "a", metadata=metadata)
        assert history_of(store, "a") == []

    # -- modes ------------------------------------------------------------------------------------

    def test_create_writes_where_nothing_is(self, store: Store) -> None:
        """Create succeeds on a key that was never written."""
        stored = write(store, "a", b"1", Create())
        assert store.get("a").version_id == stored.version_id

    def test_create_leaves_alone_what_is_there(self, store: Store) -> None:
        """Create on an existing key fails and writes nothing."""
        self.needs_conditional_create(store)
        first = write(store, "a", b"1")
        with pytest.raises(PreconditionFailed):
            write(store, "a", b"2", Create())
        assert store.get("a").data == b"1"
        assert history_of(store, "a") == [first.version_id]

    def test_create_writes_over_a_delete_marker(self, store: Store) -> None:
        """A deleted key has no current object, so Create succeeds and the history goes on."""
        first = write(store, "a", b"1", Create())
        marker = store.delete("a")
        second = write(store, "a", b"2", Create())
        assert store.get("a").data == b"2"
        assert history_of(store, "a") == [second.version_id, marker, first.version_id]

    def test_replace_with_the_current_etag_writes(self, store: Store) -> None:
        """Replace succeeds when the current object is the one that the caller saw."""
        self.needs_conditional_replace(store)
        first = write(store, "a", b"1")
        second = write(store, "a", b"2", Replace(first.etag))
        assert store.get("a").data == b"2"
        third = write(store, "a", b"3", Replace(store.head("a").etag))
        assert history_of(store, "a") == [third.version_id, second.version_id, first.version_id]

    def test_replace_with_a_stale_etag_writes_nothing(self, store: Store) -> None:
        """Replace fails when somebody wrote in between."""
        self.needs_conditional_replace(store)
        first = write(store, "a", b"1")
        second = write(store, "a", b"2")
        with pytest.raises(PreconditionFailed):
            write(store, "a", b"3", Replace(first.etag))
        assert history_of(store, "a") == [second.version_id, first.version_id]

    def test_replace_of_what_is_not_there_writes_nothing(self, store: Store) -> None:
        """Replace fails on a key that was never written, and on a deleted one."""
        self.needs_conditional_replace(store)
        etag = write(store, "b", b"1").etag
        store.delete("b")
        for key in ("a", "b"):
            with pytest.raises(PreconditionFailed):
                write(store, key, b"2", Replace(etag))
        assert keys_of(store) == []

    @pytest.mark.parametrize("size_bytes", [10, 100_000])
    def test_of_two_creates_at_once_one_wins(self, store: Store, size_bytes: int) -> None:
        """When threads create the same key at once, one gets a receipt, the others a conflict."""
        self.needs_conditional_create(store)
        if not self.races_are_atomic:
            pytest.skip("this test double checks and acts in two steps")
        for round_number in range(10):
            key = f"race/{round_number}"
            outcomes = self.race_to_create(store, key, size_bytes)
            winners = [outcome for outcome in outcomes if outcome is not None]
            assert len(winners) == 1
            assert history_of(store, key) == [winners[0].version_id]

    def race_to_create(self, store: Store, key: str, size_bytes: int) -> list[Stored | None]:
        """Create *key* from four threads at once; return the receipts, None for a conflict."""
        barrier = Barrier(4)

        def create(number: int) -> Stored | None:
            barrier.wait(timeout=30)
            try:
                return write(store, key, b"%d" % number * size_bytes, Create())
            except PreconditionFailed:
                return None

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(create, range(4)))

    def test_threads_may_share_a_store(self, store: Store) -> None:
        """Writes and reads from eight threads neither fail nor mix."""

        def write_and_read(number: int) -> bool:
            key, data = f"t/{number % 5}", b"%d" % number * 5000
            return store.get(key, write(store, key, data).version_id).data == data

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(write_and_read, range(40)))
        assert sum(1 for _ in store.list_versions("t/")) == 40

    # -- what is missing --------------------------------------------------------------------------

    def test_what_was_never_written_is_not_found(self, store: Store) -> None:
        """Get, head and copy of an unknown key or version raise VersionNotFound."""
        write(store, "a")
        other = write(store, "b").version_id
        for key, version_id in [("c", None), ("c", other), ("a", other), ("a", NOT_A_VERSION)]:
            with pytest.raises(VersionNotFound):
                store.get(key, version_id)
            with pytest.raises(VersionNotFound):
                store.head(key, version_id)
        for key, version in [("c", other), ("a", other), ("a", NOT_A_VERSION)]:
            with pytest.raises(VersionNotFound):
                copy(store, key, version, "target")
        assert keys_of(store, "target") == []

    @pytest.mark.parametrize(
        "key", ["", "a\0b", "\ud800", "x" * 1025, "\u65e5" * 342], ids=range(5)
    )
    def test_a_key_that_cannot_be_stored_is_refused(self, store: Store, key: str) -> None:
        """Empty, with NUL, not Unicode, or beyond 1,024 bytes: InvalidKey from every method."""
        version_id = write(store, "a").version_id
        with pytest.raises(InvalidKey):
            write(store, key)
        with pytest.raises(InvalidKey):
            store.get(key)
        with pytest.raises(InvalidKey):
            store.head(key)
        with pytest.raises(InvalidKey):
            copy(store, "a", version_id, key)
        with pytest.raises(InvalidKey):
            store.delete(key)
        with pytest.raises(InvalidKey):
            store.delete_version(key, version_id)
        assert keys_of(store) == ["a"]

    # -- copy -------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size_bytes", [4, 400_000])
    def test_copy_takes_the_bytes_of_an_old_version(self, store: Store, size_bytes: int) -> None:
        """A copy is a new version of the target with the source's bytes and only new metadata."""
        old = write(store, "a b+\u65e5", b"old!" * (size_bytes // 4), metadata={"author": "ada"})
        write(store, "a b+\u65e5", b"new")
        before = write(store, "t&?", b"before")
        fresh = {WRITE_ID: "w1", "message": "fresh"}
        copied = copy(store, "a b+\u65e5", old.version_id, "t&?", fresh)
        blob = store.get("t&?")
        assert blob.data == b"old!" * (size_bytes // 4)
        assert (blob.version_id, blob.etag) == (copied.version_id, copied.etag)
        assert dict(blob.metadata) == fresh
        assert history_of(store, "t&?") == [copied.version_id, before.version_id]

    def test_copy_onto_itself_brings_an_old_version_back(self, store: Store) -> None:
        """The target may be the source: the old bytes become the newest version."""
        old = write(store, "a", b"old")
        write(store, "a", b"new")
        copied = copy(store, "a", old.version_id, "a")
        assert store.get("a").data == b"old"
        history = history_of(store, "a")
        assert (len(history), history[0]) == (3, copied.version_id)

    def test_a_copy_outlives_its_source(self, store: Store) -> None:
        """Removing every version of the source takes nothing from the copy."""
        data = b"kept" * 10_000
        source = write(store, "a", data)
        copy(store, "a", source.version_id, "b")
        store.delete_version("a", source.version_id)
        assert store.get("b").data == data
        assert keys_of(store) == ["b"]

    def test_copies_at_once_each_know_their_own_version(self, store: Store) -> None:
        """However many write the target meanwhile, each receipt names the version of its copy."""
        source = write(store, "a", b"kept").version_id

        def copy_with(write_id: str) -> bool:
            copied = copy(store, "a", source, "b", {WRITE_ID: write_id})
            return store.head("b", copied.version_id).metadata[WRITE_ID] == write_id

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(copy_with, [f"w{number}" for number in range(20)]))
        assert len(history_of(store, "b")) == 20

    # -- list keys --------------------------------------------------------------------------------

    def test_keys_are_listed_in_the_order_of_their_bytes(self, store: Store) -> None:
        """Odd keys come back unchanged, each as one entry, in the order of their UTF-8 bytes."""
        for key in ODD_KEYS:
            write(store, key, key.encode())
        assert keys_of(store) == sorted(ODD_KEYS, key=str.encode)
        assert [store.get(key).data for key in ODD_KEYS] == [key.encode() for key in ODD_KEYS]
        assert [entry.key for entry in store.list_versions("")] == sorted(ODD_KEYS, key=str.encode)

    def test_every_odd_key_is_found_by_itself_as_prefix(self, store: Store) -> None:
        """A prefix is plain text: no character in it is a wildcard or needs quoting."""
        for key in ODD_KEYS:
            write(store, key)
        assert [keys_of(store, key) for key in ODD_KEYS] == [[key] for key in ODD_KEYS]
        assert keys_of(store, "a_") == ["a_b.ipynb"]
        assert keys_of(store, "a%") == ["a%20b.ipynb", "a%7Eb.ipynb"]
        assert keys_of(store, "\u65e5") == ["\u65e5\u672c/\u30ce\u30fc\u30c8.ipynb"]

    def test_a_prefix_is_text_and_not_a_folder(self, store: Store) -> None:
        """A prefix finds every key that begins with it, and the key itself first."""
        keys = ["mine.ipynb", "mine.ipynb/v/1", "mine.ipynb2", "mine.ipyna", "mine.ipync"]
        for key in reversed(keys):
            write(store, key)
        assert keys_of(store, "mine.ipynb") == ["mine.ipynb", "mine.ipynb/v/1", "mine.ipynb2"]
        assert keys_of(store, "mine.ipynb/") == ["mine.ipynb/v/1"]
        assert keys_of(store, "mine.ipynb3") == []
        listed = [entry.key for entry in store.list_versions("mine.ipynb")]
        assert listed == ["mine.ipynb", "mine.ipynb/v/1", "mine.ipynb2"]

    def test_a_key_is_listed_once_with_its_current_version(self, store: Store) -> None:
        """The listing shows the size and ETag of the newest version, not of older ones."""
        write(store, "a", b"1")
        newest = write(store, "a", b"12345")
        (entry,) = store.list_keys("")
        assert (entry.key, entry.size_bytes, entry.etag) == ("a", 5, newest.etag)

    def test_start_after_and_limit_cut_the_listing(self, store: Store) -> None:
        """Start after a key, whether it exists or not, within the prefix; stop at the limit."""
        for key in ["a/1", "a/2", "a/3", "a/4", "b/1"]:
            write(store, key)
        assert keys_of(store, "a/", start_after="a/2") == ["a/3", "a/4"]
        assert keys_of(store, "a/", start_after="a/20") == ["a/3", "a/4"]
        assert keys_of(store, "a/", start_after="0") == ["a/1", "a/2", "a/3", "a/4"]
        assert keys_of(store, "a/", start_after="a/4") == []
        assert keys_of(store, "a/", start_after="c") == []
        assert keys_of(store, "a/", limit=2) == ["a/1", "a/2"]
        assert keys_of(store, "a/", start_after="a/1", limit=1) == ["a/2"]
        assert keys_of(store, "a/", limit=99) == ["a/1", "a/2", "a/3", "a/4"]
        assert keys_of(store, "a/", limit=0) == []

    def test_a_listing_may_be_left_half_read(self, store: Store) -> None:
        """Who stops reading a listing holds nothing up: writes go on, a new listing is whole."""
        for number in range(10):
            write(store, f"a/{number}")
        keys, versions = iter(store.list_keys("a/")), iter(store.list_versions("a/"))
        assert (next(keys).key, next(versions).key) == ("a/0", "a/0")
        write(store, "a/9", b"more")
        assert len(keys_of(store, "a/")) == 10

    @pytest.mark.parametrize("count", [60, pytest.param(1100, marks=pytest.mark.slow)])
    def test_long_listings_are_complete_and_in_order(self, store: Store, count: int) -> None:
        """No key and no version is lost or doubled at a page border (S3's is at 1,000)."""
        expected = [f"p/{number:05}" for number in range(count)]
        versions = [write(store, key).version_id for key in reversed(expected)]
        own = [write(store, "q", b"%d" % number).version_id for number in range(count)]
        assert keys_of(store, "p/") == expected
        assert [e.version_id for e in store.list_versions("p/")] == versions[::-1]
        assert [e.version_id for e in store.list_versions("q")] == own[::-1]
        assert [e.version_id for e in store.list_versions("")] == versions[::-1] + own[::-1]
        assert keys_of(store, "p/", limit=count - 1) == expected[:-1]
        limited = [e.version_id for e in store.list_versions("", limit=count + 5)]
        assert limited == versions[::-1] + own[:-6:-1]

    # -- list versions ----------------------------------------------------------------------------

    def test_versions_are_listed_newest_first(self, store: Store) -> None:
        """Order within a key is the order of writing, however many writes fall in one second."""
        stored = [write(store, "a", b"x" * number) for number in range(12)]
        entries = list(store.list_versions("a"))
        assert [e.version_id for e in entries] == [each.version_id for each in reversed(stored)]
        assert [e.etag for e in entries] == [each.etag for each in reversed(stored)]
        assert [e.size_bytes for e in entries] == list(reversed(range(12)))
        assert [e.is_latest for e in entries] == [True] + [False] * 11
        assert not any(e.is_delete_marker for e in entries)

    def test_each_key_has_its_own_latest_version(self, store: Store) -> None:
        """Keys come in order, and exactly the newest version of each is the latest."""
        for key in ["b", "a", "b", "c", "a"]:
            write(store, key)
        listed = [(e.key, e.is_latest) for e in store.list_versions("")]
        assert listed == [("a", True), ("a", False), ("b", True), ("b", False), ("c", True)]
        assert [e.key for e in store.list_versions("", limit=3)] == ["a", "a", "b"]
        assert list(store.list_versions("", limit=0)) == []
        assert list(store.list_versions("d")) == []

    # -- delete -----------------------------------------------------------------------------------

    def test_delete_hides_the_key_and_loses_nothing(self, store: Store) -> None:
        """After a delete the key is gone from listings and reads; every version is still there."""
        stored = write(store, "a", b"1")
        marker = store.delete("a")
        assert keys_of(store) == []
        with pytest.raises(VersionNotFound):
            store.get("a")
        with pytest.raises(VersionNotFound):
            store.head("a")
        assert store.get("a", stored.version_id).data == b"1"
        listed = [(e.version_id, e.is_delete_marker, e.is_latest) for e in store.list_versions("a")]
        assert listed == [(marker, True, True), (stored.version_id, False, False)]

    def test_a_delete_marker_has_no_bytes(self, store: Store) -> None:
        """Reading or copying the marker itself raises VersionNotFound."""
        write(store, "a")
        marker = store.delete("a")
        with pytest.raises(VersionNotFound):
            store.get("a", marker)
        with pytest.raises(VersionNotFound):
            store.head("a", marker)
        with pytest.raises(VersionNotFound):
            copy(store, "a", marker, "b")

    def test_removing_the_marker_brings_the_key_back(self, store: Store) -> None:
        """The version before the marker is current again, as if nothing had happened."""
        stored = write(store, "a", b"1")
        store.delete_version("a", store.delete("a"))
        assert store.get("a").version_id == stored.version_id
        assert keys_of(store) == ["a"]
        assert history_of(store, "a") == [stored.version_id]

    def test_delete_version_removes_one_version_for_good(self, store: Store) -> None:
        """The named version goes, the others stay; the next newest becomes current."""
        first, second, third = (write(store, "a", data) for data in (b"1", b"2", b"3"))
        store.delete_version("a", second.version_id)
        assert history_of(store, "a") == [third.version_id, first.version_id]
        store.delete_version("a", third.version_id)
        assert store.get("a").data == b"1"
        with pytest.raises(VersionNotFound):
            store.get("a", third.version_id)
        store.delete_version("a", first.version_id)
        assert (keys_of(store), history_of(store, "a")) == ([], [])

    def test_delete_version_may_be_repeated(self, store: Store) -> None:
        """Removing what is gone, or never was, is no error and changes nothing."""
        gone, kept = write(store, "a", b"1"), write(store, "a", b"2")
        for _ in range(2):
            store.delete_version("a", gone.version_id)
        store.delete_version("b", gone.version_id)
        store.delete_version("b", kept.version_id)
        assert history_of(store, "a") == [kept.version_id]
        assert store.get("a").data == b"2"

    def test_versions_that_share_their_bytes_are_removed_apart(self, store: Store) -> None:
        """Removing one of two versions with the same bytes leaves the other one readable."""
        data = b"shared" * 20_000
        first, second = write(store, "a", data), write(store, "b", data)
        store.delete_version("a", first.version_id)
        assert store.get("b", second.version_id).data == data
        again = write(store, "a", data)
        store.delete_version("b", second.version_id)
        assert store.get("a", again.version_id).data == data

    # -- the rest ---------------------------------------------------------------------------------

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_locate_names_a_key_and_a_version(self, store: Store, key: str) -> None:
        """The URL leads back to exactly the key and the version ID, percent-encoded."""
        version_id = write(store, key).version_id
        plain, versioned = store.locate(key), store.locate(key, version_id)
        assert unquote(plain.removeprefix(store.url + "/")) == key
        assert not set(plain.removeprefix(store.url)) & set(" ?#&")
        assert versioned.startswith(plain + "?")
        assert parse_qs(urlsplit(versioned).query) == {"versionId": [version_id]}

    def test_the_url_has_no_slash_at_its_end(self, store: Store) -> None:
        """A store's URL names its scheme and can be joined with a slash and a key."""
        assert store.url.partition("://")[0] in {"s3", "file"}
        assert not store.url.endswith("/")

    def test_close_may_be_repeated(self, store: Store) -> None:
        """Closing twice is no error."""
        write(store, "a")
        store.close()
        store.close()

    def needs_conditional_create(self, store: Store) -> None:
        """Skip where the store says that it cannot create atomically."""
        if not store.capabilities.conditional_create:
            pytest.skip("this store was found to ignore Create")

    def needs_conditional_replace(self, store: Store) -> None:
        """Skip where the store says that it cannot replace atomically."""
        if not store.capabilities.conditional_replace:
            pytest.skip("this store was found to ignore Replace")
