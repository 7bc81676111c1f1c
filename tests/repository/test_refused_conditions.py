"""Stores that answer 501 to a conditional write: Swift's S3 interface, Backblaze B2."""

from __future__ import annotations

from datetime import UTC, datetime

from nbvc.errors import StoreMisconfigured
from nbvc.repository import Repository
from nbvc.repository.settings import prepare
from nbvc.stores.base import Key, Metadata, Overwrite, PutMode, Stored
from tests.repository.support import KEY, save
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import WrappedStore


class RefusingStore(WrappedStore):
    """Refuses every write that carries a condition."""

    def put(
        self, key: Key, data: bytes, *, mode: PutMode, metadata: Metadata, content_type: str
    ) -> Stored:
        """Pass on what carries no condition."""
        if not isinstance(mode, Overwrite):
            raise StoreMisconfigured("501 NotImplemented")
        return super().put(key, data, mode=mode, metadata=metadata, content_type=content_type)


def test_store_that_refuses_conditions_is_found_out_and_used_without_them() -> None:
    """Init notices it by trying, and saves never send it a condition."""
    store = RefusingStore(MemoryStore(conditional=False))
    settings = prepare(store, token="store-1", now=datetime.now(UTC))
    assert not settings.capabilities.conditional_create
    assert not settings.capabilities.conditional_replace
    repository = Repository(store, settings=settings, sleep=lambda _: None, jitter=lambda: 0.5)
    known = save(repository, b"one")
    known = save(repository, b"two", known)
    assert [version.number for version in repository.log(KEY)] == [2, 1]
    assert known.file.record.number == 2
