"""What the extension tells on the event bus of the server: queued, saved, failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nbvc.errors import NbvcError
from nbvc.manifest.sealing import format_time
from nbvc.model import Digest, VersionId

SCHEMA_ID = "https://schemas.nbvc.invalid/version/v1"
"""Only a name: nothing is fetched from there (RFC 2606 keeps .invalid free)."""

SCHEMA: dict[str, Any] = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Versions of notebooks",
    "description": "What becomes of each save of a notebook.",
    "personal-data": True,
    "type": "object",
    "required": ["action", "path"],
    "properties": {
        "action": {
            "enum": ["queued", "saved", "failed"],
            "description": (
                "queued: the bytes are safe on this disk. saved: the version is in the store. "
                "failed: it is not, for now; what is safe on this disk is tried again."
            ),
        },
        "path": {
            "type": "string",
            "description": "The notebook, as the server calls it; empty where all are meant.",
        },
        "number": {"type": "integer", "description": "The number of the version, when saved."},
        "digest": {"type": "string", "description": "SHA-256 of its bytes, when saved."},
        "version_id": {"type": "string", "description": "Its ID in the store, when saved."},
        "author": {"type": "string", "description": "Who saved it."},
        "saved_at": {"type": "string", "description": "When it was saved; RFC 3339, UTC."},
        "kind": {"type": "string", "description": "Kind of the error, when failed."},
        "message": {"type": "string", "description": "What went wrong, when failed."},
        "hint": {"type": "string", "description": "What to do, when failed."},
    },
}
Event = dict[str, Any]


def queued(path: str, *, author: str, saved_at: datetime) -> Event:
    """Return that the bytes of a save are safe on this disk."""
    return {
        "action": "queued",
        "path": path,
        "author": author,
        "saved_at": format_time(saved_at),
    }


def saved(
    path: str,
    *,
    number: int,
    digest: Digest,
    version_id: VersionId,
    author: str | None,
    saved_at: datetime,
) -> Event:
    """Return that a version is in the store."""
    return {
        "action": "saved",
        "path": path,
        "number": number,
        "digest": str(digest),
        "version_id": version_id,
        "author": author or "",
        "saved_at": format_time(saved_at),
    }


def failed(path: str, error: NbvcError) -> Event:
    """Return that something went wrong; *error* must be one that may be shown."""
    hint = {"hint": error.hint} if error.hint else {}
    return {
        "action": "failed",
        "path": path,
        "kind": error.kind,
        "message": error.message,
        **hint,
    }
