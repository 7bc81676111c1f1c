"""The whole product against a real S3 server: ``scripts/s3-server run ministack -- pytest``."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from nbvc.manifest.layout import STORE_FILE
from nbvc.model import Digest
from nbvc.repository.settings import decode
from nbvc.stores.base import Overwrite
from nbvc.stores.s3 import S3Store
from tests.command_line import CommandLine
from tests.notebook_samples import code, notebook
from tests.s3_server import connect, real_endpoint

pytestmark = pytest.mark.real_s3


@pytest.fixture
def bucket(cli: CommandLine) -> Iterator[S3Store]:
    """Return a bucket that ``nbvc init`` made, with the folder of *cli* bound to it."""
    name = f"nbvc-{uuid.uuid4().hex}"
    endpoint = real_endpoint()
    cli("init", f"s3://{name}/team", "--namespace", "ada", "--endpoint-url", endpoint, "--create")
    store = connect(endpoint, bucket=name, root="team")
    yield store
    store.close()


def write(folder: Path, *sources: str, name: str = "mine.ipynb") -> bytes:
    """Write a notebook with these cells, and return its bytes."""
    data = notebook(*(code(source, id=f"c{n}") for n, source in enumerate(sources)))
    (folder / name).write_bytes(data)
    return data


def test_the_main_job_works_on_a_real_server(cli: CommandLine, bucket: S3Store) -> None:
    """Init, save, log, diff, checkout, tag, publish, rename, remove and clone do what they say."""
    first = write(cli.folder, "1")
    cli("save", "-m", "first")
    write(cli.folder, "1", "2")
    assert cli("save", "-m", "second", "--json").json[0]["number"] == 2
    assert cli("show", "v1").data == first
    assert cli("diff", "v1", "v2", "--exit-code", exit_code=1).stdout
    cli("checkout", "v1")
    assert (cli.folder / "mine.ipynb").read_bytes() == first
    cli("tag", "mine.ipynb@v1", "start")
    published = cli("publish", "mine.ipynb@start", "--json").json
    assert published["source"] == 1
    versions = cli("log", "--json").json
    assert [(v["number"], v["tags"], v["published"]) for v in versions] == [
        (2, [], False),
        (1, ["start"], True),
    ]
    assert bucket.get("published/ada/mine.ipynb").data == first
    cli("mv", "mine.ipynb", "yours.ipynb")
    assert cli("resolve", "yours.ipynb@start", "--json").json["number"] == 1
    cli("rm", "yours.ipynb")
    assert [entry["key"] for entry in cli("ls", "--removed", "--json").json] == ["ada/yours.ipynb"]
    cli("checkout", "yours.ipynb@v1")
    assert (cli.folder / "yours.ipynb").read_bytes() == first


def test_two_people_at_once_both_keep_their_version(
    cli: CommandLine, bucket: S3Store, tmp_path: Path
) -> None:
    """Both versions are kept, each with the parent that it is based on."""
    write(cli.folder, "1")
    cli("save")
    cli("clone", f"{bucket.url}/workspace/ada", "other")
    write(cli.folder / "other", "1", "theirs")
    cli("-C", "other", "save")
    write(cli.folder, "1", "mine")
    saved = cli("save", "mine.ipynb", "--json").json[0]
    assert (saved["number"], saved["parent"]) == (3, 1)
    parents = {v["number"]: v["parent"] for v in cli("log", "mine.ipynb", "--json").json}
    assert parents == {3: 1, 2: 1, 1: None}


def test_version_of_another_tool_is_shown_and_adopted(cli: CommandLine, bucket: S3Store) -> None:
    """What another tool wrote in between is in the log at once, and gets a number with a save."""
    if not decode(bucket.get(STORE_FILE).data).capabilities.conditional_replace:
        pytest.skip("without conditional writes, a save notices it only when it looks for more")
    write(cli.folder, "1")
    cli("save")
    foreign = notebook(code("from elsewhere"))
    bucket.put(
        "workspace/ada/mine.ipynb",
        foreign,
        mode=Overwrite(),
        metadata={},
        content_type="application/json",
    )
    assert [v["number"] for v in cli("log", "--json").json] == [None, 1]
    write(cli.folder, "1", "2")
    cli("save")
    versions = cli("log", "--json").json
    assert [v["number"] for v in versions] == [3, 2, 1]
    assert versions[1]["digest"] == Digest.of(foreign)


def test_save_waits_once_versioning_is_suspended(cli: CommandLine, bucket: S3Store) -> None:
    """Turned off between two saves, versioning is missed by the very next one, which is kept."""
    write(cli.folder, "1")
    cli("save")
    set_versioning(bucket, "Suspended")
    second = write(cli.folder, "1", "2")
    (saved,) = cli("save", "--json").json
    assert (saved["saved"], saved["waiting"], saved["number"]) == (False, True, None)
    assert saved["error"]["kind"] == "versioning-off"
    assert "versioning" in saved["error"]["hint"]
    set_versioning(bucket, "Enabled")
    cli("push")
    assert [version["number"] for version in cli("log", "--json").json] == [2, 1]
    assert cli("show", "v2").data == second


def set_versioning(bucket: S3Store, status: Literal["Enabled", "Suspended"]) -> None:
    """Turn the versioning of a bucket on or off."""
    bucket._client.put_bucket_versioning(
        Bucket=bucket.bucket, VersioningConfiguration={"Status": status}
    )


def test_history_moves_from_the_embedded_store(cli: CommandLine) -> None:
    """After migrate, the log is the same but for version IDs, and saving goes on."""
    endpoint = real_endpoint()
    cli("init")
    for sources in (["1"], ["1", "2"], ["1", "2", "3"]):
        write(cli.folder, *sources)
        cli("save", "-m", f"{len(sources)} cells")
    cli("tag", "mine.ipynb@v2", "middle")
    cli("publish", "mine.ipynb@v2")
    before = cli("log", "--json").json
    url = f"s3://nbvc-{uuid.uuid4().hex}"
    cli("migrate", url, "--endpoint-url", endpoint, "--create")
    after = cli("log", "--json").json
    for version in [*before, *after]:
        del version["version_id"]
    assert after == before
    assert cli("save", "--json").json[0]["saved"] is False
    write(cli.folder, "1")
    saved = cli("save", "--json").json[0]
    assert (saved["number"], saved["parent"]) == (4, 3)
