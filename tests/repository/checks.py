"""Run a check or a repair in a test, and tell its findings briefly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nbvc.repository import scanning
from nbvc.repository.checking import Check, CheckOptions, CheckReport
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.lock import Lock
from nbvc.repository.mendings import Mending
from nbvc.repository.repairing import Repair, RepairReport
from nbvc.repository.surveying import Scope
from nbvc.stores.base import Store
from tests.repository.support import act, open_repository

NOW = CheckOptions(now=datetime(2026, 8, 1, tzinfo=UTC))
"""Options for a store in which nobody is at work."""


def run_check(
    store: Store,
    options: CheckOptions = NOW,
    *,
    lock: Lock | None = None,
    once: bool = False,
    **changes: object,
) -> tuple[list[Finding], CheckReport]:
    """Check a store to the end; return the findings and the report.

    Unless it is to be done only *once*, or reads all bytes, also as if all histories were long,
    which must find the same.
    """
    options = replace(options, **changes)  # type: ignore[arg-type]
    examined = _check(store, options, lock)
    if once or options.read_data:
        return examined
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "LONG", 1)
        assert _check(store, options, lock) == examined
    return examined


def _check(
    store: Store, options: CheckOptions, lock: Lock | None
) -> tuple[list[Finding], CheckReport]:
    repository = open_repository(store)
    backend = replace(repository.backend, lock=lock, now=lambda: options.now)
    check = Check(backend, options)
    findings = list(check)
    repository.backend.parallel.close()
    return findings, check.report


def run_repair(
    store: Store, *, apply: bool = True, scope: Scope = NOW, settings: bool = True
) -> tuple[list[Mending], RepairReport]:
    """Repair a store to the end; return what was mended and the report.

    Args:
        store: The store.
        apply: Whether to write anything.
        scope: What part of it.
        settings: Whether what ``store.json`` says is known.
    """
    repository = open_repository(store, prepared=settings)
    repair = Repair(repository.backend, scope, act("repair"), apply=apply)
    mendings = list(repair)
    repository.backend.parallel.close()
    return mendings, repair.report


def named(findings: Iterable[Finding]) -> Sequence[tuple[Kind, str | None, int | None]]:
    """Return what each finding is, and the notebook and the number that it is about."""
    return [(finding.kind, finding.key, finding.number) for finding in findings]
