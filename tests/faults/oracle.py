"""The oracle of all fault tests: what must hold of a store after any failure, in plain checks.

It reads the store anew, with nothing cached but by this very check, and compares it with a
``Ledger`` of what users were told. It asks only what a user could ask: the log, the bytes of each
version, refs and tags; and the store's own listing, so that nothing is hidden.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from nbvc.errors import NotebookNotFound
from nbvc.model import Area, Digest, NotebookKey, Version
from nbvc.refs import parse_selector
from nbvc.repository import Repository
from nbvc.repository.repeats import adoption_id
from nbvc.repository.settings import read_settings
from nbvc.stores.base import WRITE_ID, Store
from tests.faults.ledger import Expected, Ledger, LetGo
from tests.stores.remembering import RememberingStore

_TEMPORARY = (".tmp", "-journal")


def assert_kept(store: Store | Repository, ledger: Ledger) -> int:
    """Check that *store* holds what *ledger* says, and return the number of versions that it has.

    - Every acknowledged save is in the log exactly once, under the number that was told, with bytes
      whose SHA-256 is its digest. A failed or killed call left one version more at most.
    - No other bytes are listed: no half version, none of another notebook.
    - Numbers run from 1 without repeat, newest first, and parents have lower numbers. What somebody
      let go of is the only gap.
    - Numbers, ``latest``, version IDs and tags resolve to the versions that the log shows.
    - The store's own listing holds nothing that the log hides, but for repeats of one write, and
      for what a forget that did not come to its end let go of. What was let go of is gone.
    """
    with _anew(store) as repository:
        count = 0
        for (area, key), expected in ledger.places.items():
            versions = _log(repository, area, key)
            _check_bytes(repository, area, key, versions, expected)
            let_go = ledger.let_go.get((area, key), {})
            _check_order(key, versions, let_go)
            _check_refs(repository, area, key, versions)
            _check_nothing_hidden(repository, area, key, versions, let_go)
            count += len(versions)
        _check_tags(repository, ledger)
        return count


def assert_settled(store: Store | Repository, ledger: Ledger) -> int:
    """Check :func:`assert_kept`, and that every version has a record: as after a clean save."""
    count = assert_kept(store, ledger)
    with _anew(store) as repository:
        for area, key in ledger.places:
            bare = [v.version_id for v in _log(repository, area, key) if not v.indexed]
            assert not bare, f"{key} ({area}) has versions without a record: {bare}"
    return count


def assert_no_litter(folder: Path) -> None:
    """Check that no temporary file lies in *folder*, as after the next command at the latest."""
    left = [str(path) for path in folder.rglob("*") if path.name.endswith(_TEMPORARY)]
    assert not left, f"temporary files were left: {left}"


def _log(repository: Repository, area: Area, key: NotebookKey) -> list[Version]:
    try:
        repository.log(key, area=area)
    except NotebookNotFound:
        return []
    # Also what it leaves out, because it belongs to a notebook that had this name before.
    return list(repository.open_history(key, area=area).versions())


def _check_bytes(
    repository: Repository,
    area: Area,
    key: NotebookKey,
    versions: Sequence[Version],
    expected: dict[Digest, Expected],
) -> None:
    found: Counter[Digest] = Counter()
    numbers: dict[Digest, set[int | None]] = {}
    for version in versions:
        data = repository.read(version)
        digest = Digest.of(data)
        assert version.digest in {None, digest}, f"{version} has other bytes: {digest}"
        assert version.size_bytes == len(data), f"{version} has {len(data)} bytes"
        assert digest in expected, f"{version} of {key} was never saved: {data[:200]!r}"
        found[digest] += 1
        numbers.setdefault(digest, set()).add(version.number)
    for digest, each in expected.items():
        most = each.least + each.open + each.waiting
        what = f"{each.data[:300]!r} of {key} ({area})"
        assert found[digest] >= each.least, (
            f"acknowledged {each.least} times and {found[digest]} times in the log: {what}"
        )
        assert found[digest] <= most, f"{found[digest]} times in the log, not {most}: {what}"
        missing = each.numbers - numbers.get(digest, set())
        assert not missing, f"{what} was told to be {missing} and is {numbers.get(digest)}"


def _check_order(
    key: NotebookKey, versions: Sequence[Version], let_go: Mapping[int, LetGo]
) -> None:
    numbers = [version.number for version in versions if version.number is not None]
    left_out = [number for number in let_go if number not in numbers]
    whole = sorted([*numbers, *left_out], reverse=True)
    assert whole == list(range(len(whole), 0, -1)), f"the numbers of {key} are {numbers}"
    assert numbers == sorted(numbers, reverse=True), f"the order of {key} is {numbers}"
    shown = [number for number, gone in let_go.items() if gone.done and number in numbers]
    assert not shown, f"{key} still shows {shown}, which were let go of"
    ids = Counter((version.key, version.version_id) for version in versions)
    assert not ids or max(ids.values()) == 1, f"listed twice: {ids.most_common(3)}"
    for version in versions:
        if version.number is not None and version.parent is not None:
            assert version.parent < version.number, f"{version} comes before its parent"


def _check_refs(
    repository: Repository, area: Area, key: NotebookKey, versions: Sequence[Version]
) -> None:
    def resolved(text: str) -> str:
        return repository.resolve(key, parse_selector(text), area=area).version_id

    if versions:
        assert resolved("latest") == versions[0].version_id
    for version in versions:
        if version.number is not None:
            assert resolved(f"v{version.number}") == version.version_id
        assert resolved(version.version_id) == version.version_id


def _check_nothing_hidden(
    repository: Repository,
    area: Area,
    key: NotebookKey,
    versions: Sequence[Version],
    let_go: Mapping[int, LetGo],
) -> None:
    """Check that what the store lists beyond the log repeats the write of a version in the log."""
    data_key = repository.layout.data_key(area, key)
    store = repository.store
    shown = {version.version_id for version in versions if version.key == key}
    listed = [
        entry.version_id
        for entry in store.list_versions(data_key)
        if entry.key == data_key and not entry.is_delete_marker
    ]
    hidden = [version_id for version_id in listed if version_id not in shown]
    if not hidden:
        return
    going = {each.digest for each in let_go.values() if not each.done}
    written = {
        store.head(data_key, each).metadata.get(WRITE_ID) or adoption_id(each) for each in shown
    }
    for version_id in hidden:
        if Digest.of(store.get(data_key, version_id).data) in going:
            continue
        write_id = store.head(data_key, version_id).metadata.get(WRITE_ID)
        assert write_id is not None, f"the log of {key} hides {version_id}"
        assert write_id in written, f"the log of {key} hides {version_id}"


def _check_tags(repository: Repository, ledger: Ledger) -> None:
    for (key, name), allowed in ledger.tags.items():
        found = repository.tags(key).get(name)
        assert found in allowed, f"the tag {name} of {key} is at {found}, not {allowed}"
        if found is not None:
            assert repository.resolve(key, parse_selector(name)).number == found


@contextmanager
def _anew(opened: Store | Repository) -> Iterator[Repository]:
    """Open a repository with nothing cached yet on a store that stays open."""
    store = RememberingStore(opened.store if isinstance(opened, Repository) else opened)
    repository = Repository(
        store, settings=read_settings(store), sleep=lambda _: None, jitter=lambda: 0.0
    )
    try:
        yield repository
    finally:
        repository.backend.parallel.close()
