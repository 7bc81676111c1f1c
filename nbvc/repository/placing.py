"""Put an object of an index back into its place, so that every reader finds it there."""

from __future__ import annotations

from contextlib import nullcontext, suppress

from nbvc.errors import AccessDenied, PreconditionFailed
from nbvc.manifest.layout import damaged_key
from nbvc.model import Digest, WriteId
from nbvc.repository.backend import Backend
from nbvc.repository.index_objects import read
from nbvc.repository.sequence import CONTENT_TYPE
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import WRITE_ID, Create, Overwrite, VersionEntry


def put_in_place(backend: Backend, key: str, data: bytes, write_id: WriteId) -> bool:
    """Make *data* what every reader finds under *key*; return whether that took anything.

    Durable when this returns, and idempotent. What lay there instead is kept as it is beside it,
    under ``d/``, and removed from *key*: on a store without conditional writes readers would still
    take it for the entry. What cannot be read is not removed, for it may be damaged on the way
    only. A reader meets the old bytes or *data*, nothing between.

    Args:
        backend: The store to write to.
        key: Of a record or a state.
        data: What must be there.
        write_id: Random token of this write, to tell a repeat of it.

    Raises:
        AccessDenied: The credential may not write there, or, on such a store, not delete.
        PreconditionFailed: Somebody else has put something there meanwhile.
    """
    listed = list(entries_of(backend.store, key))
    contents = [read(backend, entry) for entry in listed if not entry.is_delete_marker]
    wrong = [content for content in contents if content.data != data]
    newest_counts = backend.capabilities.conditional_create
    if not newest_counts and any(content.data is None for content in wrong):
        return False
    is_there = bool(listed) and not listed[0].is_delete_marker
    is_mended = is_there and contents[0].data == data
    if not is_mended:
        # A policy may allow nothing under the index but to create; then what is missing comes back.
        backend.store.put(
            key,
            data,
            mode=Create() if newest_counts and not is_there else Overwrite(),
            metadata={WRITE_ID: write_id},
            content_type=CONTENT_TYPE,
        )
    # Where the newest version counts, a rule that forbids to delete does no harm.
    with suppress(AccessDenied) if newest_counts else nullcontext():
        for content in wrong:
            if content.data is not None:
                _keep(backend, content.entry, content.data, write_id)
                backend.store.delete_version(key, content.entry.version_id)
                is_mended = False
    return not is_mended


def _keep(backend: Backend, entry: VersionEntry, data: bytes, write_id: WriteId) -> None:
    """Keep what is about to be removed, under a name that says what it is."""
    with suppress(PreconditionFailed):  # it is kept already
        backend.store.put(
            damaged_key(entry.key, Digest.of(data)),
            data,
            mode=Create() if backend.capabilities.conditional_create else Overwrite(),
            metadata={WRITE_ID: write_id},
            content_type="application/octet-stream",
        )
