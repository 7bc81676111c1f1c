"""JupyterHub with two users, as the page on it says, on an S3 server that checks rights."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core.authorization import enable_iam_authentication

from nbvc.errors import AccessDenied
from tests.command_line import PROJECT, CommandLine
from tests.iam import correct_moto, make_user, policies
from tests.jupyter.serving import cells
from tests.jupyter_servers.hub import Hub, require_proxy, running_hub
from tests.jupyter_servers.processes import Client, contents, eventually
from tests.moto_server import REGION, aws_variables, serve_moto

ANA, BOB = "ana@example.org", "bob@example.org"
SECRET = "known-to-the-hub-alone"


@pytest.fixture
def keys(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Make a bucket, and for each user the policy of a person; return what the hub is told."""
    correct_moto(monkeypatch)
    with serve_moto() as endpoint:
        for name, value in aws_variables(endpoint).items():
            monkeypatch.setenv(name, value)
        cli("init", "s3://team-notebooks", "--create", "--namespace", "founder/x")
        iam, sections = boto3.client("iam"), []
        for user in (ANA, BOB):
            policy = policies()["person"].replace("/ana/", f"/{user}/")
            made = make_user(iam, user, policy)
            lines = [f"{name.lower()} = {value}" for name, value in made.items()]
            sections.append("\n".join([f"[{user}]", *lines, ""]))
        file = tmp_path / "keys.ini"
        file.write_text("\n".join(sections))
        with enable_iam_authentication():
            yield {"HUB_KEYS": str(file), "HUB_ENDPOINT": endpoint, "HUB_REGION": REGION}


def terminal(hub: Hub, user: str, *arguments: str, fails: int = 0) -> Any:
    """Run a command with all that the server of a user has, as its user does in a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "nbvc", *arguments],
        cwd=hub.home(user),
        env={**hub.process_of(user).environ(), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == fails, done.stderr
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


def test_each_user_has_versions_of_their_own(keys: dict[str, str], tmp_path: Path) -> None:
    """Each saves as who they are and below their own name; nobody reaches the drafts of others."""
    require_proxy()
    file = Path(keys["HUB_KEYS"])
    all_keys = file.read_text()
    file.write_text(all_keys[all_keys.index(f"[{BOB}]") :])
    with running_hub(tmp_path / "hub", [ANA, BOB], {**keys, "HUB_SECRET": SECRET}) as hub:
        tokens = {user: hub.log_in(user) for user in (ANA, BOB)}
        with ThreadPoolExecutor(2) as threads:
            ana, bob = threads.map(hub.start_server, tokens, tokens.values())
        wait_without_keys(ana)
        hub.stop_server(ANA, tokens[ANA])
        file.write_text(all_keys)
        hub.start_server(ANA, tokens[ANA])
        check_what_waited(hub, ana)
        for user, server in ((ANA, ana), (BOB, bob)):
            check_saves(hub, user, server)
        check_nobody_else_gets_in(hub, tokens)
        check_paths_end_at_the_home(hub, ana, BOB)
        check_no_clone_of_drafts_of_others(hub, ana, ANA, BOB)
        check_keys_end_at_the_own_name(hub, ANA, BOB)
        check_only_named_variables_pass(hub, ANA, file)


def wait_without_keys(server: Client) -> None:
    """Save for a user who has no keys: nothing fails, and what is missing is told."""
    for number in (1, 2):
        server.autosave("waited.ipynb", f"x = {number}")
    eventually("an error", lambda: server.status()["error"])
    assert server.status()["error"]["kind"] == "credentials-missing"
    assert server.status()["folders"][0]["waiting"] == 2


def check_what_waited(hub: Hub, server: Client) -> None:
    """What waited in the home when the server was culled is delivered by the next one."""
    server.wait_until_delivered()
    versions = terminal(hub, ANA, "log", "waited.ipynb", "--json")
    assert [(each["number"], each["author"]) for each in versions] == [(2, ANA), (1, ANA)]


def check_saves(hub: Hub, user: str, server: Client) -> None:
    """What a user saves is a version of theirs, by them, below their name."""
    server.save("mine.ipynb", f"written by {user}")
    server.wait_until_delivered()
    assert [folder["namespace"] for folder in server.status()["folders"]] == [user]
    (version,) = terminal(hub, user, "log", "mine.ipynb", "--json")
    assert (version["number"], version["author"]) == (1, user)
    url = f"s3://team-notebooks/workspace/{user}/mine.ipynb"
    listed = terminal(hub, user, "log", url, "--json")
    assert [each["digest"] for each in listed] == [version["digest"]]


def check_nobody_else_gets_in(hub: Hub, tokens: dict[str, str]) -> None:
    """The server of one refuses everything to the other, whose own token is good."""
    body = {"type": "notebook", "format": "json", "content": cells("intruder")}
    for owner, other in ((ANA, BOB), (BOB, ANA)):
        before = (hub.home(owner) / "mine.ipynb").read_bytes()
        intruder = hub.server(owner, tokens[other])
        for method, path, sent in (
            ("GET", contents("mine.ipynb"), None),
            ("PUT", contents("mine.ipynb"), body),
            ("DELETE", contents("mine.ipynb"), None),
            ("POST", f"{contents('mine.ipynb')}/checkpoints", None),
            ("GET", "/nbvc/api/v1/status", None),
            ("GET", "/nbvc/api/v1/versions?path=mine.ipynb", None),
            ("GET", "/files/mine.ipynb", None),
        ):
            status, reply = intruder.ask(method, path, sent)
            assert status == 403, (method, path, status)
            assert "written by" not in json.dumps(reply, default=repr), path
        assert (hub.home(owner) / "mine.ipynb").read_bytes() == before


def check_paths_end_at_the_home(hub: Hub, server: Client, other: str) -> None:
    """No path leads out of the home of a user, on whose machine the other's home lies here."""
    victim = hub.home(other) / "mine.ipynb"
    before = victim.read_bytes()
    body = {"type": "notebook", "format": "json", "content": cells("intruder")}
    for up in ("..", "%2e%2e", "%2E%2E%2F..", "x/../.."):
        path = f"{up}/{other}/mine.ipynb"
        for route in (f"/api/contents/{path}", f"/files/{path}"):
            status, reply = server.ask("GET", route)
            assert status >= 400, route
            assert "written by" not in json.dumps(reply, default=repr), route
        assert server.ask("PUT", f"/api/contents/{path}", body)[0] >= 400
        query = f"/nbvc/api/v1/versions?path={up}/{other}/mine.ipynb"
        assert server.ask("GET", query)[0] >= 400
    for target in (f"../{other}/stolen.ipynb", f"/../{other}/stolen.ipynb"):
        assert server.ask("PATCH", contents("mine.ipynb"), {"path": target})[0] >= 400
    server.wait_until_delivered()
    assert victim.read_bytes() == before
    assert not (victim.parent / "stolen.ipynb").exists()


