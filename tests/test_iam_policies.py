"""The policies that the page on S3 gives to people: enough for their work, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.authorization import enable_iam_authentication
from moto.s3.models import s3_backends
from typer.testing import CliRunner

from nbvc.cli.main import app
from nbvc.errors import InvalidInput
from nbvc.stores import s3_parts
from tests.iam import correct_moto, make_user, policies
from tests.moto_server import aws_variables, serve_moto
from tests.notebook_samples import code, notebook
from tests.pages import PROJECT
from tests.s3_server import isolate_aws_settings

ACCESS_DENIED = 6

Nbvc = Callable[..., Any]


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Start a server that checks rights; return the keys of each person."""
    isolate_aws_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("NBVC_CONFIG", str(tmp_path / "nbvc.toml"))
    monkeypatch.setenv("NBVC_CACHE_DIR", str(tmp_path / "cache"))
    correct_moto(monkeypatch)
    texts = policies()
    with serve_moto() as endpoint:
        for name, value in aws_variables(endpoint).items():
            monkeypatch.setenv(name, value)
        iam = boto3.client("iam")
        keys = {
            "founder": make_user(iam, "founder", texts["founder"]),
            "ana": make_user(iam, "ana", texts["person"]),
            "bob": make_user(iam, "bob", texts["person"].replace("/ana/", "/bob/")),
            "reader": make_user(iam, "reader", texts["reader"]),
            "keeper": make_user(iam, "keeper", texts["person"], texts["keeper"]),
        }
        with enable_iam_authentication():
            yield keys


