"""What scripts may rely on: the fields of ``--json``, and that nothing else is on stdout."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from nbvc.model import Digest
from nbvc.stores.base import Overwrite
from nbvc.stores.local import LocalStore
from tests.command_line import CommandLine
from tests.notebook_samples import code, markdown, notebook

ONE, TWO = notebook(markdown("# Churn"), code("x = 1")), notebook(code("x = 2"))
RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture
def churn(project: CommandLine) -> CommandLine:
    """Return a workspace with one notebook of two versions."""
    project.write("churn.ipynb", ONE)
    project("save", "-m", "first")
    project.write("churn.ipynb", TWO)
    project("save")
    return project


def kinds(value: dict[str, Any]) -> dict[str, str]:
    """Return the names of the types of the fields."""
    return {name: type(field).__name__ for name, field in value.items()}


def test_log_prints_an_array_newest_first(churn: CommandLine) -> None:
    """Every field that is promised, with the type that is promised."""
    churn("tag", "v1", "draft")
    churn("publish", "v1")
    newest, first = churn("log", "--json").json
    assert (newest["number"], first["number"]) == (2, 1)
    for field, kind in {
        "number": "int",
        "digest": "str",
        "version_id": "str",
        "size_bytes": "int",
        "saved_at": "str",
        "author": "str",
        "message": "str",
        "parent": "int",
        "tags": "list",
        "published": "bool",
        "missing": "bool",
        "changes": "dict",
    }.items():
        assert kinds(newest)[field] == kind
    assert newest["digest"] == Digest.of(TWO)
    assert newest["size_bytes"] == len(TWO)
    assert RFC_3339_UTC.fullmatch(newest["saved_at"])
    assert newest["changes"] == {
        "cells_added": 0,
        "cells_removed": 1,
        "cells_changed": 1,
        "outputs_only": False,
    }
    assert (newest["parent"], first["parent"]) == (1, None)
    assert (first["tags"], first["published"], first["message"]) == (["draft"], True, "first")
    assert churn("log", "--json", "--author", "nobody").json == []


def test_save_prints_an_array(churn: CommandLine) -> None:
    """With saved false where nothing changed."""
    churn.write("new.ipynb", ONE)
    old, new = churn("save", "--json").json
    assert (old["path"], old["saved"], old["number"]) == ("churn.ipynb", False, 2)
    assert (new["path"], new["saved"], new["number"]) == ("new.ipynb", True, 1)
    assert new["digest"] == Digest.of(ONE)
    assert new["version_id"] == churn("resolve", "new.ipynb", "--json").json["version_id"]


def test_save_prints_what_failed_beside_what_was_saved(churn: CommandLine) -> None:
    """The array on stdout, the error on stderr, and the exit code of the error."""
    churn.write("broken.ipynb", b"{")
    churn.write("new.ipynb", ONE)
    found = churn("save", "--json", exit_code=2)
    assert [entry["saved"] for entry in found.json] == [False, False, True]
    assert found.json[0]["error"]["kind"] == "invalid-notebook"
    assert found.error["kind"] == "some-failed"


def test_resolve_prints_what_a_scheduler_needs(churn: CommandLine) -> None:
    """Key, number, digest, version ID, URL."""
    found = churn("resolve", "v1", "--json").json
    version_id = churn("log", "--json").json[1]["version_id"]
    assert {name: found[name] for name in ("number", "digest", "version_id")} == {
        "number": 1,
        "digest": Digest.of(ONE),
        "version_id": version_id,
    }
    assert found["key"].endswith("/project/churn.ipynb")
    assert found["url"].endswith(f"/workspace/{found['key']}?versionId={version_id}")


def test_publish_prints_key_version_id_source_and_digest(churn: CommandLine) -> None:
    """The version ID is that of the published copy."""
    found = churn("publish", "v1", "--json").json
    assert (found["source"], found["digest"]) == (1, Digest.of(ONE))
    (listed,) = churn("ls", "--published", "--json").json
    assert (listed["key"], listed["version_id"]) == (found["key"], found["version_id"])
    assert (listed["source"], listed["area"]) == (1, "published")
    assert churn("unpublish", "--json").json == {"key": found["key"], "published": False}


def test_status_prints_store_and_notebooks(churn: CommandLine) -> None:
    """One entry for each notebook."""
    found = churn("status", "--json").json
    assert found["store"] == (churn.folder / ".nbvc/store").as_uri()
    assert Path(found["folder"]) == churn.folder
    assert found["unreachable"] is None
    assert found["notebooks"] == [
        {
            "path": "churn.ipynb",
            "state": "unchanged",
            "number": 2,
            "digest": Digest.of(TWO),
            "latest": 2,
            "behind": False,
        }
    ]


def test_ls_prints_an_array(churn: CommandLine) -> None:
    """With the facts of the newest version; empty where there is nothing."""
    (found,) = churn("ls", "--json").json
    assert (found["number"], found["digest"], found["author"]) == (2, Digest.of(TWO), "ada")
    assert (found["removed"], found["source"]) == (False, None)
    assert churn("ls", "nobody", "--json").json == []
    churn("rm", "churn.ipynb", "--json")
    (removed,) = churn("ls", "--removed", "--json").json
    assert (removed["removed"], removed["number"]) == (True, 2)


def test_the_other_commands_print_json_too(churn: CommandLine, tmp_path: Path) -> None:
    """init, checkout, tag, mv, rm, clone, config."""
    assert churn("init", "--json").json["again"] is True
    found = churn("checkout", "v1", "--json").json
    assert (found["path"], found["number"]) == ("churn.ipynb", 1)
    assert churn("tag", "v1", "draft", "--json").json["number"] == 1
    assert churn("tag", "churn.ipynb", "--json").json == [{"tag": "draft", "number": 1}]
    assert churn("mv", "churn.ipynb", "a.ipynb", "--json").json["path"] == "a.ipynb"
    clone = churn("clone", churn.folder, "copy", "--json", cwd=tmp_path).json
    assert [Path(file["path"]).name for file in clone["files"]] == ["a.ipynb"]
    assert clone["skipped"] == []
    assert churn("rm", "a.ipynb", "--json").json == [{"path": "a.ipynb", "removed": True}]
    settings = {entry["name"]: entry for entry in churn("config", "list", "--json").json}
    assert settings["author"]["origin"] == "environment (NBVC_AUTHOR)"


def test_a_version_of_another_tool_has_null_where_nothing_is_known(churn: CommandLine) -> None:
    """It is shown all the same."""
    key = churn("resolve", "--json").json["key"]
    store = LocalStore(churn.folder / ".nbvc/store")
    store.put(
        f"workspace/{key}", ONE, mode=Overwrite(), metadata={}, content_type="application/json"
    )
    store.close()
    found = churn("log", "--json").json[0]
    unknown = ("number", "digest", "author", "message", "parent", "changes")
    assert [found[name] for name in unknown] == [None] * len(unknown)
    assert found["size_bytes"] == len(ONE)
    assert "(unindexed)" in churn("log").stdout
    assert churn("show", found["version_id"]).data == ONE


def test_json_is_ascii_whatever_is_in_it(project: CommandLine) -> None:
    """So that no locale breaks it, and no terminal obeys it."""
    project.write("été.ipynb", ONE)
    project("save", "-m", "naïve \x1b[31m \x9b \x7f \u202e 🙂")
    found = project("log", "--json")
    assert found.data.isascii()
    assert b"\x1b" not in found.data
    assert b"\x7f" not in found.data
    assert found.json[0]["message"] == "naïve \x1b[31m \x9b \x7f \u202e 🙂"
