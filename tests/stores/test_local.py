"""The embedded store: the contract, and what only a folder can suffer."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbvc.errors import (
    AccessDenied,
    IntegrityError,
    PreconditionFailed,
    StoreError,
    StoreMisconfigured,
    StoreNotFound,
    StoreUnavailable,
    VersionNotFound,
)
from nbvc.model import Digest, VersionId
from nbvc.stores import local_database, local_index
from nbvc.stores.base import Create, Replace
from nbvc.stores.local import MAX_INLINE_BYTES, LocalStore
from nbvc.stores.local_blobs import BlobFolder
from nbvc.stores.local_errors import FILE_NAME, translated
from tests.stores.contract import StoreContract, history_of, keys_of, write

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = b"large" * MAX_INLINE_BYTES


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    """Return a fresh store in a folder with an awkward name."""
    store = LocalStore(tmp_path / "a b%20#?\u65e5", create=True)
    yield store
    store.close()


class TestContract(StoreContract):
    @pytest.fixture
    def store(self, store: LocalStore) -> LocalStore:
        """Return the embedded store as it is used."""
        return store


class TestContractWithSmallPages(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[LocalStore]:
        """Return a store whose listings cross a page border every third entry."""
        store = LocalStore(tmp_path / "store", create=True, page_size=3)
        yield store
        store.close()


def blobs_of(store: LocalStore) -> list[Path]:
    """Return all files below ``blobs``, temporary ones too."""
    return [path for path in (store._folder / "blobs").rglob("*") if path.is_file()]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Act as a user without rights; root passes every check of permissions otherwise."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Return a folder that other users can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="nbvc-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


# -- making and opening ---------------------------------------------------------------------------


def test_a_store_is_found_again_with_all_that_it_holds(tmp_path: Path) -> None:
    """What one process wrote and closed, the next one reads."""
    first = LocalStore(tmp_path / "new" / "folder", create=True)
    small, large = write(first, "small", b"1", metadata={"a": "b"}), write(first, "large", LARGE)
    first.close()
    second = LocalStore(tmp_path / "new" / "folder")
    assert second.get("small", small.version_id).data == b"1"
    assert second.get("large", large.version_id).data == LARGE
    assert second.url == first.url == (tmp_path / "new" / "folder").as_uri()
    second.close()


def test_creating_a_store_again_keeps_what_is_there(store: LocalStore) -> None:
    """Making a store where one is changes nothing."""
    write(store, "a", b"1")
    again = LocalStore(store._folder, create=True)
    assert again.get("a").data == b"1"
    again.close()


def test_a_store_that_is_not_there_is_not_made_by_opening_it(tmp_path: Path) -> None:
    """Opening a missing or an empty folder is an error with a hint, and leaves no trace."""
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "missing", tmp_path / "empty"):
        with pytest.raises(StoreNotFound) as caught:
            LocalStore(folder)
        assert str(folder) in caught.value.message
        assert caught.value.hint
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    """Neither opening nor creating a store touches a file of that name, or of a parent's."""
    (tmp_path / "file").write_bytes(b"mine")
    for create in (False, True):
        with pytest.raises(StoreNotFound):
            LocalStore(tmp_path / "file", create=create)
    for folder in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(StoreNotFound, match="a file is in the way") as caught:
            LocalStore(folder, create=True)
        assert caught.value.hint == "Choose another folder, or move that file away."
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_store_whose_making_was_interrupted_can_be_finished(tmp_path: Path) -> None:
    """An index without tables is reported as unfinished, and creating the store finishes it."""
    (tmp_path / "index.sqlite3").touch()
    with pytest.raises(StoreNotFound, match="not made completely"):
        LocalStore(tmp_path)
    store = LocalStore(tmp_path, create=True)
    write(store, "a")
    store.close()


