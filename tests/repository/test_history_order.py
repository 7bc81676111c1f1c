"""The order in which versions without a record stand among those that have one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nbvc.model import NotebookKey, Version, VersionId
from nbvc.repository.joining import Join


def version(name: str, number: int | None) -> Version:
    """Return a version with the ID *name*."""
    return Version(
        key=NotebookKey("ada/mine.ipynb"),
        number=number,
        digest=None,
        version_id=VersionId(name),
        size_bytes=1,
        saved_at=datetime(2026, 8, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("listed", "shown"),
    [
        ("3 2 1", "3 2 1"),
        ("x 3 2 1", "x 3 2 1"),
        ("3 x 2 1", "3 x 2 1"),
        ("3 2 x y 1 z", "3 2 x y 1 z"),
        ("2 3 x 1", "3 2 x 1"),
        ("x y", "x y 3 2 1"),
    ],
)
def test_a_version_without_a_record_stands_where_it_was_stored(listed: str, shown: str) -> None:
    """Newest first: after the recorded version that was stored later, before the earlier one."""
    numbers = {"3": 3, "2": 2, "1": 1}
    records = (version(name, numbers[name]) for name in "321")
    listing = (version(name, None) for name in listed.split())
    joined = list(Join(records, listing))
    assert [each.version_id for each in joined] == shown.split()
    lost = {"x y"}
    assert [each.missing for each in joined] == [listed in lost and each.indexed for each in joined]
