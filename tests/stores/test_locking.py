"""Versions under Object Lock: over the store in memory, moto, and a real server."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path

import pytest
from moto import mock_aws

from nbvc.errors import AccessDenied, StoreMisconfigured
from nbvc.stores.base import LockMode, Overwrite, RetainUntil, Store, Stored
from nbvc.stores.local import LocalStore
from tests.s3_server import connect, new_bucket, real_endpoint
from tests.stores.contract import history_of, write
from tests.stores.memory import MemoryStore
from tests.stores.wire import failure, reply, serving

DAY = timedelta(days=1)


def for_a_day(mode: LockMode = LockMode.GOVERNANCE) -> RetainUntil:
    """Return a lock that ends in a day, at a whole second."""
    return RetainUntil(moment=(datetime.now(UTC) + DAY).replace(microsecond=0), mode=mode)


def write_locked(store: Store, key: str, data: bytes, lock: RetainUntil) -> Stored:
    """Write a version that is locked."""
    return store.put(
        key,
        data,
        mode=Overwrite(),
        metadata={},
        content_type="text/plain",
        retain_until=lock,
    )


class LockingContract:
    """What a lock promises, over any store that has locks."""

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store whose versions can be locked."""
        raise NotImplementedError

    @pytest.mark.parametrize("mode", LockMode)
    def test_a_locked_version_cannot_be_removed(self, store: Store, mode: LockMode) -> None:
        """Not even by who wrote it, and with its version ID; it stays readable."""
        stored = write_locked(store, "k", b"kept", for_a_day(mode))
        with pytest.raises(AccessDenied):
            store.delete_version("k", stored.version_id)
        assert store.get("k", stored.version_id).data == b"kept"

    def test_a_version_beside_it_is_not_locked(self, store: Store) -> None:
        """The lock belongs to one version, not to its key."""
        write_locked(store, "k", b"kept", for_a_day())
        plain = write(store, "k", b"not kept")
        store.delete_version("k", plain.version_id)
        assert store.get("k").data == b"kept"

    def test_a_head_says_until_when(self, store: Store) -> None:
        """And so does a read; of a version without a lock they say nothing."""
        plain = write(store, "k")
        lock = for_a_day()
        locked = write_locked(store, "k", b"kept", lock)
        for look in (store.head, store.get):
            assert look("k", locked.version_id).locked_until == lock.moment
            assert look("k", plain.version_id).locked_until is None

    def test_a_marker_may_be_put_on_top(self, store: Store) -> None:
        """To hide a notebook destroys nothing, so it goes on working."""
        stored = write_locked(store, "k", b"kept", for_a_day())
        marker = store.delete("k")
        assert history_of(store, "k") == [marker, stored.version_id]
        store.delete_version("k", marker)
        assert store.get("k").data == b"kept"


class TestMemory(LockingContract):
    """The store of other tests keeps locks as S3 does."""

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store."""
        return MemoryStore()


class TestMoto(LockingContract):
    """Over moto, in this process."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """Return a store in a fresh bucket with Object Lock."""
        with mock_aws():
            yield new_bucket(None, object_lock=True)


@pytest.mark.real_s3
class TestRealServer(LockingContract):
    """Over a real server."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """Return a store in a fresh bucket with Object Lock."""
        store = new_bucket(real_endpoint(), object_lock=True)
        yield store
        store.close()


def test_a_bucket_without_object_lock_refuses_a_locked_version() -> None:
    """What ``store.json`` asks for and the bucket cannot do is told, with what to type."""
    with mock_aws():
        store = new_bucket(None)
        with pytest.raises(StoreMisconfigured, match="has no Object Lock") as caught:
            write_locked(store, "k", b"kept", for_a_day())
        assert history_of(store, "k") == []
    assert f"nbvc doctor {store.url}" in str(caught.value.hint)


def test_the_embedded_store_refuses_a_locked_version(tmp_path: Path) -> None:
    """A folder keeps nobody from removing its files, so it does not say that it does."""
    store = LocalStore(tmp_path, create=True)
    plain = write(store, "k")
    with pytest.raises(StoreMisconfigured, match="cannot lock"):
        write_locked(store, "k", b"kept", for_a_day())
    assert history_of(store, "k") == [plain.version_id]


def test_a_locked_write_says_so_in_the_same_request() -> None:
    """No second request in whose stead a crash could leave a version without its lock."""
    lock = RetainUntil(moment=datetime(2027, 3, 4, 5, 6, 7, tzinfo=UTC), mode=LockMode.COMPLIANCE)
    stored = reply(200, ETag='"e"', x_amz_version_id="v1")
    with serving(stored) as server:
        write_locked(connect(server.url), "k", b"kept", lock)
    (request,) = server.requests
    assert request.headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert request.headers["x-amz-object-lock-retain-until-date"] == "2027-03-04T05:06:07Z"
    # Servers want the checksum of a locked upload announced in one of these ways.
    assert request.headers["x-amz-sdk-checksum-algorithm"] == "SHA256"
    assert request.headers["content-md5"] == b64encode(md5(b"kept").digest()).decode()


@pytest.mark.parametrize("code", ["InvalidArgument", "InvalidRequest"])
def test_a_lock_that_the_server_refuses_is_told_as_such(code: str) -> None:
    """S3 refuses one without Object Lock, and one that would be over already."""
    with serving(failure(400, code)) as server:
        store = connect(server.url)
        with pytest.raises(StoreMisconfigured, match="refused to lock"):
            write_locked(store, "k", b"kept", for_a_day())


def test_a_credential_that_may_not_lock_is_told_the_permission() -> None:
    """S3 says only that access is denied; a save that was not to be locked asks for less."""
    with serving(failure(403, "AccessDenied")) as server:
        store = connect(server.url)
        with pytest.raises(AccessDenied) as caught:
            write_locked(store, "k", b"kept", for_a_day())
        assert "s3:PutObject and s3:PutObjectRetention" in str(caught.value.hint)
        with pytest.raises(AccessDenied) as caught:
            write(store, "k")
        assert "s3:PutObjectRetention" not in str(caught.value.hint)
