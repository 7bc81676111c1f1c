"""What the lifecycle rules of a bucket do to the objects of a store.

Amazon S3 User Guide, "Lifecycle configuration elements": in a versioned bucket ``Expiration`` puts
a delete marker on top of an object, and ``NoncurrentVersionExpiration`` destroys versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nbvc.values import dataclass

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes whose objects must be restored before they can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule:
    """What one enabled rule does to objects without tags, such as those of nbvc.

    Attributes:
        name: Its ID; may be empty.
        prefix: Whole keys that it concerns begin with this.
        hides: When it puts a delete marker on objects, as ``after 30 days``; ``None``: never.
        destroys: When it destroys versions that are not current; ``None``: never.
        archives: When it moves objects to where they cannot be read at once; ``None``: never.
    """

    name: str
    prefix: str
    hides: str | None
    destroys: str | None
    archives: str | None

    @property
    def harmless(self) -> bool:
        """Whether it leaves every version where it can be read."""
        return not (self.hides or self.destroys or self.archives)

    def concerns(self, prefix: str) -> bool:
        """Whether keys that begin with *prefix* may be among those that it concerns."""
        return prefix.startswith(self.prefix) or self.prefix.startswith(prefix)


def parse_rules(reply: Mapping[str, Any]) -> list[LifecycleRule]:
    """Return the rules in a reply to GetBucketLifecycleConfiguration that may harm a store.

    Left out: rules that are disabled, that concern only objects with a tag, or that do no harm.
    """
    rules = (_rule(rule) for rule in reply.get("Rules", []) if rule.get("Status") == "Enabled")
    return [rule for rule in rules if rule is not None and not rule.harmless]


def _rule(rule: Mapping[str, Any]) -> LifecycleRule | None:
    filtered: Mapping[str, Any] = rule.get("Filter") or {}
    both: Mapping[str, Any] = filtered.get("And") or {}
    if filtered.get("Tag") or both.get("Tags"):
        return None
    # The oldest form has its prefix outside of the filter.
    prefix = both.get("Prefix") or filtered.get("Prefix") or rule.get("Prefix") or ""
    noncurrent: Mapping[str, Any] = rule.get("NoncurrentVersionExpiration") or {}
    return LifecycleRule(
        name=str(rule.get("ID", "")),
        prefix=str(prefix),
        hides=_when(rule.get("Expiration") or {}),
        destroys=_when_noncurrent(noncurrent) if noncurrent else None,
        archives=next(_archiving(rule), None),
    )


def _when(action: Mapping[str, Any]) -> str | None:
    """Return when an action on current objects happens; ``None`` for one that only tidies up."""
    if action.get("Date"):
        return f"on {action['Date']:%Y-%m-%d}"
    if "Days" in action:
        return _after(action["Days"])
    return None


def _when_noncurrent(action: Mapping[str, Any]) -> str:
    when = _after(action.get("NoncurrentDays", 0))
    kept = action.get("NewerNoncurrentVersions")
    return f"{when}, but for the newest {kept} of each" if kept else when


def _archiving(rule: Mapping[str, Any]) -> Iterator[str]:
    for action in rule.get("Transitions") or []:
        if action.get("StorageClass") in ARCHIVES:
            yield _when(action) or _after(0)
    for action in rule.get("NoncurrentVersionTransitions") or []:
        if action.get("StorageClass") in ARCHIVES:
            yield _when_noncurrent(action)


def _after(days: int) -> str:
    return f"after {days} day{'' if days == 1 else 's'}"
