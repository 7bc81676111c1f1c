"""Moving histories: nothing is lost, nothing is doubled, and a cut-off run can go on."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from nbvc.errors import (
    AlreadyExists,
    Conflict,
    IntegrityError,
    InvalidInput,
    StoreNotFound,
    StoreUnavailable,
)
from nbvc.manifest.layout import entry_key
from nbvc.manifest.metadata import from_metadata, to_metadata
from nbvc.manifest.records import record_hash
from nbvc.model import Area, Changes, Digest, NotebookKey, Record, Run, Version, VersionId, WriteId
from nbvc.refs import parse_selector
from nbvc.repository import Act, Draft, Repository
from nbvc.repository.migration import MigrationReport, Progress, migrate
from nbvc.repository.parallel import Parallel
from nbvc.repository.records import Manifest
from nbvc.repository.repeats import adoption_id
from nbvc.repository.settings import prepare
from nbvc.repository.states import change_state, newest_state_number
from nbvc.repository.stays import Appender, agrees, provenance_of, read_up
from nbvc.repository.traffic import Stopped, Traffic, read_ahead
from nbvc.stores.base import Blob, Capabilities, Overwrite, Store, Stored
from nbvc.stores.local import LocalStore
from tests.manifest import samples
from tests.s3_server import isolate_aws_settings, new_bucket

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "handson-ml.tar.xz"
MINE = NotebookKey("ada/mine.ipynb")
EARLIER = NotebookKey("ada/earlier.ipynb")
LATER = NotebookKey("ada/later.ipynb")
GONE = NotebookKey("ada/gone.ipynb")
FOREIGN = NotebookKey("ada/foreign.ipynb")
INDEXED = (MINE, EARLIER, LATER, GONE)
KEYS = (*INDEXED, FOREIGN)
START = datetime(2026, 8, 1, 9, tzinfo=UTC)

_tokens = count()


def act(message: str = "") -> Act:
    """Return an act of its own: the next minute, the next token."""
    number = next(_tokens)
    return Act(
        author="Ada Lovelace, Grafschaft Köln",
        message=message,
        now=START + timedelta(minutes=number, microseconds=number),
        write_id=WriteId(f"token-{number}"),
    )


def notebook(text: str) -> bytes:
    """Return the bytes of a small notebook."""
    return json.dumps(
        {"cells": [text], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    ).encode()


def repository(store: Store) -> Repository:
    """Return a prepared repository on *store*."""
    settings = prepare(store, token=f"store-{next(_tokens)}", now=START)
    return Repository(store, settings=settings, sleep=lambda _: None, jitter=lambda: 0.0)


def local(folder: Path) -> Repository:
    """Return a repository in a folder of its own."""
    return repository(LocalStore(folder / f"store-{next(_tokens)}", create=True))


def save(where: Repository, key: NotebookKey, text: str, parent: int | None = None) -> Version:
    """Save a version, and return it."""
    data = notebook(text)
    changes = Changes(cells_added=1, cells_removed=0, cells_changed=0, outputs_only=False)
    draft = Draft(data=data, digest=Digest.of(data), parent=parent, changes=changes)
    saved = where.save(key, draft, act(f"message of {text}, naïve " + "ü" * 200))
    return where.resolve(key, parse_selector(f"v{saved.file.record.number}"))


def put_as_another_tool(where: Repository, key: NotebookKey, text: str) -> Stored:
    """Write a version as ``aws s3 cp`` would."""
    return where.store.put(
        where.layout.data_key(Area.WORKSPACE, key),
        notebook(text),
        mode=Overwrite(),
        metadata={},
        content_type="application/json",
    )


def fill(where: Repository) -> None:
    """Make one notebook of each kind that migration treats differently."""
    for number in range(1, 4):
        save(where, MINE, f"mine {number}", number - 1 or None)
    where.set_tag(MINE, "release", 3, act())
    where.set_tag(MINE, "draft", 1, act())
    where.delete_tag(MINE, "draft", act())
    for name in ("v2", "v1"):
        where.publish(where.resolve(MINE, parse_selector(name)), MINE, act(f"published {name}"))
    save(where, EARLIER, "earlier 1")
    save(where, EARLIER, "earlier 2", 1)
    where.set_tag(EARLIER, "kept", 2, act())
    where.rename(EARLIER, LATER, act("better name"))
    save(where, LATER, "later 4", 3)
    where.publish(where.resolve(LATER, parse_selector("v2")), LATER, act("an old one"))
    where.unpublish(LATER, act())
    save(where, GONE, "gone 1")
    where.remove(GONE, act())
    for number in range(3):
        put_as_another_tool(where, FOREIGN, f"foreign {number}")


def stray(where: Repository) -> None:
    """Leave a version without a record between two that have one."""
    save(where, MINE, "before the stray")
    put_as_another_tool(where, MINE, "stray")
    data_key = where.layout.data_key(Area.WORKSPACE, MINE)
    data = notebook("after the stray")
    record = replace(
        records(where, MINE)[-1],
        digest=Digest.of(data),
        size_bytes=len(data),
        write_id=WriteId(f"token-{next(_tokens)}"),
    )
    stored = where.store.put(
        data_key,
        data,
        mode=Overwrite(),
        metadata=to_metadata(provenance_of(record)),
        content_type="application/json",
    )
    Manifest(where.backend, Area.WORKSPACE, MINE).append(
        where.open_history(MINE).newest,
        lambda number, prev: replace(
            record, number=number, version_id=stored.version_id, prev=prev
        ),
    )


def log(where: Repository, key: NotebookKey, area: Area = Area.WORKSPACE) -> list[dict[str, Any]]:
    """Return all that a log tells and the bytes, without what each store gives itself."""
    return [
        {
            **{name: getattr(version, name) for name in Version.__dataclass_fields__},
            "version_id": None,
            "source": version.source and replace(version.source, version_id=VersionId("")),
            "bytes": where.read(version),
        }
        for version in where.open_history(key, area=area).versions()
    ]


def states(where: Repository, key: NotebookKey, area: Area) -> list[bytes]:
    """Return the bytes of all states of a notebook."""
    newest = newest_state_number(where.backend, area, key) or 0
    prefix = where.layout.states(area, key)
    return [where.store.get(entry_key(prefix, each)).data for each in range(1, newest + 1)]


def everything(where: Repository, keys: tuple[NotebookKey, ...] = KEYS) -> dict[str, Any]:
    """Return all that is known about notebooks, except what each store gives itself."""
    return {
        f"{area}/{key}": (
            log(where, key, area),
            where.open_history(key, area=area).removed,
            states(where, key, area),
        )
        for area in Area
        for key in keys
    }


def objects(where: Repository) -> list[tuple[str, bool]]:
    """Return every version and marker that the store lists."""
    listed = where.store.list_versions("")
    return [
        (entry.key, entry.is_delete_marker) for entry in listed if entry.key != ".nbvc/store.json"
    ]


def stored_bytes(where: Repository, key: NotebookKey) -> list[bytes]:
    """Return the bytes of all versions of a notebook, in the order of storage, newest first."""
    data_key = where.layout.data_key(Area.WORKSPACE, key)
    listed = where.store.list_versions(data_key)
    return [where.store.get(data_key, entry.version_id).data for entry in listed]


def records(where: Repository, key: NotebookKey, area: Area = Area.WORKSPACE) -> list[Record]:
    """Return the records of one key, oldest first."""
    manifest = Manifest(where.backend, area, key)
    newest = manifest.newest()
    assert newest is not None
    return list(manifest.back_from(newest, newest.first))[::-1]


def sources(where: Repository, key: NotebookKey, area: Area) -> list[int | None]:
    """Return the numbers of the versions whose IDs the records name as their source."""
    found = []
    for version in where.log(key, area=area):
        if version.source is not None:
            there = where.open_history(version.source.key).versions()
            found += [each.number for each in there if each.version_id == version.source.version_id]
    return found


class Cut(StoreUnavailable):
    """The process is killed here."""


class Wrapped:
    """A store that passes everything on; its subclasses fail in one way."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class CutOff(Wrapped):
    """A store that does one more write, says that it failed, and then does nothing any more."""

    def __init__(self, store: Store, at: int) -> None:
        super().__init__(store)
        self._left = at

    def put(self, *args: Any, **options: Any) -> Stored:
        """Write, or fail."""
        return self._write(lambda: self._store.put(*args, **options))

    def delete(self, key: str) -> VersionId:
        """Hide, or fail."""
        return self._write(lambda: self._store.delete(key))

    def _write(self, write: Callable[[], Any]) -> Any:
        if self._left > 0:
            result = write()
        self._left -= 1
        if self._left <= 0:
            raise Cut("cut off")
        return result


