"""Mend ``store.json``, the file in which a store describes itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from nbvc.errors import IntegrityError, StoreMisconfigured
from nbvc.manifest.layout import STORE_FILE
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.index_objects import read
from nbvc.repository.mendings import Mending, MendingKind, Step
from nbvc.repository.sequence import CONTENT_TYPE
from nbvc.repository.settings import StoreSettings, decode, encode, probe
from nbvc.repository.settings_check import check_settings
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import WRITE_ID, Overwrite


class SettingsRepair:
    """Writes the file again: an older version of it, or what is known of the store.

    Args:
        backend: The store.
        act: Who repairs.
    """

    def __init__(self, backend: Backend, act: Act) -> None:
        self._backend = backend
        self._act = act
        self._faults = list(check_settings(backend))

    def steps(self) -> Iterator[Step]:
        """Yield what is to be done.

        Raises:
            StoreMisconfigured: A newer release of nbvc wrote the file.
        """
        if not self._faults:
            return
        if self._faults[0].kind is Kind.NEWER_FORMAT:
            raise StoreMisconfigured(
                self._faults[0].message, hint="Upgrade nbvc: pip install --upgrade nbvc"
            )
        older = self._older_version()
        if older is not None:
            message, run = "is put back as it was.", lambda: self._put(older)
        elif self._backend.store_id is not None:
            message = "is written again, as it is remembered on this machine."
            run = lambda: self._put(encode(self._remembered()))  # noqa: E731
        else:
            message = "is written anew: what the store can do is found out by trying."
            run = self._try_anew
        yield Step(
            mendings=(
                Mending(
                    kind=MendingKind.RESTORED_SETTINGS,
                    message=f"The file {STORE_FILE} of the store {message}",
                    object_key=STORE_FILE,
                ),
            ),
            run=run,
        )

    def remaining(self) -> list[Finding]:
        """Return what is wrong with the file now."""
        return list(check_settings(self._backend))

    def _older_version(self) -> bytes | None:
        for entry in entries_of(self._backend.store, STORE_FILE):
            data = None if entry.is_delete_marker else read(self._backend, entry).data
            if data is None:
                continue
            with suppress(IntegrityError, StoreMisconfigured):
                if self._backend.store_id in {None, decode(data).store_id}:
                    return data
        return None

    def _remembered(self) -> StoreSettings:
        backend = self._backend
        return StoreSettings(
            store_id=backend.store_id or self._act.write_id,
            capabilities=backend.capabilities,
            layout=backend.layout,
            created_at=self._act.now,
            lock=backend.lock,
        )

    def _try_anew(self) -> bool:
        capabilities = probe(self._backend.store, self._act.write_id)
        settings = StoreSettings(
            store_id=self._act.write_id,
            capabilities=capabilities,
            layout=self._backend.layout,
            created_at=self._act.now,
        )
        return self._put(encode(settings))

    def _put(self, data: bytes) -> bool:
        self._backend.store.put(
            STORE_FILE,
            data,
            mode=Overwrite(),
            metadata={WRITE_ID: self._act.write_id},
            content_type=CONTENT_TYPE,
        )
        return True
