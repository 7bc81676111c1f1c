"""Read the bytes of a version, verified."""

from __future__ import annotations

from nbvc.errors import IntegrityError, VersionNotFound
from nbvc.model import Data, Digest, Version
from nbvc.repository.backend import Backend
from nbvc.repository.resolving import no_bytes


def read(backend: Backend, version: Version) -> Data:
    """Return the exact bytes of *version*; large ones stay on disk. 1 request; none when cached.

    Raises:
        IntegrityError: The bytes are not the ones that were recorded, at the second try either.
        VersionNotFound: The store does not have them any more.
    """
    digest = version.digest
    cached = backend.cache.get(f"blobs/{digest}") if digest is not None else None
    if cached is not None and Digest.of(cached) == digest:
        return cached
    data_key = backend.layout.data_key(version.area, version.key)
    for _ in range(2):
        try:
            data = backend.store.get(data_key, version.version_id).data
        except VersionNotFound as error:
            raise no_bytes(backend, version) from error
        actual = Digest.of(data)
        if digest is None or actual == digest:
            backend.cache.put(f"blobs/{actual}", data)
            return data
    raise IntegrityError(
        f"{version.name} of {version.key} is damaged in the store: "
        f"its digest is {actual.short}, recorded was {version.digest}.",
        hint="Other versions are not affected: nbvc log lists them.",
    )
