"""Whatever people and faults do, in any order: the embedded store, S3 and a plain model agree."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from moto import mock_aws

from nbvc.stores.base import Store
from tests.faults.machine.line import Kind
from tests.faults.machine.lockstep import Lockstep
from tests.s3_server import isolate_aws_settings, new_bucket, real_endpoint
from tests.stores.memory import MemoryStore

SEED = 20_260_801
STEPS = 20

# Where one fails, Hypothesis looks for a shorter program that fails too, for up to five minutes.
pytestmark = pytest.mark.timeout(900)


class OnMoto(Lockstep):
    """With S3 as moto plays it, in this process."""

    @staticmethod
    def new_bucket(
        stack: ExitStack, patch: pytest.MonkeyPatch, root: Path
    ) -> Callable[[int], Store]:
        """Return what makes fresh buckets."""
        isolate_aws_settings(patch, root)
        stack.enter_context(mock_aws())
        return lambda number: new_bucket(None, root=f"root-{number}")


class InMemory(Lockstep):
    """With a store in memory in place of S3, which is as far away: many more programs an hour."""

    @staticmethod
    def new_bucket(
        stack: ExitStack, patch: pytest.MonkeyPatch, root: Path
    ) -> Callable[[int], Store]:
        """Return what makes fresh stores."""
        return lambda number: MemoryStore(url=f"s3://memory-{number}", first_id=number * 10**6)


class OnServer(Lockstep):
    """With a real S3 server."""

    @staticmethod
    def new_bucket(
        stack: ExitStack, patch: pytest.MonkeyPatch, root: Path
    ) -> Callable[[int], Store]:
        """Return what makes fresh buckets."""
        isolate_aws_settings(patch, root)
        return lambda number: new_bucket(real_endpoint(), root=f"root-{number}")


def run(machine: type[Lockstep], *, programs: int, start: int, steps: int = STEPS) -> None:
    """Run some programs; where one fails, print the seed and a shorter one that fails."""
    machine.tally.clear()
    print(f"NBVC_TEST_SEED={start}")  # noqa: T201
    run_state_machine_as_test(
        seed(start)(machine),
        settings=settings(
            database=None,
            derandomize=True,
            max_examples=programs,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
            report_multiple_bugs=False,
        ),
    )
    print(dict(machine.tally))  # noqa: T201


def test_the_embedded_store_and_s3_do_what_the_model_does() -> None:
    """All commands, crashes, lost replies, a cut line, other tools and any clock: all three agree.

    The same programs each time; and they are not idle.
    """
    run(OnMoto, programs=8, start=SEED)
    assert any(OnMoto.tally[kind.name] for kind in Kind)


def test_more_programs_find_no_difference_to_a_store_in_memory() -> None:
    """The same with a store that answers sooner: of all that can happen, something does."""
    run(InMemory, programs=25, start=SEED)
    missed = {kind.name for kind in Kind} - {*InMemory.tally}
    assert not missed, f"nothing of this kind happened: {missed}"
    assert InMemory.tally["waiting"]


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("machine", "share"), [(InMemory, 1), (OnMoto, 10)])
def test_many_programs_find_no_difference(machine: type[Lockstep], share: int) -> None:
    """The same for as many programs, and from such a seed, as the variables say; fewer on moto."""
    programs = int(os.environ.get("NBVC_TEST_PROGRAMS") or 200)
    start = int(os.environ.get("NBVC_TEST_SEED") or SEED + 1)
    run(machine, programs=-(-programs // share), start=start, steps=2 * STEPS)


@pytest.mark.real_s3
def test_the_embedded_store_and_a_real_server_do_what_the_model_does() -> None:
    """A few programs, for what moto does otherwise than a server."""
    real_endpoint()
    run(OnServer, programs=3, start=SEED, steps=12)
