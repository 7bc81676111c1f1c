"""Versions, results and listings as JSON values, with the field names that scripts rely on."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbvc.manifest.executions import run_to_document
from nbvc.manifest.sealing import format_time
from nbvc.manifest.sources import source_to_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbvc.model import Version
    from nbvc.repository import Listed, Repository
    from nbvc.repository.checking import CheckOptions, CheckReport
    from nbvc.repository.findings import Finding
    from nbvc.repository.forgetting import ForgetReport
    from nbvc.repository.mendings import Mending
    from nbvc.repository.packing import PackReport
    from nbvc.repository.repairing import RepairReport
    from nbvc.repository.unpacking import UnpackReport
    from nbvc.workspace.delivering import Delivery
    from nbvc.workspace.outbox import Waiting
    from nbvc.workspace.results import NotebookStatus, PublishResult, SaveResult, Status


def plain(value: object) -> str:
    """Return what JSON has no form for as a text, times in RFC 3339; for ``json.dumps``."""
    return format_time(value) if isinstance(value, datetime) else str(value)


def version(found: Version) -> dict[str, Any]:
    """Return a version as ``log --json`` prints it."""
    return {
        "number": found.number,
        "digest": found.digest,
        "version_id": found.version_id,
        "size_bytes": found.size_bytes,
        "saved_at": found.saved_at,
        "author": found.author,
        "message": found.message,
        "parent": found.parent,
        "tags": list(found.tags),
        "published": found.published,
        "changes": asdict(found.changes) if found.changes else None,
        "indexed": found.indexed,
        "missing": found.missing,
        "key": found.key,
        "source": source_to_document(found.source) if found.source else None,
        "run": run_to_document(found.run) if found.run else None,
    }


def resolved(found: Version, repository: Repository) -> dict[str, Any]:
    """Return a version as ``resolve --json`` prints it."""
    return {
        "key": found.key,
        "number": found.number,
        "digest": found.digest,
        "version_id": found.version_id,
        "url": repository.locate(found),
        "area": found.area.value,
    }


def saved(result: SaveResult) -> dict[str, Any]:
    """Return one result as ``save --json`` prints it."""
    described: dict[str, Any] = {
        "path": result.path,
        "number": result.number,
        "digest": result.digest,
        "version_id": result.version_id,
        "saved": result.saved,
        "parent": result.parent,
        "changes": asdict(result.changes) if result.changes else None,
        "waiting": result.waiting,
    }
    if result.error is not None:
        described["error"] = result.error.to_dict()
    return described


def published(result: PublishResult) -> dict[str, Any]:
    """Return a publication as ``publish --json`` prints it."""
    return {
        "key": result.key,
        "version_id": result.version_id,
        "source": result.source.number,
        "digest": result.digest,
        "number": result.number,
        "url": result.url,
    }


def notebook_status(status: NotebookStatus) -> dict[str, Any]:
    """Return one notebook as ``status --json`` prints it."""
    return {
        "path": status.path,
        "state": status.state,
        "number": status.number,
        "digest": status.digest,
        "latest": status.latest,
        "behind": status.behind,
    }


def outbox(status: Status) -> dict[str, Any]:
    """Return the outbox as ``status --json`` prints it."""
    return {
        "waiting": [waiting(version) for version in status.waiting],
        "captured": status.captured,
        "damaged": [str(file) for file in status.damaged],
        "last_error": asdict(status.failure) if status.failure else None,
    }


def waiting(version: Waiting) -> dict[str, Any]:
    """Return one version of the outbox."""
    return {
        "path": version.path,
        "key": version.key,
        "digest": version.digest,
        "size_bytes": version.size_bytes,
        "saved_at": version.saved_at,
        "author": version.author,
        "message": version.message,
        "store": version.store,
        "sent": version.sent,
        "own": version.own,
        "error": asdict(version.reason) if version.reason else None,
    }


def delivery(found: Delivery) -> dict[str, Any]:
    """Return a delivery as ``push --json`` prints it."""
    return {
        "delivered": [
            {
                **waiting(each.waited),
                "number": each.record.number,
                "version_id": each.record.version_id,
            }
            for each in found.delivered
        ],
        "waiting": [waiting(version) for version in found.waiting],
        "error": found.error.to_dict() if found.error else None,
    }


def listed(found: Listed) -> dict[str, Any]:
    """Return one notebook as ``ls --json`` prints it."""
    return {
        "key": found.key,
        "area": found.area.value,
        "number": found.number,
        "digest": found.digest,
        "version_id": found.version_id,
        "size_bytes": found.size_bytes,
        "saved_at": found.saved_at,
        "author": found.author,
        "message": found.message,
        "source": found.source_number,
        "removed": found.removed,
    }


def finding(found: Finding) -> dict[str, Any]:
    """Return one finding as ``check --json`` prints it."""
    return {
        "kind": found.kind.value,
        "severity": found.severity.value,
        "area": found.area.value if found.area is not None else None,
        "key": found.key,
        "number": found.number,
        "version_id": found.version_id,
        "object_key": found.object_key,
        "message": found.message,
        "expected": found.expected,
        "actual": found.actual,
    }


def mending(made: Mending) -> dict[str, Any]:
    """Return one mending as ``repair --json`` prints it."""
    return {
        "kind": made.kind.value,
        "area": made.area.value if made.area is not None else None,
        "key": made.key,
        "number": made.number,
        "version_id": made.version_id,
        "object_key": made.object_key,
        "message": made.message,
    }


def repaired(report: RepairReport, mendings: Sequence[Mending]) -> dict[str, Any]:
    """Return a whole repair as ``repair --json`` prints it."""
    return {
        "applied": report.applied,
        "notebooks": report.notebooks,
        "mendings": [mending(made) for made in mendings],
        "remaining": [finding(found) for found in report.remaining],
    }


def shrunk(reports: Sequence[PackReport | UnpackReport], *, applied: bool) -> dict[str, Any]:
    """Return what was done as ``pack --json`` and ``unpack --json`` print it."""
    return {"applied": applied, "notebooks": [asdict(report) for report in reports]}


def forgotten(reports: Sequence[ForgetReport], *, applied: bool) -> dict[str, Any]:
    """Return what was let go of as ``forget --json`` prints it."""
    return {
        "applied": applied,
        "notebooks": [
            {
                "key": report.key,
                "kept": [
                    {
                        "number": kept.version.number,
                        "version_id": kept.version.version_id,
                        "saved_at": kept.version.saved_at,
                        "reasons": list(kept.reasons),
                    }
                    for kept in report.kept
                ],
                "forgotten": [list(run) for run in report.forgotten],
                "versions": report.versions,
                "freed_bytes": report.freed_bytes,
                "finished": report.finished,
                "locked": report.locked,
            }
            for report in reports
        ],
    }


def checked(
    report: CheckReport, findings: Sequence[Finding], options: CheckOptions
) -> dict[str, Any]:
    """Return a whole check as ``check --json`` prints it."""
    return {
        **asdict(report),
        "sample": options.sample if options.read_data else None,
        "seed": options.seed if options.read_data and options.sample < 1 else None,
        "findings": [finding(found) for found in findings],
    }
