"""What a plain read of a notebook's own key gives: the object that is on top there.

That need not be the version with the newest number. One that was stored earlier may have got its
number later, from a repair or because two published at once; readers and other tools go by the
object all the same. So whatever moves, packs or deletes versions leaves it what it was, and where
other versions have to be written upon it, a copy of it goes on top again.
"""

from __future__ import annotations

from nbvc.errors import IntegrityError, VersionNotFound
from nbvc.manifest.metadata import AGAIN, NUMBER, from_metadata
from nbvc.model import VersionId
from nbvc.repository.backend import Backend
from nbvc.repository.repeats import adoption_id
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import WRITE_ID, Key


def find_current(backend: Backend, data_key: Key) -> VersionId | None:
    """Return the version that is current under *data_key*, ``None`` where there is none, or hidden.

    Of a copy that was put on top again, that is the version that it is a copy of. What an unpacking
    has written, and was cut off before it came to that copy, is passed over. 2 requests.
    """
    for entry in entries_of(backend.store, data_key):
        if entry.is_delete_marker:
            return None
        try:
            said = from_metadata(backend.store.head(data_key, entry.version_id).metadata)
        except VersionNotFound:
            continue
        except IntegrityError:  # damaged, and so it is no copy that anybody could rely on
            return entry.version_id
        if said.again is not None or said.number is None:
            return said.again or entry.version_id
    return None


def put_on_top(
    backend: Backend, data_key: Key, version_id: VersionId, *, number: int | None = None
) -> None:
    """Write a version once more, so that it is current again. 2 requests, and no bytes travel.

    The copy says what it is, so it is no version of its own. A copy of a copy names the original.

    Args:
        backend: The store to write to.
        data_key: The key of the notebook.
        version_id: The version.
        number: Its number, for who knows that nobody saves there meanwhile: by that its record is
            found however many came after it.
    """
    head = backend.store.head(data_key, version_id)
    said = from_metadata(head.metadata)
    metadata = {name: text for name, text in head.metadata.items() if name != NUMBER}
    metadata[WRITE_ID] = said.write_id or adoption_id(version_id)
    metadata[AGAIN] = said.again or version_id
    if number is not None:
        metadata[NUMBER] = str(number)
    backend.store.copy(data_key, version_id, data_key, metadata=metadata)