class Overtaken(Wrapped):
    """A store to which somebody else writes just before the first record is claimed."""

    def __init__(self, store: Store, other: Callable[[], object]) -> None:
        super().__init__(store)
        self._other: Callable[[], object] | None = other

    def put(self, key: str, *args: Any, **options: Any) -> Stored:
        """Write, but let the other one go first."""
        if key.startswith(".nbvc/") and self._other is not None:
            other, self._other = self._other, None
            other()
        stored: Stored = self._store.put(key, *args, **options)
        return stored


class Damaging(Wrapped):
    """A store that returns other bytes for one version."""

    def __init__(self, store: Store, version: Version) -> None:
        super().__init__(store)
        self._version_id = version.version_id

    def get(self, key: str, version_id: VersionId | None = None) -> Blob:
        """Read, and damage what was asked for."""
        blob: Blob = self._store.get(key, version_id)
        return replace(blob, data=b"damaged") if version_id == self._version_id else blob


class Unreadable(Wrapped):
    """A store that can be written only."""

    get = head = list_keys = list_versions = None


class Unconditional(Wrapped):
    """A store that ignores conditions, and says so."""

    capabilities = Capabilities(conditional_create=False, conditional_replace=False)

    def put(self, *args: Any, **options: Any) -> Stored:
        """Write, whatever the condition."""
        stored: Stored = self._store.put(*args, **{**options, "mode": Overwrite()})
        return stored


