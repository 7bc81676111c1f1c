"""Locks and the doctor against a real S3 server, through the commands that people type."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from nbvc.errors import AccessDenied
from nbvc.stores.s3 import S3Store
from tests.command_line import CommandLine
from tests.notebook_samples import code, notebook
from tests.s3_server import connect, real_endpoint

pytestmark = pytest.mark.real_s3


@pytest.fixture
def locked(cli: CommandLine) -> Iterator[S3Store]:
    """Return a bucket whose versions nbvc locks, with the folder of *cli* bound to it."""
    name, endpoint = f"nbvc-{uuid.uuid4().hex}", real_endpoint()
    where = (f"s3://{name}", "--namespace", "ada", "--endpoint-url", endpoint)
    cli("init", *where, "--create", "--lock-days", "1")
    store = connect(endpoint, bucket=name)
    yield store
    store.close()


def save(cli: CommandLine, name: str, source: str) -> None:
    """Write and save a notebook."""
    cli.write(name, notebook(code(source)))
    cli("save", name)


def test_no_version_under_retention_can_be_removed(cli: CommandLine, locked: S3Store) -> None:
    """Saves and renames, with their version IDs, by the credential that wrote them."""
    for source in ("1", "2"):
        save(cli, "mine.ipynb", source)
    cli("mv", "mine.ipynb", "yours.ipynb")
    versions = [v for v in locked.list_versions("workspace/") if not v.is_delete_marker]
    assert [version.key for version in versions] == [
        "workspace/ada/mine.ipynb",
        "workspace/ada/mine.ipynb",
        "workspace/ada/yours.ipynb",
    ]
    for version in versions:
        assert locked.head(version.key, version.version_id).locked_until is not None
        with pytest.raises(AccessDenied):
            locked.delete_version(version.key, version.version_id)
    assert [entry["number"] for entry in cli("log", "yours.ipynb", "--json").json] == [3, 2, 1]
    cli("show", "yours.ipynb@v1")


def test_removal_and_publication_still_work(cli: CommandLine, locked: S3Store) -> None:
    """A delete marker destroys nothing; what it hides is still there."""
    save(cli, "mine.ipynb", "1")
    cli("publish", "mine.ipynb")
    cli("unpublish", "mine.ipynb")
    cli("rm", "mine.ipynb")
    cli("checkout", "mine.ipynb@v1")


def test_the_doctor_finds_a_locked_store_well(cli: CommandLine, locked: S3Store) -> None:
    """On each server; what it writes to find out is removed again."""
    save(cli, "mine.ipynb", "1")
    before = list(locked.list_versions(""))
    checks = {each["name"]: each for each in cli("doctor", "--json").json["checks"]}
    assert {name: each for name, each in checks.items() if each["status"] != "ok"} == {}
    assert checks["object-lock"]["found"] == "New versions are locked for 1 day (governance)."
    assert list(locked.list_versions("")) == before


def test_the_doctor_says_that_a_plain_bucket_locks_nothing(cli: CommandLine) -> None:
    """And names no lifecycle rule, where there is none."""
    name, endpoint = f"nbvc-{uuid.uuid4().hex}", real_endpoint()
    cli("init", f"s3://{name}", "--endpoint-url", endpoint, "--create")
    checks = {each["name"]: each for each in cli("doctor", "--json").json["checks"]}
    assert {each["status"] for each in checks.values()} == {"ok"}
    assert checks["object-lock"]["found"] == "Versions are not locked."
    refused = cli("init", "--lock-days", "1", exit_code=7)
    assert "has no Object Lock" in refused.stderr
