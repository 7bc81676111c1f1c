"""Put an object of an index back into its place, so that every reader finds it there."""

from __future__ import annotations

from contextlib import nullcontext, suppress

from nbvc.errors import AccessDenied, PreconditionFailed
from nbvc.manifest.layout import damaged_key
from nbvc.model import Digest, WriteId
from nbvc.repository.backend import Backend
from nbvc.repository.index_objects import Content, read
from nbvc.repository.sequence import CONTENT_TYPE
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import WRITE_ID, Create, Overwrite


def put_in_place(backend: Backend, key: str, data: bytes, write_id: WriteId) -> bool:
    """Make *data* what every reader finds under *key*; return whether that took anything.

    Durable when this returns, and idempotent. What lay there instead is kept as it is beside it,
    under ``d/``, and removed from *key*: on a store without conditional writes readers would still
    take it for the entry. A reader meets the old bytes or *data*, nothing between.

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
    is_there = bool(listed) and not listed[0].is_delete_marker
    if is_there and not wrong:
        return False
    if not is_there or contents[0].data != data:
        # A policy may allow nothing under the index but to create; then what is missing comes back.
        creates = not is_there and backend.capabilities.conditional_create
        backend.store.put(
            key,
            data,
            mode=Create() if creates else Overwrite(),
            metadata={WRITE_ID: write_id},
            content_type=CONTENT_TYPE,
        )
    # Where the newest version counts, a rule that forbids to delete does no harm.
    spares = backend.capabilities.conditional_create
    with suppress(AccessDenied) if spares else nullcontext():
        for content in wrong:
            _keep(backend, content, write_id)
            backend.store.delete_version(key, content.entry.version_id)
    return True


def _keep(backend: Backend, content: Content, write_id: WriteId) -> None:
    """Keep what is about to be removed, under a name that says what it is."""
    if not content.data:
        return
    with suppress(PreconditionFailed):  # it is kept already
        backend.store.put(
            damaged_key(content.entry.key, Digest.of(content.data)),
            content.data,
            mode=Create() if backend.capabilities.conditional_create else Overwrite(),
            metadata={WRITE_ID: write_id},
            content_type="application/octet-stream",
        )
