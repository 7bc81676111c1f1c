"""Find out whether a write whose reply was lost has landed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbvc.errors import VersionNotFound
from nbvc.stores.base import WRITE_ID, Stored

if TYPE_CHECKING:
    from collections.abc import Container

    from nbvc.model import VersionId
    from nbvc.stores.base import Key, Store

LOOK_LIMIT = 20
"""Entries of a key that are looked at, newest first: what other writers can have added to one
notebook between a write and the look that follows it at once."""


def find_write(
    store: Store,
    key: Key,
    write_id: str,
    *,
    limit: int = LOOK_LIMIT,
    known: Container[VersionId] = (),
    until: VersionId | None = None,
) -> Stored | None:
    """Return the receipt of the write with *write_id* to *key*, or ``None`` if it is not there.

    One listing, and one HEAD for each version up to the right one. A version without a version ID
    never counts, for it is not kept.

    Args:
        store: Where it may have landed.
        key: What was written to.
        write_id: The token of the write.
        limit: How many of the newest entries are looked at.
        known: Versions of other writes, which need not be asked.
        until: A version that is older than the write can be, where the look ends.

    Raises:
        NbvcError: It could not look; nothing is known.
    """
    for entry in store.list_versions(key, limit=limit):
        if entry.key != key or entry.version_id == until:
            break
        if entry.is_delete_marker or entry.version_id == "null" or entry.version_id in known:
            continue
        try:
            head = store.head(key, entry.version_id)
        except VersionNotFound:  # removed since it was listed
            continue
        if head.metadata.get(WRITE_ID) == write_id:
            return Stored(version_id=entry.version_id, etag=head.etag)
    return None
