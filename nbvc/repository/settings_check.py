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
    """Read ``store.json`` and yield what is wrong with it, at the second reading too. 1 request.

    A store without it is one that nbvc never prepared, which is no finding, unless it was known to
    be prepared.
    """
    fault = _fault(backend) and _fault(backend)
    if fault is not None:
        yield fault


def _fault(backend: Backend) -> Finding | None:
    data: bytes | None = None
    kind = Kind.DAMAGED_SETTINGS
    try:
        data = bytes(backend.store.get(STORE_FILE).data)
        settings = decode(data)
    except VersionNotFound:
        if backend.store_id is None:
            return None
        message = f"The file {STORE_FILE} of the store is missing."
    except StoreMisconfigured as error:
        kind, message = Kind.NEWER_FORMAT, error.message
    except IntegrityError as error:
        message = error.message
    else:
        if backend.store_id in {None, settings.store_id}:
            return None
        message = f"The file {STORE_FILE} is of another store than the one that is known here."
    return Finding(
        kind=kind,
        message=message,
        object_key=STORE_FILE,
        actual=Digest.of(data) if data is not None else None,
    )
