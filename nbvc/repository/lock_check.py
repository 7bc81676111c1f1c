"""Check that what a store promises to lock is locked: the newest version of each notebook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from nbvc.errors import VersionNotFound
from nbvc.model import Area
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination
from nbvc.repository.findings import Finding, Kind


def unlocked(backend: Backend, examination: Examination, now: datetime) -> Iterator[Finding]:
    """Yield a note if the newest version can be deleted, though its lock should still hold.

    1 request, where the store is set to lock versions; none otherwise, and none for a version that
    is older than locks last.
    """
    lock = backend.lock
    if lock is None or examination.area is not Area.WORKSPACE or not examination.listed:
        return
    newest = examination.listed[0]
    if newest.modified_at + timedelta(days=lock.days) <= now:
        return
    try:
        head = backend.store.head(newest.key, newest.version_id)
    except VersionNotFound:
        return
    if head.is_locked(now):
        return
    record = next(
        (r for r in examination.records.records.values() if r.version_id == newest.version_id), None
    )
    yield Finding(
        kind=Kind.NOT_LOCKED,
        message=f"The newest version of {examination.key} is not locked, or you may not see its "
        "lock (s3:GetObjectRetention).",
        area=examination.area,
        key=examination.key,
        number=record.number if record is not None else None,
        version_id=newest.version_id,
        object_key=newest.key,
    )
