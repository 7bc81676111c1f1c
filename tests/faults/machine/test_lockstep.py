"""Whatever people and faults do, in any order: the embedded store, S3 and the model agree."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from moto import mock_aws

from nbvc.stores.base import Store
from tests.faults.machine.lockstep import Lockstep
from tests.s3_server import isolate_aws_settings, new_bucket


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


def test_all_systems_agree() -> None:
    """A few programs, the same each time."""
    run_state_machine_as_test(
        OnMoto,
        settings=settings(
            derandomize=True,
            database=None,
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
