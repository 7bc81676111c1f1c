"""The help of every command: what it says is true, and its examples work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer
from typer.testing import CliRunner

from nbvc import Environment, Workspace
from nbvc.cli.main import WELCOME, app
from nbvc.workspace.binding import init
from tests.moto_server import aws_variables, serve_moto
from tests.notebook_samples import code, notebook, runnable
from tests.pages import Step, run_session
from tests.s3_server import isolate_aws_settings

STAND_INS = {"VERSION_ID": "3HL4kqtJ", "ENDPOINT": "http://localhost:9000"}
"""What stands in the examples for what only the tests' server knows."""

THIRD_PERSON = re.compile(r"(?!Does\b|Focus\b)\w+[^s]s\b")


def walk(command: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command, also hidden ones, with the words that call it."""
    yield name, command
    for child, found in getattr(command, "commands", {}).items():
        yield from walk(found, (*name, child))


COMMANDS = dict(walk(typer.main.get_command(app)))
LEAVES = [name for name, command in COMMANDS.items() if not hasattr(command, "commands")]


def examples(help_text: str) -> list[str]:
    """Return the examples of a help text, without the remarks beside them."""
    lines = help_text.partition("\b\n")[2].partition("\n\n")[0].splitlines()
    return [re.split(r" {3,}", line.strip())[0] for line in lines]


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_help_of_every_command_is_printed(name: tuple[str, ...], option: str) -> None:
    """Both options print help and end with 0, whatever else is missing."""
    ran = CliRunner().invoke(app, [*name, option], prog_name="nbvc")
    assert ran.exit_code == 0
    assert ran.stdout.startswith(f"Usage: {' '.join(['nbvc', *name])} ")


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_help_of_every_command_begins_with_an_imperative(name: tuple[str, ...]) -> None:
    """The first line says what to do, as in "List the versions", and is a sentence."""
    first = COMMANDS[name].help.partition("\n")[0]
    assert first[0].isupper()
    assert first.endswith(".")
    assert not THIRD_PERSON.match(first)


@pytest.mark.parametrize("name", LEAVES, ids=" ".join)
def test_help_of_every_command_has_an_example_of_it(name: tuple[str, ...]) -> None:
    """A person who asks for help sees at once what to type."""
    shown = examples(COMMANDS[name].help)
    called = "save" if name == ("store",) else " ".join(name)
    assert shown
    assert all(line.startswith("nbvc ") for line in shown)
    assert any(line.split(" ", 1)[1].startswith(called) for line in shown)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Start an S3 server, and send AWS clients of this process there."""
    isolate_aws_settings(monkeypatch, tmp_path)
    with serve_moto() as endpoint:
        for name, value in aws_variables(endpoint).items():
            monkeypatch.setenv(name, value)
        yield endpoint


def three_days_ago(folder: Path) -> Environment:
    """Return the surroundings of a person who worked in *folder* three days ago."""
    now = datetime.now(UTC) - timedelta(days=3)
    home = folder.parent
    return replace(
        Environment.current(),
        variables={"NBVC_AUTHOR": "kylek"},
        user_config_file=home / ".config" / "nbvc" / "config.toml",
        cache_dir=home / ".cache" / "nbvc",
        cwd=folder,
        now=lambda: now,
    )


def bind(folder: Path, url: str | None, namespace: str) -> Environment:
    """Make *folder* a workspace."""
    folder.mkdir(parents=True)
    environment = three_days_ago(folder)
    init(
        folder,
        url,
        namespace=namespace,
        create=True,
        ask=lambda _: False,
        environment=environment,
        flags={},
    )
    return environment


def fill_workspace(folder: Path) -> None:
    """Make the workspace that the examples speak of."""
    environment = bind(folder, None, "kylek/notebooks")
    with Workspace.open(environment=environment) as workspace:
        for name in ("mine.ipynb", "a.ipynb", "b.ipynb"):
            for number in range(3):
                (folder / name).write_bytes(runnable(f"print({number})"))
                workspace.save(name)
        workspace.tag("release", "mine.ipynb", "v2")
        workspace.publish("mine.ipynb", "v2")
    (folder / "a.ipynb").unlink()
    (folder / "b.ipynb").unlink()
    workspace.session.environment.user_config_file.parent.mkdir(parents=True, exist_ok=True)
    workspace.session.environment.user_config_file.write_text('author = "Kyle Kelley"\n')


def fill_bucket(folder: Path) -> str:
    """Put the notebooks into the bucket that the examples speak of; return a version ID."""
    (folder.parent / "team").mkdir()
    for namespace in ("kylek", "kylek/notebooks"):
        there = folder.parent / "team" / namespace.replace("/", "-")
        environment = bind(there, "s3://bucket", namespace)
        (there / "mine.ipynb").write_bytes(notebook(code("print()")))
        with Workspace.open(environment=environment) as workspace:
            workspace.save()
            workspace.publish()
    head = boto3.client("s3").head_object(Bucket="bucket", Key="workspace/kylek/mine.ipynb")
    return str(head["VersionId"])


@pytest.mark.parametrize("name", LEAVES, ids=" ".join)
def test_examples_in_the_help_of_a_command_work(
    name: tuple[str, ...], endpoint: str, tmp_path: Path
) -> None:
    """Whoever types an example where its notebooks exist sees it succeed."""
    shown = examples(COMMANDS[name].help)
    home = tmp_path / "home"
    fill_workspace(home / "notebooks")
    stand_ins = {STAND_INS["ENDPOINT"]: endpoint}
    if name != ("migrate",) and any("s3://" in line for line in shown):
        stand_ins[STAND_INS["VERSION_ID"]] = fill_bucket(home / "notebooks")
    steps = [Step(where="help", command="cd notebooks", shown=None)]
    for line in shown:
        command = line
        for placeholder, actual in stand_ins.items():
            command = command.replace(placeholder, actual)
        if name == ("init",):
            command = f"cd $(mktemp -d) && {command}"
        steps.append(Step(where=" ".join(name), command=command, shown=None))
    variables = {**aws_variables(endpoint), "TMPDIR": str(tmp_path)}
    problems = run_session(steps, home, variables)
    assert not problems, "\n".join(problems)


def test_nbvc_alone_says_how_to_begin() -> None:
    """Without a command there is a short welcome, whose commands exist."""
    ran = CliRunner().invoke(app, [], prog_name="nbvc")
    assert (ran.exit_code, ran.stdout) == (0, WELCOME)
    for command in re.findall(r"^  nbvc (\w+)", WELCOME, re.MULTILINE):
        assert (command,) in COMMANDS
