"""No secret, and no text of a cell, is in what commands say or leave: canaries everywhere."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
import pytest

from nbvc.errors import NbvcError
from nbvc.workspace.session import Session
from tests.command_line import CommandLine, Result
from tests.moto_server import REGION, serve_moto
from tests.notebook_samples import code, markdown, notebook, stream
from tests.stores.wire import Request, failure, reply, serving
from tests.test_help import LEAVES

KEY_ID, SECRET, TOKEN = "AKIACANARY0ACCESSKEY", "canary/secret+access=key", "canary-session-token"
SIGNATURE, USER_INFO, CELL = "canarysignature0123456789", "canary-user:canary-pass", "canary-cell"
SIGNED = f"https://bucket.example/k.ipynb?X-Amz-Signature={SIGNATURE}"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": TOKEN,
    "JUPYTER_TOKEN": "canary-jupyter-token",
    "JUPYTERHUB_API_TOKEN": "canary-jupyterhub-token",
    "HTTPS_PROXY": "http://canary-proxy-user:canary-proxy-password@127.0.0.1:9",
}
LEAKY = " ".join([*VARIABLES.values(), SIGNED, f"http://{USER_INFO}@127.0.0.1:9/x"])
"""What a server, or a library, may repeat in an error."""

SECRETS = ("canary", "CANARY")
"""All canaries hold one of these, but the text of cells is looked for by itself."""

ONE, TWO, THREE = (
    notebook(markdown(f"{CELL} {n}"), code(f"{CELL} = {n}", outputs=[stream(f"{CELL} {n}\n")]))
    for n in (1, 2, 3)
)
STORE = "s3://bucket/root"

ROWS: Mapping[str, tuple[str, ...]] = {
    "init": ("init",),
    "save": ("save", "-m", "three"),
    "store": ("store",),
    "status": ("status",),
    "push": ("push",),
    "log": ("log", "mine.ipynb"),
    "show": ("show", "mine.ipynb@v1"),
    "diff": ("diff", "mine.ipynb", "v1", "v2"),
    "checkout": ("checkout", "mine.ipynb@v1", "-o", "old.ipynb"),
    "publish": ("publish", "mine.ipynb@v1"),
    "unpublish": ("unpublish", "other.ipynb"),
    "ls": ("ls",),
    "resolve": ("resolve", "mine.ipynb@v1"),
    "clone": ("clone", "{store}/workspace/team/nb", "copy"),
    "run": ("run", "mine.ipynb@v1", "-p", "alpha", "0.1"),
    "tag": ("tag", "mine.ipynb@v1", "good"),
    "mv": ("mv", "mine.ipynb", "moved.ipynb"),
    "rm": ("rm", "other.ipynb"),
    "check": ("check", "--read-data"),
    "repair": ("repair", "--apply"),
    "migrate": ("migrate", "{target}"),
    "pack": ("pack", "--older-than", "0", "--keep-newest", "1", "--apply"),
    "unpack": ("unpack", "--apply"),
    "forget": ("forget", "mine.ipynb", "--keep-last", "1", "--apply"),
    "doctor": ("doctor",),
    "config get": ("config", "get", "endpoint_url"),
    "config set": ("config", "set", "author", "ada"),
    "config unset": ("config", "unset", "author"),
    "config list": ("config", "list", "--show-origin"),
}
"""What is run of each command; a new command needs a row."""

TYPED = (
    ("init", "{url}"),
    ("init", "s3://bucket", "--endpoint-url", "{url}"),
    ("save", "{url}"),
    ("log", "{url}"),
    ("show", "{url}"),
    ("diff", "{url}"),
    ("checkout", "{url}"),
    ("publish", "{url}"),
    ("unpublish", "{url}"),
    ("ls", "{url}"),
    ("resolve", "{url}"),
    ("clone", "{url}", "copy"),
    ("run", "{url}"),
    ("run", "mine.ipynb", "--output", "{url}"),
    ("tag", "{url}"),
    ("mv", "{url}", "moved.ipynb"),
    ("rm", "{url}"),
    ("check", "{url}"),
    ("repair", "{url}"),
    ("migrate", "{url}"),
    ("pack", "{url}"),
    ("unpack", "{url}"),
    ("forget", "{url}", "--keep-last", "1"),
    ("doctor", "{url}"),
    ("config", "list", "--store", "{url}"),
)
"""Where a person may type a URL, by mistake one that is a secret."""

SHOWS_CELLS = {"show", "diff"}
WITHOUT_JSON = {"init", "show", "config get", "config set", "config unset"}


def test_every_command_has_a_row() -> None:
    """The list of commands is that of the command line itself."""
    assert {" ".join(name) for name in LEAVES} == ROWS.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A workspace, and where it is put back to before each command.

    Attributes:
        cli: Runs commands in it.
        kept: A copy of its folder, as it was prepared.
        words: What stands for ``{store}`` and ``{target}`` in a row.
    """

    cli: CommandLine
    kept: Path
    words: Mapping[str, str]

    def run_all(self, *, forms: Sequence[bool] = (False, True)) -> list[int]:
        """Run every row in a fresh copy, plainly and (True) as JSON; return the exit codes."""
        return [
            self.run(name, row, json=json)
            for name, row in ROWS.items()
            for json in forms
            if not (json and name in WITHOUT_JSON and False in forms)
        ]

    def run(self, name: str, row: tuple[str, ...], *, json: bool) -> int:
        """Run one row in a fresh copy, look for canaries, and return the exit code."""
        shutil.rmtree(self.cli.folder)
        shutil.copytree(self.kept, self.cli.folder)
        arguments = [word.format(**self.words) for word in row]
        arguments += ["--json"] * (json and name not in WITHOUT_JSON)
        result = self.cli("--debug", *arguments, exit_code=None)
        self._look(name, arguments, result)
        return result.exit_code

    def _look(self, name: str, arguments: list[str], result: Result) -> None:
        """Look for canaries in all that was said and all that was left."""
        for stream_name, text in (("stdout", result.data), ("stderr", result.stderr.encode())):
            cells = name in SHOWS_CELLS and stream_name == "stdout"
            assert_clean(text, f"{stream_name} of {arguments}", cells_allowed=cells)
        for folder in (self.cli.folder / ".nbvc", self.cli.home):
            for file in folder.rglob("*"):
                if file.is_file() and file.name not in {"aws-config", "aws-credentials"}:
                    cells = self.cli.cache in file.parents  # what a diff showed is kept there
                    where = f"{file} after {arguments}"
                    assert_clean(header_of(file), where, cells_allowed=cells)


