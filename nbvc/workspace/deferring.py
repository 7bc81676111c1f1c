"""Saves that cannot reach the store: what stands in the way, and the way into the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from nbvc.errors import NbvcError, StoreUnavailable
from nbvc.model import NotebookKey
from nbvc.values import dataclass
from nbvc.workspace.index import Base, Entry
from nbvc.workspace.outbox import Waiting, failure_of
from nbvc.workspace.results import SaveResult

if TYPE_CHECKING:
    from nbvc.notebook import Outline
    from nbvc.repository import Act, Draft
    from nbvc.workspace.core import Workspace

_OTHERS_SECONDS = 10.0
"""How long a save waits for another process that delivers, before it queues up behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacles:
    """What stands in the way of the saves of one command.

    Attributes:
        stopped: What keeps every notebook from being stored, as a store that is not reached: empty,
            or one error first; others may be added at once.
        errors: Why waiting versions of a notebook cannot be delivered; it cannot be saved before.
    """

    stopped: list[NbvcError] = field(default_factory=list)
    errors: Mapping[NotebookKey, NbvcError] = field(default_factory=dict)


def reach_store(workspace: Workspace) -> Obstacles:
    """Open the store and deliver what waits, so that nothing overtakes it.

    Raises:
        NbvcError: The store cannot be opened, for a reason that waiting does not mend.
    """
    try:
        workspace.connect()
    except NbvcError as error:
        if not error.deferrable:
            raise
        return Obstacles(stopped=[error])
    delivery = workspace.deliver(wait_seconds=_OTHERS_SECONDS)
    return Obstacles(stopped=[delivery.stopped] if delivery.stopped else [], errors=delivery.errors)


def defer(
    workspace: Workspace,
    entry: Entry,
    draft: Draft,
    act: Act,
    outline: Outline | None,
    error: NbvcError,
    *,
    sent: bool,
) -> SaveResult:
    """Put a version into the outbox; *sent* says whether the store may have it already."""
    waiting = Waiting(
        store=workspace.store_setting,
        key=workspace.key_of(entry.path),
        path=entry.path,
        digest=draft.digest,
        size_bytes=len(draft.data),
        author=act.author,
        message=act.message,
        saved_at=act.now,
        write_id=act.write_id,
        before=entry.known.file.record.number if entry.known else 0,
        parent=draft.parent,
        parent_version_id=draft.parent_version_id,
        parent_write_id=entry.base.write_id if entry.base else None,
        changes=draft.changes,
        reason=failure_of(error, workspace.session.environment.now()),
    )
    added = workspace.outbox.add(waiting, draft.data, sent=sent)
    base = Base(
        number=None,
        digest=draft.digest,
        version_id=None,
        write_id=act.write_id,
        outline=outline,
    )
    workspace.index.put(replace(entry, base=base))
    return SaveResult(
        path=entry.path,
        saved=False,
        digest=draft.digest,
        parent=draft.parent,
        changes=draft.changes,
        waiting=True,
        needs_push=not added.own,
        error=error,
    )


def behind(path: str) -> StoreUnavailable:
    """Return the error for a version that may not overtake one that waits."""
    return StoreUnavailable(
        f"An earlier version of {path} waits in the outbox and goes first.", hint="nbvc push"
    )


def without_lost_base(workspace: Workspace, entry: Entry) -> tuple[Entry, bool]:
    """Return *entry*, and whether a version of its notebook waits.

    A base that waited and is in the outbox no more, because somebody took it out by hand, is gone.
    """
    key = workspace.key_of(entry.path)
    queue = workspace.outbox.waiting(store=workspace.store_setting, key=key)
    base = entry.base
    if base and base.write_id and base.write_id not in {version.write_id for version in queue}:
        entry = replace(entry, base=None)
    return entry, bool(queue)
