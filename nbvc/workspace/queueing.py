"""What the outbox and the index say of a version that waits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbvc.workspace.index import Base, Entry
from nbvc.workspace.outbox import Waiting

if TYPE_CHECKING:
    from nbvc.notebook import Outline
    from nbvc.repository import Act, Draft
    from nbvc.workspace.core import Workspace


def waiting_version(workspace: Workspace, entry: Entry, draft: Draft, act: Act) -> Waiting:
    """Return what the outbox says of a version that was not stored yet."""
    return Waiting(
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
    )


def based_on_waiting(entry: Entry, waiting: Waiting, outline: Outline | None) -> Entry:
    """Return *entry* based on a version that waits."""
    base = Base(
        number=None,
        digest=waiting.digest,
        version_id=None,
        write_id=waiting.write_id,
        outline=outline,
    )
    return replace(entry, base=base)


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
