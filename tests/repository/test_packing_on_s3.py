"""Packs on S3: the same story on moto and on real servers, with locks, and with 16 threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nbvc.model import Area
from nbvc.repository.findings import Severity
from nbvc.repository.packing import PackRules
from nbvc.stores.base import LockMode, Overwrite, RetainUntil
from nbvc.stores.s3 import S3Store
from tests.repository.checks import run_check
from tests.repository.packing import (
    assert_contents,
    content,
    fill,
    forget,
    pack,
    pack_keys,
    plain_ids,
    unpack,
)
from tests.repository.support import (
    KEY,
    OTHER,
    act,
    find,
    open_repository,
    save,
    write_settings,
)
from tests.s3_server import fresh_bucket, isolate_aws_settings

SOON = datetime.now(UTC) + timedelta(days=400)
COLD = PackRules(older_than=timedelta(0), keep_newest=1, now=datetime.now(UTC))


@pytest.fixture(params=["moto", pytest.param("real", marks=pytest.mark.real_s3)])
def lockable(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[S3Store]:
    """Return a prepared store in a fresh bucket that can lock versions."""
    isolate_aws_settings(monkeypatch, tmp_path)
    real = request.param == "real"
    with fresh_bucket(real=real, root="team a", object_lock=True) as store:
        write_settings(store)
        yield store


def test_pack_unpack_and_forget_on_a_bucket(lockable: S3Store) -> None:
    """Renamed, tagged and published in between: every version is read back to the byte."""
    store = lockable
    repository = open_repository(store)
    fill(repository, 6)
    repository.set_tag(KEY, "good", 2, act())
    (report,) = pack(store, replace(COLD, now=SOON))
    assert (report.versions, report.locked) == (4, 0)
    assert len(plain_ids(store)) == 2
    assert_contents(store, range(1, 7))
    repository = open_repository(store)
    repository.publish(find(repository, "v3"), KEY, act())
    assert repository.read(find(repository, "published")) == content(3)
    unpack(store)
    assert store.get(repository.layout.data_key(Area.WORKSPACE, KEY)).data == content(6)
    assert_contents(store, range(1, 7))
    save(open_repository(store), content(7))
    pack(store, replace(COLD, now=SOON))
    assert_contents(store, range(1, 8))
    forget(store, last=2)
    assert_contents(store, (2, 3, 6, 7))
    findings, _ = run_check(store, read_data=True)
    assert [f for f in findings if f.severity is Severity.ERROR] == []
    assert len(pack_keys(store)) >= 1
    repository.close()


def test_what_a_bucket_locks_stays_plain(lockable: S3Store) -> None:
    """The server itself says until when; the rest is packed, and the rest is let go of."""
    store = lockable
    repository = open_repository(store)
    fill(repository, 3, key=OTHER)
    data_key = repository.layout.data_key(Area.WORKSPACE, OTHER)
    until = RetainUntil(moment=datetime.now(UTC) + timedelta(days=2), mode=LockMode.GOVERNANCE)
    repository.close()
    locked = store.put(
        data_key,
        content(4),
        mode=Overwrite(),
        metadata={"nbvc-write-id": "locked"},
        content_type="application/json",
        retain_until=until,
    )
    save(open_repository(store), content(5), key=OTHER)
    rules = replace(COLD, now=datetime.now(UTC) + timedelta(hours=1))
    work = open_repository(store).pack([OTHER], rules, act(now=rules.now), apply=True)
    assert [(report.versions, report.locked) for report in work] == [(3, 1)]
    assert locked.version_id in plain_ids(store, OTHER)
    assert_contents(store, range(1, 6), OTHER)
