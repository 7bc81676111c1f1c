"""The same on S3: what a repository does on a bucket, counted in requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from nbvc.model import Area, Digest
from nbvc.repository import Repository
from tests.repository.support import (
    KEY,
    OTHER,
    DictCache,
    act,
    assert_whole,
    contents,
    find,
    numbers,
    open_repository,
    put_foreign,
    save,
    save_many,
)
from tests.s3_server import isolate_aws_settings, new_bucket
from tests.stores.counting import CountingStore


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CountingStore]:
    """Return a store in a fresh bucket, counted."""
    isolate_aws_settings(monkeypatch, tmp_path)
    with mock_aws():
        store = CountingStore(new_bucket(None, root="team a/é"))
        yield store
        store.close()


@pytest.fixture
def repository(bucket: CountingStore) -> Iterator[Repository]:
    """Return a repository on the bucket, with a cache and 16 threads."""
    repository = open_repository(bucket, cache=DictCache())
    yield repository
    repository.close()


def test_save_log_and_read_cost_on_s3_what_they_cost_elsewhere(
    repository: Repository, bucket: CountingStore
) -> None:
    """2 requests to save, 4 to log, none to read what is cached."""
    known = save_many(repository, 21)
    bucket.reset()
    save(repository, b"v22", known)
    assert bucket.names == ["put", "put"]
    list(repository.log(KEY, limit=20))
    bucket.reset()
    versions = list(repository.log(KEY, limit=20))
    assert [version.number for version in versions] == list(range(22, 2, -1))
    assert len(bucket.requests) == 4
    bucket.reset()
    assert repository.read(versions[0]) == b"v22"
    assert bucket.requests == []
    assert_whole(repository, 22)


def test_a_foreign_version_in_a_bucket_is_shown_and_adopted(repository: Repository) -> None:
    """As the ``aws`` tool writes it: the latest at once, recorded by the next save."""
    known = save_many(repository, 2)
    put_foreign(repository.store, b"foreign")
    assert numbers(repository) == [None, 2, 1]
    assert repository.read(find(repository, "latest")) == b"foreign"
    save(repository, b"mine", known)
    assert_whole(repository, 4)
    assert find(repository, "v3").digest == Digest.of(b"foreign")


def test_a_bucket_of_bookstore_is_readable(bucket: CountingStore) -> None:
    """No index at all: log, latest~1 and a version ID."""
    ids = [put_foreign(bucket, b"%d" % number).version_id for number in range(4)][::-1]
    with open_repository(bucket, prepared=False) as repository:
        assert [version.version_id for version in repository.log(KEY)] == ids
        assert repository.read(find(repository, "latest~1")) == b"2"
        assert repository.read(find(repository, ids[3])) == b"0"


def test_tags_publishing_renaming_and_removal_work_on_s3(
    repository: Repository, bucket: CountingStore
) -> None:
    """One story through everything that changes a notebook."""
    save_many(repository, 3)
    repository.set_tag(KEY, "release", 2, act())
    version = find(repository, "v2")
    bucket.reset()
    published = repository.publish(version, KEY, act())
    assert bucket.names == ["copy", "put"]
    assert repository.read(find(repository, "published")) == b"v2"
    assert [v.source.number for v in repository.log(KEY, area=Area.PUBLISHED) if v.source] == [2]
    bucket.reset()
    repository.publish(version, KEY, act(), published.file)
    assert bucket.names == ["copy", "put"]
    repository.unpublish(KEY, act())
    known = repository.rename(KEY, OTHER, act())
    save(repository, b"v5", known, key=OTHER)
    assert contents(repository, OTHER) == [b"v5", b"v3", b"v3", b"v2", b"v1"]
    assert find(repository, "release", OTHER).number == 2
    repository.remove(OTHER, act())
    assert [each.key for each in repository.list_removed()] == [OTHER]
    save(repository, b"v6", None, key=OTHER)
    assert numbers(repository, OTHER) == [6, 5, 4, 3, 2, 1]
    assert list(repository.list_removed()) == []
