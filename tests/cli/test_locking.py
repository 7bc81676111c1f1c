"""``nbvc init --lock-days``: a store that keeps its versions from everybody for a while."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.cli.test_on_s3 import make_bucket
from tests.cli.test_terminal import on_terminal
from tests.command_line import CommandLine
from tests.moto_server import aws_variables, serve_moto
from tests.notebook_samples import code, notebook
from tests.s3_server import REGION

ONE, TWO = notebook(code("x = 1")), notebook(code("x = 2"))


@pytest.fixture
def s3(cli: CommandLine) -> Iterator[CommandLine]:
    """Return a command line for which S3 is there, and empty."""
    with mock_aws():
        yield cli


def locks(prefix: str = "workspace/") -> list[tuple[str | None, timedelta | None]]:
    """Return the mode of each version below *prefix*, oldest first, and how long it lasts."""
    client = boto3.client("s3", region_name=REGION)
    found = []
    for entry in client.list_object_versions(Bucket="notebooks", Prefix=prefix)["Versions"]:
        head: Any = client.head_object(
            Bucket="notebooks", Key=entry["Key"], VersionId=entry["VersionId"]
        )
        until = head.get("ObjectLockRetainUntilDate")
        left = None if until is None else until - datetime.now(UTC)
        found.append((head.get("ObjectLockMode"), left))
    client.close()
    return found[::-1]


def save(cli: CommandLine, data: bytes, cwd: Path | None = None) -> None:
    """Write and save the notebook."""
    ((cwd or cli.folder) / "mine.ipynb").write_bytes(data)
    cli("save", cwd=cwd)


def test_a_new_bucket_is_made_with_object_lock(s3: CommandLine) -> None:
    """Each save is locked for so many days from then on; records are not."""
    said = s3("init", "s3://notebooks", "--create", "--lock-days", "30").stdout
    assert "are locked for 30 days (governance)" in said
    save(s3, ONE)
    ((mode, left),) = locks()
    assert mode == "GOVERNANCE"
    assert left is not None
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
    assert set(locks(".nbvc/")) == {(None, None)}


def test_the_lock_may_be_changed_by_saying_it_again(s3: CommandLine) -> None:
    """For the versions to come; init without it says what holds, and leaves it."""
    s3("init", "s3://notebooks", "--create", "--lock-days", "30")
    save(s3, ONE)
    s3("init", "--lock-days", "7")
    assert s3("init", "--json").json["lock"] == {"days": 7, "mode": "GOVERNANCE"}
    save(s3, TWO)
    days = [left.days + 1 for _, left in locks() if left]
    assert days == [30, 7]


def test_a_colleague_learns_of_a_lock_from_the_store(s3: CommandLine, tmp_path: Path) -> None:
    """Whoever comes later reads it in store.json."""
    s3("init", "s3://notebooks", "--create", "--lock-days", "1")
    other = tmp_path / "other"
    other.mkdir()
    assert "are locked for 1 day (governance)" in s3("init", "s3://notebooks", cwd=other).stdout
    save(s3, ONE, other)
    assert [mode for mode, _ in locks()] == ["GOVERNANCE"]


def test_an_existing_bucket_without_object_lock_is_refused(s3: CommandLine) -> None:
    """Before the folder is bound; the hint turns it on, and then it works."""
    make_bucket("notebooks")
    found = s3("init", "s3://notebooks", "--lock-days", "30", exit_code=7)
    assert "has no Object Lock" in found.stderr
    assert "aws s3api put-object-lock-configuration --bucket notebooks" in found.stderr
    assert not (s3.folder / ".nbvc/config.toml").exists()
    client = boto3.client("s3", region_name=REGION)
    client.put_object_lock_configuration(
        Bucket="notebooks", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    client.close()
    s3("init", "s3://notebooks", "--lock-days", "30")


@pytest.mark.parametrize("url", [[], ["../versions"]])
def test_the_embedded_store_refuses_a_lock(cli: CommandLine, url: list[str]) -> None:
    """A folder keeps nobody from removing its files; nothing is made."""
    found = cli("init", *url, "--lock-days", "30", exit_code=2)
    assert "cannot be locked" in found.stderr
    assert "nbvc init s3://bucket --lock-days N" in found.stderr
    assert not (cli.folder / ".nbvc").exists()


@pytest.mark.parametrize("days", ["0", "36501", "-1", "many"])
def test_a_number_of_days_that_s3_does_not_take_is_a_usage_error(
    cli: CommandLine, days: str
) -> None:
    """The limits are those of S3."""
    cli("init", "s3://notebooks", f"--lock-days={days}", exit_code=2)


def test_a_mode_without_days_is_a_usage_error(cli: CommandLine) -> None:
    """It would lock nothing, and look as if it did."""
    assert "--lock-days" in cli("init", "--lock-mode", "compliance", exit_code=2).stderr


def test_a_lock_that_cannot_be_undone_is_not_set_unasked(s3: CommandLine) -> None:
    """Without a terminal it refuses and says how to agree; nothing is made."""
    lock = ("--lock-days", "30", "--lock-mode", "compliance")
    found = s3("init", "s3://notebooks", "--create", *lock, exit_code=2)
    assert "cannot be undone" in found.stderr
    assert "--yes" in found.stderr
    s3("init", "s3://notebooks", "--create", *lock, "--yes")
    save(s3, ONE)
    assert [mode for mode, _ in locks()] == ["COMPLIANCE"]


@pytest.mark.parametrize(("answer", "exit_code"), [("n", 2), ("y", 0)])
def test_on_a_terminal_it_asks(cli: CommandLine, answer: str, exit_code: int) -> None:
    """With what it means; no is no."""
    with serve_moto() as endpoint:
        shown = on_terminal(
            cli,
            *("init", "s3://notebooks", "--create", "--lock-days", "2"),
            *("--lock-mode", "compliance"),
            variables=aws_variables(endpoint),
            typed=f"{answer}\n",
            exit_code=exit_code,
        )
    assert "For 2 days after it is saved nobody can remove a version" in shown
    assert (cli.folder / ".nbvc/config.toml").exists() is (answer == "y")