def through(where: Repository, store: Any) -> Repository:
    """Return *where*, seen through another store in front of its own."""
    settings = prepare(where.store, token="unused", now=START)
    return Repository(store, settings=settings, sleep=lambda _: None, jitter=lambda: 0.0)


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    """Return a store with a notebook of each kind."""
    where = local(tmp_path)
    fill(where)
    return where


@pytest.fixture
def bucket(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Repository]:
    """Return a prepared, empty bucket."""
    isolate_aws_settings(monkeypatch, tmp_path_factory.mktemp("aws"))
    with mock_aws():
        where = repository(new_bucket(None, root="team"))
        yield where
        where.close()


# -- what arrives ---------------------------------------------------------------------------------


def test_everything_that_a_reader_sees_arrives(source: Repository, tmp_path: Path) -> None:
    """Logs, bytes, tags, names, removal and the audit trail are the same in the target."""
    target = local(tmp_path)
    report = migrate(source, target, prefix="ada/")
    assert everything(target, INDEXED) == everything(source, INDEXED)
    assert report == MigrationReport(
        notebooks=4,
        versions_copied=14,
        versions_present=0,
        published_copies=3,
        bytes_copied=report.bytes_copied,
    )
    entries = [entry for entry in source.store.list_versions("") if ".nbvc" not in entry.key]
    assert report.bytes_copied == sum(entry.size_bytes for entry in entries)


def test_a_history_goes_to_a_bucket_and_back_unchanged(
    source: Repository, bucket: Repository, tmp_path: Path
) -> None:
    """Embedded store to S3 to embedded store: nothing changes on the way."""
    back = local(tmp_path)
    migrate(source, bucket, prefix="ada/")
    migrate(bucket, back, prefix="ada/")
    assert everything(bucket, INDEXED) == everything(source, INDEXED)
    assert everything(back) == everything(bucket)


