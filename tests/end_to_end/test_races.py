"""Eight processes that save on one notebook at once, while others read it: on every real store."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from nbvc.manifest.layout import STORE_FILE
from nbvc.model import Digest, NotebookKey
from nbvc.repository import Repository
from nbvc.repository.settings import decode, read_settings
from nbvc.stores.base import Capabilities, Store
from nbvc.stores.local import LocalStore
from tests.command_line import CommandLine
from tests.end_to_end.racing import FEW_SAVES, KEY, SAVES, WRITERS, Race
from tests.s3_server import connect, real_endpoint, server_name
from tests.stores.wire import Request, forward, serving

pytestmark = pytest.mark.timeout(600)

on_a_server = pytest.mark.parametrize(
    "saves", [FEW_SAVES, pytest.param(SAVES, marks=pytest.mark.slow)]
)
CONDITIONS = {"if-none-match", "if-match"}
NO_GATEWAY = {
    "ceph": "Ceph checks signatures, which cover the conditions: none can be dropped on the way",
    "localstack": "ministack behind the same gateway does the same in half the time",
}


def race(cli: CommandLine, url: str, store: Store, saves: int) -> None:
    """Let all save, read, list and check at once; see that nothing was lost, doubled or half there.

    Acknowledged saves, numbers, log and bytes agree; readers failed at nothing that they saw; no
    check raised an alarm meanwhile, and at last nothing is left without a record.
    """
    total = WRITERS * saves
    outcome = Race(url, cli.variables, saves=saves)
    assert [saved["number"] for saved in outcome.saved] == list(range(total, 0, -1))
    log = cli("log", f"{url}/workspace/{KEY}", "--json").json
    assert [
        {name: v[name] for name in ("number", "parent", "digest")} for v in log
    ] == outcome.saved
    with Repository(
        store, settings=read_settings(store), sleep=lambda _: None, jitter=lambda: 0.0
    ) as repository:
        for version in repository.log(NotebookKey(KEY)):
            assert Digest.of(repository.read(version)) == version.digest
    found = cli("check", url, "--read-data", "--json").json
    assert (found["errors"], found["versions_read"]) == (0, total)
    assert [each for each in found["findings"] if each["kind"] == "unindexed-version"] == []
    for kind, counts in outcome.readers.items():
        assert counts["rounds"] > 1, kind
        assert counts["fetched"] > 1, kind


def make_bucket(cli: CommandLine, endpoint: str) -> tuple[str, Capabilities]:
    """Let ``nbvc init`` make a bucket; return its URL, and what the server was found to do."""
    name = f"nbvc-{uuid.uuid4().hex}"
    url = f"s3://{name}/team"
    cli("init", url, "--namespace", "ada", "--endpoint-url", endpoint, "--create")
    store = connect(endpoint, bucket=name, root="team")
    try:
        return url, decode(store.get(STORE_FILE).data).capabilities
    finally:
        store.close()


def bucket_of(url: str) -> str:
    """Return the name of the bucket in the URL of a store."""
    return url.removeprefix("s3://").partition("/")[0]


def test_processes_that_race_on_the_embedded_store_lose_nothing(
    cli: CommandLine, tmp_path: Path
) -> None:
    """200 acknowledged saves are v1 to v200, and a reader can fetch all that it sees."""
    folder = tmp_path / "shared"
    cli("init", folder)
    race(cli, folder.as_uri(), LocalStore(folder), SAVES)


@pytest.mark.real_s3
@on_a_server
def test_processes_that_race_on_a_real_server_lose_nothing(cli: CommandLine, saves: int) -> None:
    """The same on S3: with conditional writes, or without them where the server has none."""
    endpoint = real_endpoint()
    url, _ = make_bucket(cli, endpoint)
    race(cli, url, connect(endpoint, bucket=bucket_of(url), root="team"), saves)


@pytest.mark.real_s3
@on_a_server
def test_processes_that_race_where_conditions_are_ignored_lose_nothing(
    cli: CommandLine, saves: int
) -> None:
    """A gateway drops every condition and passes the 200 on: init notices, and nothing is lost."""
    endpoint = real_endpoint()
    if server_name() in NO_GATEWAY:
        pytest.skip(NO_GATEWAY[server_name()])

    def without_conditions(request: Request) -> bytes:
        for name in CONDITIONS & set(request.headers):
            del request.headers[name]
        return forward(request, endpoint)

    with serving(without_conditions) as gateway:
        url, found = make_bucket(cli, gateway.url)
        assert found == Capabilities(conditional_create=False, conditional_replace=False)
        race(cli, url, connect(endpoint, bucket=bucket_of(url), root="team"), saves)
