"""Two people with keys of their own on a real server that checks rights: Ceph."""

from __future__ import annotations

import json
import os
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nbvc.errors import AccessDenied
from nbvc.stores.s3 import S3Store
from tests.command_line import CommandLine
from tests.iam import policies
from tests.notebook_samples import code, notebook
from tests.s3_server import REGION, new_bucket, real_endpoint, server_name

pytestmark = pytest.mark.real_s3

Run = Callable[..., Any]

PEOPLE = ("ana@example.org", "bob@example.org")


def make_user(uid: str) -> dict[str, str]:
    """Make a user of the gateway, as its administrator; return the variables with the keys."""
    keys = {"access-key": f"key-of-{uid}", "secret-key": f"secret-of-{uid}"}
    query = urlencode({"uid": uid, "display-name": uid, **keys})
    request = AWSRequest("PUT", f"{real_endpoint()}/admin/user?{query}")
    own = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    S3SigV4Auth(own, "s3", REGION).add_auth(request)
    signed = request.prepare()
    urllib.request.urlopen(
        urllib.request.Request(signed.url, method="PUT", headers=dict(signed.headers))
    ).close()
    return {
        "AWS_ACCESS_KEY_ID": keys["access-key"],
        "AWS_SECRET_ACCESS_KEY": keys["secret-key"],
    }


def statements(name: str, uid: str, bucket: str) -> list[dict[str, object]]:
    """Return what the policy of a person allows, as a policy of the bucket says it."""
    text = policies()["person"].replace("/ana/", f"/{name}/").replace("team-notebooks", bucket)
    found = json.loads(text)["Statement"]
    # Without conditional writes, who loses a race for a number deletes a record of their own.
    index = f"arn:aws:s3:::{bucket}/.nbvc/workspace/{name}/*"
    found.append({"Effect": "Allow", "Action": "s3:DeleteObjectVersion", "Resource": index})
    principal = {"AWS": [f"arn:aws:iam:::user/{uid}"]}
    return [
        {**statement, "Sid": f"{uid}Right{place}", "Principal": principal}
        for place, statement in enumerate(found)
    ]


def allow(store: S3Store, people: Mapping[str, str]) -> None:
    """Give the bucket of *store* a policy with the rights of *people*: names, and IDs of users."""
    bucket = store.url.removeprefix("s3://")
    found = [each for name, uid in people.items() for each in statements(name, uid, bucket)]
    boto3.client("s3", endpoint_url=real_endpoint(), region_name=REGION).put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": found})
    )


@pytest.fixture
def run(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Return a function that runs a command as somebody, in a folder bound to their namespace."""
    if server_name() != "ceph":
        pytest.skip("of the servers that the tests start, Ceph alone checks the rights of users")
    monkeypatch.setenv("AWS_ENDPOINT_URL", real_endpoint())
    people = {name: f"user{uuid.uuid4().hex}" for name in PEOPLE}
    keys = {name: make_user(uid) for name, uid in people.items()}

    def run(name: str, *arguments: str, fails: int = 0) -> Any:
        with monkeypatch.context() as patch:
            # What somebody may read is kept on their disk, where the other does not come.
            variables = {**keys[name], "NBVC_CACHE_DIR": str(cli.home / name)}
            for variable, value in variables.items():
                patch.setenv(variable, value)
            return cli("-C", cli.folder / name, *arguments, exit_code=fails)

    with closing(new_bucket(real_endpoint())) as store:
        cli("init", store.url, "--namespace", "founder/x")
        allow(store, people)
        for name in PEOPLE:
            (cli.folder / name).mkdir()
            run(name, "init", store.url, "--namespace", name)
        yield run


def test_a_bucket_policy_keeps_the_drafts_of_people_apart(run: Run, cli: CommandLine) -> None:
    """What the policy of a person allows is enough to work, and reaches nothing of others."""
    ana, bob = PEOPLE
    for text in ("1", "2"):
        for name in PEOPLE:
            (cli.folder / name / "mine.ipynb").write_bytes(notebook(code(f"{name} {text}")))
            run(name, "save")
    versions = run(ana, "log", "--json").json
    assert [version["number"] for version in versions] == [2, 1]
    drafts = run(ana, "resolve", "mine.ipynb@v1", "--json").json["url"].partition("?")[0]
    for command in ("log", "show", "clone"):
        run(ana, command, drafts)
        run(bob, command, drafts, fails=AccessDenied.exit_code)
    config = cli.folder / bob / ".nbvc" / "config.toml"
    config.write_text(config.read_text().replace(bob, ana))
    (cli.folder / bob / "mine.ipynb").write_bytes(notebook(code("mine now")))
    run(bob, "save", fails=AccessDenied.exit_code)
    assert run(ana, "log", "--json").json == versions
    run(ana, "publish", "mine.ipynb@v2")
    assert run(bob, "show", drafts.replace("/workspace/", "/published/")).data