def test_records_keep_what_a_log_does_not_show(source: Repository, tmp_path: Path) -> None:
    """Write IDs and fields of later releases stay; only the store's own facts are new."""
    manifest = Manifest(source.backend, Area.WORKSPACE, MINE)
    head = manifest.newest()
    assert head is not None
    last = replace(head.record, write_id=WriteId("later"), extra={"later": {"than": [1]}})
    manifest.append(head, lambda number, prev: replace(last, number=number, prev=prev))
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    ours, theirs = records(source, MINE), records(target, MINE)
    assert theirs[-1].extra == {"later": {"than": [1]}}
    assert [replace(each, version_id=VersionId(""), prev=None) for each in ours] == [
        replace(each, version_id=VersionId(""), prev=None) for each in theirs
    ]


def test_records_that_name_another_version_name_it_in_the_target(
    source: Repository, tmp_path: Path
) -> None:
    """The source of a published or renamed version can be read in the target."""
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    for area, key, expected in (
        (Area.PUBLISHED, MINE, [1, 2]),
        (Area.WORKSPACE, LATER, [2]),
        (Area.PUBLISHED, LATER, [2]),
    ):
        assert sources(source, key, area) == sources(target, key, area) == expected
    published = target.resolve(MINE, parse_selector("published"))
    assert (published.number, published.area) == (1, Area.WORKSPACE)


def test_the_hash_chain_of_a_renamed_notebook_is_whole(source: Repository, tmp_path: Path) -> None:
    """The first record under the new name holds the hash of the last one under the old name."""
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    assert records(target, LATER)[0].prev == record_hash(records(target, EARLIER)[-1])


def test_each_object_says_what_its_record_says(source: Repository, tmp_path: Path) -> None:
    """A manifest could be rebuilt from the target's objects alone."""
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    for area, key in [(Area.WORKSPACE, key) for key in KEYS] + [(Area.PUBLISHED, MINE)]:
        for record in records(target, key, area):
            data_key = target.layout.data_key(area, key)
            said = from_metadata(target.store.head(data_key, record.version_id).metadata)
            assert said == from_metadata(to_metadata(provenance_of(record)))
            assert said.write_id == record.write_id


def test_a_notebook_that_came_back_to_its_first_name_arrives_whole(tmp_path: Path) -> None:
    """Two runs of numbers under one key, with the others under another name in between."""
    source, target = local(tmp_path), local(tmp_path)
    save(source, EARLIER, "one")
    source.rename(EARLIER, LATER, act())
    save(source, LATER, "three")
    source.rename(LATER, EARLIER, act())
    save(source, EARLIER, "five")
    migrate(source, target, prefix="ada/")
    assert [each["number"] for each in log(target, EARLIER)] == [5, 4, 3, 2, 1]
    assert everything(target) == everything(source)
    save(target, EARLIER, "six")
    assert next(target.log(EARLIER)).number == 6


def test_an_earlier_name_outside_of_the_prefix_comes_along(tmp_path: Path) -> None:
    """A notebook that somebody took over from another folder keeps all its versions."""
    source, target = local(tmp_path), local(tmp_path)
    old = NotebookKey("bob/old.ipynb")
    save(source, old, "one")
    save(source, NotebookKey("bob/other.ipynb"), "not mine")
    source.rename(old, LATER, act())
    report = migrate(source, target, prefix="ada/")
    assert (report.notebooks, report.versions_copied) == (1, 2)
    assert log(target, LATER) == log(source, LATER)
    assert not target.open_history(NotebookKey("bob/other.ipynb")).exists


def test_appending_carries_what_saving_would_without_reading_it_back(tmp_path: Path) -> None:
    """The file of every 256th record holds the last 255, and no request is made to get them."""
    target = local(tmp_path)
    manifest = Manifest(through(target, Unreadable(target.store)).backend, Area.WORKSPACE, MINE)
    appender = Appender(manifest, 1)
    save(target, GONE, "a record")
    record = records(target, GONE)[0]
    for number in range(1, 259):
        appender.append(replace(record, number=number), None)
    manifest = Manifest(target.backend, Area.WORKSPACE, MINE)
    found = [len(manifest.file(each).recent) for each in (1, 16, 17, 256, 257)]
    assert found == [0, 15, 15, 255, 15]
    assert [each.number for each in read_up(manifest, 1, 258)] == list(range(1, 259))
    with pytest.raises(Conflict):
        Appender(manifest, 1).append(replace(record, number=1, message="another"), None)