def check_no_clone_of_drafts_of_others(hub: Hub, server: Client, user: str, other: str) -> None:
    """A user's own server clones the drafts of that user from the store, and of nobody else."""
    before = sorted(hub.home(user).glob("*.ipynb"))
    drafts = {"s3_bucket": "team-notebooks", "s3_key": f"workspace/{other}/mine.ipynb"}
    for route, sent in (
        ("/nbvc/api/v1/clone", {"key": f"{other}/mine.ipynb"}),
        ("/api/bookstore/clone", drafts),
    ):
        status, reply = server.ask("POST", route, sent)
        assert status == 403, (route, status, reply)
    assert sorted(hub.home(user).glob("*.ipynb")) == before
    server.json("POST", "/nbvc/api/v1/clone", {"key": f"{user}/mine.ipynb"})
    drafts["s3_key"] = f"workspace/{user}/mine.ipynb"
    server.json("POST", "/api/bookstore/clone", drafts)


def check_keys_end_at_the_own_name(hub: Hub, user: str, other: str) -> None:
    """Whatever a user runs in a terminal, with the keys of the server, S3 refuses the rest."""
    drafts = f"s3://team-notebooks/workspace/{other}/mine.ipynb"
    for command in ("log", "show", "clone"):
        terminal(hub, user, command, drafts, fails=AccessDenied.exit_code)
    folder = hub.home(user) / "theirs"
    folder.mkdir()
    (folder / "mine.ipynb").write_text(json.dumps(cells("intruder")))
    terminal(hub, user, "-C", "theirs", "init", "s3://team-notebooks", "--namespace", other)
    terminal(hub, user, "-C", "theirs", "save", fails=AccessDenied.exit_code)
    (version,) = terminal(hub, other, "log", "mine.ipynb", "--json")
    assert version["author"] == other


def check_only_named_variables_pass(hub: Hub, user: str, keys: Path) -> None:
    """A server sees its own keys, and nothing of what the hub was told."""
    seen = hub.process_of(user).environ()
    assert not [name for name in seen if name.startswith("HUB_")]
    assert SECRET not in seen.values()
    sections = keys.read_text().split("\n[")
    (own,) = [text for text in sections if user in text]
    assert seen["AWS_SECRET_ACCESS_KEY"] in own
    assert seen["AWS_ACCESS_KEY_ID"] in own
