"""Which versions of a history to keep: the last ones, and the last of each day, week and month.

The rules are those of ``restic forget``, so that who knows one knows the other: each rule keeps as
many versions as it says, the newest first, and a version stays if any rule keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime, tzinfo

from nbvc.errors import InvalidInput
from nbvc.model import Version
from nbvc.values import dataclass

LATEST_KEPT = "latest"
TAGGED, PUBLISHED = "tagged", "published"
UNDATED = "without number"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRules:
    """What to keep. The latest, tagged and published versions are always kept.

    Attributes:
        last: How many of the last versions.
        daily: For how many of the last days that have versions, the last one of each.
        weekly: The same for weeks, which begin on Monday (ISO 8601).
        monthly: The same for months.
        tagged: Nothing more than is always kept: a rule for who wants no other.
        zone: Where days begin at midnight.
    """

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    tagged: bool = False
    zone: tzinfo

    def __post_init__(self) -> None:
        """Refuse rules that say nothing.

        Raises:
            InvalidInput: No rule was given, so that all but the latest version would go.
        """
        if not (self.last or self.daily or self.weekly or self.monthly or self.tagged):
            raise InvalidInput(
                "Nothing says what to keep.",
                hint="nbvc forget --keep-last 20 --keep-daily 30 --keep-monthly 24",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A version, and why it stays.

    Attributes:
        version: The version.
        reasons: By which rules, in a fixed order; empty where it goes.
    """

    version: Version
    reasons: tuple[str, ...]


def thin(versions: Sequence[Version], rules: KeepRules) -> list[Kept]:
    """Return each of *versions*, newest first, with the rules that keep it.

    A version without a number is kept: the next save gives it one.

    Args:
        versions: A whole history, newest first.
        rules: What to keep.
    """
    reasons: dict[str, list[str]] = {version.version_id: [] for version in versions}
    numbered = [version for version in versions if version.number is not None]
    for version in versions:
        if version.number is None:
            reasons[version.version_id].append(UNDATED)
        elif version is numbered[0]:
            reasons[version.version_id].append(LATEST_KEPT)
        if version.tags:
            reasons[version.version_id].append(TAGGED)
        if version.published:
            reasons[version.version_id].append(PUBLISHED)
    periods: list[tuple[str, int, Callable[[datetime], Hashable] | None]] = [
        ("last", rules.last, None),
        ("daily", rules.daily, lambda moment: moment.date()),
        ("weekly", rules.weekly, lambda moment: moment.isocalendar()[:2]),
        ("monthly", rules.monthly, lambda moment: (moment.year, moment.month)),
    ]
    for name, limit, period in periods:
        for version in _last_of_each(numbered, limit, period, rules.zone):
            reasons[version.version_id].append(name)
    return [Kept(version=v, reasons=tuple(reasons[v.version_id])) for v in versions]


def _last_of_each(
    versions: Sequence[Version],
    limit: int,
    period: Callable[[datetime], Hashable] | None,
    zone: tzinfo,
) -> list[Version]:
    """Return the newest version of each of so many periods; all count where no period is given."""
    if period is None:
        return list(versions[:limit])
    found: list[Version] = []
    before: Hashable = None
    for version in versions:
        if len(found) == limit:
            break
        present = period(version.saved_at.astimezone(zone))
        if present != before:
            found.append(version)
            before = present
    return found
