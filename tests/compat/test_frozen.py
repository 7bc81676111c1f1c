"""What older code wrote is readable today, to the byte: see the README here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.backends import get_backend

from nbvc.model import Area, Digest, NotebookKey, Version, WriteId
from nbvc.refs import parse_selector
from nbvc.repository import Act, Repository
from nbvc.repository.checking import Check, CheckOptions
from nbvc.repository.findings import Severity
from nbvc.repository.mendings import MendingKind
from nbvc.repository.repairing import Repair
from nbvc.repository.settings import read_settings
from nbvc.repository.surveying import Scope
from nbvc.stores.base import Store
from nbvc.stores.local import LocalStore
from nbvc.stores.s3 import S3Store
from tests import format_reader
from tests.compat.frozen import FOLDERS, SUMS, as_bucket, load, read_dump, sums, unpack_project
from tests.s3_server import REGION, connect, isolate_aws_settings

FROZEN = {
    "v1": "5c396de669bdf907eea026344099dbc4609de41336d1de462fb81f954a248060",
    "v2": "1d066a69accd0080d862e5ae01032279d5a6b9d62f2ce470f007051ca1df80d7",
    "v3": "899d479efd9bba1df250fab9b23521e81cdceabb8879bdb19cadddf0454c328f",
}
"""Digest of the list of digests of each folder."""

MAX_BYTES = 350_000
NOW = datetime(2027, 1, 1, tzinfo=UTC)
SCOPE = Scope(now=NOW)
ACT = Act(author="ada", message="", now=NOW, write_id=WriteId("w" * 22))
NOTES = [
    ("bookstore.ipynb", "unindexed-version", None),
    ("mended.ipynb", "gone", 2),
    ("mended.ipynb", "rebuilt-record", 1),
    ("unindexed.ipynb", "unindexed-version", None),
]
KNOWN_NOTES = {"v1": NOTES, "v2": NOTES, "v3": NOTES}
"""All that ``check`` has to say of each."""

folders = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@pytest.fixture(params=["embedded", "memory", "s3"])
def store(
    request: pytest.FixtureRequest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """Return the frozen content in the embedded store as it lay, and as objects in others."""
    if request.param == "embedded":
        with closing(LocalStore(unpack_project(folder, tmp_path) / ".nbvc" / "store")) as local:
            yield local
    elif request.param == "memory":
        yield load(folder, "bucket.json")
    else:
        isolate_aws_settings(monkeypatch, tmp_path)
        with mock_aws(), closing(bucket_of(folder, "bucket.json")) as bucket:
            yield bucket


def bucket_of(folder: Path, name: str) -> Store:
    """Return a store in a bucket of moto, which gives the version IDs of the dump."""
    client = boto3.client("s3", region_name=REGION)
    client.create_bucket(Bucket="frozen")
    client.put_bucket_versioning(Bucket="frozen", VersioningConfiguration={"Status": "Enabled"})
    keys = get_backend("s3")["123456789012"]["aws"].buckets["frozen"].keys
    for version in read_dump(folder, name):
        if version.data is None:
            client.delete_object(Bucket="frozen", Key=version.key)
        else:
            client.put_object(
                Bucket="frozen",
                Key=version.key,
                Body=version.data,
                Metadata=version.metadata,
                ContentType=version.content_type,
            )
        keys.getlist(version.key)[-1]._version_id = version.version_id
    client.close()
    return connect(None, bucket="frozen")


@pytest.fixture
def expected(folder: Path) -> Any:
    """Return what the frozen store holds, as it was written down then."""
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))


def open_frozen(store: Store) -> Repository:
    """Return a repository that goes by what the store says of itself."""
    settings = read_settings(store)
    assert settings is not None
    return Repository(
        store, settings=settings, sleep=lambda _: None, jitter=lambda: 0.0, now=lambda: NOW
    )


def key_of(expected: Any, path: str) -> NotebookKey:
    """Return the key of a frozen notebook."""
    return NotebookKey(f"{expected['namespace']}/{path}")


@folders
def test_frozen_files_are_not_changed(folder: Path) -> None:
    """All are listed with their digests, and the list has the digest that this file knows."""
    listed = (folder / SUMS).read_bytes()
    assert sums(folder) == listed.decode()
    assert hashlib.sha256(listed).hexdigest() == FROZEN[folder.name]
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MAX_BYTES


def test_every_frozen_folder_is_there() -> None:
    """None of them was left out of the tests, or removed."""
    assert [folder.name for folder in FOLDERS] == sorted(FROZEN)


@folders
def test_every_version_is_read_as_it_was_written(folder: Path, expected: Any, store: Store) -> None:
    """Numbers, digests, bytes, authors, times, messages, parents, sources and tags of all."""
    with open_frozen(store) as repository:
        for area in Area:
            for path, wanted in expected["notebooks"][area.value].items():
                key = key_of(expected, path)
                versions = list(repository.log(key, area=area))
                anew = isinstance(store, S3Store)
                for version, each in zip(versions, wanted, strict=True):
                    assert_same(version, each, has_time=version.indexed or not anew)
                    selectors = [version.version_id]
                    selectors += [f"v{version.number}"] if version.indexed else []
                    for selector in selectors:
                        found = repository.resolve(key, parse_selector(selector), area=area)
                        assert found.version_id == version.version_id
                    if each["readable"]:
                        data = repository.read(version)
                        assert len(data) == each["size_bytes"]
                        if each["digest"] is None:
                            assert data == (folder / "objects" / Digest.of(data)).read_bytes()
                        else:
                            assert Digest.of(data) == each["digest"]


def assert_same(version: Version, each: Any, *, has_time: bool) -> None:
    """Check that *version* says all that was written down of it."""
    changes, source, run = version.changes, version.source, version.run
    assert version.number == each["number"]
    assert version.digest == each["digest"]
    assert version.version_id == each["version_id"]
    assert version.size_bytes == each["size_bytes"]
    # A bucket that is made anew gives new times to what no record speaks of.
    assert not has_time or version.saved_at == datetime.fromisoformat(each["saved_at"])
    assert version.author == each["author"]
    assert version.message == each["message"]
    assert version.parent == each["parent"]
    assert each["changes"] == (
        changes
        and [
            changes.cells_added,
            changes.cells_removed,
            changes.cells_changed,
            changes.outputs_only,
        ]
    )
    assert each.get("run") == (
        run and [run.outcome, run.asked, dict(run.parameters), list(run.left_out), run.error]
    )
    assert each["source"] == (
        source and [source.area.value, source.key, source.number, source.version_id]
    )
    assert [*version.tags] == each["tags"]
    assert version.published == each["published"]
    assert version.missing == each["missing"]


@folders
def test_refs_lead_to_the_same_versions(expected: Any, store: Store) -> None:
    """Tags, also of an earlier name; what is published; and the latest."""
    with open_frozen(store) as repository:
        for ref, number in expected["refs"].items():
            path, _, selector = ref.partition("@")
            found = repository.resolve(key_of(expected, path), parse_selector(selector))
            assert found.number == number, ref
        assert len(expected["refs"]) >= 9


@folders
def test_check_finds_what_is_known_and_no_more(folder: Path, expected: Any, store: Store) -> None:
    """Every byte was read: nothing is damaged, and the four oddities are named."""
    with open_frozen(store) as repository:
        found = list(Check(repository.backend, CheckOptions(read_data=True, now=NOW)))
    assert [finding for finding in found if finding.severity is Severity.ERROR] == []
    prefix = f"{expected['namespace']}/"
    notes = [((f.key or "").removeprefix(prefix), f.kind.value, f.number) for f in found]
    assert sorted(notes, key=str) == sorted(KNOWN_NOTES[folder.name], key=str)


@folders
def test_the_independent_reader_reads_it_too(folder: Path, expected: Any) -> None:
    """So the frozen objects are what docs/format.md says: seals, hash chain, copies, metadata."""
    bucket = as_bucket(folder, "bucket.json")
    read = 0
    for area, notebooks in expected["notebooks"].items():
        for path, versions in notebooks.items():
            key = key_of(expected, path)
            recorded = [each for each in reversed(versions) if each["number"] is not None]
            found = format_reader.read_versions(bucket, area, key)
            for name in ("number", "digest", "version_id", "author", "message", "parent"):
                assert [r[name] for r in found] == [each[name] for each in recorded], path
            read += len(found)
    assert read >= 40


@folders
def test_a_store_whose_versions_are_locked_is_read(folder: Path) -> None:
    """Its settings say for how long, in the newest of their versions."""
    store = load(folder, "locked.json")
    with open_frozen(store) as repository:
        (version,) = repository.log(NotebookKey("kylek/locked.ipynb"))
        assert version.message == "locked"
        assert Digest.of(repository.read(version)) == version.digest
        lock = repository.backend.lock
        assert lock is not None
        assert (lock.days, lock.mode.value) == (30, "GOVERNANCE")


@folders
def test_repair_gives_numbers_and_changes_nothing_else(expected: Any, store: Store) -> None:
    """Nothing is damaged; a dry run writes nothing, and versions without a record get one."""
    backend = open_frozen(store).backend
    before = list(store.list_versions(""))
    planned = [mending.kind for mending in Repair(backend, SCOPE, ACT, apply=False)]
    assert list(store.list_versions("")) == before
    assert [mending.kind for mending in Repair(backend, SCOPE, ACT, apply=True)] == planned
    assert set(planned) == {MendingKind.ADOPTED_VERSION}
    with open_frozen(store) as repository:
        for path, wanted in expected["notebooks"]["workspace"].items():
            shown = [v.version_id for v in repository.log(key_of(expected, path))]
            assert shown == [each["version_id"] for each in wanted]
        found = Check(repository.backend, CheckOptions(read_data=True, now=NOW))
        assert {finding.kind.value for finding in found} == {"gone", "rebuilt-record"}
