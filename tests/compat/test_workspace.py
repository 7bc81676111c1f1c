"""A workspace that older code left: every command works in it, and what waits is delivered."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nbvc.model import Digest
from nbvc.stores.local import LocalStore
from tests.command_line import CommandLine
from tests.compat.frozen import FOLDERS, unpack_project
from tests.notebook_samples import code, notebook

folders = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@pytest.fixture
def frozen(cli: CommandLine, folder: Path) -> CommandLine:
    """Return a command line in the workspace, as it lay on disk then."""
    assert unpack_project(folder, cli.folder.parent) == cli.folder
    return cli


@pytest.fixture
def expected(folder: Path) -> Any:
    """Return what the frozen store holds, as it was written down then."""
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))


def read_all(cli: CommandLine, expected: Any) -> list[tuple[str, int, str]]:
    """Return path, number and digest of the bytes of every numbered draft, as ``show`` has them."""
    return [
        (path, each["number"], Digest.of(cli("show", f"{path}@v{each['number']}").data))
        for path, each in drafts(expected)
        if each["readable"]
    ]


def drafts(expected: Any) -> list[tuple[str, Any]]:
    """Return each numbered version of a draft with the path of its notebook."""
    return [
        (path, each)
        for path, versions in expected["notebooks"]["workspace"].items()
        for each in versions
        if each["number"] is not None
    ]


def wanted(expected: Any) -> list[tuple[str, int, str]]:
    """Return what :func:`read_all` must find."""
    return [(p, each["number"], each["digest"]) for p, each in drafts(expected) if each["readable"]]


@folders
def test_commands_that_read_give_what_was_saved(frozen: CommandLine, expected: Any) -> None:
    """Log, show, resolve and diff, through the command line."""
    assert read_all(frozen, expected) == wanted(expected)
    frozen("push")
    for path, versions in expected["notebooks"]["workspace"].items():
        listed = frozen("log", path, "--json").json
        waited = [each for each in expected["waiting"] if each["path"] == path]
        assert [each["digest"] for each in listed] == [
            *(each["digest"] for each in waited),
            *(each["digest"] for each in versions),
        ]
    for ref, number in expected["refs"].items():
        if not ref.startswith("weather.ipynb@latest"):  # what waited is the latest now
            assert frozen("resolve", ref, "--json").json["number"] == number
    assert "3, 0, 4" in frozen("diff", "weather.ipynb@v4", "weather.ipynb@v5").stdout


@folders
def test_checkout_brings_back_each_version_to_the_byte(frozen: CommandLine, expected: Any) -> None:
    """Also of a notebook that was removed, or renamed, or is of format 3."""
    for number, (path, each) in enumerate(drafts(expected)):
        if each["readable"] and (each["number"] in {1, 2, 17} or "/" in path):
            target = f"out/{number}.ipynb"
            frozen("checkout", f"{path}@v{each['number']}", "-o", target)
            assert Digest.of((frozen.folder / target).read_bytes()) == each["digest"]


@folders
def test_clone_writes_the_latest_of_all(frozen: CommandLine, expected: Any, tmp_path: Path) -> None:
    """From the embedded store of that time into a folder of today."""
    frozen("push")
    store = (frozen.folder / ".nbvc/store").as_uri()
    frozen("clone", f"{store}/workspace/{expected['namespace']}", tmp_path / "copy")
    latest = {each["path"]: each["digest"] for each in expected["waiting"]}  # delivered by now
    cloned = {
        path.relative_to(tmp_path / "copy").as_posix(): Digest.of(path.read_bytes())
        for path in (tmp_path / "copy").rglob("*.ipynb")
    }
    removed = {"rain.ipynb", "cold.ipynb", "Untitled.ipynb", "removed.ipynb"}  # or renamed away
    assert cloned.keys() == expected["notebooks"]["workspace"].keys() - removed
    for path, versions in expected["notebooks"]["workspace"].items():
        if path in cloned and versions[0]["digest"]:
            assert cloned[path] == latest.get(path, versions[0]["digest"]), path


@folders
def test_what_waits_is_delivered_once_and_in_order(frozen: CommandLine, expected: Any) -> None:
    """One had been sent and one had not; each becomes one version, with what was said of it."""
    delivered = frozen("push", "--json").json["delivered"]
    assert sorted(each["path"] for each in delivered) == sorted(
        each["path"] for each in expected["waiting"]
    )
    for waited in expected["waiting"]:
        path = waited["path"]
        versions = frozen("log", path, "--json").json
        mine = [each for each in versions if each["digest"] == waited["digest"]]
        before = expected["notebooks"]["workspace"][path][0]["number"]
        assert [(each["number"], each["message"]) for each in mine] == [
            (before + 1, waited["message"])
        ]
    assert frozen("push", "--json").json == {"delivered": [], "waiting": [], "error": None}


@folders
def test_work_goes_on_in_it(frozen: CommandLine, expected: Any) -> None:
    """What is remembered of the notebooks still holds: unchanged ones are not saved again."""
    frozen("push")
    assert "notebooks are unchanged" in frozen("save").stdout
    data = notebook(code("after the upgrade"))
    frozen.write("foreign.ipynb", data)
    frozen.write("new.ipynb", data)
    frozen("save", "-m", "after the upgrade")
    (newest, *older) = frozen("log", "foreign.ipynb", "--json").json
    assert newest["message"] == "after the upgrade"
    assert newest["parent"] == older[0]["number"]
    assert frozen("show", "foreign.ipynb").data == data
    assert read_all(frozen, expected) == wanted(expected)


@folders
def test_migrating_it_keeps_every_byte(frozen: CommandLine, expected: Any, tmp_path: Path) -> None:
    """All histories, with their numbers and tags, and the version that is gone still is."""
    before = {p: frozen("log", p, "--json").json for p in expected["notebooks"]["workspace"]}
    frozen("migrate", tmp_path / "target")
    assert read_all(frozen, expected) == wanted(expected)
    for path, versions in before.items():
        if versions[0]["number"] is None:  # moving gives a record to what has none
            continue
        after = frozen("log", path, "--json").json
        for name in ("digest", "message", "author", "parent", "tags", "missing", "published"):
            assert [each[name] for each in after] == [each[name] for each in versions], path
    checked = frozen("check", "--read-data", "--json").json
    assert checked["errors"] == 0
    with closing(LocalStore(tmp_path / "target")) as target:
        blob = target.get(f"workspace/{expected['namespace']}/format3.ipynb")
        assert b"\r\n" in blob.data
