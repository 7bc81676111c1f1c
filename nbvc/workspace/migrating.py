"""Migrate: move a workspace, with its whole history, to another store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from nbvc.model import below
from nbvc.repository.migration import MigrationReport, Progress, migrate
from nbvc.values import dataclass
from nbvc.workspace.binding import (
    Ask,
    Ready,
    bind,
    prepare_store,
    remember_connection,
    session_as_bound,
    store_value,
)
from nbvc.workspace.core import Workspace
from nbvc.workspace.session import Session
from nbvc.workspace.settings import WHOLE_AREA


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateResult:
    """What a migration did.

    Attributes:
        source: URL of the store that the history came from; nothing was changed there.
        target: URL of the store that has it now.
        report: What was copied.
        rebound: Whether the workspace belongs to the target now.
    """

    source: str
    target: str
    report: MigrationReport
    rebound: bool


def migrate_workspace(
    session: Session,
    url: str,
    *,
    create: bool,
    ask: Ask,
    dry_run: bool,
    flags: Mapping[str, str | None],
    progress: Callable[[Progress], None] | None = None,
) -> MigrateResult:
    """Copy the history of the workspace to the store that *url* names, and bind it to that one.

    The workspace is bound to the target only when everything was copied and compared. Can be
    stopped at any point and run again. The old store is left as it is.

    Args:
        session: Surroundings; its folder is the workspace.
        url: The other store.
        create: Make the bucket, and turn its versioning on, without asking.
        ask: Asks the user a question; False where there is nobody to ask.
        dry_run: Only compare and count; the target must be prepared then, and is not bound.
        flags: Settings of the target, such as ``endpoint_url``.
        progress: Told of every version.

    Raises:
        AlreadyExists: The target has another history of one of the notebooks.
        InvalidInput: *url* is no store, or the one that the workspace has.
    """
    stored = store_value(url, session.environment.cwd)
    there = Session(session.environment, None, flags)
    ready: Ready | None = None
    if not dry_run:
        ready = prepare_store(there, stored, create=create, ask=ask)
        remember_connection(there.settings, stored, flags, session.environment)
    with (
        Workspace(session) as workspace,
        there.open_repository(stored, ready.settings if ready else None) as target,
    ):
        prefix = below(workspace.namespace, "")
        report = migrate(
            workspace.repository, target, prefix=prefix, progress=progress, dry_run=dry_run
        )
        result = MigrateResult(
            source=workspace.store_url, target=stored, report=report, rebound=ready is not None
        )
        if ready is not None:
            _rebind(workspace, stored, ready)
    return result


def _rebind(workspace: Workspace, store: str, ready: Ready) -> None:
    """Bind the workspace to the target, and take along what is remembered of its notebooks.

    Numbers and digests are the same there; version IDs and ETags are not. What waits for the old
    store waits for the new one then.
    """
    environment = workspace.session.environment
    # First, for whoever is stopped in between is still bound to the old store, and migrates again.
    for version in workspace.outbox.waiting(store=workspace.store_setting):
        workspace.outbox.readdress(version, store)
    for found in workspace.captures.pending():
        if found.store == workspace.store_setting:
            workspace.captures.readdress(found, store)
    bind(
        workspace.folder,
        store=store,
        namespace=workspace.namespace or WHOLE_AREA,
        settings=ready.settings,
        environment=environment,
    )
    with Workspace(session_as_bound(workspace.folder, environment)) as rebound:
        for path in workspace.index.paths():
            entry = workspace.index.get(path)
            base = replace(entry.base, etag=None) if entry.base else None
            rebound.index.put(replace(entry, base=base, known=None, published=None))
