"""Resolving: each kind of ref leads to one version, or the error says what there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from nbvc.errors import Ambiguous, NotebookNotFound, VersionNotFound
from nbvc.model import Digest
from nbvc.refs import parse_moment, parse_selector
from nbvc.repository import Repository
from tests.repository.support import KEY, NOON, act, find, put_foreign, save, save_many


def twins(length: int) -> tuple[bytes, bytes]:
    """Return two contents whose digests begin with the same *length* digits."""
    seen: dict[str, bytes] = {}
    for number in count():
        data = b"content %d" % number
        prefix = Digest.of(data)[:length]
        if prefix in seen:
            return seen[prefix], data
        seen[prefix] = data
    raise AssertionError("endless")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("v1", 1),
        ("v30", 30),
        ("v30~2", 28),
        ("latest", 30),
        ("latest~29", 1),
        ("release", 7),
        ("release~3", 4),
        (Digest.of(b"v12"), 12),
        (Digest.of(b"v12")[:12], 12),
        (Digest.of(b"v12")[:12].upper(), 12),
        (f"{Digest.of(b'v12')[:12]}~2", 10),
    ],
)
def test_a_ref_leads_to_its_version(repository: Repository, text: str, number: int) -> None:
    """By number, position, tag and digest, with steps back."""
    save_many(repository, 30)
    repository.set_tag(KEY, "release", 7, act())
    assert find(repository, text).number == number


def test_a_version_id_leads_to_its_version(repository: Repository) -> None:
    """The store's own token, as other tools print it."""
    save_many(repository, 5)
    version = find(repository, "v2")
    assert find(repository, version.version_id).number == 2
    assert find(repository, f"{version.version_id}~1").number == 1


@pytest.mark.parametrize(
    "text", ["v31", "v9999999999", "v3~3", "v3~99", "latest~30", "0123456789", "no-such-tag"]
)
def test_what_is_not_there_says_what_is(repository: Repository, text: str) -> None:
    """The error names the ref and the latest version."""
    save_many(repository, 30)
    with pytest.raises(VersionNotFound, match="v30") as caught:
        find(repository, text)
    assert text in str(caught.value)
    assert "nbvc log mine.ipynb" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["v1", "latest", "abcd", "tag", "{2026-08-01}"])
def test_a_ref_to_no_notebook_says_so(repository: Repository, text: str) -> None:
    """There is no notebook, so no version either."""
    with pytest.raises(NotebookNotFound, match=KEY):
        find(repository, text)


def test_a_digest_that_fits_two_contents_lists_them(repository: Repository) -> None:
    """Exit code 4: each candidate with its number, whole digest, time, author and message."""
    one, other = twins(4)
    known = save(repository, one, message="first")
    known = save(repository, b"between", known)
    save(repository, other, known, message="second")
    prefix = Digest.of(one)[:4]
    with pytest.raises(Ambiguous, match="fits 2 versions") as caught:
        find(repository, prefix)
    assert caught.value.exit_code == 4
    candidates = caught.value.candidates
    assert [candidate["ref"] for candidate in candidates] == ["v3", "v1"]
    assert [candidate["digest"] for candidate in candidates] == [Digest.of(other), Digest.of(one)]
    assert [candidate["message"] for candidate in candidates] == ["second", "first"]
    assert find(repository, Digest.of(one)).number == 1


def test_a_digest_that_several_versions_share_means_the_newest(repository: Repository) -> None:
    """The same bytes again are no ambiguity."""
    known = save(repository, b"same")
    known = save(repository, b"between", known)
    save(repository, b"same", known)
    assert find(repository, Digest.of(b"same")[:8]).number == 3


def test_a_tag_goes_before_a_digest(repository: Repository) -> None:
    """A tag whose name could begin a digest means the tag."""
    save_many(repository, 3)
    repository.set_tag(KEY, Digest.of(b"v3")[:6], 1, act())
    assert find(repository, Digest.of(b"v3")[:6]).number == 1
    assert find(repository, Digest.of(b"v3")[:7]).number == 3


def test_a_moment_means_the_newest_version_before_it(repository: Repository) -> None:
    """Up to and including the moment; before the first version there is none."""
    known = None
    for day in range(10):
        known = save(repository, b"%d" % day, known, now=NOON + timedelta(days=day))

    def as_of(text: str, *, end_of_day: bool = True) -> int | None:
        moment = parse_moment(
            text, now=NOON + timedelta(days=9), timezone=UTC, end_of_day=end_of_day
        )
        return repository.resolve(KEY, parse_selector(f"{{{text}}}"), as_of=moment).number

    assert as_of("2026-08-03") == 3
    assert as_of("2026-08-03", end_of_day=False) == 2
    assert as_of("2026-08-03T12:00:00Z") == 3
    assert as_of("2026-08-03T11:59:59Z") == 2
    assert as_of("2 days ago") == 8
    assert as_of("2030-01-01") == 10
    with pytest.raises(VersionNotFound):
        as_of("2026-07-31")


def test_order_is_by_number_also_where_clocks_went_wrong(repository: Repository) -> None:
    """A save by a clock that is years ahead or behind changes no order."""
    known = None
    for number, year in enumerate([2026, 2036, 2016, 2027], start=1):
        known = save(repository, b"v%d" % number, known, now=datetime(year, 1, 1, tzinfo=UTC))
    assert [version.number for version in repository.log(KEY)] == [4, 3, 2, 1]
    assert find(repository, "latest").number == 4


def test_steps_back_from_the_latest_count_unindexed_versions(repository: Repository) -> None:
    """As the log shows them."""
    save_many(repository, 2)
    put_foreign(repository.store, b"foreign")
    shown = [version.version_id for version in repository.log(KEY)]
    assert [find(repository, f"latest~{n}").version_id for n in range(3)] == shown


def test_every_version_can_be_located(repository: Repository) -> None:
    """The URL of a version names its key and its version ID."""
    save_many(repository, 2)
    version = find(repository, "v1")
    url = repository.locate(version)
    assert url.startswith(repository.store.url)
    assert url.endswith(f"/workspace/{KEY}?versionId={version.version_id}")
