"""The result of a run: one version, however often it was written and however the run ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nbvc.errors import IntegrityError, InvalidNotebook, NbvcError
from nbvc.manifest.executions import MAX_WORD_LENGTH
from nbvc.model import (
    Area,
    Changes,
    Data,
    Digest,
    NotebookKey,
    Run,
    Source,
    Version,
    VersionId,
    below,
)
from nbvc.notebook import compare, read_outline
from nbvc.repository import Known
from nbvc.repository.records import Manifest
from nbvc.scheduling.keeping import Keeper, KeptRun, act_of, draft_of, kept_store
from nbvc.scheduling.parameters import recorded
from nbvc.scheduling.places import Place
from nbvc.values import dataclass
from nbvc.workspace.deferring import behind, reach_store
from nbvc.workspace.outbox import Waiting, failure_of

if TYPE_CHECKING:
    from nbvc.scheduling.papermill_files import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The version that a run executes.

    Attributes:
        version: The version.
        asked: How it was named.
        data: Its bytes.
        name: How to call the notebook in a message; by default its key.
    """

    version: Version
    asked: str
    data: bytes
    name: str = ""

    @property
    def source(self) -> Source:
        """The version, as a record names it."""
        return Source(
            area=self.version.area,
            key=self.version.key,
            number=self.version.number,
            version_id=self.version.version_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRun:
    """What became of the result of a run.

    Attributes:
        key: Its notebook key.
        run: How it was made.
        number: Its number; ``None`` while it waits.
        digest: Digest of its bytes.
        version_id: Its version ID; ``None`` while it waits.
        waiting: Whether it waits in the outbox.
        needs_push: Whether only a push delivers it.
        error: Why it waits.
    """

    key: NotebookKey
    run: Run
    number: int | None = None
    digest: Digest
    version_id: VersionId | None = None
    waiting: bool = False
    needs_push: bool = False
    error: NbvcError | None = None


class ResultWriter:
    """Takes what a run writes again and again, and saves one version at its end.

    What was written last is on this disk, durably, whatever becomes of the process: the next run in
    the same place saves it (:func:`recover`). Not for several threads at once.

    Args:
        place: Where the result is saved.
        key: Its notebook key.
        executed: The version that is executed; ``None`` where the input is none.
        message: What to say about it.
    """

    def __init__(
        self, place: Place, key: NotebookKey, executed: Input | None, *, message: str = ""
    ) -> None:
        self._place = place
        self._executed = executed
        self._act = place.session.act(message)
        self._key = key
        self._kept: KeptRun | None = None
        self._last: tuple[bytes, Progress] | None = None

    @property
    def progress(self) -> Progress | None:
        """How far the run is; ``None`` where nothing was written yet."""
        return self._last[1] if self._last else None

    def write(self, data: bytes, progress: Progress) -> None:
        """Keep *data* as the newest state of the run, durably.

        Raises:
            NbvcError: The disk is full, or fails.
        """
        if self._kept is None:
            self._kept = Keeper(self._place).begin(self._act.write_id)
        self._last = (data, progress)
        unfinished = progress.outcome if progress.ended else "interrupted"
        self._kept.put(self._state(data, progress, unfinished), data)

    def finish(self, outcome: str | None = None, *, error: str | None = None) -> SavedRun:
        """Save the newest state as a version; once.

        Where the store is not reached, the version waits in the outbox of the workspace. Without a
        workspace it stays on this disk, for the next run to save, and the error is raised.

        Args:
            outcome: How the run ended, where that is known better than from what was written.
            error: What kind of error ended it, likewise.

        Raises:
            NbvcError: It could not be saved; what was written is kept on this disk.
        """
        assert self._kept is not None
        assert self._last is not None
        data, progress = self._last
        state = self._state(data, progress, outcome or progress.outcome, error=error)
        state = replace(state, changes=self._changes(data) if state.parent else None)
        return save_state(self._place, self._kept, state, data)

    def _state(
        self, data: bytes, progress: Progress, outcome: str, *, error: str | None = None
    ) -> Waiting:
        executed = self._executed
        parameters, left_out = recorded(progress.parameters)
        run = Run(
            outcome=outcome,
            input=executed.source if executed else None,
            started_at=progress.started_at,
            asked=executed.asked[:MAX_WORD_LENGTH] if executed else None,
            parameters=parameters,
            left_out=left_out,
            error=progress.error or (error[:MAX_WORD_LENGTH] if error else None),
            failed_cell=progress.failed_cell,
        )
        return Waiting(
            store=kept_store(self._place),
            key=self._key,
            path=self._path,
            digest=Digest.of(data),
            size_bytes=len(data),
            author=self._act.author,
            message=self._act.message,
            saved_at=self._place.session.environment.now(),
            write_id=self._act.write_id,
            before=0,
            parent=self._parent,
            run=run,
        )

    @property
    def _path(self) -> str:
        workspace = self._place.workspace
        return self._key.removeprefix(below(workspace.namespace, "")) if workspace else self._key

    @property
    def _parent(self) -> int | None:
        """The number of the input, where the result becomes a version of the same notebook."""
        executed = self._executed
        if executed is None or executed.version.area is not Area.WORKSPACE:
            return None
        return executed.version.number if executed.version.key == self._key else None

    def _changes(self, data: bytes) -> Changes | None:
        """Return what the run changed in its input, which is the parent."""
        assert self._executed is not None
        try:
            old = read_outline(self._executed.data, name=self._key)
            return compare(old, read_outline(data, name=self._key))
        except InvalidNotebook:
            return None


def save_state(place: Place, kept: KeptRun, state: Waiting, data: Data) -> SavedRun:
    """Save a kept run as a version, and forget it here once it is safe elsewhere.

    Raises:
        NbvcError: It could not be saved, and is kept here.
    """
    try:
        kept.put(replace(state, sent=True), data)  # whoever is killed from now on may have sent it
        saved = _save_or_defer(place, state, data)
    except NbvcError as error:
        kept.release()
        if kept.is_durable:
            error.message += " What ran is kept on this disk, and the next run here saves it."
            error.args = (error.message,)
        raise
    except BaseException:
        kept.release()
        raise
    kept.drop()
    return saved


def recover(place: Place) -> list[SavedRun]:
    """Save what was left by runs whose process was killed, or that could not reach the store.

    Raises:
        NbvcError: The store cannot be used; what is left stays where it is.
    """
    saved: list[SavedRun] = []
    dead = Keeper(place).dead()
    try:
        while dead:
            kept, state = dead.pop(0)
            try:
                data = kept.read(state)
            except IntegrityError:
                kept.set_aside()
                continue
            saved.append(save_state(place, kept, state, data))
    finally:
        for kept, _ in dead:
            kept.release()
    return saved


def _save_or_defer(place: Place, state: Waiting, data: Data) -> SavedRun:
    """Save *state*; where that must wait, put it into the outbox of the workspace, if there is one.

    Raises:
        NbvcError: It can do neither.
    """
    workspace = place.workspace
    if workspace is None:
        return _store(place, state, data, None if state.sent else _newest(place, state.key))
    obstacles = reach_store(workspace)
    stopped = obstacles.errors.get(state.key) or next(iter(obstacles.stopped), None)
    if stopped is None and workspace.outbox.waiting(store=state.store, key=state.key):
        stopped = behind(state.path)
    if stopped is None:
        try:
            known = None if state.sent else _newest(place, state.key)
            before = known.file.record.number if known else state.before
            state = replace(state, before=before)
            return _store(place, state, data, known)
        except NbvcError as error:
            if not error.deferrable:
                raise
            state, stopped = replace(state, sent=True), error
    reason = failure_of(stopped, place.session.environment.now())
    added = workspace.outbox.add(replace(state, reason=reason), data, sent=state.sent)
    return replace(_described(state), waiting=True, needs_push=not added.own, error=stopped)


def _store(place: Place, state: Waiting, data: Data, known: Known | None) -> SavedRun:
    repository, draft, act = place.repository, draft_of(state, data), act_of(state)
    if state.sent:
        known = repository.resume(state.key, draft, act, before=state.before)
    elif known is None or known.file.record.digest != state.digest:
        known = repository.save(state.key, draft, act, known)
    record = known.file.record
    return replace(_described(state), number=record.number, version_id=record.version_id)


def _newest(place: Place, key: NotebookKey) -> Known | None:
    """Return the newest version of *key*, if it is on top; 3 requests, 1 where there is none."""
    backend = place.repository.backend
    newest = Manifest(backend, Area.WORKSPACE, key).newest()
    if newest is None:
        return None
    with suppress(NbvcError):
        head = backend.store.head(backend.layout.data_key(Area.WORKSPACE, key))
        if head.version_id == newest.record.version_id:
            return Known(file=newest, etag=head.etag)
    return None


def _described(state: Waiting) -> SavedRun:
    assert state.run is not None
    return SavedRun(key=state.key, run=state.run, digest=state.digest)
