"""c.BookstoreSettings: what it still does, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from nbvc.environment import Environment
from nbvc.errors import InvalidConfig
from nbvc.jupyter.bookstore_settings import SUCCESSORS, BookstoreSettings, split_prefixes
from tests.conftest import make_workspace
from tests.jupyter.buckets import NAME, Bucket
from tests.jupyter.serving import Server
from tests.jupyter.test_bookstore import configured, published

SECRET = "o8CnAN5G9x87P9aLxSjohoSV0EsCLjksuY6wjK9N"
KEY_ID = "4MR9ON7H4UNVCT2LQTFX"
OLD = {
    "workspace_prefix": "/works/kylek/notebooks",
    "published_prefix": "/shared/kylek/notebooks",
    "s3_bucket": NAME,
    "s3_endpoint_url": "ENDPOINT",
    "s3_region_name": "eu-central-1",
    "s3_access_key_id": KEY_ID,
    "s3_secret_access_key": SECRET,
    "enable_s3_cloning": True,
    "fs_cloning_basedir": "/Users/jupyter",
    "max_threads": 4,
}


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], s3_endpoint: str) -> dict[str, Any]:
    """Return the configuration of the server, with the address that the settings name."""
    old = jp_server_config.get("BookstoreSettings", {})
    if old.get("s3_endpoint_url") == "ENDPOINT":
        jp_server_config["BookstoreSettings"] = {**old, "s3_endpoint_url": s3_endpoint}
    return jp_server_config


@pytest.fixture
def hidden_bucket(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Return a bucket that only the server's configuration says how to find."""
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    return bucket


def settings(**values: Any) -> BookstoreSettings:
    """Return what a configuration says."""
    return BookstoreSettings(config=Config({"BookstoreSettings": values}))


@configured({"BookstoreSettings": OLD, "NbvcExtension": {"publish_enabled": True}})
async def test_a_configuration_of_bookstore_goes_on_working(
    capsys: pytest.CaptureFixture[str], hidden_bucket: Bucket, server: Server
) -> None:
    """Bucket, address, region and prefixes count; the keys of notebooks stay as they were."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    await server.json("PUT", "/api/bookstore/publish/mine.ipynb", published())
    assert sorted(hidden_bucket.keys()) == [
        "shared/kylek/notebooks/mine.ipynb",
        "works/kylek/notebooks/mine.ipynb",
    ]
    workspace = server.extension.versioning.folders.at(server.root / "mine.ipynb")
    connection = workspace.session.settings.connection(workspace.store_url)
    assert (connection.endpoint_url, connection.region) == (
        hidden_bucket.endpoint,
        "eu-central-1",
    )
    with server.workspace() as bound:
        assert (bound.store_url, bound.namespace) == (f"s3://{NAME}", "kylek/notebooks")
    # Jupyter itself writes all of its configuration there, when it is told to debug.
    said = [line for line in capsys.readouterr().err.splitlines() if "Config changed" not in line]
    assert sum("c.BookstoreSettings is deprecated" in line for line in said) == 1
    assert not [line for line in said if SECRET in line or KEY_ID in line]


async def test_the_note_names_each_setting_and_no_value() -> None:
    """Once, at the start, with what to write instead; nothing is said of what is not set."""
    assert set(OLD) == set(SUCCESSORS) == set(BookstoreSettings.class_own_traits(config=True))
    note = settings(**OLD).note() or ""
    for name, successor in SUCCESSORS.items():
        assert f"{name}: {successor}" in note
    for value in (SECRET, KEY_ID, "kylek", "/Users", NAME):
        assert value not in note
    few = settings(s3_bucket=NAME).note() or ""
    assert ("s3_bucket" in few, "prefix" in few) == (True, False)
    assert settings().note() is None


@pytest.mark.parametrize(
    ("workspace", "published", "expected"),
    [
        ("workspace", "published", ("workspace", "published", "/")),
        ("ci-workspace", "ci-published/", ("ci-workspace", "ci-published", "/")),
        ("/workspace/kylek/notebooks", "/published/kylek/notebooks", (*"wp", "kylek/notebooks")),
        ("workspace/kylek", "published/team", ("workspace/kylek", "published/team", "/")),
        ("works", "published", ("works", "published", "/")),
        ("kylek/drafts", "kylek/shared", ("kylek/drafts", "kylek/shared", "/")),
        ("workspace", "", ("workspace", "published", "/")),
    ],
)
async def test_prefixes_are_areas_and_a_namespace(
    workspace: str, published: str, expected: tuple[str, str, str]
) -> None:
    """What both end with is the namespace; the keys of notebooks are the same as before."""
    whole = {"w": "workspace", "p": "published"}
    places = split_prefixes(workspace, published)
    found = (places.layout.workspace, places.layout.published, places.namespace)
    assert found == tuple(whole.get(each, each) for each in expected)


@pytest.mark.parametrize(
    "values",
    [
        {"s3_bucket": "a bucket"},
        {"s3_bucket": "bucket/root"},
        {"s3_bucket": NAME, "workspace_prefix": "a/../b"},
        {"s3_bucket": NAME, "workspace_prefix": "same", "published_prefix": "same"},
        {"s3_bucket": NAME, "workspace_prefix": "a", "published_prefix": "a/b"},
    ],
)
async def test_what_cannot_be_used_is_refused(
    environment: Environment, values: dict[str, str]
) -> None:
    """The server says so at its start, instead of keeping notebooks somewhere else."""
    with pytest.raises(InvalidConfig, match=r"c\.BookstoreSettings"):
        settings(**values).target(environment.cwd, environment, namespace="")


async def test_what_was_set_for_nbvc_comes_first(environment: Environment) -> None:
    """A store in a variable, a namespace, and the namespace that a folder was bound with."""
    old, root = settings(s3_bucket=NAME), environment.cwd

    def target(namespace: str = "", **variables: str) -> tuple[str, str] | None:
        found = old.target(root, replace(environment, variables=variables), namespace=namespace)
        return (found.store, found.namespace) if found else None

    assert target() == (f"s3://{NAME}", "/")
    assert target(namespace="team") == (f"s3://{NAME}", "team")
    assert target(NBVC_NAMESPACE="team") == (f"s3://{NAME}", "")
    assert target(NBVC_STORE="s3://other") is None
    (root / ".nbvc").mkdir()
    config = root / ".nbvc" / "config.toml"
    config.write_text(f'store = "s3://{NAME}"\nnamespace = "team"\n')
    assert target() == (f"s3://{NAME}", "")
    config.write_text('store = "embedded"\nnamespace = "team"\n')
    assert target() == (f"s3://{NAME}", "/")


async def test_amazon_itself_is_no_endpoint() -> None:
    """Bookstore's default address means AWS, whatever the region; its default region none."""
    assert settings().connection == {}
    amazon = settings(s3_endpoint_url="https://s3.amazonaws.com/", s3_region_name="eu-west-1")
    assert amazon.connection == {"region": "eu-west-1"}


