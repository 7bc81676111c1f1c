"""For how long the versions of a store are locked, once they are saved."""

from __future__ import annotations

from datetime import datetime, timedelta

from nbvc.errors import InvalidInput
from nbvc.stores.base import LockMode, RetainUntil
from nbvc.values import dataclass

MAX_DAYS = 36_500
"""S3's limit, 100 years (Amazon S3 User Guide, "Object Lock considerations")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A store's promise that nobody whom it binds removes a version for so long after its save.

    It holds for notebook versions in the workspace area; the index can be rebuilt from them.

    Attributes:
        days: From 1 to 36,500.
        mode: Whom it binds.
    """

    days: int
    mode: LockMode = LockMode.GOVERNANCE

    def __post_init__(self) -> None:
        """Refuse what S3 would.

        Raises:
            InvalidInput: It is no such number of days.
        """
        if not 1 <= self.days <= MAX_DAYS:
            raise InvalidInput(
                f"Versions cannot be locked for {self.days} days.",
                hint=f"S3 takes from 1 to {MAX_DAYS} days.",
            )

    def from_moment(self, now: datetime) -> RetainUntil:
        """Return the lock of a version that is written at *now*.

        By the clock of who writes, which may be wrong: the store refuses an end in the past, and a
        signed request from a clock that is off by more than 15 minutes.
        """
        return RetainUntil(moment=now + timedelta(days=self.days), mode=self.mode)

    def __str__(self) -> str:
        """Return it for a person: ``30 days (governance)``."""
        return f"{self.days} day{'' if self.days == 1 else 's'} ({self.mode.lower()})"
