"""Hostile names through every door: refused with a reason, or kept exactly; never outside."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbvc.errors import InvalidKey, NbvcError
from nbvc.manifest.layout import Layout
from nbvc.model import Area, NotebookKey, check_key_path
from nbvc.refs import check_tag
from tests.command_line import CommandLine
from tests.hostile.harmless import check_harmless, run
from tests.hostile.paths import BIDI, ESCAPES, NEVER_A_FILE, NO_KEYS, ODD_ARGUMENTS, ODD_KEYS
from tests.notebook_samples import code, notebook

ONE, TWO = notebook(code("x = 1")), notebook(code("x = 2"))
EVERYTHING = tuple(
    name for name in (*NO_KEYS, *ODD_KEYS, *ODD_ARGUMENTS) if not set(name) & {"\0", "\ud800"}
)
"""All that can be typed: the system hands no process the other two."""

MAIN_DOORS = (
    ("save", "{}"),
    ("log", "{}@v1"),
    ("checkout", "v1", "-o", "{}"),
    ("clone", "{}", "copy"),
    ("mv", "a.ipynb", "{}"),
)
OTHER_DOORS = (
    *(
        ("log", "{}"),
        ("show", "{}"),
        ("show", "--summary", "{}"),
        ("diff", "{}"),
        ("resolve", "{}"),
    ),
    *(("diff", "{}", "v1"), ("diff", "v1", "{}"), ("checkout", "{}"), ("checkout", "{}@v1")),
    *(("publish", "{}"), ("publish", "-n", "{}"), ("unpublish", "{}"), ("tag", "{}")),
    *(("tag", "v1", "{}"), ("tag", "-d", "{}"), ("tag", "{}", "name"), ("rm", "{}")),
    *(
        ("mv", "{}", "b.ipynb"),
        ("ls", "{}"),
        ("ls", "--published", "{}"),
        ("ls", "--removed", "{}"),
    ),
    *(("clone", "a.ipynb", "{}"), ("config", "get", "{}"), ("config", "set", "author", "{}")),
    *(("config", "set", "region", "x", "--store", "{}"), ("config", "list", "--store", "{}")),
    *(
        ("init", "{}"),
        ("init", "--namespace", "{}"),
        ("init", "s3://b", "--published-prefix", "{}"),
    ),
    *(("migrate", "{}", "--dry-run"), ("-C", "{}", "status"), ("{}",), ("save", "-m", "{}")),
    *(
        ("check", "{}"),
        ("doctor", "{}"),
        ("--author", "{}", "save"),
        ("log", "--since", "{}"),
        ("log", "--author", "{}"),
    ),
)


@pytest.fixture
def trapped(project: CommandLine) -> Iterator[CommandLine]:
    """Return a workspace with a notebook, traps around it, and a check that nothing got out."""
    folder = project.folder
    project.write("a.ipynb", ONE)
    project("save")
    evil = folder.with_name("project-evil")
    evil.mkdir()
    (evil / "x.ipynb").write_bytes(TWO)
    for link, target in (("loop", "loop"), ("loop.ipynb", "loop.ipynb"), ("out", evil)):
        (folder / link).symlink_to(target)
    os.mkfifo(folder / "fifo.ipynb")
    (folder / "folder.ipynb").mkdir()
    outside = listing(folder.parent) - {"project", "home"}
    yield project
    assert {
        path for path in listing(folder.parent) if not path.startswith(("project/", "home/"))
    } <= (outside | {"project", "home"})
    assert (evil / "x.ipynb").read_bytes() == TWO
    assert not list(folder.rglob("pwned"))


def listing(folder: Path) -> set[str]:
    """Return the paths of all that is in *folder*."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def enter(cli: CommandLine, door: tuple[str, ...], name: str) -> None:
    """Run a command with *name* in it, and put back what it may have moved away."""
    run(cli, *(word.replace("{}", name) for word in door))
    if not (cli.folder / "a.ipynb").is_file():
        cli.write("a.ipynb", ONE)


