"""Sequences in a store: entries that are claimed by creating them, and never change.

An entry is an object whose key is its number. Whoever creates ``n+1`` owns it. Where the store has
no conditional writes, several may write the same key, and the oldest version of it is the winner:
the losers remove theirs and claim the next number (design note 0002).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from nbvc.errors import AccessDenied, IntegrityError, PreconditionFailed, VersionNotFound
from nbvc.manifest.layout import entry_key, entry_number
from nbvc.model import MAX_NUMBER, VersionId, WriteId
from nbvc.repository.backend import Backend
from nbvc.stores.base import WRITE_ID, Create, Overwrite, VersionEntry
from nbvc.values import dataclass

CONTENT_TYPE = "application/json"
MAX_CLAIMS = 200
_FOREIGN_KEYS_TOLERATED = 4

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest entry of a sequence, as it is listed.

    Attributes:
        number: Its number.
        etag: Its ETag, which tells whether a kept copy of it is still the same.
        modified_at: When it was claimed, by the store's clock.
    """

    number: int
    etag: str
    modified_at: datetime


def newest_entry(backend: Backend, prefix: str) -> Newest | None:
    """Return the newest entry claimed under *prefix*, or ``None``. 1 request."""
    for entry in backend.store.list_keys(prefix, limit=_FOREIGN_KEYS_TOLERATED):
        number = entry_number(prefix, entry.key)
        if number is not None:
            return Newest(number=number, etag=entry.etag, modified_at=entry.modified_at)
    return None


def newest_number(backend: Backend, prefix: str) -> int | None:
    """Return the newest number claimed under *prefix*, or ``None``. 1 request."""
    newest = newest_entry(backend, prefix)
    return None if newest is None else newest.number


def read_entry(
    backend: Backend,
    prefix: str,
    number: int,
    decode: Callable[[bytes], _T],
    *,
    etag: str | None = None,
    fresh: bool = False,
) -> _T | None:
    """Return entry *number* as *decode* reads it, or ``None`` where nobody has claimed it.

    1 request, none when cached; 2 on a store without conditional writes. What the cache has and
    *decode* refuses is asked for, and what the store has is read a second time before it counts as
    damaged; only what can be decoded is kept.

    Args:
        backend: The store to read.
        prefix: Of the sequence.
        number: Of the entry.
        decode: Turns its bytes into a value.
        etag: Its ETag, where it was listed: what is kept under another one is asked for again. An
            entry never changes, but an index that was lost may have been made anew.
        fresh: Read past the cache.

    Raises:
        IntegrityError: As *decode* says.
    """
    if number > MAX_NUMBER:
        return None
    key = entry_key(prefix, number)
    is_good = not fresh and (etag is None or backend.kept(_etag_name(key)) == etag.encode())
    kept = backend.kept(key) if is_good else None
    if kept is not None:
        with suppress(IntegrityError):
            return decode(kept)
    data = _fetch(backend, key)
    if data is None:
        return None
    try:
        value = decode(data)
    except IntegrityError:
        data = _fetch(backend, key) or data
        value = decode(data)
    backend.keep(key, data)
    if etag is not None:
        backend.keep(_etag_name(key), etag.encode())
    return value


def _etag_name(key: str) -> str:
    return f"{key}#etag"


def claim(backend: Backend, prefix: str, number: int, data: bytes, write_id: WriteId) -> bool:
    """Try to become the owner of entry *number* with *data*.

    Atomic and durable: of any number of writers exactly one gets True, and the others' bytes are
    never read as the entry. 1 request; 2 without conditional writes, and 1 more for a loser.

    Raises:
        IntegrityError: There is no such number: the newest one is the last of all, so forged.
    """
    if number > MAX_NUMBER:
        raise IntegrityError(f"No number is left below {prefix}: the newest one was forged.")
    key = entry_key(prefix, number)
    conditional = backend.capabilities.conditional_create
    try:
        stored = backend.store.put(
            key,
            data,
            # Some servers refuse a condition that they do not know, others ignore it.
            mode=Create() if conditional else Overwrite(),
            metadata={WRITE_ID: write_id},
            content_type=CONTENT_TYPE,
        )
    except PreconditionFailed:
        return False
    if conditional:
        return True
    winner = _oldest(backend, key)
    if winner is not None and winner.version_id == stored.version_id:
        return True
    with suppress(AccessDenied):  # a rule of the bucket may forbid it; nobody reads what is newer
        backend.store.delete_version(key, stored.version_id)
    return False


def back_off(backend: Backend, attempt: int) -> None:
    """Wait a random while after losing a number, longer the more often it was lost."""
    if attempt > 1:
        backend.sleep(backend.jitter() * min(0.01 * 2**attempt, 0.5))


def _fetch(backend: Backend, key: str) -> bytes | None:
    version_id: VersionId | None = None
    if not backend.capabilities.conditional_create:
        winner = _oldest(backend, key)
        if winner is None:
            return None
        version_id = winner.version_id
    try:
        return bytes(backend.store.get(key, version_id).data)
    except VersionNotFound:
        return None


def _oldest(backend: Backend, key: str) -> VersionEntry | None:
    oldest = None
    for entry in backend.store.list_versions(key):
        if entry.key != key:
            break
        if not entry.is_delete_marker:
            oldest = entry
    return oldest
