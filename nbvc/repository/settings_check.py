"""Check what a store says of itself."""

from __future__ import annotations

from collections.abc import Iterator

from nbvc.errors import IntegrityError, StoreMisconfigured, VersionNotFound
from nbvc.manifest.layout import STORE_FILE
from nbvc.model import Digest
from nbvc.repository.backend import Backend
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.settings import decode


def check_settings(backend: Backend) -> Iterator[Finding]:
    """Read ``store.json`` and yield what is wrong with it. 1 request.

    A store without it is one that nbvc never prepared, which is no finding, unless it was known to
    be prepared.
    """
    data: bytes | None = None
    try:
        data = backend.store.get(STORE_FILE).data
        settings = decode(data)
    except VersionNotFound:
        if backend.store_id is None:
            return
        message = f"The file {STORE_FILE} of the store is missing."
    except (IntegrityError, StoreMisconfigured) as error:
        message = error.message
    else:
        if backend.store_id in {None, settings.store_id}:
            return
        message = f"The file {STORE_FILE} is of another store than the one that is known here."
    yield Finding(
        kind=Kind.DAMAGED_SETTINGS,
        message=message,
        object_key=STORE_FILE,
        actual=Digest.of(data) if data is not None else None,
    )
