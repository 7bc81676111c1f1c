"""Listings that lag behind, repeat themselves or never end: nothing is told twice, or hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from nbvc.stores.base import Overwrite
from tests.faults.disk.scenes import ONE, TWO
from tests.faults.disk.world import EMBEDDED, NAMESPACE, small
from tests.faults.network import listings
from tests.faults.network.proxy import Plan, Strike
from tests.faults.network.scenes import IS_FAST
from tests.faults.network.world import S3World, Struck
from tests.stores.wire import Request

pytestmark = pytest.mark.real_s3

READERS = {
    "log": ("log", "a.ipynb", "--json"),
    "ls": ("ls", "--json"),
    "check": ("check", "--read-data", "--json"),
}
UNTRUE = {strike.__name__: strike for strike in (listings.repeat_entries, listings.repeat_page)}
readers = pytest.mark.parametrize("reader", READERS if IS_FAST else ["log"])


@pytest.fixture
def filled(world: S3World) -> S3World:
    """Return a workspace with two notebooks, and a version of another tool on top of one."""
    world.bind()
    world.save("a.ipynb", ONE)
    world.save("b.ipynb", small("b"))
    world.save("a.ipynb", TWO)
    with world.store(EMBEDDED) as store:
        store.put(
            f"workspace/{NAMESPACE}/a.ipynb",
            small("from elsewhere"),
            mode=Overwrite(),
            metadata={},
            content_type="application/json",
        )
    return world


def read(world: S3World, reader: str, plan: Plan) -> Struck:
    """Run a command that reads, with nothing cached."""
    world.forget_cache()
    return world.run(READERS[reader], plan)


def plans(clean: Struck, strike: Strike, *, for_ever: bool = False) -> Iterator[Plan]:
    """Yield one plan for each listing of a command; several at once come in any order."""
    for target in sorted({each.target for each in clean.requests if listings.is_listing(each)}):
        only = partial(_is_of, target)
        yield Plan(at=1, strike=strike, for_ever=for_ever, only=only)


def _is_of(target: str, request: Request) -> bool:
    return request.target == target


def told(outcome: Struck) -> Any:
    """Return what a command told, but for what differs from run to run."""
    found = json.loads(outcome.stdout)
    if isinstance(found, dict):
        return {name: value for name, value in found.items() if "second" not in name}
    return found


@readers
@pytest.mark.parametrize("strike", UNTRUE.values(), ids=UNTRUE)
def test_what_is_listed_twice_is_told_once(filled: S3World, reader: str, strike: Strike) -> None:
    """At any listing, and at all of them: the same answer as from a listing that is true."""
    clean = read(filled, reader, Plan())
    struck = 0
    for for_ever in (False, True):
        for plan in plans(clean, strike, for_ever=for_ever):
            outcome = read(filled, reader, plan)
            assert outcome.exit_code == clean.exit_code, outcome.said
            assert told(outcome) == told(clean), outcome.struck
            struck += bool(outcome.struck)
    assert struck >= 2


@readers
def test_a_listing_without_an_end_is_an_error(filled: S3World, reader: str) -> None:
    """It is noticed at the second page, and nothing is told as if it were the whole."""
    clean = read(filled, reader, Plan())
    noticed = 0
    for plan in plans(clean, listings.loop):
        outcome = read(filled, reader, plan)
        assert len(outcome.requests) <= 2 * len(clean.requests) + 2
        if outcome.exit_code == clean.exit_code:  # it had what it wanted of the first page
            assert told(outcome) == told(clean)
        else:
            assert (outcome.exit_code, "does not come to an end" in outcome.stderr) == (7, True)
            noticed += 1
    assert noticed


def test_a_listing_that_lags_hides_and_doubles_nothing_else(filled: S3World) -> None:
    """Whichever listing of ``log`` lags: older versions are there, and none is called missing."""
    filled.cli.write("a.ipynb", small("three"))
    filled.cli("save", "a.ipynb")
    clean = read(filled, "log", Plan())
    newest, *older = [version["version_id"] for version in told(clean)]
    struck = 0
    for plan in plans(clean, listings.lag):
        outcome = read(filled, "log", plan)
        assert outcome.exit_code == 0, outcome.said
        found = [version["version_id"] for version in told(outcome)]
        assert sorted(found) in (sorted([newest, *older]), sorted(older)), outcome.struck
        assert not any(version["missing"] for version in told(outcome))
        struck += bool(outcome.struck)
    assert struck >= 2  # where the oldest version counts, the versions of a record are listed too
