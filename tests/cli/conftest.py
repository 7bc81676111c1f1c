"""Fixtures of the tests of the command line."""

from __future__ import annotations

import pytest

from tests.cli.embedded import fill
from tests.command_line import CommandLine


@pytest.fixture
def saved(project: CommandLine) -> CommandLine:
    """Return a workspace with two notebooks of two versions each; one is published."""
    return fill(project)