def header_of(file: Path) -> bytes:
    """Return what a file holds beside the bytes of notebooks."""
    data = file.read_bytes()
    if {"outbox", "runs"} & set(file.parts):
        return data.partition(b"\n")[0]
    if data in {ONE, TWO, THREE} or file.name == "index.sqlite3":
        return b""  # a cached notebook; the embedded store is looked at object by object
    return data


def assert_clean(data: bytes, where: str, *, cells_allowed: bool = False) -> None:
    """Check that no canary is in *data*, nor one that was encoded for a URL."""
    text = data.decode("utf-8", "replace")
    if cells_allowed:
        text = text.replace(CELL, "")
    for secret in SECRETS:
        at = text.find(secret)
        assert at < 0, f"{where}: ...{text[max(at - 200, 0) : at + 200]}"


def prepare(cli: CommandLine, *init: str) -> None:
    """Make a workspace with versions, a tag, a published notebook, a pack and unsaved changes."""
    cli("init", *init, "--namespace", "team/nb")
    for data in (ONE, TWO):
        cli.write("mine.ipynb", data)
        cli("save", "-m", "said")
    cli.write("other.ipynb", ONE)
    cli("save")
    cli("publish", "other.ipynb")
    cli(*ROWS["pack"])
    cli("tag", "mine.ipynb@v2", "two")
    cli.write("mine.ipynb", THREE)


def keep(cli: CommandLine, tmp_path: Path) -> Path:
    """Copy the workspace, and return where to."""
    return Path(shutil.copytree(cli.folder, tmp_path / "kept"))


