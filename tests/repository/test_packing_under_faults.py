"""Pack, unpack and forget, killed at any request: nothing is lost, and the next run finishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest

from nbvc.manifest.layout import Layout
from nbvc.model import Area
from nbvc.repository.findings import Kind, Severity
from nbvc.stores.base import Store
from tests.repository.checks import run_check
from tests.repository.packing import (
    assert_contents,
    content,
    fill,
    forget,
    pack,
    plain_ids,
    unpack,
)
from tests.repository.support import (
    KEY,
    NOON,
    act,
    open_repository,
    put_foreign,
    save,
    write_settings,
)
from tests.stores.killing import Killed, KillingStore
from tests.stores.memory import MemoryStore

DATA_KEY = Layout().data_key(Area.WORKSPACE, KEY)
VERSIONS = 5


def filled(*, conditional: bool) -> MemoryStore:
    """Return a store with a few versions: one is tagged, and another tool wrote one."""
    store = MemoryStore(conditional=conditional, now=lambda: NOON)
    write_settings(store)
    fill(open_repository(store), 2)
    put_foreign(store, content(3))
    fill(open_repository(store), VERSIONS, first=4)
    open_repository(store).set_tag(KEY, "good", 2, act())
    return store


def packed(*, conditional: bool) -> MemoryStore:
    """Return such a store, packed."""
    store = filled(conditional=conditional)
    pack(store)
    return store


def let_go(store: Store) -> None:
    """Keep the last two versions, and the tagged one."""
    forget(store, last=2)


Command = Callable[[Any], object]
ALL, KEPT = range(1, VERSIONS + 1), (2, 4, 5)
CASES: dict[str, tuple[Callable[..., MemoryStore], Command, Sequence[int]]] = {
    "pack": (filled, pack, ALL),
    "pack after an unpacking": (lambda **k: _after(packed(**k), unpack), pack, ALL),
    "unpack": (packed, unpack, ALL),
    "forget": (filled, let_go, KEPT),
    "forget out of packs": (packed, let_go, KEPT),
}


def _after(store: MemoryStore, command: Command) -> MemoryStore:
    command(store)
    return store


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "oldest wins"])
@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_killed_at_any_request_is_finished_by_the_next(
    name: str, conditional: bool, answered: bool
) -> None:
    """In between, every version that is to stay can be read; a save meanwhile is not lost."""
    make, command, kept = CASES[name]
    whole = make(conditional=conditional)
    for at in count(1):
        store = whole.clone()
        try:
            command(KillingStore(store, at, answered=answered))
        except Killed:
            pass
        else:
            break
        shown = [v.number for v in open_repository(store).log(KEY)][::-1]
        assert tuple(shown) in {tuple(kept), tuple(ALL)}, f"killed at {at}"
        assert_contents(store, shown)  # type: ignore[arg-type]
        assert _errors(store) == [], f"killed at {at}"
        if at % 2:
            save(open_repository(store), content(VERSIONS + 1), now=NOON)
            assert store.get(DATA_KEY).data == content(VERSIONS + 1)
        command(store)
        after = [*kept, VERSIONS + 1] if at % 2 else kept
        newest = VERSIONS + at % 2
        if name.startswith("forget"):  # a rule keeps what is last, whoever saved it
            after = [
                n for n in after if n == 2 or n > newest - 2 or (n in shown and n >= newest - 1)
            ]
        assert_contents(store, after)
        assert store.get(DATA_KEY).data == content(newest)
        assert _errors(store) == [], f"killed at {at}"
    assert at > 15, f"{name} has only {at} requests"


def _errors(store: MemoryStore) -> list[Kind]:
    findings, _ = run_check(store, read_data=True)
    return [f.kind for f in findings if f.severity is Severity.ERROR]


def test_a_packing_that_was_killed_leaves_no_second_copies_in_the_end() -> None:
    """What is packed and plain both is plain no more once the next run has verified it."""
    whole = filled(conditional=True)
    done = whole.clone()
    pack(done)
    for at in count(1):
        store = whole.clone()
        try:
            pack(KillingStore(store, at, answered=False))
        except Killed:
            pack(store)
            assert plain_ids(store) == plain_ids(done), f"killed at {at}"
        else:
            break
