"""The same commands on a bucket, from init to clone, and on buckets that other tools wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from nbvc.model import Digest
from tests.command_line import CommandLine
from tests.moto_server import serve_moto
from tests.notebook_samples import code, notebook
from tests.s3_server import REGION

ONE, TWO = notebook(code("x = 1")), notebook(code("x = 2"))


@pytest.fixture
def s3(cli: CommandLine) -> Iterator[CommandLine]:
    """Return a command line for which S3 is there, and empty."""
    with mock_aws():
        yield cli


def make_bucket(name: str, versioning: str | None = "Enabled") -> None:
    """Make a bucket as another tool would."""
    client = boto3.client("s3", region_name=REGION)
    client.create_bucket(Bucket=name)
    if versioning:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": versioning})
    client.close()


def put(name: str, key: str, data: bytes) -> str:
    """Write an object as another tool would, and return its version ID."""
    client = boto3.client("s3", region_name=REGION)
    reply = client.put_object(Bucket=name, Key=key, Body=data)
    client.close()
    return reply.get("VersionId", "")


def test_the_main_job_on_a_bucket(s3: CommandLine, tmp_path: Path) -> None:
    """Init makes it; everything else works as in a folder."""
    found = s3("init", "s3://notebooks/team", "--namespace", "kylek", "--create")
    assert "Created the bucket" in found.stdout
    assert "Turned its versioning on" in found.stdout
    for data in (ONE, TWO):
        s3.write("mine.ipynb", data)
        s3("save")
    assert [entry["number"] for entry in s3("log", "--json").json] == [2, 1]
    assert "+x = 2" in s3("diff", "v1", "v2").stdout
    s3("checkout", "v1")
    assert (s3.folder / "mine.ipynb").read_bytes() == ONE
    url = "s3://notebooks/team/published/kylek/mine.ipynb"
    assert f"Published v2 of mine.ipynb as {url}" in s3("publish").stdout
    assert s3("show", url, cwd=tmp_path).data == TWO
    resolved = s3("resolve", "v1", "--json").json["url"]
    assert resolved.startswith("s3://notebooks/team/workspace/kylek/mine.ipynb?versionId=")
    assert s3("show", resolved, cwd=tmp_path).data == ONE
    s3("clone", "s3://notebooks/team/workspace/kylek", "copy", cwd=tmp_path)
    assert (tmp_path / "copy/mine.ipynb").read_bytes() == TWO
    assert s3("status", cwd=tmp_path / "copy").stdout.count("unchanged") == 1


def test_a_second_look_at_a_diff_needs_no_bytes(s3: CommandLine) -> None:
    """Neither from the bucket nor from the cache: what was found is kept by the digests."""
    s3("init", "s3://notebooks", "--namespace", "kylek", "--create")
    for data in (ONE, TWO):
        s3.write("mine.ipynb", data)
        s3("save")
    looks = [("diff", "v1", "v2"), ("diff", "v1", "v2", "--stat"), ("diff", "v1", "v2", "--json")]
    first = [s3(*look).stdout for look in looks]
    assert "+x = 2" in first[0]
    cached = [file for file in s3.cache.rglob("*") if file.is_file()]
    for file in cached:
        if file.read_bytes() in {ONE, TWO}:
            file.unlink()
    client = boto3.client("s3", region_name=REGION)
    for found in client.list_object_versions(Bucket="notebooks", Prefix="workspace/")["Versions"]:
        client.delete_object(Bucket="notebooks", Key=found["Key"], VersionId=found["VersionId"])
    client.close()
    assert [s3(*look).stdout for look in looks] == first
    assert s3("show", "v1", exit_code=3).data == b""


def test_a_bucket_that_is_missing_is_not_made_unasked(s3: CommandLine) -> None:
    """Without a terminal it refuses, and says what to add to the command: it may name a server."""
    found = s3("init", "s3://notebooks", exit_code=3)
    assert "hint: Repeat the command with --create." in found.stderr
    assert not (s3.folder / ".nbvc/config.toml").exists()


@pytest.mark.parametrize("status", [None, "Suspended"])
def test_versioning_is_not_turned_on_unasked(s3: CommandLine, status: str | None) -> None:
    """Exit code 7: a bucket without it keeps only the last save."""
    make_bucket("notebooks", status)
    found = s3("init", "s3://notebooks", exit_code=7)
    assert "would keep only the last save" in found.stderr
    assert "--create" in found.stderr
    assert "Turned its versioning on" in s3("init", "s3://notebooks", "--create").stdout


def test_versioning_that_is_turned_off_later_is_noticed_by_the_next_save(s3: CommandLine) -> None:
    """Nothing is acknowledged that the store would not keep."""
    s3("init", "s3://notebooks", "--create")
    s3.write("mine.ipynb", ONE)
    s3("save")
    client = boto3.client("s3", region_name=REGION)
    client.put_bucket_versioning(
        Bucket="notebooks", VersioningConfiguration={"Status": "Suspended"}
    )
    client.close()
    s3.write("mine.ipynb", TWO)
    found = s3("save", "--require-store", exit_code=7)
    assert "Saved" not in found.stdout
    assert "keeps no versions" in found.stderr


def test_a_bucket_of_another_tool_works_unprepared(s3: CommandLine) -> None:
    """log, show, diff, resolve, ls and clone, without init, on what is simply there."""
    make_bucket("bookstore")
    ids = [put("bookstore", "workspace/kylek/mine.ipynb", data) for data in (ONE, TWO)]
    url = "s3://bookstore/workspace/kylek/mine.ipynb"
    newest, first = s3("log", url, "--json").json
    assert [newest["version_id"], first["version_id"]] == ids[::-1]
    assert [newest["number"], newest["digest"], newest["author"]] == [None, None, None]
    assert s3("show", f"{url}?versionId={ids[0]}").data == ONE
    assert s3("show", f"{url}@latest~1").data == ONE
    lines = s3("diff", f"{url}@{ids[0]}", url + "@latest").stdout.splitlines()
    assert lines[-2:] == ["-x = 1", "+x = 2"]
    assert s3("resolve", url, "--json").json["version_id"] == ids[1]
    assert [entry["key"] for entry in s3("ls", "s3://bookstore/workspace/", "--json").json] == [
        "kylek/mine.ipynb"
    ]
    s3("clone", url)
    assert (s3.folder / "mine.ipynb").read_bytes() == TWO
    s3("clone", "s3://bookstore/workspace/kylek", "all")
    assert (s3.folder / "all/mine.ipynb").read_bytes() == TWO


def test_history_of_another_tool_is_adopted_by_the_first_save(s3: CommandLine) -> None:
    """Its versions get the first numbers."""
    make_bucket("bookstore")
    put("bookstore", "workspace/kylek/mine.ipynb", ONE)
    s3("init", "s3://bookstore", "--namespace", "kylek")
    s3.write("mine.ipynb", TWO)
    s3("save")
    newest, first = s3("log", "--json").json
    assert (newest["number"], first["number"]) == (2, 1)
    assert (first["digest"], first["author"]) == (Digest.of(ONE), None)


def test_where_signed_requests_go_is_kept_in_the_users_file_alone(s3: CommandLine) -> None:
    """Never in the folder, which may come from, or go to, somebody else."""
    s3("init", "s3://notebooks", "--create", "--region", REGION)
    assert f'region = "{REGION}"' in s3.config.read_text()
    assert "region" not in (s3.folder / ".nbvc/config.toml").read_text()
    assert s3("config", "get", "region").stdout == f"{REGION}\n"


def test_missing_credentials_are_said(s3: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 6, before anything is sent."""
    s3("init", "s3://notebooks", "--create")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = s3("ls", "s3://notebooks/workspace", "--json", exit_code=6)
    assert found.error["kind"] == "credentials-missing"


def test_a_store_below_the_top_of_a_bucket_is_found_at_its_own_endpoint(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that lies above the store is asked: another endpoint is set for it, or none."""
    # Without this a request to another endpoint would go out to the network.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with serve_moto() as endpoint:
        url = "s3://notebooks/team"
        cli("init", url, "--namespace", "kylek", "--endpoint-url", endpoint, "--create")
        cli.write("mine.ipynb", ONE)
        cli("save")
        assert cli("check", url, "--json").json["versions"] == 1
        assert cli("ls", f"{url}/", "--json").json[0]["key"] == "kylek/mine.ipynb"
        assert cli("check", f"{url}/workspace/kylek", "--json").json["versions"] == 1