@pytest.fixture
def secret(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return a command line with a canary in every variable that holds a secret."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    # What is tried again is tried again at once.
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return cli


@pytest.fixture
def embedded(secret: CommandLine, tmp_path: Path) -> Place:
    """Return a workspace on an embedded store."""
    prepare(secret)
    words = {
        "store": (secret.folder / ".nbvc/store").as_uri(),
        "target": str(secret.folder / "target"),
    }
    return Place(cli=secret, kept=keep(secret, tmp_path), words=words)


def with_user_info(url: str) -> str:
    """Return the address of a server as one writes it who puts a password there."""
    return url.replace("http://", f"http://{USER_INFO}@")


@pytest.fixture
def bucket(secret: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Return a workspace on a bucket."""
    with serve_moto() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        prepare(secret, STORE, "--create")
        words = {"store": STORE, "target": "s3://bucket/other"}
        yield Place(cli=secret, kept=keep(secret, tmp_path), words=words)


def test_what_succeeds_shows_no_secret_on_an_embedded_store(embedded: Place) -> None:
    """Nor does any object of the index in the store hold one, or the text of a cell."""
    codes = embedded.run_all()
    assert codes.count(0) >= 0.8 * len(codes)
    embedded.cli("save", "-m", "three")
    with closing(sqlite3.connect(embedded.cli.folder / ".nbvc/store/index.sqlite3")) as database:
        rows = database.execute("SELECT key, metadata, inline_data FROM versions").fetchall()
    assert len(rows) > 10
    for key, metadata, data in rows:
        assert_clean(f"{key} {metadata}".encode(), key)
        if key.startswith(".nbvc/"):
            assert_clean(data, key)


def test_what_succeeds_shows_no_secret_on_a_bucket(bucket: Place) -> None:
    """Nor does any object of the index, or the metadata of a notebook."""
    codes = bucket.run_all(forms=[True])
    assert codes.count(0) >= 0.8 * len(codes)
    with closing(boto3.client("s3", region_name=REGION)) as client:
        listed = client.list_object_versions(Bucket="bucket")["Versions"]
        for entry in listed:
            found = client.get_object(
                Bucket="bucket", Key=entry["Key"], VersionId=entry["VersionId"]
            )
            assert_clean(repr((entry["Key"], found["Metadata"])).encode(), entry["Key"])
            if "/.nbvc/" in entry["Key"]:
                assert_clean(found["Body"].read(), entry["Key"])
    assert len(listed) > 10


def echo(status: int, code: str) -> Callable[[Request], bytes]:
    """Return a server that refuses everything, and repeats what it was sent and more."""

    def answer(request: Request) -> bytes:
        text = f"{LEAKY} {request.headers} {request.target} {request.body!r}"
        return failure(status, code, text, x_amz_request_id=KEY_ID)

    return answer


FAILURES: Mapping[str, Callable[[Request], bytes] | bytes] = {
    "access denied": echo(403, "AccessDenied"),
    "expired token": echo(400, "ExpiredToken"),
    "5xx": echo(500, "InternalError"),
    "no S3 server": reply(200, f"<html>{LEAKY}</html>".encode()),
}


AS_JSON = {"expired token", "5xx"}


@pytest.mark.parametrize("kind", FAILURES)
def test_what_a_server_refuses_shows_no_secret(
    bound: Place, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the server repeats every secret in its reply, and its address holds a password."""
    with serving(FAILURES[kind]) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", with_user_info(server.url))
        codes = bound.run_all(forms=[kind in AS_JSON])
        assert len(server.requests) >= 10
    assert sum(code != 0 for code in codes) >= 10
    assert set(codes) <= {0, *EXIT_CODES}


@pytest.mark.parametrize("through_proxy", [False, True])
def test_what_is_not_reached_shows_no_secret(
    bound: Place, through_proxy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens at the endpoint, or at the proxy; the addresses of both hold passwords."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", with_user_info(address))
        if through_proxy:
            monkeypatch.delenv("NO_PROXY")
            monkeypatch.setenv("HTTP_PROXY", with_user_info(address))
        codes = bound.run_all(forms=[through_proxy])
    assert sum(code != 0 for code in codes) >= 10
    assert set(codes) <= {0, *EXIT_CODES}


EXIT_CODES = {NbvcError.exit_code, *(kind.exit_code for kind in NbvcError.__subclasses__())}


@pytest.fixture
def bound(secret: CommandLine, tmp_path: Path) -> Place:
    """Return a workspace that is bound to a bucket, which nobody has asked yet."""
    secret.write("mine.ipynb", THREE)
    secret.write("other.ipynb", ONE)
    (secret.folder / ".nbvc").mkdir()
    config = f'store = "{STORE}"\nnamespace = "team/nb"\n'
    (secret.folder / ".nbvc/config.toml").write_text(config)
    words = {"store": STORE, "target": "s3://bucket/other"}
    return Place(cli=secret, kept=keep(secret, tmp_path), words=words)


@pytest.mark.parametrize("url", [SIGNED, f"https://{USER_INFO}@bucket.example/k.ipynb"])
def test_a_url_that_is_a_secret_is_not_repeated(embedded: Place, url: str) -> None:
    """Whoever types one, by mistake, in place of a notebook or a store."""
    place = replace(embedded, words={"url": url})
    for number, row in enumerate(TYPED):
        place.run(row[0], row, json=bool(number % 2))


def test_an_address_with_a_password_is_shown_without_it(
    embedded: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also among the settings, where the rest of it is told."""
    address = f"http://{USER_INFO}@127.0.0.1:9000/?token=canary"
    monkeypatch.setenv("NBVC_ENDPOINT_URL", address)
    for row in (("config", "get", "endpoint_url"), ("config", "list"), ("doctor",)):
        embedded.run("config get" if "get" in row else "config list", row, json="get" not in row)
    assert embedded.cli("config", "get", "endpoint_url").stdout == "http://127.0.0.1:9000/\n"


def test_what_is_damaged_shows_no_secret(embedded: Place) -> None:
    """Records, states, settings and notebooks of the store, and what the workspace remembers."""
    index = embedded.kept / ".nbvc/store/index.sqlite3"
    with closing(sqlite3.connect(index)) as database:
        spoil = "UPDATE versions SET inline_data = ? WHERE key LIKE ?"
        database.execute(spoil, (f'{{"{CELL}": "{LEAKY}"}}'.encode(), "%.json"))
        database.execute(spoil, (f"{{{CELL} {LEAKY}".encode(), "workspace/%"))
        database.commit()
    (embedded.kept / ".nbvc/workspace.sqlite3").unlink()
    codes = embedded.run_all(forms=[True])
    assert codes.count(8) >= 10


def test_a_notebook_that_is_none_shows_none_of_its_text(embedded: Place) -> None:
    """A file that is no JSON, or no notebook, is named, and nothing of it is repeated."""
    for text in (f'{{"cells": [{CELL}', f'{{"cells": "{CELL}", "nbformat": 4}}', f"{CELL}\0"):
        (embedded.kept / "mine.ipynb").write_text(text)
        assert 2 in [
            embedded.run(name, ROWS[name], json=json)
            for name in ("save", "status", "diff", "checkout", "publish", "rm")
            for json in (False, True)
        ]


def test_what_nobody_expected_shows_no_secret(
    embedded: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback, which a person is asked to send, repeats the texts of all exceptions."""

    def fail(*_: object, **__: object) -> None:
        try:
            raise ValueError(f"a library said {LEAKY}")
        except ValueError as error:
            raise RuntimeError(f"and another one {LEAKY}") from error

    monkeypatch.setattr(Session, "open_store", fail)
    codes = embedded.run_all(forms=[False])
    logs = list((embedded.cli.cache / "debug").iterdir())
    assert logs
    assert all("RuntimeError" in log.read_text() for log in logs)
    assert codes.count(1) >= 10


def test_a_canary_would_be_found(embedded: Place) -> None:
    """The search can fail: it finds what is put where a secret could be."""
    for relative in (".nbvc/config.toml", ".nbvc/outbox/0000000001.new", ".nbvc/workspace.sqlite3"):
        file = embedded.cli.folder / relative
        before = file.read_bytes() if file.exists() else None
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((before or b"") + SECRET.encode())
        with pytest.raises(AssertionError, match="canary"):
            embedded._look("status", [], Result(exit_code=0, data=b"", stderr=""))
        file.write_bytes(before) if before is not None else file.unlink()
    with pytest.raises(AssertionError, match="CANARY"):
        embedded._look("show", [], Result(exit_code=0, data=KEY_ID.encode(), stderr=""))
    with pytest.raises(AssertionError, match="canary"):
        embedded._look("show", [], Result(exit_code=0, data=b"", stderr=CELL))
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
