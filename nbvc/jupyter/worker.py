"""The one thread of the server that delivers, and looks for what the save hook has missed."""

from __future__ import annotations

import threading
from logging import Logger
from pathlib import Path
from typing import Protocol

from nbvc.errors import NbvcError
from nbvc.jupyter.folders import Folders
from nbvc.model import below
from nbvc.workspace.accepting import capture_changed
from nbvc.workspace.core import Workspace
from nbvc.workspace.delivering import Delivered

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0
_TIDY_SECONDS = 600.0


_Work = dict[Path, bool]
"""The folders of workspaces, each with whether its files are to be looked at."""


class Listener(Protocol):
    """Is told by the worker, in its thread, what became of versions."""

    def delivered(self, workspace: Workspace, version: Delivered) -> None:
        """A version that had waited is in the store."""

    def failed(self, workspace: Workspace | None, path: str, error: NbvcError) -> None:
        """Something could not be stored; an empty path means that nothing can be, for now."""


class Worker:
    """Delivers what waits in the outboxes, in the background, again and again until it succeeds.

    Args:
        folders: The workspaces.
        listener: Is told what happens.
        log: For errors that nobody expected.
    """

    def __init__(self, folders: Folders, listener: Listener, log: Logger) -> None:
        self._folders = folders
        self._listener = listener
        self._log = log
        self._changed = threading.Condition()
        self._due: _Work = {}
        self._again: _Work = {}
        self._missed: set[Path] = set()
        self._pause_seconds = 0.0
        self._is_stopping = False
        self._is_busy = False
        self._thread: threading.Thread | None = None

    def wake(self, workspace: Workspace, *, look: bool = False) -> None:
        """Deliver what waits in *workspace*; with *look*, also what was changed from outside.

        Returns at once. Starts the thread when there is work for the first time.
        """
        with self._changed:
            folder = workspace.folder
            self._due[folder] = look or self._due.get(folder, False)
            if self._thread is None and not self._is_stopping:
                self._thread = threading.Thread(target=self._run, name="nbvc", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def look_later(self, workspace: Workspace) -> None:
        """Look at the files of *workspace* after a while, for a save could not be captured."""
        self.wake(workspace)
        with self._changed:
            self._missed.add(workspace.folder)

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait until all that could be done was done; return whether that came true."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._thread is None or not (self._due or self._is_busy), timeout_seconds
            )

    def stop(self, timeout_seconds: float) -> bool:
        """Deliver what was saved last, and stop; return whether that was done in time.

        What cannot be delivered stays in the outbox, for the next server or command.
        """
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_seconds)
            return not thread.is_alive()
        return True

    def _run(self) -> None:
        while (work := self._next()) is not None:
            for folder, look in work.items():
                try:
                    # Opened anew, if the folder was bound to another store meanwhile.
                    self._serve(self._folders.at(folder / "any.ipynb"), look=look)
                except NbvcError as error:
                    self._fail(folder, error)
                except Exception:  # noqa: BLE001 - the edge: nothing may end the thread
                    self._log.exception("nbvc: unexpected error while delivering")
                    self._fail(folder, _UNEXPECTED)
            self._folders.tidy()

    def _next(self) -> _Work | None:
        """Wait for work, or until it is time to try again; ``None`` when it is time to stop."""
        with self._changed:
            self._is_busy = False
            self._changed.notify_all()
            jitter = 0.5 + self._folders.environment.jitter()
            pause = self._pause_seconds * jitter if self._again else _TIDY_SECONDS
            self._changed.wait_for(lambda: self._due or self._is_stopping, pause)
            if self._is_stopping and not self._due:
                return None
            self._is_busy = True
            again, self._again = self._again, {}
            due, self._due = self._due, {}
            return {**again, **due}

    def _serve(self, workspace: Workspace, *, look: bool) -> None:
        if look:
            capture_changed(workspace)
        self._folders.prepare(workspace)
        delivery = workspace.deliver()
        workspace.delivered.clear()
        for version in delivery.delivered:
            self._listener.delivered(workspace, version)
        if delivery.stopped is not None:
            raise delivery.stopped
        for key, error in delivery.errors.items():
            self._listener.failed(
                workspace, key.removeprefix(below(workspace.namespace, "")), error
            )
        if delivery.errors or workspace.folder in self._missed:
            self._try_again(workspace.folder)
        else:
            self._pause_seconds = 0.0

    def _fail(self, folder: Path, error: NbvcError) -> None:
        self._listener.failed(None, "", error)
        self._try_again(folder)

    def _try_again(self, folder: Path) -> None:
        with self._changed:
            self._again[folder] = folder in self._missed
            self._missed.discard(folder)
        longer = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._pause_seconds = max(longer, _FIRST_PAUSE_SECONDS)


_UNEXPECTED = NbvcError(
    "nbvc met an error that it does not know.",
    hint="What was saved is safe in the outbox; the log of the server says more.",
)