# -- versions of other tools ----------------------------------------------------------------------


def test_versions_of_another_tool_are_recorded_in_the_order_of_storage(
    source: Repository, tmp_path: Path
) -> None:
    """They get numbers, their times, and the write IDs that adoption would give them."""
    target = local(tmp_path)
    ids = [version.version_id for version in source.log(FOREIGN)][::-1]
    listed = [entry.modified_at for entry in source.store.list_versions(f"workspace/{FOREIGN}")]
    migrate(source, target, prefix="ada/")
    found = records(target, FOREIGN)
    assert [each.number for each in found] == [1, 2, 3]
    assert [each.digest for each in found] == [
        Digest.of(notebook(f"foreign {n}")) for n in range(3)
    ]
    assert [each.saved_at for each in found] == listed[::-1]
    assert [each.write_id for each in found] == [adoption_id(each) for each in ids]
    assert [each.author for each in found] == [None] * 3


def test_the_source_is_only_read(source: Repository, tmp_path: Path) -> None:
    """Not even versions that lack a record are recorded there."""
    before = objects(source)
    migrate(source, local(tmp_path), prefix="ada/")
    assert objects(source) == before
    assert Manifest(source.backend, Area.WORKSPACE, FOREIGN).newest() is None


def test_a_version_that_no_save_will_adopt_keeps_its_place(tmp_path: Path) -> None:
    """What lies unrecorded between recorded versions arrives there, and stays without a number."""
    source, target = local(tmp_path), local(tmp_path)
    stray(source)
    migrate(source, target, prefix="ada/")
    assert [each.number for each in records(target, MINE)] == [1, 2]
    assert stored_bytes(target, MINE) == stored_bytes(source, MINE)
    assert [(each["number"], each["bytes"]) for each in log(target, MINE)] == [
        (each["number"], each["bytes"]) for each in log(source, MINE)
    ]
    assert [each["number"] for each in log(target, MINE)] == [2, None, 1]
    before = objects(target)
    assert migrate(source, target, prefix="ada/").versions_present == 3
    assert objects(target) == before


def test_a_version_recorded_after_the_first_run_is_known_again(
    source: Repository, tmp_path: Path
) -> None:
    """The next save in the source records what the target recorded already; both agree."""
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    save(source, FOREIGN, "mine now")
    report = migrate(source, target, prefix="ada/")
    assert (report.versions_copied, report.versions_present) == (1, 14)
    assert log(target, FOREIGN) == log(source, FOREIGN)


# -- again, and again -----------------------------------------------------------------------------


def test_a_second_run_writes_nothing(source: Repository, tmp_path: Path) -> None:
    """Running it again costs a look, and says that all is there."""
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    before = objects(target)
    report = migrate(source, target, prefix="ada/")
    assert objects(target) == before
    assert (report.versions_copied, report.versions_present, report.bytes_copied) == (0, 14, 0)


def test_what_was_done_since_the_first_run_follows(source: Repository, tmp_path: Path) -> None:
    """Further saves, tags, publications and removals are brought over by the next run."""
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    version = save(source, MINE, "more")
    source.set_tag(MINE, "more", 4, act())
    source.publish(version, MINE, act())
    save(source, GONE, "back again")
    source.remove(LATER, act())
    assert migrate(source, target, prefix="ada/").versions_copied == 3
    assert everything(target, INDEXED) == everything(source, INDEXED)