@pytest.fixture
def nbvc(
    people: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Nbvc:
    """Return a function that runs a command as somebody, in a folder of theirs."""

    def run(person: str, *arguments: str, fails: int = 0) -> str:
        folder = tmp_path / person
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        ran = CliRunner().invoke(app, list(arguments), env=people[person], prog_name="nbvc")
        assert ran.exit_code == fails, f"{person}: {arguments}\n{ran.output}"
        return ran.output

    return run


def write(tmp_path: Path, person: str, text: str) -> None:
    """Write the notebook of a person."""
    (tmp_path / person / "rain.ipynb").write_bytes(notebook(code(text)))


@pytest.fixture
def bound(nbvc: Nbvc, tmp_path: Path) -> Nbvc:
    """Return the same, once the founder made the bucket, and ana and bob published something."""
    nbvc("founder", "init", "s3://team-notebooks", "--create", "--namespace", "founder/x")
    for person in ("ana", "bob"):
        nbvc(person, "init", "s3://team-notebooks", "--namespace", f"{person}/rain")
        write(tmp_path, person, "1")
        nbvc(person, "save", "-m", "first")
        nbvc(person, "publish")
    return nbvc


def test_person_can_do_everything_with_their_own_notebooks(bound: Nbvc, tmp_path: Path) -> None:
    """Each command works on the own namespace with the policy for a person."""
    write(tmp_path, "ana", "2")
    bound("ana", "save", "-m", "second")
    assert "second" in bound("ana", "log")
    bound("ana", "log", "-n", "1")
    bound("ana", "status")
    bound("ana", "diff", "v1", "v2", "--stat")
    bound("ana", "checkout", "v1")
    bound("ana", "tag", "rain.ipynb@v2", "release")
    bound("ana", "resolve", "rain.ipynb@release")
    bound("ana", "resolve", "rain.ipynb@v9", fails=3)
    bound("ana", "publish", "rain.ipynb@release")
    bound("ana", "unpublish", "rain.ipynb")
    bound("ana", "mv", "rain.ipynb", "wet.ipynb")
    bound("ana", "rm", "wet.ipynb")
    assert "wet.ipynb" in bound("ana", "ls", "--removed")
    bound("ana", "checkout", "wet.ipynb@latest")
    bound("ana", "save")


def test_person_can_save_a_large_notebook_and_give_up(
    bound: Nbvc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes in parts, and where one of them cannot be sent none of them stays."""
    monkeypatch.setattr(s3_parts, "LARGEST_WHOLE_BYTES", 0)
    write(tmp_path, "ana", "2")
    assert "Saved v2" in bound("ana", "save")

    def break_off(_: object) -> bytes:
        raise InvalidInput("The test has cut the cable.")

    monkeypatch.setattr(s3_parts, "body", break_off)
    write(tmp_path, "ana", "3")
    bound("ana", "save", fails=InvalidInput.exit_code)
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]  # ana may not list what is under way
    assert backend.buckets["team-notebooks"].multiparts == {}


def test_who_keeps_a_store_in_order_packs_and_forgets_and_nobody_else(
    bound: Nbvc, tmp_path: Path
) -> None:
    """A person without the right to delete is told so, and loses nothing."""
    for text in ("2", "3", "4"):
        write(tmp_path, "ana", text)
        bound("ana", "save")
    old = ("--older-than", "0", "--keep-newest", "2", "--apply")
    assert "stays plain: locked, or not yours to delete" in bound("ana", "pack", *old)
    assert "nothing is wrong" in bound("ana", "check", "--read-data")
    url = "s3://team-notebooks/workspace/ana/rain/rain.ipynb"
    assert "earlier run had packed" in bound("keeper", "pack", url, *old)
    assert "nothing is wrong" in bound("ana", "check", "--read-data")
    bound("ana", "show", "v2")
    bound("keeper", "unpack", url, "--apply")
    assert "Deleted 1 version" in bound("keeper", "forget", url, "--keep-last", "2", "--apply")
    numbers = [version["number"] for version in json.loads(bound("ana", "log", "--json"))]
    assert numbers == [4, 3, 1]
    bound("keeper", "pack", "s3://team-notebooks/published/ana", *old, fails=2)


def test_person_can_read_what_others_published(bound: Nbvc) -> None:
    """The published area is for everybody."""
    assert "bob/rain/rain.ipynb" in bound("ana", "ls", "--published")
    url = "s3://team-notebooks/published/bob/rain/rain.ipynb"
    bound("ana", "log", url)
    bound("ana", "clone", url, "bobs.ipynb")


def test_person_cannot_read_drafts_of_others(bound: Nbvc) -> None:
    """A draft is for its owner alone."""
    bound("ana", "log", "s3://team-notebooks/workspace/bob/rain/rain.ipynb", fails=ACCESS_DENIED)
    bound("ana", "show", "s3://team-notebooks/workspace/bob/rain/rain.ipynb", fails=ACCESS_DENIED)


def test_person_cannot_write_into_the_namespace_of_others(
    bound: Nbvc, people: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """Neither nbvc nor any other client writes there with these rights, nor destroys a version."""
    folder = tmp_path / "ana"
    config = folder / ".nbvc" / "config.toml"
    config.write_text(config.read_text().replace("ana/rain", "bob/rain"))
    write(tmp_path, "ana", "mine now")
    bound("ana", "save", fails=ACCESS_DENIED)
    keys = people["ana"]
    client = boto3.client(
        "s3",
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    listed = client.list_object_versions(Bucket="team-notebooks", Prefix="workspace/ana/")
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(
            Bucket="team-notebooks",
            Key="workspace/ana/rain/rain.ipynb",
            VersionId=listed["Versions"][0]["VersionId"],
        )


def test_reader_can_read_what_is_published_and_nothing_else(bound: Nbvc) -> None:
    """The policy for a reader is enough for list, log, show and clone of the published area."""
    assert "ana/rain/rain.ipynb" in bound("reader", "ls", "s3://team-notebooks/published/")
    url = "s3://team-notebooks/published/ana/rain/rain.ipynb"
    bound("reader", "log", url)
    bound("reader", "show", url)
    bound("reader", "clone", url)
    bound("reader", "clone", "s3://team-notebooks/published/ana/rain", "copies")
    drafts = "s3://team-notebooks/workspace/ana/rain/rain.ipynb"
    bound("reader", "show", drafts, fails=ACCESS_DENIED)


def test_doctor_tells_a_person_what_they_may_not_look_at(bound: Nbvc) -> None:
    """With the policy for a person it fails at nothing, and names the rights that it lacks."""
    said = bound("ana", "doctor")
    assert "\nNothing failed, " in said
    for check in ("versioning", "conditional-writes", "lifecycle", "round-trip"):
        assert f"\nunknown  {check} " in said
    for right in ("s3:PutObject", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"):
        assert f"the permission {right}," in said
    assert "Not tried: you may not write below .nbvc/scratch/." in said


def test_policies_name_only_actions_that_the_page_explains() -> None:
    """The table of actions on the page is whole."""
    page = (PROJECT / "docs" / "how-to" / "s3-setup.md").read_text(encoding="utf-8")
    table = page.partition("| IAM action |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"`(s3:\w+)`", table))
    for text in policies().values():
        for statement in json.loads(text)["Statement"]:
            actions = statement["Action"]
            assert set([actions] if isinstance(actions, str) else actions) <= explained
    code_ = "".join(path.read_text() for path in (PROJECT / "nbvc" / "stores").glob("s3*.py"))
    assert set(re.findall(r"s3:[A-Z]\w+", code_)) <= explained
