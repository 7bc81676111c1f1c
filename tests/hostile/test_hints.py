"""Hints are typed into a shell, so no name in them may mean anything to one."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.stores.s3_call import Call
from nbvc.stores.s3_errors import translate
from tests.command_line import CommandLine
from tests.hostile.harmless import run
from tests.notebook_samples import code, notebook
from tests.stores.test_s3_errors import (
    COPY,
    CREATE,
    EXCEPTIONS,
    LIST,
    READ,
    REPLIES,
    WRITE,
    answer,
)

EVIL = "a; touch pwned $(id) it's"
"""A name that a file, a folder and a store's root can have."""
NOTEBOOK = f"{EVIL}.ipynb"
ONE, TWO = notebook(code("x = 1")), notebook(code("x = 2"))


def check_quoted(text: str, name: str) -> None:
    """Check that *name* stands in the hints of *text* as one quoted word, and that it does."""
    hints = [line for line in text.splitlines() if line.startswith("hint: ")]
    words = "\n".join(hints)
    for end in ("", "@v1", "@v2"):
        words = words.replace(shlex.quote(name + end), "<quoted>")
    assert "<quoted>" in words, text
    assert "touch" not in words, text


@pytest.mark.parametrize("call", [READ, WRITE, CREATE, COPY, LIST], ids=lambda call: call.action)
def test_a_store_with_an_evil_root_is_quoted_in_every_hint(call: Call) -> None:
    """Whatever S3 or botocore says."""
    store = f"s3://my-bucket/{EVIL}"
    evil = replace(call, store=store)
    said = [answer(status, code) for _, status, code, _ in REPLIES]
    hints = [
        translate(error, evil).hint or "" for error in (*said, *(error for error, *_ in EXCEPTIONS))
    ]
    assert any(shlex.quote(store) in hint for hint in hints)
    assert not [hint for hint in hints if "touch" in hint.replace(shlex.quote(store), "")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("log", NOTEBOOK),
        ("show", f"{NOTEBOOK}@v9"),
        ("log", f"{NOTEBOOK}@published"),
        ("tag", "-d", NOTEBOOK, "nothing"),
        ("tag", f"{NOTEBOOK}@v2", "here"),
        ("checkout", f"{NOTEBOOK}@v1"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_notebook_with_an_evil_name_is_quoted_in_every_hint(
    project: CommandLine, arguments: tuple[str, ...]
) -> None:
    """Also where it has no version yet."""
    project.write(NOTEBOOK, ONE)
    if arguments != ("log", NOTEBOOK):
        project("save")
        project("tag", f"{NOTEBOOK}@v1", "here")
        project.write(NOTEBOOK, TWO)
        project("save")
    if arguments[0] == "checkout":
        project.write(NOTEBOOK, notebook(code("x = 3")))
    check_quoted(project(*arguments, exit_code=None).stderr, NOTEBOOK)


def test_a_workspace_in_an_evil_folder_is_quoted_in_every_hint(
    cli: CommandLine, tmp_path: Path
) -> None:
    """One hint says rm, which must not remove anything else."""
    folder = tmp_path / EVIL
    folder.mkdir()
    cli("init", cwd=folder)
    index = folder / ".nbvc/workspace.sqlite3"
    index.write_bytes(b"x" * 10_000)
    (folder / "mine.ipynb").write_bytes(ONE)
    check_quoted(run(cli, "save", cwd=folder).stderr, str(index))
