"""The state of a run on this disk, until it is in the store: what a killed process leaves.

A folder holds what an outbox holds (:mod:`nbvc.workspace.outbox`): of each run under way its newest
state, as the version that it becomes if the run goes no further. A lock of the run's own says
whether it is alive; the system lets go of it when the process dies. ``.nbvc/runs`` of the
workspace, or ``runs`` beside the user's settings where there is none.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from nbvc.errors import NbvcError
from nbvc.model import Data, WriteId
from nbvc.repository import Act, Draft
from nbvc.workspace.files import explained, make_folder
from nbvc.workspace.outbox import Outbox, Waiting
from nbvc.workspace.owning import owner_of
from nbvc.workspace.settings import CONTROL_FOLDER

if TYPE_CHECKING:
    from nbvc.scheduling.places import Place

FOLDER = "runs"
_log = logging.getLogger("nbvc")


class Keeper:
    """What is kept of the runs in one place.

    Args:
        place: Where the runs save their results.
    """

    def __init__(self, place: Place) -> None:
        environment = place.session.environment
        folder = place.session.folder
        beside = environment.user_config_file.parent if folder is None else folder / CONTROL_FOLDER
        self._folder: Path = beside / FOLDER
        self._outbox = Outbox(self._folder, owner_of(environment))
        self._store = kept_store(place)

    def begin(self, write_id: WriteId) -> KeptRun:
        """Return a run that nobody else takes for a dead one, as long as this process lives.

        Where nothing can be kept, as for an account without a home, that is said, and it goes on.
        """
        try:
            make_folder(self._folder, private=True)
            lock = self._lock(write_id)
            with explained(self._folder):
                lock.acquire()
        except (NbvcError, NotImplementedError) as error:
            _log.warning("A run that is killed would leave nothing: %s", error)
            return UnkeptRun()
        return KeptRun(self._outbox, lock)

    def dead(self) -> list[tuple[KeptRun, Waiting]]:
        """Return the runs for this place whose process has died, each with its newest state.

        Only those that the present user began, and each is held by the caller from now on.
        """
        states: dict[WriteId, list[Waiting]] = {}
        for state in self._outbox.waiting(store=self._store):
            if state.own:
                states.setdefault(state.write_id, []).append(state)
        found: list[tuple[KeptRun, Waiting]] = []
        for write_id in states:
            lock = self._lock(write_id)
            try:
                lock.acquire(blocking=False)
            except (Timeout, OSError):
                continue
            # It may have come to its end before it was held here.
            left = [state for state in self._outbox.waiting() if state.write_id == write_id]
            run = KeptRun(self._outbox, lock, left)
            if left:
                found.append((run, left[-1]))
            else:
                run.drop()
        return found

    def _lock(self, write_id: WriteId) -> FileLock:
        return FileLock(self._folder / f"{write_id}.lock", thread_local=False)


class KeptRun:
    """One run, held by this process.

    Attributes:
        is_durable: Whether it survives the process.
    """

    is_durable = True

    def __init__(self, outbox: Outbox, lock: FileLock, states: list[Waiting] | None = None) -> None:
        self._outbox = outbox
        self._lock = lock
        self._states = states or []

    def put(self, state: Waiting, data: Data) -> None:
        """Keep *state* in place of what was kept before, durably."""
        added = self._outbox.add(state, data, sent=state.sent)
        before, self._states = self._states, [added]
        for old in before:
            self._outbox.remove(old)

    def read(self, state: Waiting) -> Data:
        """Return the bytes of *state*.

        Raises:
            IntegrityError: The disk has damaged them.
        """
        return self._outbox.read(state)

    def set_aside(self) -> None:
        """Take what is damaged out of the way, and keep it."""
        for state in self._states:
            self._outbox.set_aside(state.file)
        self.release()

    def drop(self) -> None:
        """Forget the run, which is safe elsewhere now. Idempotent."""
        for state in self._states:
            self._outbox.remove(state)
        self._states = []
        self.release()
        with suppress(OSError):
            Path(self._lock.lock_file).unlink(missing_ok=True)

    def release(self) -> None:
        """Let others find what is kept. Idempotent."""
        self._lock.release()


class UnkeptRun(KeptRun):
    """A run of which nothing is kept."""

    is_durable = False

    def __init__(self) -> None:
        """Keep nothing."""

    def put(self, state: Waiting, data: Data) -> None:
        """Keep nothing."""

    def drop(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""


def kept_store(place: Place) -> str:
    """Return what a kept version says of its store: as in the outbox, where there is one."""
    return place.workspace.store_setting if place.workspace is not None else place.store_url


def act_of(state: Waiting) -> Act:
    """Return who saves *state*."""
    return Act(
        author=state.author, message=state.message, now=state.saved_at, write_id=state.write_id
    )


def draft_of(state: Waiting, data: Data) -> Draft:
    """Return *state* as a version before it is stored."""
    return Draft(
        data=data,
        digest=state.digest,
        parent=state.parent,
        changes=state.changes,
        run=state.run,
    )