@configured(
    {"NbvcExtension": {"store": f"s3://{NAME}/root"}, "BookstoreSettings": {"s3_bucket": "old"}}
)
async def test_the_new_setting_of_the_store_wins(server: Server) -> None:
    """Where both are there."""
    assert server.extension.versioning.folders.root_store() == f"s3://{NAME}/root"


@pytest.fixture
def known_to_the_user(hidden_bucket: Bucket, server_home: Path) -> Bucket:
    """Return a bucket that only the user's own configuration says how to find."""
    server_home.mkdir(exist_ok=True)
    (server_home / "config.toml").write_text(
        f'[stores."s3://{NAME}"]\nendpoint_url = "{hidden_bucket.endpoint}"\n'
    )
    return hidden_bucket


@configured(
    {"NbvcExtension": {"store": f"s3://{NAME}", "clone_allowed_buckets": ["theirs", "far"]}}
)
async def test_an_allowed_bucket_is_asked_where_the_own_one_is(
    known_to_the_user: Bucket, server: Server, server_home: Path
) -> None:
    """As with bookstore, unless the user says where it is: never where a request says."""
    known_to_the_user.make("theirs")
    known_to_the_user.put("a.txt", b"text", bucket="theirs")
    body = {"s3_key": "a.txt", "endpoint_url": "http://127.0.0.1:1", "profile": "other"}
    reply = await server.json("POST", "/api/bookstore/clone", {**body, "s3_bucket": "theirs"})
    assert reply["content"] == "text"
    config = server_home / "config.toml"
    config.write_text(f'{config.read_text()}[stores."s3://far"]\nprofile = "none"\n')
    server.extension.versioning.folders.close()
    refused = await server.ask("POST", "/api/bookstore/clone", {**body, "s3_bucket": "far"})
    assert "none" in json.loads(refused.body)["message"]


async def test_the_variables_of_bookstore_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bookstore named them in its documentation, and never read them."""
    monkeypatch.setenv("JPYNB_S3_BUCKET", NAME)
    monkeypatch.setenv("JPYNB_S3_ENDPOINT_URL", "http://127.0.0.1:1")
    found = settings()
    assert (found.store, found.connection, found.note()) == (None, {}, None)


@configured({"BookstoreSettings": {"s3_bucket": NAME, "workspace_prefix": "works"}})
async def test_a_store_with_other_prefixes_gets_nothing(
    bucket: Bucket, server: Server, environment: Environment
) -> None:
    """Somebody prepared it as it is: what is saved waits, and the reason is told."""
    make_workspace(environment, f"s3://{NAME}", namespace="other")
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    told = [event for event in server.events if event["action"] == "failed"]
    assert [event["kind"] for event in told] == ["conflict"]
    assert "c.NbvcExtension.store" in told[0]["hint"]
    assert bucket.keys() == []
