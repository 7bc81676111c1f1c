"""What a server says when it refuses or asks for patience, and what nbvc makes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nbvc.stores.retry import RetryPolicy
from tests.faults.disk.scenes import ONE, TWO
from tests.faults.network.faults import answers, flipped
from tests.faults.network.proxy import Plan
from tests.faults.network.scenes import only_fast
from tests.faults.network.world import S3World
from tests.stores.wire import Request

pytestmark = [pytest.mark.real_s3, only_fast]

ATTEMPTS = RetryPolicy().attempts
SAVE = ("save", "--require-store")


@pytest.fixture
def saved(world: S3World) -> S3World:
    """Return a workspace with one version, and a change that is not saved yet."""
    world.bind()
    world.save("a.ipynb", ONE)
    world.cli.write("a.ipynb", TWO)
    return world


def is_data(request: Request) -> bool:
    """Return whether *request* writes a notebook."""
    return request.method == "PUT" and "/workspace/" in request.target.partition(".nbvc/")[0]


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "kind", "hint"),
    [
        (403, "ExpiredToken", 6, "credentials-expired", "Log in again"),
        (403, "AccessDenied", 6, "access-denied", "s3:PutObject"),
        (403, "RequestTimeTooSkewed", 7, "clock-skewed", "clock"),
        (404, "NoSuchBucket", 3, "store-not-found", "--create"),
    ],
)
def test_a_refusal_is_final(
    saved: S3World, status: int, code: str, exit_code: int, kind: str, hint: str
) -> None:
    """It is not tried again, nothing waits for it to change by itself, and the hint names a way."""
    plan = Plan(at=1, strike=answers(status, code), for_ever=True, only=is_data)
    outcome = saved.run(("save", "--json"), plan)
    assert (outcome.exit_code, outcome.kind) == (exit_code, kind), outcome.said
    assert hint in outcome.stderr
    assert len(outcome.struck) == 1
    assert outcome.pauses == []
    assert saved.run(("save",)).exit_code == 0


@pytest.mark.parametrize(
    ("strike", "kind"),
    [
        (answers(500, "InternalError"), "outcome-unknown"),
        (answers(503, "SlowDown"), "store-unavailable"),
        (answers(503, "SlowDown", Retry_After="2"), "store-unavailable"),
    ],
    ids=["500", "503", "503-retry-after"],
)
def test_what_may_pass_is_tried_five_times(
    saved: S3World, strike: Callable[..., bytes], kind: str
) -> None:
    """Then the version waits in the outbox; where that is not wanted, it is an error, exit 7."""
    plan = Plan(at=1, strike=strike, for_ever=True, only=is_data)
    outcome = saved.run((*SAVE, "--json"), plan)
    assert (outcome.exit_code, outcome.kind) == (7, kind), outcome.said
    assert len(outcome.struck) == ATTEMPTS
    assert len(outcome.pauses) == ATTEMPTS - 1


@pytest.mark.parametrize("status", [500, 503])
def test_retry_after_is_respected(saved: S3World, status: int) -> None:
    """The next attempt comes no sooner than the server asks for, whatever the policy says."""
    code = {500: "InternalError", 503: "SlowDown"}[status]
    plan = Plan(at=1, strike=answers(status, code, Retry_After="7"), only=is_data)
    outcome = saved.run(SAVE, plan)
    assert (outcome.exit_code, len(outcome.struck)) == (0, 1), outcome.said
    assert outcome.pauses == [7.0]


def test_without_retry_after_the_pauses_are_short(saved: S3World) -> None:
    """Of full jitter: below a tenth of a second after the first failure."""
    plan = Plan(at=1, strike=answers(503, "SlowDown"), only=is_data)
    outcome = saved.run(SAVE, plan)
    assert outcome.exit_code == 0
    assert [seconds < 0.1 for seconds in outcome.pauses] == [True]


def test_a_wait_that_is_too_long_is_not_begun(saved: S3World) -> None:
    """A server that asks for an hour does not keep anybody waiting for a minute first."""
    plan = Plan(at=1, strike=answers(503, "SlowDown", Retry_After="3600"), only=is_data)
    outcome = saved.run(("save",), plan)
    assert (outcome.exit_code, outcome.waits, outcome.pauses) == (0, True, []), outcome.said
    assert saved.run(("push",)).exit_code == 0
    assert [version["number"] for version in saved.cli("log", "--json").json] == [2, 1]


def test_bytes_that_come_damaged_again_and_again_are_never_written(saved: S3World) -> None:
    """Exit 8, the file as it was, and the damage is looked at twice before it counts."""
    saved.run(("save",))
    is_notebook_read = lambda request: request.method == "GET" and "versionId" in request.target  # noqa: E731
    plan = Plan(at=1, strike=flipped, for_ever=True, only=is_notebook_read)
    saved.forget_cache()
    outcome = saved.run(("checkout", "a.ipynb@v1", "--json"), plan)
    assert (outcome.exit_code, outcome.kind) == (8, "integrity"), outcome.said
    assert len(outcome.struck) >= 2
    assert (saved.cli.folder / "a.ipynb").read_bytes() == TWO
