"""What the doctor finds out about a store by writing to it, below ``.nbvc/scratch/``."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property

from nbvc.environment import Environment
from nbvc.errors import AccessDenied, IntegrityError, NbvcError
from nbvc.manifest.layout import SCRATCH_PREFIX
from nbvc.repository.settings import StoreSettings, probe
from nbvc.stores.base import WRITE_ID, Capabilities, Overwrite, Store, Stored
from nbvc.values import dataclass
from nbvc.workspace.diagnosis import Diagnosis, unknown, warning, well

_DATA = bytes(range(256)) * 4
_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of trying what the store does.

    Attributes:
        capabilities: What it does; ``None`` where it could not be tried.
        error: Why it could not.
    """

    capabilities: Capabilities | None = None
    error: NbvcError | None = None


class Trial:
    """Writes to a store, and removes what it wrote.

    Args:
        store: The store.
        settings: What its ``store.json`` says; a store without is not written to.
        environment: Clock and random tokens.
    """

    def __init__(
        self, store: Store, settings: StoreSettings | None, environment: Environment
    ) -> None:
        self._store = store
        self._settings = settings
        self._environment = environment

    @cached_property
    def tried(self) -> Tried:
        """What the store does, tried once."""
        if self._settings is None:
            return Tried()
        try:
            return Tried(capabilities=probe(self._store, self._environment.new_write_id()))
        except NbvcError as error:
            return Tried(error=error)

    def conditional_writes(self) -> Diagnosis:
        """Return whether the store honours conditions now as it did when it was prepared."""
        tried, settings = self.tried, self._settings
        if settings is None:
            return _unprepared()
        if tried.capabilities is None:
            return _not_tried(tried.error)
        now, then = tried.capabilities, settings.capabilities
        if now == then:
            return well(f"As store.json says: {_describe(then)}.")
        found = f"Now: {_describe(now)}. store.json says: {_describe(then)}."
        if _lost(now.conditional_create, then.conditional_create) or _lost(
            now.conditional_replace, then.conditional_replace
        ):
            return warning(
                found,
                "Save from one place at a time, and look for a proxy in front of the store or a "
                "change of its server; then run nbvc doctor again.",
            )
        return warning(
            found, "Nothing need be done: nbvc goes on without, with a request more for each save."
        )

    def round_trip(self) -> Diagnosis:
        """Return whether bytes come back as they were written, and can be removed.

        Raises:
            IntegrityError: They do not.
        """
        if self._settings is None:
            return _unprepared()
        token, begun = self._environment.new_write_id(), self._environment.now()
        key = f"{SCRATCH_PREFIX}{token}"
        try:
            stored = self._store.put(
                key, _DATA, mode=Overwrite(), metadata={WRITE_ID: token}, content_type=_JSON
            )
        except AccessDenied as error:
            return _not_tried(error)
        refused = self._read_and_remove(key, stored)
        elapsed = self._environment.now() - begun
        seconds = f"{elapsed.total_seconds():.2f} seconds"
        found = f"{len(_DATA)} bytes were written and came back the same"
        if refused is not None:
            return well(
                f"{found}, in {seconds}. They may not be removed, and stay below {SCRATCH_PREFIX}."
            )
        return well(f"{found}; nothing of them is left. It took {seconds}.")

    def _read_and_remove(self, key: str, stored: Stored) -> AccessDenied | None:
        """Compare, and remove; return why it may not be removed."""
        refused: AccessDenied | None = None
        try:
            data = self._store.get(key, stored.version_id).data
        except BaseException:
            with suppress(NbvcError):
                self._store.delete_version(key, stored.version_id)
            raise
        try:
            self._store.delete_version(key, stored.version_id)
        except AccessDenied as error:
            refused = error
        if data != _DATA:
            raise IntegrityError(
                f"Of {len(_DATA)} bytes that were written, {len(data)} others came back.",
                hint="Save nothing there: a proxy or a gateway changes what it passes on.",
            )
        return refused


def _lost(now: bool, then: bool) -> bool:
    return then and not now


def _describe(capabilities: Capabilities) -> str:
    both = {
        (True, True): "both If-None-Match and If-Match are honoured",
        (True, False): "If-None-Match is honoured, If-Match is not",
        (False, True): "If-Match is honoured, If-None-Match is not",
        (
            False,
            False,
        ): "neither If-None-Match nor If-Match is honoured, and nbvc works around that",
    }
    return both[capabilities.conditional_create, capabilities.conditional_replace]


def _unprepared() -> Diagnosis:
    return unknown("Not tried: nbvc writes nothing to a store whose store.json it has not read.")


def _not_tried(error: NbvcError | None) -> Diagnosis:
    if isinstance(error, AccessDenied):
        return unknown(f"Not tried: you may not write below {SCRATCH_PREFIX}.", error.hint)
    return unknown("Not tried: the store could not be written to.", error.hint if error else None)
