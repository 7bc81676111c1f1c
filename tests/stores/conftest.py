"""Fixtures of the tests of stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.s3_server import isolate_aws_settings


@pytest.fixture(autouse=True)
def aws_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the tests apart from the AWS settings of who runs them; return where theirs are."""
    folder = tmp_path_factory.mktemp("aws")
    isolate_aws_settings(monkeypatch, folder)
    return folder