def test_a_run_cut_off_after_any_write_is_completed_by_the_next(tmp_path: Path) -> None:
    """Whichever write was the last: the same result in the end, and nothing twice."""
    source, expected = local(tmp_path), local(tmp_path)
    stray(source)
    source.set_tag(MINE, "release", 1, act())
    source.rename(MINE, LATER, act())
    source.publish(source.resolve(LATER, parse_selector("v2")), LATER, act())
    source.remove(LATER, act())
    for number in range(2):
        put_as_another_tool(source, FOREIGN, f"foreign {number}")
    migrate(source, expected, prefix="ada/")
    writes = 0
    for at in count(1):
        target = local(tmp_path)
        try:
            migrate(source, through(target, CutOff(target.store, at)), prefix="ada/")
        except Cut:
            writes += 1
        else:
            break
        migrate(source, target, prefix="ada/")
        assert objects(target) == objects(expected), f"cut off after write {at}"
        assert everything(target) == everything(expected), f"cut off after write {at}"
    assert writes == len(objects(expected))


@pytest.mark.parametrize("at", [1, 9, 20])
def test_a_run_to_a_bucket_that_was_cut_off_is_completed(
    source: Repository, bucket: Repository, at: int
) -> None:
    """With several notebooks on their way at once, no object of the bucket is written twice."""
    with pytest.raises(Cut):
        migrate(source, through(bucket, CutOff(bucket.store, at)), prefix="ada/")
    migrate(source, bucket, prefix="ada/")
    assert everything(bucket, INDEXED) == everything(source, INDEXED)
    listed = [each for each in objects(bucket) if each[0].startswith(".nbvc")]
    assert len(listed) == len(set(listed))
    assert len(objects(bucket)) == len(objects(source)) + len(KEYS) - 2


def test_two_runs_at_once_leave_what_one_would_have_left(
    source: Repository, tmp_path: Path
) -> None:
    """The slower one stops and takes back what it wrote; a third finds nothing to do."""
    expected, target = local(tmp_path), local(tmp_path)
    migrate(source, expected, prefix="ada/")
    overtaken = through(
        target, Overtaken(target.store, lambda: migrate(source, target, prefix="ada/"))
    )
    with pytest.raises(Conflict, match=r"ada/.*\.ipynb"):
        migrate(source, overtaken, prefix="ada/")
    assert everything(target, INDEXED) == everything(source, INDEXED)
    assert objects(target) == objects(expected)
    assert migrate(source, target, prefix="ada/").versions_copied == 0


def test_a_version_that_was_sent_twice_is_no_other_history(
    source: Repository, tmp_path: Path
) -> None:
    """A client may repeat a write whose reply was lost: the next run goes on."""
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    data_key = target.layout.data_key(Area.WORKSPACE, MINE)
    blob = target.store.get(data_key)
    target.store.put(
        data_key, blob.data, mode=Overwrite(), metadata=blob.metadata, content_type="a/b"
    )
    save(source, MINE, "more")
    assert migrate(source, target, prefix="ada/").versions_copied == 1
    assert [each.number for each in records(target, MINE)] == [1, 2, 3, 4]


def test_a_store_without_conditional_writes_serves_too(source: Repository, tmp_path: Path) -> None:
    """Where the oldest record wins, a cut-off run is completed as well."""
    target = local(tmp_path)
    with pytest.raises(Cut):
        migrate(source, through(target, Unconditional(CutOff(target.store, 8))), prefix="ada/")
    migrate(source, through(target, Unconditional(target.store)), prefix="ada/")
    assert everything(target, INDEXED) == everything(source, INDEXED)


# -- refusals -------------------------------------------------------------------------------------


def other_save(target: Repository) -> None:
    """Save another notebook under the same key."""
    save(target, MINE, "another")


def other_upload(target: Repository) -> None:
    """Upload another notebook under the same key, without nbvc."""
    put_as_another_tool(target, MINE, "another")


def other_publication(target: Repository) -> None:
    """Publish another notebook under the same key."""
    other = save(target, NotebookKey("bob/other.ipynb"), "another")
    target.publish(other, MINE, act())


def other_tag(target: Repository) -> None:
    """Give the notebook a tag that it does not have in the source."""
    target.set_tag(MINE, "another", 1, act())