def test_a_newer_format_is_refused(store: LocalStore) -> None:
    """A store of a later release is neither read nor written, and the message says why."""
    with sqlite3.connect(store._folder / "index.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    for create in (False, True):
        with pytest.raises(StoreMisconfigured, match="format 2, made by a newer nbvc"):
            LocalStore(store._folder, create=create)


def test_the_index_is_durable_and_lets_readers_pass(store: LocalStore) -> None:
    """The index runs in WAL mode, and every connection syncs each commit."""
    with store._database.read() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_importing_the_store_is_cheap() -> None:
    """Neither the S3 libraries nor nbformat, nbdime, asyncio or urllib.request are loaded."""
    code = "import sys, nbvc.stores.local; print('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    costly = {"boto3", "botocore", "nbformat", "nbdime", "jsonschema", "asyncio", "urllib.request"}
    assert not costly & set(run.stdout.split())


# -- identifiers and URLs -------------------------------------------------------------------------


def test_a_version_id_looks_like_neither_a_digest_nor_an_option(store: LocalStore) -> None:
    """Version IDs begin with a letter that no digest has and need no quoting in a URL."""
    for number in range(50):
        version_id = write(store, f"a{number}").version_id
        assert version_id.startswith("L")
        assert version_id.replace("-", "").replace("_", "").isalnum()


def test_the_etag_is_the_digest_of_the_bytes(store: LocalStore) -> None:
    """A condition on the ETag is a condition on the content."""
    digest = "ef2d127de37b942baad06145e54b0c619a1f22327b2ebbcfbec78f5564afe39d"
    assert write(store, "a", b"5").etag == digest
    write(store, "a", b"6", Replace(digest))


def test_times_come_from_the_clock_that_was_given(tmp_path: Path) -> None:
    """The store's clock is an argument and is kept to the microsecond."""
    moment = datetime(2026, 8, 1, 12, 0, 0, 123457, tzinfo=UTC)
    store = LocalStore(tmp_path, create=True, now=lambda: moment)
    write(store, "a")
    assert store.head("a").modified_at == moment
    store.close()


def test_a_version_id_that_is_not_text_of_this_store_is_not_found(store: LocalStore) -> None:
    """A lone surrogate from a command line is no error of the database."""
    write(store, "a")
    with pytest.raises(VersionNotFound):
        store.get("a", VersionId("\udcff"))
    store.delete_version("a", VersionId("\udcff"))
    assert keys_of(store) == ["a"]


@pytest.mark.parametrize(
    "prefix", ["a\ud7ff", "a\U0010ffff", "\U0010ffff", "\U0010ffff\U0010ffff"], ids=range(4)
)
def test_prefixes_at_the_ends_of_unicode_find_their_keys(store: LocalStore, prefix: str) -> None:
    """The end of a prefix's range is right next to the surrogates and at the last character."""
    for key in ["a", "b", prefix, prefix + "/x", "a\ue000", "\ue000"]:
        write(store, key)
    assert keys_of(store, prefix) == [prefix, prefix + "/x"]


# -- files ----------------------------------------------------------------------------------------


def test_small_objects_cost_no_file(store: LocalStore) -> None:
    """Objects up to the limit lie in the index, larger ones in a file each."""
    write(store, "a", bytes(MAX_INLINE_BYTES))
    assert blobs_of(store) == []
    write(store, "a", bytes(MAX_INLINE_BYTES + 1))
    assert len(blobs_of(store)) == 1


def test_the_same_bytes_are_kept_once(store: LocalStore) -> None:
    """Two versions and a copy with the same bytes share one file, named by its digest."""
    stored = write(store, "a", LARGE)
    write(store, "b", LARGE)
    store.copy("a", stored.version_id, "c", metadata={})
    (path,) = blobs_of(store)
    assert path.relative_to(store._folder).parts == ("blobs", stored.etag[:2], stored.etag)


def test_a_key_never_becomes_a_path(store: LocalStore, tmp_path: Path) -> None:
    """Keys that look like paths to elsewhere are only names."""
    before = set(tmp_path.rglob("*"))
    for key in ["../../escape", "/etc/escape", "blobs/../escape", "a/./b", ".", "C:\\escape"]:
        write(store, key, LARGE)
        assert store.get(key).data == LARGE
    new = set(tmp_path.rglob("*")) - before
    assert all((store._folder / "blobs") in [path, *path.parents] for path in new)


def test_bytes_go_when_the_last_version_that_names_them_goes(store: LocalStore) -> None:
    """A file stays as long as one version needs it, and not longer."""
    first, second = write(store, "a", LARGE), write(store, "b", LARGE)
    store.delete_version("a", first.version_id)
    assert len(blobs_of(store)) == 1
    store.delete_version("b", second.version_id)
    assert blobs_of(store) == []


def test_a_refused_write_leaves_no_file(store: LocalStore) -> None:
    """When the condition does not hold, the bytes that came along are removed again."""
    write(store, "a", b"1")
    with pytest.raises(PreconditionFailed):
        write(store, "a", LARGE, Create())
    assert blobs_of(store) == []
    write(store, "b", LARGE)
    with pytest.raises(PreconditionFailed):
        write(store, "a", LARGE, Create())
    assert store.get("b").data == LARGE


def test_writers_and_removers_of_the_same_bytes_never_lose_them(store: LocalStore) -> None:
    """However removal and writing of equal bytes interleave, each acknowledged version reads."""

    def remove_at_once() -> None:
        for _ in range(40):
            store.delete_version("x", write(store, "x", LARGE).version_id)

    removers = [threading.Thread(target=remove_at_once) for _ in range(2)]
    for thread in removers:
        thread.start()
    try:
        for number in range(40):
            stored = write(store, f"k{number}", LARGE)
            assert store.get(f"k{number}", stored.version_id).data == LARGE
            store.delete_version(f"k{number}", stored.version_id)
    finally:
        for thread in removers:
            thread.join()
    assert blobs_of(store) == []


def test_a_file_that_goes_while_its_writer_waits_is_written_again(store: LocalStore) -> None:
    """A writer that finds its bytes removed when its turn comes writes them once more."""
    with ThreadPoolExecutor(1) as pool:
        with store._database.write():
            writing = pool.submit(write, store, "a", LARGE)
            deadline = time.monotonic() + 30
            while not (files := [p for p in blobs_of(store) if p.suffix != ".tmp"]):
                assert time.monotonic() < deadline
            files[0].unlink()
        stored = writing.result(timeout=30)
    assert store.get("a", stored.version_id).data == LARGE


class GreedyBlobs(BlobFolder):
    """Stands for removers that come at every moment at which they may: in transactions only."""

    def write(self, digest: Digest, data: bytes) -> None:
        """Write, and remove it at once, unless a writer holds the lock."""
        super().write(digest, data)
        connection = sqlite3.connect(self._folder.parent / FILE_NAME, timeout=0)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return
        else:
            self.remove(digest)
        finally:
            connection.close()


def test_a_writer_whose_file_is_removed_every_time_comes_through(store: LocalStore) -> None:
    """However busy the removers and slow the writer: at its turn, nobody can remove its bytes."""
    store._blobs = GreedyBlobs(store._folder / "blobs")
    stored = write(store, "a", LARGE)
    assert store.get("a", stored.version_id).data == LARGE


@pytest.mark.parametrize("operation", ["put", "get"])
def test_large_data_is_not_copied(store: LocalStore, operation: str) -> None:
    """Writing takes next to no memory beyond the data; reading takes the data once."""
    data = bytes(50_000_000)
    write(store, "a", data)
    tracemalloc.start()
    try:
        if operation == "put":
            write(store, "b", data)
        else:
            assert store.get("a").size_bytes == len(data)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2_000_000 + (len(data) if operation == "get" else 0)


# -- damage ---------------------------------------------------------------------------------------


def test_changed_bytes_are_never_handed_out(store: LocalStore) -> None:
    """One flipped bit in a file, or in the index, is an IntegrityError that names the version."""
    large, small = write(store, "large", LARGE), write(store, "small", b"12345")
    (path,) = blobs_of(store)
    path.write_bytes(b"L" + LARGE[1:])
    with sqlite3.connect(store._folder / "index.sqlite3") as connection:
        connection.execute("UPDATE versions SET inline_data = ? WHERE key = 'small'", (b"12346",))
    connection.close()
    for key, stored in (("large", large), ("small", small)):
        with pytest.raises(IntegrityError) as caught:
            store.get(key)
        assert key in caught.value.message
        assert stored.version_id in caught.value.message


def test_missing_bytes_are_an_integrity_error(store: LocalStore) -> None:
    """A version whose file is gone is not reported as a version that never was."""
    stored = write(store, "a", LARGE)
    blobs_of(store)[0].unlink()
    with pytest.raises(IntegrityError, match=stored.version_id):
        store.get("a")
    with pytest.raises(IntegrityError, match=stored.version_id):
        store.copy("a", stored.version_id, "b", metadata={})
    assert keys_of(store) == ["a"]


@pytest.mark.parametrize(
    "damaged", [b"", LARGE[:-1], b"L" + LARGE[1:]], ids=["empty", "cut", "bit"]
)
def test_writing_the_same_bytes_again_mends_a_damaged_file(
    store: LocalStore, damaged: bytes
) -> None:
    """A file is not trusted because it has the right name: an acknowledged save is readable."""
    old = write(store, "a", LARGE)
    blobs_of(store)[0].write_bytes(damaged)
    new = write(store, "a", LARGE)
    assert store.get("a", new.version_id).data == LARGE
    assert store.get("a", old.version_id).data == LARGE


def test_a_damaged_index_is_an_integrity_error(store: LocalStore) -> None:
    """A file that is no database is named as damaged, by opening and by creating."""
    store.close()
    (store._folder / "index.sqlite3").write_bytes(b"not a database, certainly" * 100)
    for create in (False, True):
        with pytest.raises(IntegrityError, match="damaged"):
            LocalStore(store._folder, create=create)


def test_a_store_that_was_removed_under_an_open_one_is_noticed(store: LocalStore) -> None:
    """Nothing is acknowledged into a deleted file: first it is not found, then the new one used."""
    write(store, "a", b"old")
    shutil.rmtree(store._folder)
    with pytest.raises(StoreNotFound):
        write(store, "a", b"lost")
    again = LocalStore(store._folder, create=True)
    write(store, "a", b"new")
    assert again.get("a").data == b"new"
    assert len(history_of(again, "a")) == 1
    again.close()


# -- what the system refuses ----------------------------------------------------------------------


def test_a_folder_without_write_permission_is_access_denied(public_folder: Path) -> None:
    """A store of somebody else is AccessDenied with its folder's name, for reads and for writes."""
    LocalStore(public_folder / "store", create=True).close()
    (public_folder / "store").chmod(0o555)
    public_folder.chmod(0o555)
    with unprivileged():
        for folder, create in [("store", False), ("store", True), ("new", True)]:
            with pytest.raises(AccessDenied) as caught:
                LocalStore(public_folder / folder, create=create)
            assert str(public_folder / folder) in caught.value.message
    public_folder.chmod(0o755)


def test_a_blob_folder_without_write_permission_is_access_denied(public_folder: Path) -> None:
    """A file that cannot be made is AccessDenied, and no version names it."""
    (public_folder / "store").mkdir()
    (public_folder / "store").chmod(0o777)
    with unprivileged():
        store = LocalStore(public_folder / "store", create=True)
        (public_folder / "store" / "blobs").mkdir(mode=0o555)
        with pytest.raises(AccessDenied):
            write(store, "a", LARGE)
        assert history_of(store, "a") == []
        store.close()


def test_a_full_disk_is_an_error_that_names_the_folder(store: LocalStore) -> None:
    """When the index cannot grow, nothing is stored and the error does not ask to try again."""
    write(store, "a", b"1")
    with store._database.read() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full") as caught:
        write(store, "b", bytes(MAX_INLINE_BYTES))
    assert not caught.value.retryable
    assert str(store._folder) in caught.value.message
    assert keys_of(store) == ["a"]
    assert store.get("a").data == b"1"


def test_a_lock_that_is_not_let_go_is_unavailable(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that waits in vain gets a retryable error; readers are not held up."""
    monkeypatch.setattr(local_database, "BUSY_TIMEOUT_SECONDS", 0.05)
    write(store, "a", b"1")
    other = LocalStore(store._folder)
    with store._database.write():
        with pytest.raises(StoreUnavailable) as caught:
            write(other, "a", b"2")
        assert other.get("a").data == b"1"
    assert caught.value.retryable
    write(other, "a", b"2")
    other.close()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StoreError),
        (errno.EDQUOT, StoreError),
        (errno.EACCES, AccessDenied),
        (errno.EROFS, AccessDenied),
        (errno.ENOENT, StoreNotFound),
        (errno.EMFILE, StoreUnavailable),
        (errno.EIO, StoreError),
    ],
)
def test_every_error_of_the_system_is_translated(
    tmp_path: Path, number: int, expected: type[Exception]
) -> None:
    """No OSError crosses the interface, and each becomes what its cause calls for."""
    with pytest.raises(expected) as caught, translated(tmp_path):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is expected
    assert isinstance(caught.value.__cause__, OSError)


def test_every_error_of_the_database_is_translated(tmp_path: Path) -> None:
    """Even an error without a code, as of a closed connection, becomes a StoreError."""
    connection = sqlite3.connect(":memory:")
    connection.close()
    with pytest.raises(StoreError), translated(tmp_path):
        connection.execute("SELECT 1")


# -- several processes ----------------------------------------------------------------------------


def create_many(folder: str, worker: int, count: int) -> list[int]:
    """Create the same *count* keys as every other worker; return those that this one won."""
    store = LocalStore(Path(folder), create=True)
    won = []
    for number in range(count):
        try:
            write(store, f"k/{number:03}", b"%d" % worker * 20_000, Create())
        except PreconditionFailed:
            continue
        won.append(number)
    store.close()
    return won


def test_processes_that_race_to_create_have_one_winner_each(tmp_path: Path) -> None:
    """Four processes make the store and ten keys at once: each key is created exactly once."""
    context = multiprocessing.get_context("spawn")
    folder = tmp_path / "store"
    with context.Pool(4) as pool:
        won = pool.starmap(create_many, [(str(folder), worker, 10) for worker in range(4)], 1)
        pool.close()
        pool.join()
    assert sorted(number for numbers in won for number in numbers) == list(range(10))
    store = LocalStore(folder)
    for worker, numbers in enumerate(won):
        for number in numbers:
            assert store.get(f"k/{number:03}").data == b"%d" % worker * 20_000
    assert sum(1 for _ in store.list_versions("")) == 10
    store.close()


# -- cost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        local_index.FIND_CURRENT,
        local_index.FIND_VERSION,
        local_index.LIST_CURRENT,
        local_index.LIST_OLDER,
        local_index.LIST_VERSIONS,
    ],
)
def test_no_read_scans_or_sorts(store: LocalStore, statement: str) -> None:
    """Every read goes by an index, in the order that it returns."""
    names = ("key", "version_id", "sequence", "start", "end", "count")
    with store._database.read() as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", dict.fromkeys(names, ""))
        steps = [step for *_, step in plan]
    assert steps
    assert all(step.startswith("SEARCH") for step in steps)


def test_the_first_key_costs_the_same_however_many_there_are(store: LocalStore) -> None:
    """A listing with limit=1 takes as many steps of the database at 2,000 versions as at 2."""

    def steps() -> int:
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        with store._database.read() as connection:
            connection.set_progress_handler(step, 1)
        assert [entry.key for entry in store.list_keys("k/", limit=1)] == ["k/0"]
        with store._database.read() as connection:
            connection.set_progress_handler(None, 0)
        return count

    write(store, "k/0")
    write(store, "k/1")
    few = steps()
    insert_many(store, 2000)
    assert 0 < steps() <= few + 5


def insert_many(store: LocalStore, count: int) -> None:
    """Write *count* keys with two versions each, in one transaction, for the sake of speed."""
    content = local_index.Content(
        digest=Digest.of(b"x"), size_bytes=1, content_type="", inline_data=b"x"
    )
    now = datetime.now(UTC)
    with store._database.write() as connection:
        for number in range(count * 2):
            local_index.insert(
                connection,
                f"k/{number // 2}",
                VersionId(f"L{number}"),
                content,
                metadata={},
                modified_at=now,
            )


@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_long_listing_takes_the_memory_of_one_page(store: LocalStore, count: int) -> None:
    """A stream of keys holds a page of 500 in memory, not all of them."""
    insert_many(store, count)
    tracemalloc.start()
    try:
        assert sum(1 for _ in store.list_keys("k/")) == count
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000
