"""What the tests of packs share: a history with old versions, and commands on it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, timedelta

from nbvc.manifest.layout import Layout
from nbvc.model import Area, NotebookKey
from nbvc.repository import Repository
from nbvc.repository.forgetting import ForgetReport
from nbvc.repository.packing import PackReport, PackRules
from nbvc.repository.thinning import KeepRules
from nbvc.repository.unpacking import UnpackReport
from nbvc.stores.base import Store
from tests.repository.support import HOUR, KEY, NOON, act, open_repository, save
from tests.stores.wrapping import Request

LATER = NOON + timedelta(days=400)
COLD = PackRules(older_than=timedelta(0), keep_newest=1, now=LATER)
"""Everything but the newest version."""


def stores_a_pack(request: Request) -> bool:
    """Whether *request* stores a pack."""
    return request.name == "put" and "/p/" in request.key


def reads_a_pack(request: Request) -> bool:
    """Whether *request* reads a pack, or a part of one."""
    return request.name == "get" and "/p/" in request.key


def content(number: int) -> bytes:
    """Return what version *number* of a test history holds: like the others, and unlike them."""
    return b'{"cells": [], "metadata": {"run": %d, "rest": "%s"}}' % (number, b"0123456789" * 40)


def fill(repository: Repository, count: int, key: NotebookKey = KEY, first: int = 1) -> None:
    """Save versions *first* to *count*, an hour apart."""
    known = None
    for number in range(first, count + 1):
        moment = NOON + HOUR * number
        data = content(number)
        known = save(repository, data, known, key=key, message=f"run {number}", now=moment)


def pack(
    store: Store | Repository,
    rules: PackRules = COLD,
    keys: Iterable[NotebookKey] = (KEY,),
    *,
    apply: bool = True,
) -> list[PackReport]:
    """Pack, as a process of its own where a store is given."""
    repository = store if isinstance(store, Repository) else open_repository(store)
    return list(repository.pack(keys, rules, act(now=LATER), apply=apply))


def unpack(
    store: Store | Repository, keys: Iterable[NotebookKey] = (KEY,), *, apply: bool = True
) -> list[UnpackReport]:
    """Unpack, as a process of its own where a store is given."""
    repository = store if isinstance(store, Repository) else open_repository(store)
    return list(repository.unpack(keys, act(now=LATER), apply=apply))


def forget(
    store: Store | Repository,
    keys: Iterable[NotebookKey] = (KEY,),
    *,
    apply: bool = True,
    **rules: int,
) -> list[ForgetReport]:
    """Let go of versions, as a process of its own where a store is given."""
    repository = store if isinstance(store, Repository) else open_repository(store)
    kept = KeepRules(**rules, zone=UTC)  # type: ignore[arg-type]
    return list(repository.forget(keys, kept, act(now=LATER), apply=apply))


def plain_ids(store: Store, key: NotebookKey = KEY) -> list[str]:
    """Return the version IDs that the store itself lists, newest first."""
    data_key = Layout().data_key(Area.WORKSPACE, key)
    return [
        entry.version_id
        for entry in store.list_versions(data_key)
        if entry.key == data_key and not entry.is_delete_marker
    ]


def pack_keys(store: Store, key: NotebookKey = KEY) -> list[str]:
    """Return the keys of the packs of a notebook."""
    return [entry.key for entry in store.list_keys(Layout().packs(Area.WORKSPACE, key))]


def assert_contents(store: Store, numbers: Iterable[int], key: NotebookKey = KEY) -> None:
    """Check that the log has these versions, oldest first, each with its own bytes."""
    repository = open_repository(store)
    versions = list(repository.log(key))
    assert [version.number for version in reversed(versions)] == list(numbers)
    for version in versions:
        assert not version.missing
        assert repository.read(version) == content(version.number or 0)
