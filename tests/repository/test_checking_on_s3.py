"""Check on S3: its ETags, its delete markers, versions that it stored without versioning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from moto import mock_aws

from nbvc.errors import VersioningOff
from nbvc.manifest.layout import Layout
from nbvc.model import VersionId
from nbvc.repository.findings import Kind
from nbvc.repository.mendings import MendingKind
from nbvc.stores.base import WRITE_ID
from nbvc.stores.s3 import S3Store
from tests.histories import generate
from tests.repository.checks import named, run_check, run_repair
from tests.repository.damaging import (
    alter_record,
    data_key,
    overwrite,
    read_record,
    record_key,
    rewrite,
    state_key,
)
from tests.repository.support import (
    KEY,
    act,
    draft,
    find,
    open_repository,
    put_foreign,
    save,
    save_many,
    write_settings,
)
from tests.s3_server import (
    found_capabilities,
    fresh_bucket,
    isolate_aws_settings,
    new_bucket,
    real_endpoint,
)
from tests.stores.counting import CountingStore


@pytest.fixture(params=["moto", pytest.param("real", marks=pytest.mark.real_s3)])
def bucket(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[S3Store]:
    """Return a prepared store in a fresh bucket: of moto, and of the real server under test."""
    isolate_aws_settings(monkeypatch, tmp_path)
    with fresh_bucket(real=request.param == "real", root="team a/é") as store:
        write_settings(store)
        yield store


def test_the_etags_of_s3_verify_records_without_reading_them(bucket: S3Store) -> None:
    """They are the MD5 of the bytes, in quotes."""
    generate(bucket, Layout(), KEY, 40)
    counting = CountingStore(bucket)
    findings, report = run_check(counting, once=True)
    assert findings == []
    assert report.files_spared > 30
    assert not report.sizes_only
    assert counting.names.count("get") < 8
    findings, report = run_check(counting, read_data=True)
    assert findings == []
    assert report.versions_read == 40


def test_damage_to_a_bucket_is_named(bucket: S3Store) -> None:
    """Written over, deleted, deleted for good, altered: one of each, with 16 threads."""
    repository = open_repository(bucket)
    known = save_many(repository, 8)
    repository.set_tag(KEY, "red", 1, act())
    repository.set_tag(KEY, "green", 2, act())
    repository.publish(find(repository, "v8"), KEY, act())
    put_foreign(bucket, b"foreign")
    save(repository, b"v10", known)
    overwrite(bucket, record_key(2), b"garbage")
    bucket.delete(record_key(4))
    rewrite(bucket, record_key(5), alter_record(bucket, 5, lambda r: replace(r, author="eve")))
    version = read_record(bucket, 6).record
    bucket.delete_version(data_key(), version.version_id)
    rewrite(bucket, state_key(2), b"")
    findings, _ = run_check(bucket)
    able = bucket.capabilities
    # Where the oldest version counts, nothing can be written over.
    hidden = [] if able.conditional_create else [(Kind.DAMAGED_RECORD, KEY, 2)]
    # Without the condition, a save on top of a foreign version does not notice and adopt it.
    bare = [] if able.conditional_replace else [(Kind.UNINDEXED_VERSION, KEY, None)]
    assert sorted([*named(findings), *hidden]) == [
        (Kind.ALTERED_RECORD, KEY, 5),
        (Kind.DAMAGED_RECORD, KEY, 2),
        (Kind.DAMAGED_STATE, KEY, 2),
        (Kind.MISSING_RECORD, KEY, 4),
        (Kind.MISSING_VERSION, KEY, 6),
        *bare,
    ]
    repository.close()


def test_repair_brings_everything_back_on_a_bucket(bucket: S3Store) -> None:
    """Written over, deleted, deleted for good, altered, and then all of the index at once."""
    repository = open_repository(bucket)
    known = save_many(repository, 8)
    repository.set_tag(KEY, "red", 1, act())
    repository.set_tag(KEY, "green", 2, act())
    repository.publish(find(repository, "v8"), KEY, act())
    save(repository, b"v9", known)
    put_foreign(bucket, b"foreign")
    overwrite(bucket, record_key(2), b"garbage")
    bucket.delete(record_key(4))
    rewrite(bucket, record_key(5), alter_record(bucket, 5, lambda r: replace(r, author="eve")))
    rewrite(bucket, record_key(7), b"garbage")
    bucket.delete_version(data_key(), read_record(bucket, 6).record.version_id)
    rewrite(bucket, state_key(2), b"")
    _, report = run_repair(bucket)
    assert report.remaining == ()
    findings, _ = run_check(bucket, read_data=True)
    assert {finding.kind for finding in findings} == {Kind.GONE, Kind.SUPERSEDED_DAMAGE}
    whole = {(version.number, version.digest) for version in repository.log(KEY)}
    assert {number for number, _ in whole} == set(range(1, 11))
    for entry in list(bucket.list_versions(".nbvc/workspace/")):
        bucket.delete_version(entry.key, entry.version_id)
    _, report = run_repair(bucket)
    assert report.remaining == ()
    again = {(version.number, version.digest) for version in open_repository(bucket).log(KEY)}
    # What neither record nor version tells any more has the digest of nothing.
    assert {each for each in whole if each[0] != 6} == {each for each in again if each[0] != 6}
    repository.close()


def test_a_version_from_before_versioning_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its ID is null: while it is the latest, a write without versioning would replace it."""
    isolate_aws_settings(monkeypatch, tmp_path)
    with mock_aws():
        store = new_bucket(None, versioning=False)
        store._client.put_object(Bucket=store.bucket, Key=data_key(), Body=b"old")
        store.administration.enable_versioning()
        write_settings(store)
        findings, _ = run_check(store, read_data=True)
        assert named(findings) == [(Kind.NULL_VERSION, KEY, None)]
        put_foreign(store, b"new")
        findings, _ = run_check(store, read_data=True)
        assert sorted(named(findings), key=str) == [
            (Kind.OLD_NULL_VERSION, KEY, None),
            (Kind.UNINDEXED_VERSION, KEY, None),
        ]
        store.close()