@pytest.mark.parametrize("meddle", [other_save, other_upload, other_publication, other_tag])
def test_another_history_in_the_target_is_left_alone(
    source: Repository, tmp_path: Path, meddle: Callable[[Repository], None]
) -> None:
    """Nothing is written to a notebook that is another one there; the error names it."""
    target = local(tmp_path)
    meddle(target)
    before = [each for each in objects(target) if MINE in each[0]]
    with pytest.raises(AlreadyExists, match=r"ada/mine\.ipynb"):
        migrate(source, target, prefix="ada/")
    assert [each for each in objects(target) if MINE in each[0]] == before


@pytest.mark.parametrize("meddle", [other_save, other_upload, other_publication, other_tag])
def test_a_target_that_went_its_own_way_is_left_alone(
    source: Repository, tmp_path: Path, meddle: Callable[[Repository], None]
) -> None:
    """After somebody worked in the target, the source is not brought over any more."""
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    meddle(target)
    before = objects(target)
    save(source, MINE, "meanwhile")
    source.publish(source.resolve(MINE, parse_selector("v3")), MINE, act())
    source.set_tag(MINE, "meanwhile", 2, act())
    with pytest.raises(AlreadyExists, match=r"ada/mine\.ipynb"):
        migrate(source, target, prefix="ada/mine")
    assert objects(target) == before


def test_bytes_that_are_not_what_was_recorded_are_not_sent(
    source: Repository, tmp_path: Path
) -> None:
    """The run stops and names the version; after it was mended, the next run goes on."""
    target = local(tmp_path)
    damaged = source.resolve(MINE, parse_selector("v2"))
    with pytest.raises(IntegrityError, match=r"v2 of ada/mine\.ipynb"):
        migrate(through(source, Damaging(source.store, damaged)), target, prefix="ada/")
    assert [each.number for each in records(target, MINE)] == [1]
    migrate(source, target, prefix="ada/")
    assert everything(target, INDEXED) == everything(source, INDEXED)


def test_a_target_that_lost_a_version_is_noticed(source: Repository, tmp_path: Path) -> None:
    """A record whose bytes are gone is not taken for a version that is there."""
    target = local(tmp_path)
    migrate(source, target, prefix="ada/")
    lost = target.resolve(MINE, parse_selector("v2"))
    target.store.delete_version(target.layout.data_key(Area.WORKSPACE, MINE), lost.version_id)
    with pytest.raises(IntegrityError, match=r"v2 of ada/mine\.ipynb"):
        migrate(source, target, prefix="ada/")


def test_the_record_of_a_version_that_a_repair_called_gone_comes_along(
    source: Repository, bucket: Repository
) -> None:
    """Its bytes are nowhere, so only what is known of it moves; another run finds all there.

    A version that was lost without a word stops the run: mending comes first.
    """
    lost = source.resolve(LATER, parse_selector("v2"))
    data_key = source.layout.data_key(Area.WORKSPACE, EARLIER)
    source.store.delete_version(data_key, lost.version_id)
    with pytest.raises(IntegrityError, match=r"v2 of ada/earlier\.ipynb"):
        migrate(source, bucket, prefix="ada/")
    change_state(
        source.backend,
        Area.WORKSPACE,
        LATER,
        lambda state: replace(state, gone=((2, 2),)),
        action="gone",
        author="ada",
        now=START,
        write_id=act().write_id,
    )
    planned = migrate(source, bucket, prefix="ada/", dry_run=True)
    report = migrate(source, bucket, prefix="ada/")
    assert (report.versions_copied, report.bytes_copied) == (
        planned.versions_copied,
        planned.bytes_copied,
    )
    moved, originals = list(bucket.log(LATER)), list(source.log(LATER))
    assert [(v.number, v.missing) for v in moved] == [(v.number, v.missing) for v in originals]
    assert [v.number for v in moved if v.missing] == [2]
    for version, original in zip(moved, originals, strict=True):
        assert version.digest == original.digest
        assert version.missing or bucket.read(version) == source.read(original)
    again = migrate(source, bucket, prefix="ada/")
    assert (again.versions_copied, again.versions_present) == (0, 13)


