"""Saves without a store, on the command line: what is said, which exit code, what comes later."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from nbvc.errors import NbvcError
from nbvc.workspace.outbox import Outbox
from tests.command_line import CommandLine
from tests.moto_server import aws_variables, serve_moto
from tests.notebook_samples import code, notebook

NOWHERE = "http://127.0.0.1:9"
ONE, TWO = notebook(code("x = 1")), notebook(code("x = 2"))


@pytest.fixture
def bucket(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """Return a command line in a workspace of a bucket, with one version."""
    with serve_moto() as endpoint:
        for name, value in aws_variables(endpoint).items():
            monkeypatch.setenv(name, value)
        cli("init", "s3://books", "--namespace", "ada", "--create")
        cli.write("mine.ipynb", ONE)
        cli("save")
        yield cli


def go_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send requests where nobody answers."""
    monkeypatch.setenv("NBVC_ENDPOINT_URL", NOWHERE)


def go_online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send requests to the server again."""
    monkeypatch.delenv("NBVC_ENDPOINT_URL")


def test_save_without_a_network_succeeds_and_the_next_command_delivers(
    bucket: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 0, the reason on standard error; the log is whole once there is a network."""
    bucket.write("mine.ipynb", TWO)
    go_offline(monkeypatch)
    saved = bucket("save", "-m", "in the tunnel")
    assert "waits in the outbox" in saved.stdout
    assert "Not in the store yet: Could not connect" in saved.stderr
    go_online(monkeypatch)
    log = bucket("log", "mine.ipynb", "--json")
    assert [version["message"] for version in json.loads(log.stdout)] == ["in the tunnel", ""]
    assert "Delivered 1 version" in log.stderr


def test_require_store_fails_and_keeps_the_version(
    bucket: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 7; JSON says for each notebook that it waits."""
    bucket.write("mine.ipynb", TWO)
    go_offline(monkeypatch)
    saved = bucket("save", "--require-store", "--json", exit_code=7)
    assert [result["waiting"] for result in json.loads(saved.stdout)] == [True]
    status = json.loads(bucket("status", "--json").stdout)
    assert [version["path"] for version in status["outbox"]["waiting"]] == ["mine.ipynb"]
    assert status["outbox"]["last_error"]["kind"] == "store-unavailable"


def test_push_says_what_it_delivered_and_what_not(
    bucket: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network exit code 7 and what waits; with one, the numbers that were given."""
    bucket.write("mine.ipynb", TWO)
    go_offline(monkeypatch)
    bucket("save")
    assert "Waiting:" in bucket("push", exit_code=7).stdout
    go_online(monkeypatch)
    dry = bucket("push", "--dry-run")
    assert dry.stdout.startswith("Would deliver")
    (delivered,) = json.loads(bucket("push", "--json").stdout)["delivered"]
    assert (delivered["number"], delivered["path"]) == (2, "mine.ipynb")
    assert bucket("push").stdout == "Nothing waits in the outbox.\n"


def test_migrating_takes_along_what_waits(
    bucket: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that could not be delivered to the old store is delivered to the new one."""
    bucket.write("mine.ipynb", TWO)
    go_offline(monkeypatch)
    bucket("save")
    go_online(monkeypatch)
    bucket("migrate", "s3://other", "--create")
    log = json.loads(bucket("log", "mine.ipynb", "--json").stdout)
    assert [version["number"] for version in log] == [2, 1]


def test_a_migration_that_stops_while_it_binds_leaves_no_waiting_version_behind(
    bucket: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run again, it takes along all that waits; what was not the user's own is not so after it."""
    bucket.write("mine.ipynb", TWO)
    go_offline(monkeypatch)
    bucket("save")
    go_online(monkeypatch)
    bucket.config.with_name("outbox.key").write_bytes(b"the key of somebody else")
    with monkeypatch.context() as broken:

        def stop(*_: object, **__: object) -> None:
            raise NbvcError("stopped")

        broken.setattr(Outbox, "readdress", stop)
        bucket("migrate", "s3://other", "--create", exit_code=1)
    bucket("migrate", "s3://other")
    (waiting,) = bucket("push", "--dry-run", "--json").json["waiting"]
    assert (waiting["store"], waiting["own"]) == ("s3://other", False)
    assert "Delivered v2" in bucket("push").stdout


def test_push_without_a_workspace_says_so(cli: CommandLine) -> None:
    """There is no outbox outside of a workspace."""
    assert "is not in an nbvc workspace" in cli("push", exit_code=3).stderr


def test_what_came_with_a_folder_is_shown_and_waits_for_push(
    bucket: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that only looks says so; push delivers it, and shows before who wrote it."""
    bucket.write("mine.ipynb", TWO)
    go_offline(monkeypatch)
    bucket("--author", "mallory", "save")
    go_online(monkeypatch)
    bucket.config.with_name("outbox.key").write_bytes(b"the key of somebody else")
    assert "1 not put there by you: only nbvc push delivers that" in bucket("status").stdout
    assert "v2" not in bucket("log").stdout
    assert "not put there by you but by mallory" in bucket("push", "--dry-run").stdout
    assert [each["own"] for each in bucket("push", "--dry-run", "--json").json["waiting"]] == [
        False
    ]
    assert "Delivered v2" in bucket("push").stdout
