"""``nbvc doctor``: what it finds, what it leaves behind, and that it can be shown to anybody."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from nbvc.repository.settings import decode, encode
from nbvc.stores.base import Capabilities
from nbvc.workspace import doctor_here, mounts
from nbvc.workspace.accepting import capture
from nbvc.workspace.core import Workspace
from tests.cli.test_full_disk import fill, small_disk
from tests.command_line import CommandLine
from tests.moto_server import aws_variables, serve_moto
from tests.notebook_samples import code, notebook
from tests.stores.wire import Request, failure, forward, reply, serving

__all__ = ["small_disk"]

ONE = notebook(code("x = 1"))
HERE = ["versions", "configuration", "workspace", "file-system"]
BUCKET = [
    "credentials",
    "reachability",
    "versioning",
    "conditional-writes",
    "lifecycle",
    "object-lock",
    "clock",
    "round-trip",
]
NEITHER = Capabilities(conditional_create=False, conditional_replace=False)


class Server:
    """An S3 server whose replies a test may change on the way back.

    Attributes:
        url: Its address.
        before: May answer a request itself.
        after: May change an answer.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.url = ""
        self.before: Callable[[Request], bytes | None] = lambda request: None
        self.after: Callable[[Request, bytes], bytes] = lambda request, answer: answer

    def __call__(self, request: Request) -> bytes:
        """Answer a request."""
        own = self.before(request)
        return self.after(request, forward(request, self._upstream) if own is None else own)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, cli: CommandLine) -> Iterator[Server]:
    """Start a server, and send AWS clients there."""
    with serve_moto() as upstream:
        server = Server(upstream)
        with serving(server) as wire:
            server.url = wire.url
            for name, value in aws_variables(wire.url).items():
                monkeypatch.setenv(name, value)
            yield server


@pytest.fixture
def bound(cli: CommandLine, server: Server) -> CommandLine:
    """Return a command line in a workspace whose versions are in a bucket."""
    cli("init", "s3://notebooks/team", "--create")
    return cli


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    """Return a plain client, as an administrator has one."""
    client = boto3.client("s3")
    yield client
    client.close()


