"""Versioning: what the server's saves, moves and removals mean for its workspaces.

The save hook runs on the event loop, and so does what listens to events. Both only leave a capture
in the outbox and wake the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from logging import Logger
from pathlib import Path, PurePosixPath
from typing import TypeVar

from nbvc import looking
from nbvc.errors import InvalidKey, NbvcError, NotFound, WorkspaceNotFound
from nbvc.jupyter import events
from nbvc.jupyter.differ import Differ
from nbvc.jupyter.folders import Folders
from nbvc.jupyter.limits import Busy
from nbvc.jupyter.public import PublicErrors
from nbvc.jupyter.worker import Worker
from nbvc.model import NOTEBOOK_SUFFIX, check_key_path
from nbvc.workspace.accepting import capture, capture_found, note_move, note_removal
from nbvc.workspace.core import Workspace
from nbvc.workspace.delivering import Delivered
from nbvc.workspace.files import Stamp, folder_inside, stamp
from nbvc.workspace.naming import require_delivered, waits
from nbvc.workspace.public_text import PublicText

MAX_REQUESTS = 8
"""Requests that work with a store at the same time; more of them queue up."""

MAX_QUEUED = 100
"""Requests that queue up, at most; the store may be stalled."""

SETTLE_SECONDS = 10.0
"""How long a request waits for what was saved just before it."""

_T = TypeVar("_T")


class Versioning:
    """Turns what the server does into versions. Its methods never raise, unless they say so.

    Args:
        folders: The workspaces.
        emit: Puts an event on the server's bus; may be called in any thread.
        log: The server's log.
        diff_timeout_seconds: How long the comparison of two large notebooks may take.
    """

    def __init__(
        self,
        folders: Folders,
        emit: Callable[[events.Event], None],
        log: Logger,
        *,
        diff_timeout_seconds: float,
    ) -> None:
        self.folders = folders
        self.public = PublicErrors(PublicText(folders.environment), folders.root)
        self.worker = Worker(folders, self, log)
        self.differ = Differ(self.run, diff_timeout_seconds)
        self.problem: NbvcError | None = None
        self._emit = emit
        self._log = log
        self._seen: dict[Path, Stamp] = {}
        self._failures: dict[str, tuple[str, str]] = {}
        self._under_way = 0
        self._threads = ThreadPoolExecutor(MAX_REQUESTS, thread_name_prefix="nbvc-request")

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do *work*, which may wait for a disk or a store, beside the event loop.

        Raises:
            Busy: Too much is under way already.
        """
        if self._under_way >= MAX_REQUESTS + MAX_QUEUED:
            raise Busy(
                "The server is waiting for too many requests.", hint="Try again in a moment."
            )
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._under_way -= 1

    def close(self, timeout_seconds: float) -> None:
        """Finish what is under way; what waits stays in the outboxes."""
        self.differ.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self.worker.stop(timeout_seconds):
            self.folders.close()

    def find(self, path: str) -> tuple[Workspace, str]:
        """Return the workspace of the notebook that the server calls *path*, and its path there.

        Raises:
            InvalidKey: It leads out of the server's root, or cannot be a notebook's.
            AccessDenied: The folder came from somebody else.
            NbvcError: Its folder cannot be made a workspace.
        """
        relative = PurePosixPath(path.strip("/"))
        if ".." in relative.parts or "\0" in path:
            raise InvalidKey(f"{path!a} is no path of a notebook here.")
        file = self.folders.root / relative
        workspace = self.folders.at(file)
        return workspace, workspace.relative(file)

    def find_folder(self, path: str) -> tuple[Workspace, Path]:
        """Return the workspace of the folder that the server calls *path*, and the folder itself.

        Raises:
            InvalidKey: It leads out of the server's root, also by a link, or is a control folder.
            NotFound: There is no such folder.
            AccessDenied: It came from somebody else.
        """
        root, relative = self.folders.root, path.strip("/")
        if relative:
            check_key_path(relative)
        inside = folder_inside(root, root / relative)
        if inside.parts:
            check_key_path(str(inside))
        folder = root / inside
        if not looking.is_folder(folder):
            raise NotFound(f"There is no folder {relative}.")
        return self.folders.at(folder / "any.ipynb"), folder

    def settle(self, workspace: Workspace, path: str) -> None:
        """Wait until nothing of a notebook is on its way to the store.

        Raises:
            Conflict: It is still on its way.
        """
        if waits(workspace, path):
            self.worker.wake(workspace)
            self.worker.wait_until_idle(SETTLE_SECONDS)
            require_delivered(workspace, path)

    # What the server does

    def start(self) -> None:
        """Deliver what an earlier server left, and look what has changed while there was none."""
        self._guarded("", self._start)

    def saved_file(self, file: Path, *, author: str | None, copy_of: Path | None = None) -> None:
        """Take the file that was saved just now as a version."""
        if file.suffix != NOTEBOOK_SUFFIX:
            return
        path = self._shown(file)
        if not self._guarded(path, partial(self._capture, file, path, author, copy_of)):
            self._guarded(path, lambda: self.worker.look_later(self.folders.at(file)))

    def moved_file(self, old: Path, new: Path, *, author: str | None) -> None:
        """Let the history of a file, or of all in a folder, follow to its new name."""
        path = self._shown(new)
        self._guarded(path, partial(self._move, old, new, author))

    def removed_file(self, file: Path, *, author: str | None) -> None:
        """Take a removed notebook, or all in a removed folder, out of the store's listing."""
        self._guarded(self._shown(file), partial(self._remove, file, author))

    def opened_file(self, file: Path, *, author: str | None) -> None:
        """Look whether a file has bytes that no version has: edits from outside, a checkpoint."""
        if file.suffix == NOTEBOOK_SUFFIX:
            self._guarded(self._shown(file), partial(self._look, file, author))

    # What the worker tells

    def delivered(self, workspace: Workspace, version: Delivered) -> None:
        """Tell that a version is in the store."""
        record = version.record
        path = self.folders.api_path(workspace, version.waited.path)
        self._succeeded(path)
        if path is not None:
            self._emit(
                events.saved(
                    path,
                    number=record.number,
                    digest=record.digest,
                    version_id=record.version_id,
                    author=record.author,
                    saved_at=record.saved_at,
                )
            )

    def failed(self, workspace: Workspace | None, path: str, error: NbvcError) -> None:
        """Tell that something could not be stored, once for each reason."""
        known = self.folders.opened() if workspace is None else [workspace]
        shown = self.public.clean(error, known)
        if workspace is not None:
            path = self.folders.api_path(workspace, path) or ""
        if not path:
            self.problem = shown
        self._tell(path, shown)

    # One at a time

    def _start(self) -> None:
        workspace = self.folders.at(self.folders.root / "any.ipynb")
        self._log.info(
            "nbvc: every save of a notebook becomes a version in %s, under %s",
            workspace.store_url,
            workspace.namespace or "/",
        )
        self.worker.wake(workspace, look=True)

    def _capture(self, file: Path, path: str, author: str | None, copy_of: Path | None) -> None:
        workspace, present = self.folders.at(file), stamp(file)
        found = capture(
            workspace,
            workspace.relative(file),
            author=author,
            copy_of=_relative(workspace, copy_of) if copy_of is not None else None,
        )
        self._see(file, present)
        self._emit(events.queued(path, author=found.author, saved_at=found.at))
        self.worker.wake(workspace)

    def _move(self, old: Path, new: Path, author: str | None) -> None:
        before, after = self.folders.at(old), self.folders.at(new)
        source, target = _relative(before, old), _relative(after, new)
        is_folder = looking.is_folder(new)
        was_notebook = not is_folder and old.suffix == NOTEBOOK_SUFFIX
        is_notebook = not is_folder and new.suffix == NOTEBOOK_SUFFIX
        if not (is_folder or was_notebook):
            return
        if before is not after or not (is_folder or is_notebook):
            if self._has_versions(before, source):
                note_removal(before, source, author=author)
                self.worker.wake(before)
            if is_notebook:
                self._capture(new, self._shown(new), author, None)
        elif source and target:
            note_move(before, source, target, author=author)
            self.worker.wake(before)

    def _remove(self, file: Path, author: str | None) -> None:
        workspace = self.folders.at(file)
        path = _relative(workspace, file)
        if self._has_versions(workspace, path):
            note_removal(workspace, path, author=author)
            self.worker.wake(workspace)

    def _look(self, file: Path, author: str | None) -> None:
        """Capture a file that is not as it was when it was captured last, before it is edited."""
        if (present := stamp(file)) is None or present == self._seen.get(file):
            return
        workspace = self.folders.at(file)
        try:
            capture_found(workspace, workspace.relative(file), author=author)
        except InvalidKey:  # as one of a checkpoint, which nobody expects to have versions
            return
        self._see(file, present)
        self.worker.wake(workspace)

    def _see(self, file: Path, present: Stamp | None) -> None:
        if present is not None:
            if len(self._seen) >= _MAX_SEEN:
                self._seen.clear()
            self._seen[file] = present

    def _has_versions(self, workspace: Workspace, path: str) -> bool:
        """Return whether something is known of the notebook at *path*, or in a folder of it."""
        if path.endswith(NOTEBOOK_SUFFIX):
            return True
        return any(known.startswith(f"{path}/") for known in workspace.index.paths())

    # Failures

    def _guarded(self, path: str, act: Callable[[], object]) -> bool:
        """Do *act*, and tell its error instead of raising it: the server must go on."""
        try:
            act()
            return True
        except NbvcError as error:
            self._tell(path, self.public.clean(error, self.folders.opened()))
        except Exception:  # noqa: BLE001 - the edge: a save must never fail because of nbvc
            self._log.exception("nbvc: unexpected error at %s", path)
            self._tell(path, NbvcError("nbvc met an error that it does not know."))
        return False

    def _tell(self, path: str, error: NbvcError) -> None:
        if self._failures.get(path) == (error.kind, error.message):
            return
        if len(self._failures) > _MAX_FAILURES:
            self._failures.clear()
        self._failures[path] = (error.kind, error.message)
        self._log.warning("nbvc: %s %s", path or "versions:", error.message)
        self._emit(events.failed(path, error))

    def _succeeded(self, path: str | None) -> None:
        self.problem = None
        self._failures.pop("", None)
        self._failures.pop(path or "", None)

    def _shown(self, file: Path) -> str:
        root = self.folders.root
        return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


_MAX_FAILURES = 1_000
_MAX_SEEN = 10_000


def _relative(workspace: Workspace, file: Path) -> str:
    """Return the path of a file or a folder in *workspace*, with links in its folder followed."""
    try:
        return (file.parent.resolve() / file.name).relative_to(workspace.folder).as_posix()
    except ValueError as error:
        raise WorkspaceNotFound(
            f"{file.name} lies outside of the folder of its versions."
        ) from error
