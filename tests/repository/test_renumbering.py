"""Which number a version had whose record is lost: from the order of storage and from parents."""

from __future__ import annotations

from collections.abc import Sequence

from nbvc.manifest.metadata import Provenance
from nbvc.model import Digest, Record, VersionId, WriteId
from nbvc.repository.renumbering import MAX_EMPTY, Numbering, Renumbering
from nbvc.stores.base import VersionEntry
from tests.repository.support import NOON


def entry(name: str) -> VersionEntry:
    """Return a listed version."""
    return VersionEntry(
        key="k",
        version_id=VersionId(name),
        is_latest=False,
        is_delete_marker=False,
        size_bytes=1,
        etag=name,
        modified_at=NOON,
    )


def record(number: int, name: str) -> Record:
    """Return the record of a version."""
    return Record(
        number=number,
        digest=Digest.of(name.encode()),
        version_id=VersionId(name),
        size_bytes=1,
        saved_at=NOON,
        author=None,
        message="",
        parent=None,
        write_id=WriteId(name),
    )


def renumber(
    stored: Sequence[str],
    records: dict[int, str],
    parents: dict[str, int | None],
    *,
    lost: Sequence[tuple[int, int]] = (),
    known_to: int = 0,
) -> Numbering:
    """Return the numbers of the versions in *stored*, oldest first, that no record names.

    Args:
        stored: Names of the versions in the order of storage.
        records: The good records: number to version.
        parents: What versions that nbvc saved say that they were based on.
        lost: Runs of lost numbers.
        known_to: A number that was given.
    """
    listed = [entry(name) for name in reversed(stored)]
    said = {
        VersionId(name): Provenance(write_id=WriteId(name), parent=parent)
        for name, parent in parents.items()
    }
    named = set(records.values())
    bare = [each for each in reversed(listed) if each.version_id not in named]
    good = {number: record(number, name) for number, name in records.items()}
    top = max([0, *good, *(last for _, last in lost)])
    return Renumbering(listed, good, bare, said).find(lost, top + 1, known_to)


def names(numbering: Numbering) -> tuple[dict[int, list[str]], list[tuple[int, str | None]]]:
    """Return a numbering by the names of its versions."""
    lost = {n: [e.version_id for e in entries] for n, entries in numbering.lost.items()}
    return lost, [(n, e.version_id if e else None) for n, e in numbering.added]


def test_a_lost_number_has_the_version_between_its_neighbours() -> None:
    """The order of storage is that of the numbers."""
    found = renumber("abc", {1: "a", 3: "c"}, {"b": 1}, lost=[(2, 2)])
    assert names(found) == ({2: ["b"]}, [])


def test_a_version_of_nbvc_comes_before_a_foreign_one() -> None:
    """The foreign one stays for the end."""
    found = renumber("axbc", {1: "a", 3: "c"}, {"b": 1}, lost=[(2, 2)])
    assert names(found) == ({2: ["b", "x"]}, [(4, "x")])


def test_two_who_saved_at_once_may_have_claimed_the_other_way_round() -> None:
    """The version was stored after the one of the next number."""
    found = renumber("acbd", {1: "a", 3: "c", 4: "d"}, {"b": 1}, lost=[(2, 2)])
    assert names(found) == ({2: ["b"]}, [])


def test_a_run_of_lost_numbers_is_filled_in_the_order_of_storage() -> None:
    """As many versions as numbers."""
    found = renumber("abcde", {1: "a", 5: "e"}, {"b": 1, "c": 2, "d": 3}, lost=[(2, 4)])
    assert names(found) == ({2: ["b"], 3: ["c"], 4: ["d"]}, [])


def test_parents_tell_which_of_a_run_is_left() -> None:
    """v3 has expired: the one that was based on it is v4."""
    found = renumber("abde", {1: "a", 5: "e"}, {"b": 1, "d": 3}, lost=[(2, 4)])
    assert names(found) == ({2: ["b"], 3: [], 4: ["d"]}, [])


def test_a_version_that_was_based_on_a_later_one_is_none_of_them() -> None:
    """Its number must be greater than its parent's."""
    found = renumber("abc", {1: "a", 3: "c"}, {"b": 3}, lost=[(2, 2)])
    assert names(found) == ({2: []}, [(4, "b")])


def test_numbers_after_the_newest_go_on_from_it() -> None:
    """Forks have the same parent, and numbers of their own."""
    found = renumber("abcd", {1: "a"}, {"b": 1, "c": 1, "d": 2})
    assert names(found) == ({}, [(2, "b"), (3, "c"), (4, "d")])


def test_numbers_whose_versions_expired_stay_empty_where_two_agree() -> None:
    """All records are lost, and the versions v1 and v2 too."""
    found = renumber("cd", {}, {"c": 2, "d": 3})
    assert names(found) == ({}, [(1, None), (2, None), (3, "c"), (4, "d")])


def test_one_version_alone_is_believed_only_where_its_number_is_known() -> None:
    """It may be a copy from another notebook; a tag shows that so many numbers were given."""
    assert names(renumber("c", {}, {"c": 2})) == ({}, [(1, "c")])
    assert names(renumber("c", {}, {"c": 2}, known_to=2))[1] == [(1, None), (2, None), (3, "c")]


def test_a_run_that_is_too_long_to_be_true_is_refused() -> None:
    """A forged number must not fill a store."""
    end = MAX_EMPTY + 3
    found = renumber("ab", {1: "a", end + 1: "b"}, {}, lost=[(2, end)])
    assert found.refused == ((2, end),)
    assert found.lost == {}
    assert len(renumber("a", {}, {"a": 2**53 - 1}, known_to=2**53).added) == 1
