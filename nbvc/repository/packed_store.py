"""A store in which packed versions can be read as if they were plain.

It asks packs only where the store below does not have a version, so that who never packs anything
pays nothing. Listings stay as they are: they name plain versions only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from nbvc.errors import VersionNotFound
from nbvc.model import Area, Data, NotebookKey, VersionId
from nbvc.repository.backend import Backend
from nbvc.stores.base import (
    NOTEBOOK_TYPE,
    Blob,
    Capabilities,
    Head,
    Key,
    KeyEntry,
    Metadata,
    Overwrite,
    PutMode,
    RetainUntil,
    Store,
    Stored,
    VersionEntry,
)

if TYPE_CHECKING:
    from nbvc.manifest.states import State
    from nbvc.repository.packs import Located, Packs

_T = TypeVar("_T")


class PackedStore:
    """Fulfils :class:`nbvc.stores.base.Store`.

    Args:
        backend: The store without packs, its layout and cache.
    """

    def __init__(self, backend: Backend) -> None:
        self._inner: Store = backend.store
        self._layout = backend.layout
        self._backend = backend
        self._has_met_packs = False

    @cached_property
    def packs(self) -> Packs:
        """What reads packs; not needed by most commands."""
        from nbvc.repository.packs import Packs

        self._has_met_packs = True
        return Packs(self._backend)

    @property
    def url(self) -> str:
        """URL of the store."""
        return self._inner.url

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return self._inner.capabilities

    def put(
        self,
        key: Key,
        data: Data,
        *,
        mode: PutMode,
        metadata: Metadata,
        content_type: str,
        retain_until: RetainUntil | None = None,
    ) -> Stored:
        """Write a version; see the protocol."""
        # A store without locks need not know of them.
        lock = {} if retain_until is None else {"retain_until": retain_until}
        return self._inner.put(
            key, data, mode=mode, metadata=metadata, content_type=content_type, **lock
        )

    def get(self, key: Key, version_id: VersionId | None = None) -> Blob:
        """Read one version, packed or not; see the protocol."""
        return self._asked(key, version_id, self._inner.get, lambda packs, found: packs.read(found))

    def head(self, key: Key, version_id: VersionId | None = None) -> Head:
        """Read what is known about one version, packed or not; see the protocol."""
        return self._asked(
            key, version_id, self._inner.head, lambda packs, found: packs.head(found)
        )

    def get_range(self, key: Key, version_id: VersionId | None, start: int, stop: int) -> bytes:
        """Read a part of a plain version; see the protocol."""
        return self._inner.get_range(key, version_id, start, stop)

    def copy(
        self, source: Key, source_version: VersionId, target: Key, *, metadata: Metadata
    ) -> Stored:
        """Write the bytes of one version under *target*; those of a packed one are uploaded."""
        try:
            return self._inner.copy(source, source_version, target, metadata=metadata)
        except VersionNotFound:
            located = self._find(source, source_version)
            if located is None:
                raise
        return self._inner.put(
            target,
            self.packs.read(located).data,
            mode=Overwrite(),
            metadata=metadata,
            content_type=NOTEBOOK_TYPE,
        )

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """Yield the current objects; see the protocol."""
        return self._inner.list_keys(prefix, start_after=start_after, limit=limit)

    def list_versions(self, prefix: str, *, limit: int | None = None) -> Iterator[VersionEntry]:
        """Yield plain versions and delete markers; see the protocol."""
        return self._inner.list_versions(prefix, limit=limit)

    def delete(self, key: Key) -> VersionId:
        """Hide *key* behind a delete marker; see the protocol."""
        return self._inner.delete(key)

    def delete_version(self, key: Key, version_id: VersionId) -> None:
        """Remove one plain version, or one delete marker, for good; see the protocol."""
        self._inner.delete_version(key, version_id)

    def locate(self, key: Key, version_id: VersionId | None = None) -> str:
        """Return the URL of a version, as it is or was while it is plain."""
        return self._inner.locate(key, version_id)

    def close(self) -> None:
        """Let go of connections and files."""
        self._inner.close()

    def _asked(
        self,
        key: Key,
        version_id: VersionId | None,
        plain: Callable[[Key, VersionId | None], _T],
        packed: Callable[[Packs, Located], _T],
    ) -> _T:
        known = self._known(key, version_id)
        if known is not None:
            try:
                return packed(self.packs, known)
            except VersionNotFound:
                pass  # packed anew, or made plain again, since
        try:
            return plain(key, version_id)
        except VersionNotFound:
            located = self._find(key, version_id)
            if located is None:
                raise
            return packed(self.packs, located)

    def _known(self, key: Key, version_id: VersionId | None) -> Located | None:
        name = self._notebook(key) if self._has_met_packs and version_id is not None else None
        return self.packs.known(*name, version_id) if name and version_id else None

    def _find(self, key: Key, version_id: VersionId | None) -> Located | None:
        name = self._notebook(key) if version_id is not None else None
        return self.packs.find(*name, version_id) if name and version_id else None

    def _notebook(self, key: Key) -> tuple[Area, NotebookKey] | None:
        for area in Area:
            found = self._layout.notebook_key(area, key)
            if found is not None:
                return area, found
        return None


def packs_of(backend: Backend) -> Packs:
    """Return what reads the packs of a store, with all that it has met so far."""
    from nbvc.repository.packs import Packs

    return backend.store.packs if isinstance(backend.store, PackedStore) else Packs(backend)


def known_otherwise(
    backend: Backend, area: Area, key: NotebookKey, state: State | None
) -> frozenset[VersionId]:
    """Return the IDs of versions that were packed, are plain again, and are known by older IDs.

    No request, unless there are such.

    Raises:
        IntegrityError: The table that names them is damaged.
    """
    if state is None or not state.packs:
        return frozenset()
    return frozenset(again for _, again in packs_of(backend).plain_again(area, key, state))