@pytest.mark.parametrize("door", MAIN_DOORS, ids=" ".join)
def test_no_name_leads_out_of_a_workspace(trapped: CommandLine, door: tuple[str, ...]) -> None:
    """Each is refused in text that no terminal obeys, or means a file inside."""
    for name in EVERYTHING:
        enter(trapped, door, name)


@pytest.mark.slow
@pytest.mark.parametrize("door", OTHER_DOORS, ids=" ".join)
def test_no_name_harms_any_command(trapped: CommandLine, door: tuple[str, ...]) -> None:
    """Wherever a word is typed."""
    for name in EVERYTHING:
        enter(trapped, door, name)


@pytest.mark.parametrize("door", OTHER_DOORS, ids=" ".join)
def test_the_worst_names_harm_no_command(trapped: CommandLine, door: tuple[str, ...]) -> None:
    """One of each kind, wherever a word is typed."""
    for name in ("../x.ipynb", f"{ESCAPES}{BIDI}", "lone\udc80", "x" * 5_000, "loop/x.ipynb"):
        enter(trapped, door, name)


@pytest.mark.parametrize("name", NO_KEYS, ids=ascii)
def test_what_can_be_no_notebook_is_no_key(name: str) -> None:
    """In any position: alone, in a namespace, in the prefix of an area."""
    with pytest.raises(InvalidKey) as caught:
        Layout().data_key(Area.WORKSPACE, NotebookKey(name))
    assert not re.search("[\x00-\x1f\x7f\ud800-\udfff]", caught.value.message)
    key = f"workspace/{name}"
    assert Layout().notebook_key(Area.WORKSPACE, key) is None or len(key.encode()) > 900


@pytest.mark.parametrize("name", NEVER_A_FILE)
def test_the_keys_of_an_index_are_no_notebooks(name: str) -> None:
    """So no listing, and no clone, ever touches one as such."""
    with pytest.raises(InvalidKey):
        NotebookKey(name)


@pytest.mark.parametrize("name", ODD_KEYS, ids=ascii)
def test_an_odd_name_is_a_key_as_it_is(name: str) -> None:
    """Nothing is folded, decoded or normalised."""
    assert NotebookKey(name) == name
    data_key = Layout().data_key(Area.WORKSPACE, NotebookKey(name))
    assert Layout().notebook_key(Area.WORKSPACE, data_key) == name


@pytest.mark.parametrize(
    "name",
    ["", "..", "a/b", "a b", "-x", "v1", "latest", "3f", "a\u202eb", "$(id)", "a\n", "x" * 101],
    ids=ascii,
)
def test_a_tag_is_a_plain_word(name: str) -> None:
    """Letters, digits and four marks: never a path, an option, a digest or another ref."""
    with pytest.raises(NbvcError):
        check_tag(name)


@pytest.mark.parametrize("prefix", ["..", "/", ".git", ".nbvc", "a//b", "a\nb", "GIT~1", "\ud800"])
def test_a_prefix_that_leads_elsewhere_is_refused(prefix: str) -> None:
    """In a namespace, and in the settings of a store."""
    with pytest.raises(InvalidKey):
        check_key_path(prefix)
    with pytest.raises(InvalidKey):
        Layout(workspace=prefix)


def test_options_and_shell_texts_are_only_names(project: CommandLine, tmp_path: Path) -> None:
    """From git to the pager, no program is handed them as anything but an argument."""
    names = [name for name in ODD_KEYS if set(name) & set("-`$;|&'\"*~")]
    for name in names:
        project.write(name, ONE)
    for command in ("save", "status", "log", "ls"):
        check_harmless(project.process(command, exit_code=None))
    for name in names:
        check_harmless(project("log", f"./{name}"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "project"]
    assert not list(tmp_path.rglob("pwned"))