def test_repair_gives_a_latest_version_without_versioning_a_version_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same bytes once more, on top, so that no later write can replace them."""
    isolate_aws_settings(monkeypatch, tmp_path)
    with mock_aws():
        store = new_bucket(None, versioning=False)
        store._client.put_object(Bucket=store.bucket, Key=data_key(), Body=b"old")
        store.administration.enable_versioning()
        write_settings(store)
        mendings, report = run_repair(store)
        assert [m.kind for m in mendings] == [
            MendingKind.NUMBERED_NULL,
            MendingKind.ADOPTED_VERSION,
        ]
        assert report.remaining == ()
        findings, _ = run_check(store, read_data=True)
        assert named(findings) == [(Kind.OLD_NULL_VERSION, KEY, None)]
        assert find(open_repository(store), "latest").number == 1
        assert run_repair(store)[0] == []
        store.close()


def test_repair_keeps_what_a_save_without_versioning_said_and_its_delivery_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The save was not acknowledged, and waits: delivered later, it is that version, told once."""
    isolate_aws_settings(monkeypatch, tmp_path)
    with mock_aws():
        store = new_bucket(None)
        write_settings(store)
        repository, mine = open_repository(store), act("in the tunnel", author="bob")
        first = save(repository, b"one")
        client, suspended = store._client, {"Status": "Suspended"}
        client.put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration=suspended)
        with pytest.raises(VersioningOff):
            repository.save(KEY, draft(b"two", 1), mine, first)
        store.administration.enable_versioning()
        run_repair(store)
        delivered = repository.resume(KEY, draft(b"two", 1), mine, first, before=1).file.record
        assert (delivered.number, delivered.write_id) == (2, mine.write_id)
        assert (delivered.author, delivered.message) == ("bob", "in the tunnel")
        assert [version.number for version in repository.log(KEY)] == [2, 1]
        store.close()


@pytest.mark.real_s3
def test_repair_of_a_copy_without_versioning_makes_it_a_version_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another tool copied the metadata along: the write ID in it is that of a recorded version.

    Not on moto, where a write without versioning removes all other versions of the key.
    """
    isolate_aws_settings(monkeypatch, tmp_path)
    endpoint = real_endpoint()
    able = found_capabilities(endpoint)
    if not able.conditional_replace:
        pytest.skip("where nothing is written on a condition, repair leaves such a version alone")
    store = new_bucket(endpoint, capabilities=able)
    write_settings(store)
    repository = open_repository(store)
    first = save(repository, b"one").file.record
    copied = dict(store.head(data_key(), first.version_id).metadata)
    save(repository, b"two")
    client, suspended = store._client, {"Status": "Suspended"}
    client.put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration=suspended)
    client.put_object(Bucket=store.bucket, Key=data_key(), Body=b"one", Metadata=copied)
    store.administration.enable_versioning()
    run_repair(store)
    latest = find(open_repository(store), "latest")
    assert (latest.number, latest.digest) == (3, first.digest)
    store.close()


@pytest.mark.parametrize("recorded_is_there", [True, False])
def test_a_version_without_versioning_that_was_stored_again_with_it_is_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, recorded_is_there: bool
) -> None:
    """Versioning was suspended: the save waited, and was delivered once it was on again."""
    isolate_aws_settings(monkeypatch, tmp_path)
    with mock_aws():
        store = new_bucket(None)
        write_settings(store)
        mine, bucket, client = act(), store.bucket, store._client
        suspended = {"Status": "Suspended"}
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=suspended)
        client.put_object(
            Bucket=bucket, Key=data_key(), Body=b"one", Metadata={WRITE_ID: mine.write_id}
        )
        store.administration.enable_versioning()
        saved = open_repository(store).save(KEY, draft(b"one"), mine).file.record
        if not recorded_is_there:
            store.delete_version(data_key(), saved.version_id)
        findings, report = run_check(store)
        expected = (
            [(Kind.REPEATED_VERSION, KEY, 1)]
            if recorded_is_there
            else [(Kind.MISSING_VERSION, KEY, 1), (Kind.NULL_VERSION, KEY, None)]
        )
        assert sorted(named(findings), key=str) == expected
        assert report.errors == (0 if recorded_is_there else 2)
        store.close()


@pytest.mark.parametrize(
    ("version_id", "kind"),
    [
        ("\ud800", Kind.DAMAGED_RECORD),
        ("a\r\nb", Kind.DAMAGED_RECORD),
        ("", Kind.DAMAGED_RECORD),
        (" ", Kind.MISSING_VERSION),
        ("x" * 1_000, Kind.MISSING_VERSION),
        ("\U0001f600", Kind.MISSING_VERSION),
        ("?versionId=", Kind.MISSING_VERSION),
    ],
)
def test_a_version_id_that_somebody_forged_is_a_finding_and_no_crash(
    bucket: S3Store, version_id: str, kind: Kind
) -> None:
    """What no request can carry is no record; anything else is asked for, and not there."""
    save_many(open_repository(bucket), 1)
    forged = alter_record(bucket, 1, lambda r: replace(r, version_id=VersionId(version_id)))
    rewrite(bucket, record_key(1), forged)
    findings, _ = run_check(bucket, read_data=True)
    assert {finding.kind for finding in findings} == {kind, Kind.UNINDEXED_VERSION}
