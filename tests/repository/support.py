"""What the tests of the repository share: acts, drafts, repositories and a cache."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import count

from nbvc.manifest.layout import STORE_FILE, Layout
from nbvc.model import Area, Digest, NotebookKey, Version, WriteId
from nbvc.refs import parse_moment, parse_selector
from nbvc.repository import Act, Draft, Known, Repository
from nbvc.repository.records import Manifest
from nbvc.repository.settings import StoreSettings, encode
from nbvc.stores.base import Overwrite, Store, Stored

KEY = NotebookKey("kylek/notebooks/mine.ipynb")
OTHER = NotebookKey("kylek/notebooks/other.ipynb")
THIRD = NotebookKey("kylek/third.ipynb")
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
_numbers = count(1)


class DictCache:
    """A cache that keeps everything."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        """Return what was kept."""
        return self.kept.get(name)

    def put(self, name: str, data: bytes) -> None:
        """Keep it."""
        self.kept[name] = data


def open_repository(
    store: Store, *, cache: DictCache | None = None, prepared: bool = True
) -> Repository:
    """Return a repository on *store*, as if ``nbvc init`` had been run on it unless told not."""
    settings = StoreSettings(store_id="store", capabilities=store.capabilities, created_at=NOON)
    return Repository(
        store,
        settings=settings if prepared else None,
        cache=cache,
        sleep=lambda _: None,
        jitter=lambda: 0.5,
    )


def write_settings(store: Store) -> None:
    """Write the ``store.json`` that :func:`open_repository` pretends to have read."""
    settings = StoreSettings(store_id="store", capabilities=store.capabilities, created_at=NOON)
    data = encode(settings)
    store.put(STORE_FILE, data, mode=Overwrite(), metadata={}, content_type="application/json")


def act(message: str = "", *, now: datetime | None = None, author: str = "ada") -> Act:
    """Return an act of *author*, now, with a write ID of its own."""
    write_id = WriteId(f"w{os.getpid():010}{next(_numbers):021}")
    return Act(author=author, message=message, now=now or datetime.now(UTC), write_id=write_id)


def draft(data: bytes, parent: int | None = None) -> Draft:
    """Return *data* as a draft."""
    return Draft(data=data, digest=Digest.of(data), parent=parent, changes=None)


def save(
    repository: Repository,
    data: bytes,
    known: Known | None = None,
    *,
    key: NotebookKey = KEY,
    message: str = "",
    now: datetime | None = None,
) -> Known:
    """Save *data* on top of *known*."""
    parent = known.file.record.number if known else None
    return repository.save(key, draft(data, parent), act(message, now=now), known)


def save_many(
    repository: Repository, count: int, *, key: NotebookKey = KEY, known: Known | None = None
) -> Known:
    """Save *count* versions with the bytes ``b"v<number>"``, and return the last."""
    for _ in range(count):
        number = known.file.record.number + 1 if known else 1
        known = save(repository, b"v%d" % number, known, key=key, message=f"run {number}")
    assert known is not None
    return known


def put_foreign(
    store: Store, data: bytes, key: NotebookKey = KEY, area: Area = Area.WORKSPACE
) -> Stored:
    """Write a version as another tool would: the bytes, and nothing else."""
    data_key = Layout().data_key(area, key)
    return store.put(data_key, data, mode=Overwrite(), metadata={}, content_type="application/json")


def numbers(repository: Repository, key: NotebookKey = KEY) -> list[int | None]:
    """Return the numbers of the log, newest first."""
    return [version.number for version in repository.log(key)]


def contents(repository: Repository, key: NotebookKey = KEY) -> list[bytes]:
    """Return the bytes of all versions of the log, newest first."""
    return [repository.read(version) for version in repository.log(key)]


def find(repository: Repository, text: str, key: NotebookKey = KEY) -> Version:
    """Resolve *text*, as a person would type it."""
    selector = parse_selector(text)
    moment = getattr(selector.base, "text", "")
    as_of = None
    if text.startswith("{"):
        now = datetime.now(UTC)
        as_of = parse_moment(moment, now=now, timezone=UTC, end_of_day=True)
    return repository.resolve(key, selector, as_of=as_of)


def assert_whole(repository: Repository, count: int, key: NotebookKey = KEY) -> None:
    """Check that *key* has exactly *count* versions, each once, all recorded, chained, readable."""
    versions = list(repository.log(key))
    assert [version.number for version in versions] == list(range(count, 0, -1))
    assert len({version.version_id for version in versions}) == count
    for version in versions:
        assert Digest.of(repository.read(version)) == version.digest


def chain_of(repository: Repository, key: NotebookKey = KEY) -> list[int]:
    """Return the numbers of the manifest of *key*, following its hash chain."""
    manifest = Manifest(repository.backend, Area.WORKSPACE, key)
    newest = manifest.newest()
    return [] if newest is None else [r.number for r in manifest.back_from(newest, newest.first)]
