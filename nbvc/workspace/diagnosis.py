"""What the doctor finds: one value for each thing that was looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from nbvc.errors import NbvcError
from nbvc.values import dataclass


class Health(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and something about it may do harm."""
    FAILED = "failed"
    """It does not work."""
    UNKNOWN = "unknown"
    """It could not be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found about one thing.

    Attributes:
        name: Stable name of what was looked at, such as ``bucket-versioning``.
        health: How it is.
        found: What was found, in one line.
        hint: What to type or do next; ``None`` where all is well.
        details: More lines, where one does not do.
        error_kind: Kind of the error that makes it fail.
        exit_code: Exit status of that error; 0 where nothing failed.
    """

    name: str = ""
    health: Health
    found: str
    hint: str | None = None
    details: tuple[str, ...] = ()
    error_kind: str | None = None
    exit_code: int = 0


Look = Callable[[], Diagnosis]
Check = tuple[str, Look]
"""A name, and what finds out how that is; it may raise ``NbvcError``."""


def well(found: str, *details: str) -> Diagnosis:
    """Return that all is well."""
    return Diagnosis(health=Health.OK, found=found, details=details)


def warning(found: str, hint: str, *details: str) -> Diagnosis:
    """Return that something may do harm."""
    return Diagnosis(health=Health.WARNING, found=found, hint=hint, details=details)


def unknown(found: str, hint: str | None = None) -> Diagnosis:
    """Return that something could not be looked at."""
    return Diagnosis(health=Health.UNKNOWN, found=found, hint=hint)


def failed(error: NbvcError, *details: str) -> Diagnosis:
    """Return that something does not work."""
    return Diagnosis(
        health=Health.FAILED,
        found=error.message,
        hint=error.hint,
        details=details,
        error_kind=error.kind,
        exit_code=error.exit_code,
    )


def examine(check: Check) -> Diagnosis:
    """Look, and turn an error into what was found."""
    name, look = check
    try:
        found = look()
    except NbvcError as error:
        found = failed(error)
    return replace(found, name=name)
