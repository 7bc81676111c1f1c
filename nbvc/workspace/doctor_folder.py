"""What the doctor looks at in an embedded store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from nbvc.errors import IntegrityError, NbvcError
from nbvc.repository.settings import read_settings
from nbvc.stores.local import LocalStore
from nbvc.stores.opening import parse_folder
from nbvc.text import typed
from nbvc.workspace.core import EMBEDDED_FOLDER
from nbvc.workspace.diagnosis import Check, Diagnosis, unknown, warning
from nbvc.workspace.doctor_here import with_room
from nbvc.workspace.doctor_trial import Trial
from nbvc.workspace.mounts import is_network
from nbvc.workspace.settings import CONTROL_FOLDER

if TYPE_CHECKING:
    from nbvc.workspace.session import Session


class FolderDoctor:
    """Looks at one embedded store.

    Args:
        session: Settings and surroundings.
        url: URL of the store.

    Raises:
        InvalidInput: It is none.
    """

    def __init__(self, session: Session, url: str) -> None:
        self._session = session
        self._url = url
        self._folder = parse_folder(url)

    def checks(self) -> Iterator[Check]:
        """Yield the checks in their order."""
        yield "embedded-store", self._embedded_store
        yield "round-trip", self._round_trip

    def _embedded_store(self) -> Diagnosis:
        """Return whether the index is sound, and where the folder is.

        Raises:
            StoreNotFound: There is no store.
            IntegrityError: Its index is damaged.
        """
        with closing(LocalStore(self._folder)) as store:
            damage = store.find_damage()
            prepared = read_settings(store) is not None
        if damage is not None:
            raise IntegrityError(
                f"The index of the store in {self._folder} is damaged: {damage}.",
                hint=f"Keep a copy of {self._folder} as it is, then bring it back from a backup.",
            )
        network = is_network(self._folder)
        if network is not None:
            return warning(
                f"{self._folder} is on a network file system ({network}), where SQLite may lose "
                "what several machines write.",
                "Move to a local disk or a bucket: nbvc migrate URL.",
            )
        if not prepared:
            return warning(f"{self._folder} was never prepared.", self._init())
        return with_room(self._folder, f"The index in {self._folder} is sound")

    def _init(self) -> str:
        """Return what prepares the store; a workspace's own one is not named by its URL."""
        workspace = self._session.folder
        own = workspace is not None and self._folder == workspace / CONTROL_FOLDER / EMBEDDED_FOLDER
        return "nbvc init" if own else f"nbvc init {typed(self._url)}"

    def _round_trip(self) -> Diagnosis:
        try:
            with closing(LocalStore(self._folder)) as store:
                trial = Trial(store, read_settings(store), self._session.environment)
                return trial.round_trip()
        except NbvcError as error:
            return unknown("Not tried: the store cannot be opened.", error.hint)
