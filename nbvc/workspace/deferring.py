"""Saves that cannot reach the store: what stands in the way, and the way into the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from nbvc.errors import NbvcError, StoreUnavailable
from nbvc.model import NotebookKey
from nbvc.values import dataclass
from nbvc.workspace.accepting import accept
from nbvc.workspace.outbox import failure_of
from nbvc.workspace.queueing import based_on_waiting, waiting_version
from nbvc.workspace.results import SaveResult

if TYPE_CHECKING:
    from nbvc.notebook import Outline
    from nbvc.repository import Act, Draft
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.index import Entry

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

    What editors did is looked at first, which needs no store.

    Raises:
        NbvcError: The store cannot be opened, for a reason that waiting does not mend.
    """
    accept(workspace)
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
    waiting = replace(
        waiting_version(workspace, entry, draft, act),
        reason=failure_of(error, workspace.session.environment.now()),
    )
    added = workspace.outbox.add(waiting, draft.data, sent=sent)
    workspace.index.put(based_on_waiting(entry, waiting, outline))
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