def checks_of(cli: CommandLine, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """Run doctor, and return what it found by the name of the check."""
    found = cli("doctor", *arguments, "--json", exit_code=exit_code).json
    assert found["ok"] is (exit_code == 0)
    return {each["name"]: each for each in found["checks"]}


def statuses(checks: dict[str, Any]) -> dict[str, str]:
    """Return the checks that are not well, with their status."""
    return {name: each["status"] for name, each in checks.items() if each["status"] != "ok"}


def versions_in(client: Any) -> list[tuple[str, str]]:
    """Return everything in the bucket."""
    listed = client.list_object_versions(Bucket="notebooks")
    return [(each["Key"], each["VersionId"]) for each in listed.get("Versions", [])]


# -- all is well -----------------------------------------------------------------------------------


def test_a_healthy_embedded_store_is_well(project: CommandLine) -> None:
    """Every check that concerns a folder, in its order; nothing is left behind."""
    checks = checks_of(project)
    assert list(checks) == [*HERE, "embedded-store", "round-trip", "outbox"]
    assert statuses(checks) == {}
    left = {path.name for path in (project.folder / ".nbvc").iterdir()}
    assert left <= {".gitignore", "agreed.json", "config.toml", "store", "workspace.sqlite3"}


def test_a_healthy_bucket_is_well_and_holds_what_it_held(bound: CommandLine, client: Any) -> None:
    """Every check in its order; what was written to try the store is removed again."""
    bound.write("mine.ipynb", ONE)
    bound("save")
    before = versions_in(client)
    checks = checks_of(bound)
    assert list(checks) == [*HERE, *BUCKET, "outbox"]
    assert statuses(checks) == {}
    assert versions_in(client) == before


def test_a_line_for_each_check_is_enough_where_all_is_well(project: CommandLine) -> None:
    """Status, name, what was found; then a sum of all."""
    said = project("doctor").stdout.splitlines()
    assert said[0].startswith("ok       versions            nbvc ")
    assert said[-1] == "Nothing failed."
    assert not any("hint:" in line for line in said)


def test_outside_of_a_workspace_it_looks_at_what_there_is(cli: CommandLine) -> None:
    """And says how to go on."""
    checks = checks_of(cli)
    assert list(checks) == HERE[:3]
    assert statuses(checks) == {"workspace": "warning"}
    assert "nbvc init" in checks["workspace"]["hint"]


def test_a_store_can_be_named(bound: CommandLine, tmp_path: Path) -> None:
    """From anywhere, without a workspace; a folder too."""
    checks = checks_of_in(bound, tmp_path, "s3://notebooks/team")
    assert list(checks) == [*HERE[:3], *BUCKET]
    assert statuses(checks) == {}
    other = tmp_path / "other"
    other.mkdir()
    bound("init", cwd=other)
    assert statuses(checks_of_in(bound, tmp_path, "other/.nbvc/store")) == {}


def checks_of_in(cli: CommandLine, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run doctor elsewhere."""
    found = cli("doctor", *arguments, "--json", cwd=folder).json
    return {each["name"]: each for each in found["checks"]}


def test_a_store_that_is_none_is_a_usage_error(cli: CommandLine) -> None:
    """With nothing of a URL repeated that may be a secret."""
    found = cli("doctor", "https://key:canary@host/bucket", exit_code=2)
    assert "canary" not in found.stderr


def test_settings_are_told_with_their_origin(bound: CommandLine) -> None:
    """Which of several places won is what one wants to know; private values are only 'set'."""
    bound("config", "set", "endpoint_url", "https://key:canary@other:9000/x?y=canary")
    found = checks_of(bound, exit_code=7)["configuration"]
    assert "author: set, from environment (NBVC_AUTHOR)" in found["details"]
    assert "pager: not set" in found["details"]
    assert "cache_size_mb: 1024" in found["details"]
    assert "timeout_seconds: 20" in found["details"]
    assert any(
        line.startswith("endpoint_url: https://other:9000, from user (~/config.toml")
        for line in found["details"]
    )
    assert any(line.startswith("AWS variables that are set: AWS_ACC") for line in found["details"])


# -- this machine ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["store = [", 'region = "eu"', "\udcff"])
def test_an_invalid_workspace_file_is_told_and_the_rest_looked_at(
    project: CommandLine, content: str
) -> None:
    """The store is not asked: which one it is cannot be known."""
    config = project.folder / ".nbvc/config.toml"
    config.write_text(content, errors="surrogateescape")
    checks = checks_of(project, exit_code=2)
    assert statuses(checks) == {"configuration": "failed", "reachability": "unknown"}
    assert checks["configuration"]["error"] == "invalid-config"
    assert list(checks) == [*HERE, "reachability", "outbox"]


def test_an_invalid_workspace_file_does_not_matter_to_a_named_store(
    bound: CommandLine, tmp_path: Path
) -> None:
    """It has no say in where requests to that one go."""
    (bound.folder / ".nbvc/config.toml").write_text("store = [")
    checks = checks_of(bound, "s3://notebooks/team", exit_code=2)
    assert statuses(checks) == {"configuration": "failed"}


def test_an_invalid_user_file_keeps_every_store_from_being_asked(project: CommandLine) -> None:
    """It might name the server that credentials may go to."""
    project.config.write_text("= nonsense")
    checks = checks_of(project, "s3://notebooks", exit_code=2)
    assert statuses(checks) == {"configuration": "failed", "reachability": "unknown"}


def test_saves_that_nobody_has_looked_at_are_told(project: CommandLine) -> None:
    """They are looked at by a running server, or a push; the doctor leaves them as they are."""
    project.write("mine.ipynb", ONE)
    with Workspace.open(project.folder) as workspace:
        capture(workspace, "mine.ipynb")
    found = checks_of(project)["outbox"]
    assert (found["status"], found["found"]) == (
        "warning",
        "1 save from Jupyter waits to be looked at.",
    )
    assert list((project.folder / ".nbvc" / "outbox").glob("*.saved"))
    assert project("push", "--dry-run").stdout == "1 save from Jupyter waits to be looked at.\n"
    assert list((project.folder / ".nbvc" / "outbox").glob("*.saved"))
    assert project("push").stdout.startswith("Delivered v1 ")


def test_a_workspace_that_remembers_nonsense_is_told(project: CommandLine) -> None:
    """All of it can be learned again; the hint says how."""
    project.write("mine.ipynb", ONE)
    project("save")
    (project.folder / ".nbvc/workspace.sqlite3").write_bytes(b"nonsense" * 1000)
    checks = checks_of(project, exit_code=8)
    assert statuses(checks) == {"workspace": "failed"}
    assert "rm " in checks["workspace"]["hint"]


def test_little_room_is_a_warning(project: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the disk of the workspace, and of that of the store."""
    monkeypatch.setattr(doctor_here, "LITTLE_ROOM_BYTES", 10**18)
    checks = checks_of(project)
    assert statuses(checks) == {"file-system": "warning", "embedded-store": "warning"}


def test_a_full_disk_is_named_and_the_rest_looked_at(cli: CommandLine, small_disk: Path) -> None:
    """It is tried by writing."""
    cli.folder = small_disk
    cli("init")
    fill(small_disk, 8_192)
    found = cli("doctor", "--json", exit_code=1).json
    checks = {each["name"]: each for each in found["checks"]}
    assert checks["file-system"]["status"] == "failed"
    assert "full" in checks["file-system"]["found"]
    assert list(checks)[-1] == "outbox"


def test_a_network_file_system_is_a_warning_for_an_embedded_store(
    project: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SQLite's log does not work there with several machines."""
    listed = tmp_path / "mounts"
    listed.write_text(f"1 1 0:1 / {tmp_path} rw - nfs4 x rw\n")
    monkeypatch.setattr(mounts, "MOUNTS", listed)
    checks = checks_of(project)
    assert statuses(checks) == {"embedded-store": "warning"}
    assert "(nfs4)" in checks["embedded-store"]["found"]
    assert "(nfs4)" in checks["file-system"]["found"]


def test_a_damaged_embedded_store_is_told(project: CommandLine) -> None:
    """What SQLite says, and to keep a copy; exit code 8."""
    for number in range(30):
        project.write("mine.ipynb", notebook(code(str(number))))
        project("save")
    index = project.folder / ".nbvc/store/index.sqlite3"
    with sqlite3.connect(index) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(index.read_bytes())
    page = 4096 * 3
    data[page : page + 512] = b"\xff" * 512
    index.write_bytes(data)
    checks = checks_of(project, exit_code=8)
    assert checks["embedded-store"]["status"] == "failed"
    assert "damaged" in checks["embedded-store"]["found"]
    assert checks["outbox"]["status"] == "ok"


def test_the_hint_for_an_embedded_store_without_settings_can_be_typed(
    project: CommandLine,
) -> None:
    """A workspace is bound to its own store without a URL, and to any other one by it."""
    index = project.folder / ".nbvc/store/index.sqlite3"
    with closing(sqlite3.connect(index)) as connection, connection:
        for table in ("versions", "current"):
            connection.execute(f"DELETE FROM {table} WHERE key = '.nbvc/store.json'")
    hint = checks_of(project)["embedded-store"]["hint"]
    assert hint == "nbvc init"
    project(*hint.split()[1:])
    assert statuses(checks_of(project)) == {}


def test_a_missing_embedded_store_is_told(project: CommandLine) -> None:
    """Exit code 3, with how to make one."""
    (project.folder / ".nbvc/store/index.sqlite3").unlink()
    checks = checks_of(project, exit_code=3)
    assert statuses(checks) == {"embedded-store": "failed", "round-trip": "unknown"}


def test_what_waits_in_the_outbox_is_counted(
    bound: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time of the oldest, and why it waits; the names of notebooks are not told."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for number in (2, 3):
        bound.write("private.ipynb", notebook(code(str(number))))
        bound("save", "private.ipynb")
    found = checks_of(bound, exit_code=7)["outbox"]
    assert found["status"] == "warning"
    assert found["found"].startswith("2 versions wait to be delivered, the oldest since 20")
    assert "nbvc push" in found["hint"]
    assert found["details"] == ["The last delivery stopped: store-unavailable."]
    assert "private" not in str(found)


def test_a_version_that_the_disk_damaged_in_the_outbox_is_a_failure(
    bound: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may still have the notebook open, and can save it again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    bound.write("mine.ipynb", notebook(code("2")))
    bound("save")
    (waiting,) = (bound.folder / ".nbvc/outbox").glob("0*")
    waiting.write_bytes(b"x" + waiting.read_bytes()[1:])
    assert checks_of(bound, exit_code=7)["outbox"]["error"] == "integrity"


# -- the way to a bucket ---------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_told_once(
    bound: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks that need it are unknown; all others are made."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    checks = checks_of(bound, exit_code=7)
    later = dict.fromkeys(BUCKET[2:], "unknown")
    assert statuses(checks) == {"reachability": "failed", **later}
    assert checks["reachability"]["error"] == "store-unavailable"


def test_without_credentials_no_request_is_tried(
    bound: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 6, with how to get some."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    checks = checks_of(bound, exit_code=6)
    assert checks["credentials"]["error"] == "credentials-missing"
    assert statuses(checks) == {
        "credentials": "failed",
        **dict.fromkeys(BUCKET[1:], "unknown"),
    }


def test_the_kind_of_the_credentials_is_told(
    bound: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From which of the many places AWS looks in they came."""
    assert checks_of(bound)["credentials"]["found"] == "From environment variables."
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (bound.home / "aws-credentials").write_text(
        "[default]\naws_access_key_id = ana\naws_secret_access_key = secret\n"
    )
    assert checks_of(bound)["credentials"]["found"] == "From the AWS credentials file."
    (bound.home / "aws-config").write_text("[profile p]\ncredential_process = false\n")
    monkeypatch.setenv("AWS_PROFILE", "p")
    (bound.home / "aws-credentials").unlink()
    assert checks_of(bound, exit_code=6)["credentials"]["status"] == "failed"


def test_a_bucket_that_is_missing_is_told(cli: CommandLine, server: Server) -> None:
    """Exit code 3, with the command that makes it."""
    checks = checks_of(cli, "s3://nothing", exit_code=3)
    assert checks["reachability"]["error"] == "store-not-found"
    assert "nbvc init s3://nothing --create" in checks["reachability"]["hint"]


def test_a_store_that_was_never_prepared_is_not_written_to(cli: CommandLine, client: Any) -> None:
    """It may be somebody else's bucket; what can be read of it is told."""
    client.create_bucket(Bucket="notebooks")
    versioning = {"Status": "Enabled"}
    client.put_bucket_versioning(Bucket="notebooks", VersioningConfiguration=versioning)
    checks = checks_of(cli, "s3://notebooks")
    assert statuses(checks) == {
        "reachability": "warning",
        "conditional-writes": "unknown",
        "round-trip": "unknown",
    }
    assert "not tried by writing" in checks["versioning"]["found"]
    assert versions_in(client) == []


def shifted(by: timedelta) -> Callable[[Request, bytes], bytes]:
    """Return what shows another time in every answer."""

    def change(_: Request, answer: bytes) -> bytes:
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"date:")]
        date = format_datetime(datetime.now(UTC) + by, usegmt=True)
        return b"\r\n".join([*lines, f"Date: {date}".encode(), b"", body])

    return change


@pytest.mark.parametrize(
    ("by", "status", "said"),
    [
        (timedelta(seconds=60), "ok", "seconds behind the store's"),
        (timedelta(seconds=-60), "ok", "seconds ahead of the store's"),
        (timedelta(minutes=4), "warning", "seconds behind the store's"),
        (timedelta(minutes=-4), "warning", "seconds ahead of the store's"),
    ],
)
def test_a_clock_that_is_off_is_told(
    bound: CommandLine, server: Server, by: timedelta, status: str, said: str
) -> None:
    """Beyond three minutes it is a warning, for times in a log mean little then."""
    server.after = shifted(by)
    checks = checks_of(bound)
    assert checks["clock"]["status"] == status
    assert said in checks["clock"]["found"]
    assert statuses(checks) == ({} if status == "ok" else {"clock": "warning"})


def test_a_clock_that_s3_refuses_is_the_failure(bound: CommandLine, server: Server) -> None:
    """Every request is refused for it; its own check says by how much it is off."""
    server.before = lambda _: failure(403, "RequestTimeTooSkewed")
    server.after = shifted(timedelta(minutes=20))
    checks = checks_of(bound, exit_code=7)
    assert checks["reachability"]["error"] == "clock-skewed"
    assert checks["clock"]["error"] == "clock-skewed"
    assert "1200 seconds behind" in checks["clock"]["found"].replace("1199", "1200")


def test_a_server_that_tells_no_time_leaves_the_clock_unknown(
    bound: CommandLine, server: Server
) -> None:
    """A proxy may drop the header."""
    server.after = lambda _, answer: answer.replace(b"\r\nDate:", b"\r\nX-Date:").replace(
        b"\r\ndate:", b"\r\nx-date:"
    )
    assert statuses(checks_of(bound)) == {"clock": "unknown"}


# -- the bucket ------------------------------------------------------------------------------------


def test_versioning_that_is_suspended_is_a_failure(bound: CommandLine, client: Any) -> None:
    """As the bucket says, and as writes show."""
    client.put_bucket_versioning(
        Bucket="notebooks", VersioningConfiguration={"Status": "Suspended"}
    )
    checks = checks_of(bound, exit_code=7)
    assert checks["versioning"]["error"] == "versioning-off"
    assert "Suspended" in checks["versioning"]["details"][0]


def test_a_bucket_that_only_says_that_it_keeps_versions_is_found_out(
    bound: CommandLine, server: Server
) -> None:
    """Writes show otherwise, and they count."""

    def without_version(request: Request, answer: bytes) -> bytes:
        if request.method != "PUT":
            return answer
        return answer.replace(b"x-amz-version-id:", b"x-was-a-version:")

    server.after = without_version
    checks = checks_of(bound, exit_code=7)
    assert checks["versioning"]["status"] == "failed"
    assert checks["versioning"]["details"] == ["The bucket says: Enabled."]


def refusing(*methods: str, part: str = "") -> Callable[[Request], bytes | None]:
    """Return what refuses requests of these methods whose target has *part* in it."""
    return lambda request: (
        failure(403, "AccessDenied")
        if request.method in methods and part in request.target
        else None
    )


@pytest.mark.parametrize(
    ("part", "name", "permission"),
    [
        ("?lifecycle", "lifecycle", "s3:GetLifecycleConfiguration"),
        ("?object-lock", "object-lock", "s3:GetBucketObjectLockConfiguration"),
    ],
)
def test_a_permission_that_is_missing_makes_one_check_unknown(
    bound: CommandLine, server: Server, part: str, name: str, permission: str
) -> None:
    """With its name; nbvc does not need it to work."""
    server.before = refusing("GET", part=part)
    checks = checks_of(bound)
    assert statuses(checks) == {name: "unknown"}
    assert permission in checks[name]["hint"]


def test_versioning_that_may_not_be_read_is_shown_by_writes(
    bound: CommandLine, server: Server
) -> None:
    """What the bucket would say is not needed then."""
    server.before = refusing("GET", part="?versioning")
    checks = checks_of(bound)
    assert statuses(checks) == {}
    assert "does not let you read" in checks["versioning"]["found"]


def test_who_may_not_write_scratch_objects_can_still_look(
    bound: CommandLine, server: Server
) -> None:
    """As with the policy for a person: what must be tried by writing is unknown."""
    server.before = refusing("PUT", part="/scratch/")
    checks = checks_of(bound)
    assert statuses(checks) == {"conditional-writes": "unknown", "round-trip": "unknown"}
    assert "s3:PutObject" in checks["round-trip"]["hint"]
    assert "not tried by writing" in checks["versioning"]["found"]
    server.before = lambda request: (
        refusing("PUT", part="/scratch/")(request) or refusing("GET", part="?versioning")(request)
    )
    checks = checks_of(bound)
    assert checks["versioning"]["status"] == "unknown"
    assert "s3:GetBucketVersioning" in checks["versioning"]["hint"]


def test_scratch_that_may_not_be_removed_is_said(bound: CommandLine, server: Server) -> None:
    """Nobody needs that right to save; the objects stay."""
    server.before = refusing("DELETE")
    checks = checks_of(bound)
    assert statuses(checks) == {}
    assert "may not be removed, and stay below .nbvc/scratch/" in checks["round-trip"]["found"]


def test_bytes_that_come_back_changed_are_a_failure(bound: CommandLine, server: Server) -> None:
    """A proxy that changes what it passes on is worse than none."""

    def flip(request: Request, answer: bytes) -> bytes:
        if request.method == "GET" and "/scratch/" in request.target and len(answer) > 1024:
            return answer[:-1] + bytes([answer[-1] ^ 1])
        return answer

    server.after = flip
    checks = checks_of(bound, exit_code=8)
    assert statuses(checks) == {"round-trip": "failed"}


def change_store_json(client: Any, capabilities: Capabilities) -> None:
    """Let store.json say something else."""
    where = {"Bucket": "notebooks", "Key": "team/.nbvc/store.json"}
    settings = decode(client.get_object(**where)["Body"].read())
    client.put_object(**where, Body=encode(replace(settings, capabilities=capabilities)))


def test_conditions_that_are_honoured_by_now_are_no_danger(bound: CommandLine, client: Any) -> None:
    """The store goes on as it began; a warning says that nothing need be done."""
    change_store_json(client, NEITHER)
    found = checks_of(bound)["conditional-writes"]
    assert found["status"] == "warning"
    assert "store.json says: neither" in found["found"]
    assert "Nothing need be done" in found["hint"]


def test_conditions_that_are_ignored_by_now_are_a_danger(
    bound: CommandLine, server: Server
) -> None:
    """Two who save at once could both own a number; a new proxy in front can do that."""
    upstream = server._upstream

    def strip(request: Request) -> bytes | None:
        kept = {n: v for n, v in request.headers.items() if not n.startswith("if-")}
        return forward(replace(request, headers=kept), upstream)

    server.before = strip
    found = checks_of(bound)["conditional-writes"]
    assert found["status"] == "warning"
    assert found["found"].startswith("Now: neither If-None-Match nor If-Match is honoured")
    assert "one place at a time" in found["hint"]


def test_lifecycle_rules_that_eat_versions_are_told(bound: CommandLine, client: Any) -> None:
    """What each does to which part, and when; a rule for scratch objects is no harm."""
    rules = [
        {
            "ID": "forget",
            "Status": "Enabled",
            "Filter": {"Prefix": "team/workspace/"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        },
        {
            "ID": "everything",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"Days": 365},
        },
        {
            "ID": "elsewhere",
            "Status": "Enabled",
            "Filter": {"Prefix": "logs/"},
            "Expiration": {"Days": 1},
        },
        {
            "ID": "scratch",
            "Status": "Enabled",
            "Filter": {"Prefix": "team/.nbvc/scratch/"},
            "Expiration": {"Days": 1},
        },
    ]
    client.put_bucket_lifecycle_configuration(
        Bucket="notebooks", LifecycleConfiguration={"Rules": rules}
    )
    checks = checks_of(bound)
    assert statuses(checks) == {"lifecycle": "warning"}
    assert checks["lifecycle"]["details"] == [
        "Rule 'forget', workspace/: destroys older versions after 30 days.",
        "Rule 'everything', workspace/: hides what is current after 365 days.",
        "Rule 'everything', published/: hides what is current after 365 days.",
        "Rule 'everything', .nbvc/: hides what is current after 365 days.",
    ]
    assert "get-bucket-lifecycle-configuration --bucket notebooks" in checks["lifecycle"]["hint"]


def test_object_lock_is_compared_with_the_setting(
    cli: CommandLine, server: Server, client: Any
) -> None:
    """A bucket without it refuses every save of a store that asks for it."""
    cli("init", "s3://notebooks", "--create", "--lock-days", "30")
    found = checks_of(cli)["object-lock"]
    assert (found["status"], found["found"]) == (
        "ok",
        "New versions are locked for 30 days (governance).",
    )
    server.before = lambda request: (
        failure(404, "ObjectLockConfigurationNotFoundError")
        if "?object-lock" in request.target
        else None
    )
    found = checks_of(cli, exit_code=7)["object-lock"]
    assert found["error"] == "store-misconfigured"
    assert "aws s3api put-object-lock-configuration" in found["hint"]


def test_a_lock_of_the_bucket_itself_is_told(bound: CommandLine, server: Server) -> None:
    """It locks scratch objects and the index as well."""
    locked = (
        b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
        b"<DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
        b"</ObjectLockConfiguration>"
    )
    server.before = lambda request: reply(200, locked) if "?object-lock" in request.target else None
    found = checks_of(bound)["object-lock"]["found"]
    assert found == "Versions are not locked. The bucket itself locks everything for 1 day."


# -- for anybody to see ----------------------------------------------------------------------------

CANARIES = {
    "AWS_ACCESS_KEY_ID": "AKIACANARY0000000001",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-key",
    "AWS_SESSION_TOKEN": "canary-session-token",
    "JUPYTER_TOKEN": "canary-jupyter-token",
    "GITHUB_PAT_TOKEN": "canary-github",
    "JUPYTERHUB_USER": "canary-hub-user",
    "LOGNAME": "canary-login",
    "USER": "canary-login",
    "HOSTNAME": "canary-host",
    "NBVC_AUTHOR": "canary author",
    "NBVC_PAGER": "less --canary",
    "AWS_PROFILE": "canary-profile-123456789012",
}
LEAKY = (
    "canary 123456789012 arn:aws:iam::123456789012:user/canary "
    "https://h/k?X-Amz-Signature=canary AKIACANARY0000000001"
)
AWS_CONFIG = """
[profile canary-profile-123456789012]
region = us-east-1
role_session_name = canary-session
sso_account_id = 123456789012
"""


@pytest.fixture
def leaky(bound: CommandLine, server: Server, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return a workspace in which everything that must not be shown is a canary."""
    home = bound.home / "canary-login"
    folder = home / "rain"
    folder.mkdir(parents=True)
    for name, value in {**CANARIES, "HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    (bound.home / "aws-config").write_text(AWS_CONFIG)
    bound.folder = folder
    bound("init", "s3://notebooks/123456789012")
    endpoint = server.url.replace("http://", "http://canary:canary@")
    store = "s3://notebooks/123456789012"
    bound("config", "set", "endpoint_url", f"{endpoint}/?canary=1", "--store", store)
    return bound


def shown(cli: CommandLine, *arguments: str) -> str:
    """Return all that doctor writes, in both forms."""
    runs = [cli("doctor", *arguments, *form, exit_code=None) for form in ((), ("--json",))]
    assert all("Traceback" not in run.stderr for run in runs)
    return "".join(run.stdout + run.stderr for run in runs)


def assert_public(text: str) -> None:
    """Check that nothing in *text* is anybody's own."""
    assert "reachability" in text
    found = [line for line in text.splitlines() if "canary" in line.lower() or "12345678" in line]
    assert found == []
    assert "AKIA" not in text
    assert "X-Amz" not in text


def test_what_a_healthy_doctor_says_can_be_shown_to_anybody(leaky: CommandLine) -> None:
    """No credential, account, login, author, host or home; no user or query of an endpoint."""
    text = shown(leaky)
    assert_public(text)
    assert "From environment variables" in text or "AWS credentials" in text
    assert "~/rain" in text


def test_what_a_server_repeats_is_not_passed_on(leaky: CommandLine, server: Server) -> None:
    """Error texts, headers and codes of a server may hold anything that it was sent."""
    for status in (301, 400, 403, 404, 409, 500, 501):
        code = "AccessDenied" if status == 403 else "Canary"
        answer = failure(status, code, LEAKY, x_amz_bucket_region="canary")
        server.before = lambda _, answer=answer: answer  # type: ignore[misc]
        assert_public(shown(leaky))


def test_what_an_invalid_workspace_file_holds_is_not_shown(leaky: CommandLine) -> None:
    """People put secrets in the wrong file."""
    for content in (
        'aws_secret = "canary"',
        'store = "s3://canary:canary@bucket"\nnamespace = "x"',
        'store = "https://canary.example/?canary"\nnamespace = "x"',
        'store = "s3://bucket"\nnamespace = "canary//"',
        'store = "canary',
    ):
        (leaky.folder / ".nbvc/config.toml").write_text(content)
        assert_public(shown(leaky))


def test_what_an_invalid_user_file_holds_is_not_shown(leaky: CommandLine) -> None:
    """Neither values nor the URLs that they stand under."""
    for content in (
        'aws_secret_access_key = "canary"',
        '[stores."s3://canary:canary@bucket"]\nnonsense = "canary"',
        'cache_size_mb = "canary"',
        'pager = "canary"',
    ):
        leaky.config.write_text(content)
        assert_public(shown(leaky))
