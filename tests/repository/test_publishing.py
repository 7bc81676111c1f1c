"""Publishing: a version is promoted inside the store, and says where it came from."""

from __future__ import annotations

import pytest

from nbvc.errors import NotebookNotFound, VersionNotFound
from nbvc.manifest.layout import Layout
from nbvc.model import Area, Digest
from nbvc.repository import Repository
from nbvc.repository.publishing import Publication
from tests.repository.support import (
    KEY,
    OTHER,
    act,
    contents,
    find,
    numbers,
    open_repository,
    put_foreign,
    save,
    save_many,
)
from tests.stores.memory import MemoryStore


def publish(repository: Repository, text: str) -> Publication:
    """Publish the version that *text* names."""
    return repository.publish(find(repository, text), KEY, act("for the team"))


def published_mark(repository: Repository) -> list[int | None]:
    """Return the numbers of the versions that carry the published mark."""
    return [version.number for version in repository.log(KEY) if version.published]


def test_a_published_version_is_a_plain_notebook_in_the_published_area(
    repository: Repository,
) -> None:
    """The same bytes at the same key below the other prefix; its record names the source."""
    save_many(repository, 5)
    record = publish(repository, "v3").file.record
    assert repository.store.get(Layout().data_key(Area.PUBLISHED, KEY)).data == b"v3"
    assert (record.number, record.digest, record.message) == (1, Digest.of(b"v3"), "for the team")
    assert record.source is not None
    assert (record.source.area, record.source.key, record.source.number) == (
        Area.WORKSPACE,
        KEY,
        3,
    )
    assert record.source.version_id == find(repository, "v3").version_id


def test_the_published_version_is_marked_and_can_be_named(repository: Repository) -> None:
    """One version carries the mark; publishing another one moves it."""
    save_many(repository, 5)
    for number in (3, 5, 4):
        publish(repository, f"v{number}")
        assert published_mark(repository) == [number]
        assert find(repository, "published").number == number
    assert find(repository, "published~2").number == 2
    with pytest.raises(VersionNotFound):
        find(repository, "published~4")


def test_the_published_area_has_a_history_of_its_own(repository: Repository) -> None:
    """Each promotion is a version there, numbered from 1, newest first."""
    save_many(repository, 3)
    for number in (1, 3, 1):
        publish(repository, f"v{number}")
    log = list(repository.log(KEY, area=Area.PUBLISHED))
    assert [version.number for version in log] == [3, 2, 1]
    assert [version.source.number for version in log if version.source] == [1, 3, 1]
    assert [repository.read(version) for version in log] == [b"v1", b"v3", b"v1"]
    (listed,) = repository.list_notebooks(area=Area.PUBLISHED)
    assert (listed.key, listed.number, listed.source_number) == (KEY, 3, 1)
    assert numbers(repository) == [3, 2, 1]


def test_what_is_unpublished_keeps_its_history(repository: Repository) -> None:
    """It is hidden, not lost, and can be published again."""
    save_many(repository, 2)
    publish(repository, "v1")
    repository.unpublish(KEY, act())
    assert published_mark(repository) == []
    assert list(repository.list_notebooks(area=Area.PUBLISHED)) == []
    with pytest.raises(VersionNotFound, match="not published"):
        find(repository, "published")
    with pytest.raises(NotebookNotFound, match="not published"):
        repository.unpublish(KEY, act())
    assert publish(repository, "v2").file.record.number == 2
    assert published_mark(repository) == [2]
    assert len(list(repository.log(KEY, area=Area.PUBLISHED))) == 2


def test_what_was_never_published_says_so(repository: Repository) -> None:
    """In the log of the published area and as a ref."""
    save_many(repository, 1)
    with pytest.raises(NotebookNotFound, match="never published"):
        repository.log(KEY, area=Area.PUBLISHED)
    with pytest.raises(VersionNotFound, match="not published"):
        find(repository, "published")


def test_a_foreign_version_can_be_published(repository: Repository) -> None:
    """Its digest is found out on the way, and its source is a version ID without a number."""
    stored = put_foreign(repository.store, b"foreign")
    record = publish(repository, "latest").file.record
    assert record.digest == Digest.of(b"foreign")
    assert record.source is not None
    assert (record.source.number, record.source.version_id) == (None, stored.version_id)
    assert repository.read(find(repository, "published")) == b"foreign"


def test_what_bookstore_published_can_be_read(repository: Repository) -> None:
    """No record and no metadata: the published copy itself is the version."""
    save_many(repository, 1)
    stored = put_foreign(repository.store, b"theirs", area=Area.PUBLISHED)
    version = find(repository, "published")
    assert (version.area, version.version_id) == (Area.PUBLISHED, stored.version_id)
    assert repository.read(version) == b"theirs"
    assert published_mark(repository) == []


def test_a_version_published_under_another_name_is_that_version(repository: Repository) -> None:
    """The number of the source counts in the source's own history, not in the target's."""
    save_many(repository, 3)
    save(repository, b"other", key=OTHER)
    repository.publish(find(repository, "v1", OTHER), KEY, act())
    assert repository.read(find(repository, "published")) == b"other"
    assert published_mark(repository) == []


def test_a_version_that_is_gone_cannot_be_published(repository: Repository) -> None:
    """And nothing appears in the published area."""
    save_many(repository, 2)
    version = find(repository, "v1")
    repository.store.delete_version(Layout().data_key(Area.WORKSPACE, KEY), version.version_id)
    with pytest.raises(VersionNotFound):
        repository.publish(version, KEY, act())
    assert list(repository.list_notebooks(area=Area.PUBLISHED)) == []


@pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "unconditional"])
def test_publishing_without_knowledge_goes_on_from_the_last(conditional: bool) -> None:
    """On either kind of store the second promotion is v2 of the published area."""
    repository = open_repository(MemoryStore(conditional=conditional))
    save_many(repository, 2)
    assert publish(repository, "v1").file.record.number == 1
    assert publish(repository, "v2").file.record.number == 2
    assert contents(repository) == [b"v2", b"v1"]
    log = list(repository.log(KEY, area=Area.PUBLISHED))
    assert [repository.read(version) for version in log] == [b"v2", b"v1"]
