"""``.nbvc/store.json``: what a store says of itself, and how it is found out."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import field, replace
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from nbvc.errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    PreconditionFailed,
    StoreMisconfigured,
    VersioningOff,
    VersionNotFound,
)
from nbvc.manifest.layout import SCRATCH_PREFIX, STORE_FILE, Layout
from nbvc.manifest.members import flag, integer, malformed, text
from nbvc.manifest.sealing import FORMAT, MALFORMED, format_time, parse_time, seal, unseal
from nbvc.repository.lock import Lock
from nbvc.stores.base import (
    WRITE_ID,
    Capabilities,
    Create,
    LockMode,
    Overwrite,
    PutMode,
    Replace,
    Store,
    Stored,
)
from nbvc.values import dataclass

if TYPE_CHECKING:
    from nbvc.model import VersionId

_JSON = "application/json"
_MAX_CHANGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """What ``store.json`` holds.

    Attributes:
        store_id: Random identity of the store.
        capabilities: What the store was found to do, by trying.
        layout: Prefixes of the areas.
        created_at: When the store was prepared.
        lock: How versions are locked that are saved from now on; ``None``: not at all.
        extra: Fields that this release does not know.
    """

    store_id: str
    capabilities: Capabilities
    layout: Layout = field(default_factory=Layout)
    created_at: datetime
    lock: Lock | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def encode(settings: StoreSettings) -> bytes:
    """Return the bytes of ``store.json``."""
    lock = settings.lock
    return seal(
        {
            **settings.extra,
            **({"lock": {"days": lock.days, "mode": lock.mode.value}} if lock else {}),
            "format": FORMAT,
            "store_id": settings.store_id,
            "capabilities": {
                "conditional_create": settings.capabilities.conditional_create,
                "conditional_replace": settings.capabilities.conditional_replace,
            },
            "areas": {
                "workspace": settings.layout.workspace,
                "published": settings.layout.published,
            },
            "created_at": format_time(settings.created_at),
        }
    )


def decode(data: bytes) -> StoreSettings:
    """Return the settings in *data*.

    Raises:
        IntegrityError: They are damaged.
        StoreMisconfigured: A newer release of nbvc wrote them.
    """
    what = f"file {STORE_FILE} of the store"
    document = unseal(data, what=what)
    document.pop("format")
    try:
        capabilities, areas = document.pop("capabilities"), document.pop("areas")
        return StoreSettings(
            store_id=text(document.pop("store_id")),
            capabilities=Capabilities(
                conditional_create=flag(capabilities["conditional_create"]),
                conditional_replace=flag(capabilities["conditional_replace"]),
            ),
            layout=Layout(workspace=text(areas["workspace"]), published=text(areas["published"])),
            created_at=parse_time(document.pop("created_at")),
            lock=_lock(document.pop("lock", None)),
            extra=document,
        )
    except (*MALFORMED, InvalidInput) as error:
        raise malformed(what, "store's settings file", error) from error


def _lock(document: dict[str, Any] | None) -> Lock | None:
    if document is None:
        return None
    return Lock(days=integer(document["days"]), mode=LockMode(document["mode"]))


def read_settings(store: Store) -> StoreSettings | None:
    """Return what the store says of itself, or ``None`` for an unprepared one. 1 request."""
    try:
        return decode(bytes(store.get(STORE_FILE).data))
    except VersionNotFound:
        return None


def prepare(
    store: Store,
    *,
    token: str,
    now: datetime,
    layout: Layout | None = None,
    capabilities: Capabilities | None = None,
) -> StoreSettings:
    """Find out what the store does, and write ``store.json``, unless it has one.

    Idempotent; of two at once, the first one's settings hold. Without conditional writes, the
    first is the one whose file is the oldest, and the other takes its own away.

    Args:
        store: The store.
        token: Random text, for the identity of the store and for scratch keys.
        now: The present time.
        layout: Prefixes of the areas, for a new store.
        capabilities: Known ones, for a store that need not be tried.

    Raises:
        VersioningOff: The store keeps no versions.
        StoreMisconfigured: It answers otherwise than a versioned store must.
    """
    present = read_settings(store)
    if present is not None:
        return present
    settings = StoreSettings(
        store_id=token,
        capabilities=capabilities or probe(store, token),
        layout=layout or Layout(),
        created_at=now,
    )
    mode = Create() if settings.capabilities.conditional_create else Overwrite()
    try:
        stored = store.put(
            STORE_FILE,
            encode(settings),
            mode=mode,
            metadata={WRITE_ID: token},
            content_type=_JSON,
        )
    except PreconditionFailed:
        return read_settings(store) or settings
    if settings.capabilities.conditional_create or stored.version_id == _first_written(store):
        return settings
    store.delete_version(STORE_FILE, stored.version_id)
    return read_settings(store) or settings


def _first_written(store: Store) -> VersionId | None:
    """Return the oldest version of ``store.json`` since it was deleted last, if ever it was."""
    entries = takewhile(lambda entry: entry.key == STORE_FILE, store.list_versions(STORE_FILE))
    versions = takewhile(lambda entry: not entry.is_delete_marker, entries)
    oldest = deque(versions, maxlen=1)
    return oldest[0].version_id if oldest else None


def set_lock(store: Store, lock: Lock, *, token: str) -> StoreSettings:
    """Lock the versions that are saved from now on; return what ``store.json`` says then.

    A new version of ``store.json``; of two who change it at once, both changes hold where the store
    has conditional writes. Idempotent. Who has read it already goes on by what it said, for a day
    at most. Versions that are stored keep the lock that they have.

    Args:
        store: A prepared one, whose versions can be locked.
        lock: For how long.
        token: Random text, to tell a repeat of this write.

    Raises:
        VersionNotFound: Nobody ran ``nbvc init`` on it.
        Conflict: Others change it all the time.
    """
    for _ in range(_MAX_CHANGES):
        blob = store.get(STORE_FILE)
        present = decode(bytes(blob.data))
        if present.lock == lock:
            return present
        changed = replace(present, lock=lock)
        conditional = present.capabilities.conditional_replace
        try:
            store.put(
                STORE_FILE,
                encode(changed),
                mode=Replace(blob.etag) if conditional else Overwrite(),
                metadata={WRITE_ID: token},
                content_type=_JSON,
            )
        except PreconditionFailed:
            continue
        return changed
    raise Conflict(f"Others change the settings of {store.url} all the time.")


def probe(store: Store, token: str) -> Capabilities:
    """Find out by trying whether the store keeps versions and honours conditions.

    Writes a few objects under ``.nbvc/scratch/`` and removes them again. A reply of success proves
    nothing: some gateways ignore a condition and say that all is well.

    Raises:
        VersioningOff: The store keeps no versions.
    """
    key = f"{SCRATCH_PREFIX}{token}"
    written: list[Stored] = []

    def attempt(data: bytes, mode: PutMode) -> bool:
        try:
            written.append(
                store.put(key, data, mode=mode, metadata={WRITE_ID: token}, content_type=_JSON)
            )
        except (PreconditionFailed, StoreMisconfigured):
            return False
        return True

    try:
        attempt(b"1", Overwrite())
        attempt(b"2", Overwrite())
        _check_versions(store, key, written)
        create = not attempt(b"3", Create())
        current = written[-1].etag
        replace = attempt(b"4", Replace(current)) and not attempt(b"5", Replace(current))
        return Capabilities(
            conditional_create=create and _creates(store, f"{key}-new", token),
            conditional_replace=replace,
        )
    finally:
        for stored in written:
            with contextlib.suppress(AccessDenied):  # scratch may stay where deleting is forbidden
                store.delete_version(key, stored.version_id)


def _creates(store: Store, key: str, token: str) -> bool:
    """Return whether a conditional write succeeds where nothing is in the way."""
    try:
        stored = store.put(key, b"1", mode=Create(), metadata={WRITE_ID: token}, content_type=_JSON)
    except (PreconditionFailed, StoreMisconfigured):
        return False
    with contextlib.suppress(AccessDenied):
        store.delete_version(key, stored.version_id)
    return True


def _check_versions(store: Store, key: str, written: list[Stored]) -> None:
    ids = [stored.version_id for stored in written]
    if len(set(ids)) == 2:
        try:
            if store.get(key, ids[0]).data == b"1" and store.get(key, ids[1]).data == b"2":
                return
        except VersionNotFound:
            pass
    raise VersioningOff(
        f"{store.url} does not keep the older versions of an object.",
        hint="Turn on versioning for the bucket, or use one that has it.",
    )