def test_a_target_must_be_prepared_and_another_store(source: Repository, tmp_path: Path) -> None:
    """Only the caller decides how a store is laid out, and nothing is moved onto itself."""
    with pytest.raises(InvalidInput):
        migrate(source, source, prefix="ada/")
    store = LocalStore(tmp_path / "unprepared", create=True)
    with (
        Repository(store, settings=None, sleep=lambda _: None, jitter=lambda: 0.0) as target,
        pytest.raises(StoreNotFound),
    ):
        migrate(source, target, prefix="ada/")


# -- on the way -----------------------------------------------------------------------------------


def test_a_dry_run_counts_and_writes_nothing(source: Repository, tmp_path: Path) -> None:
    """It says what the run would do."""
    target = local(tmp_path)
    planned = migrate(source, target, prefix="ada/", dry_run=True)
    assert objects(target) == []
    assert migrate(source, target, prefix="ada/") == planned


def test_progress_counts_up_to_all_versions(source: Repository, bucket: Repository) -> None:
    """Each version is told once, whichever thread brought it."""
    told: list[Progress] = []
    report = migrate(source, bucket, prefix="ada/", progress=told.append)
    assert [each.versions_done for each in told] == list(range(1, 15))
    assert {each.versions_total for each in told} == {14}
    assert told[-1].bytes_copied == report.bytes_copied
    assert {each.key for each in told} == set(KEYS)


def test_no_more_bytes_are_in_memory_than_allowed() -> None:
    """Another notebook is read ahead only where it fits; one that never fits travels alone."""
    traffic = Traffic(versions_total=0, progress=None, max_bytes=10)
    parallel = Parallel(2)
    reads: list[int] = []
    seen = []
    for item, _ in read_ahead(
        [4, 6, 7, 50, 3],
        reads.append,
        size_of=lambda size: size,
        parallel=parallel,
        traffic=traffic,
    ):
        parallel.start(lambda: None)()
        seen.append((item, traffic.bytes_in_flight))
    parallel.close()
    assert seen == [(4, 10), (6, 6), (7, 7), (50, 50), (3, 3)]
    assert reads == [4, 6, 7, 50, 3]
    assert traffic.bytes_in_flight == 0


def test_the_first_error_stops_the_others() -> None:
    """A thread that waits for room is told to stop, and the error that mattered is kept."""
    traffic = Traffic(versions_total=0, progress=None)
    with pytest.raises(Cut), traffic:
        raise Cut("first")
    with pytest.raises(Stopped), traffic:
        traffic.take(1, wait=True)
    assert isinstance(traffic.first_error, Cut)


@pytest.mark.corpus
def test_a_real_notebook_arrives_byte_for_byte(bucket: Repository, tmp_path: Path) -> None:
    """Every version of a notebook with figures inside goes to a bucket and comes back."""
    if not CORPUS.exists():
        pytest.skip("../shared/corpus/handson-ml.tar.xz is not here")
    source, back = local(tmp_path), local(tmp_path)
    with tarfile.open(CORPUS) as archive:
        files = (archive.extractfile(member) for member in archive if member.isfile())
        for file in islice(files, 8):
            assert file is not None
            data = file.read()
            draft = Draft(data=data, digest=Digest.of(data), parent=None, changes=None)
            source.save(MINE, draft, act("from the corpus"))
    migrate(source, bucket, prefix="ada/")
    migrate(bucket, back, prefix="ada/")
    assert len(log(source, MINE)) == 8
    assert log(back, MINE) == log(source, MINE)


def test_a_result_of_a_run_that_was_adopted_in_the_target_counts_as_copied() -> None:
    """Its object says nothing of the run; what it does say must be the same."""
    run = Run(outcome="completed", parameters={"alpha": 0.1})
    original = samples.record(run=run)
    adopted = replace(original, run=None, changes=None)
    assert agrees(adopted, original)
    assert not agrees(replace(adopted, message="another"), original)
    assert not agrees(replace(original, run=replace(run, outcome="failed")), original)
