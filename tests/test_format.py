"""The format of a store is what docs/format.md says: an independent reader can read it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from nbvc import Area, Environment, NotebookKey, Workspace
from nbvc.stores.base import Overwrite
from nbvc.stores.local import LocalStore
from nbvc.workspace.binding import init
from tests import format_reader
from tests.format_reader import Broken, Bucket, ObjectVersion, read_versions
from tests.notebook_samples import code, notebook
from tests.pages import PROJECT

KEY = NotebookKey("kylek/notebooks/mine.ipynb")
MESSAGE = "  Größe 100 %, 日本語 \U0001f600 " + "long " * 200


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Return a workspace on an embedded store of its own."""
    environment = replace(
        Environment.current(),
        variables={"NBVC_AUTHOR": "Zoë & co"},
        user_config_file=tmp_path / "config.toml",
        cwd=tmp_path,
    )
    init(
        tmp_path,
        None,
        namespace="kylek/notebooks",
        create=False,
        ask=lambda _: False,
        environment=environment,
        flags={},
    )
    with Workspace.open(environment=environment) as workspace:
        yield workspace


def save(workspace: Workspace, count: int, name: str = "mine.ipynb", message: str = "") -> None:
    """Save *count* versions."""
    for number in range(count):
        source = code(f"print({number}, {name!r}, {message[:9]!r})")
        (workspace.folder / name).write_bytes(notebook(source))
        workspace.save(name, message=message)


def dump(workspace: Workspace) -> dict[str, list[ObjectVersion]]:
    """Return the raw content of the store: keys, versions, bytes, metadata."""
    bucket: dict[str, list[ObjectVersion]] = {}
    with_store = LocalStore(workspace.folder / ".nbvc" / "store")
    for entry in with_store.list_versions(""):
        version = ObjectVersion(version_id=entry.version_id, data=None)
        if not entry.is_delete_marker:
            blob = with_store.get(entry.key, entry.version_id)
            version = ObjectVersion(entry.version_id, blob.data, blob.metadata)
        bucket.setdefault(entry.key, []).insert(0, version)
    with_store.close()
    return bucket


def test_reader_shares_no_code_with_nbvc() -> None:
    """What it can read is what the page says, for it has nothing else."""
    tree = ast.parse(Path(format_reader.__file__).read_text(encoding="utf-8"))
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not any(name.startswith("nbvc") for name in imported)


def test_independent_reader_reads_a_long_history_as_nbvc_does(workspace: Workspace) -> None:
    """Seals, chain, strides, bytes and metadata of 260 versions are as the page says."""
    save(workspace, 259)
    save(workspace, 1, message=MESSAGE)
    found = read_versions(dump(workspace), "workspace", KEY)
    versions = list(workspace.log("mine.ipynb"))[::-1]
    assert [record["digest"] for record in found] == [version.digest for version in versions]
    assert [record["message"] for record in found] == [version.message for version in versions]
    assert [record["parent"] for record in found] == [None, *range(1, 260)]


def test_independent_reader_follows_renames_there_and_back(workspace: Workspace) -> None:
    """Segments continue numbers and chain through earlier names, the same one again too."""
    save(workspace, 18)
    workspace.tag("release", "mine.ipynb", "v2")
    workspace.rename("mine.ipynb", "other.ipynb")
    save(workspace, 2, "other.ipynb")
    workspace.rename("other.ipynb", "mine.ipynb")
    save(workspace, 1, message="home again")
    bucket = dump(workspace)
    found = read_versions(bucket, "workspace", KEY)
    assert [record["number"] for record in found] == list(range(1, 24))
    versions = list(workspace.log("mine.ipynb"))[::-1]
    assert [record["version_id"] for record in found] == [v.version_id for v in versions]
    state = format_reader.read_state(bucket, "workspace", KEY)
    assert state is not None
    assert state["tags"] == {"release": 2}


def test_independent_reader_knows_what_is_published(workspace: Workspace) -> None:
    """The published object names its source; its own records are a chain of their own."""
    save(workspace, 3)
    workspace.publish("mine.ipynb", "v1")
    workspace.publish("mine.ipynb", "v2", message="better")
    bucket = dump(workspace)
    found = read_versions(bucket, "published", KEY)
    assert [record["source"]["number"] for record in found] == [1, 2]
    v2 = workspace.resolve("mine.ipynb", "v2")
    assert format_reader.published_now(bucket, KEY) == v2.version_id
    workspace.unpublish("mine.ipynb")
    bucket = dump(workspace)
    assert format_reader.published_now(bucket, KEY) is None
    state = format_reader.read_state(bucket, "published", KEY)
    assert state is not None
    assert state["removed"] is True


def test_adopted_version_of_another_tool_is_recorded_as_the_page_says(
    workspace: Workspace,
) -> None:
    """Its record has the digest of the bytes, no author, and the prescribed write ID."""
    save(workspace, 2)
    data_key = workspace.repository.layout.data_key(Area.WORKSPACE, KEY)
    foreign = workspace.repository.store.put(
        data_key, b"{}", mode=Overwrite(), metadata={}, content_type="text/plain"
    )
    save(workspace, 1, message="after it")
    found = read_versions(dump(workspace), "workspace", KEY)
    adopted = found[2]
    assert adopted["version_id"] == foreign.version_id
    assert (adopted["author"], adopted["message"], adopted["parent"]) == (None, "", None)
    digits = format_reader.sha256(foreign.version_id.encode())[:22]
    assert adopted["write_id"] == f"adopted-{digits}"
    assert found[3]["message"] == "after it"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("author", "Mallory"),
        ("digest", "0" * 64),
        ("message", "not what was said"),
        ("parent", None),
        ("version_id", "another"),
    ],
)
def test_independent_reader_notices_an_altered_record(
    workspace: Workspace, member: str, value: str | None
) -> None:
    """The check can fail: a record that was altered and sealed again breaks a rule."""
    save(workspace, 3)
    bucket = dump(workspace)
    key = f".nbvc/workspace/{KEY}/v/9999999997.json"
    document = format_reader.unseal(bucket[key][0].data or b"")
    document[member] = value
    body = format_reader.canonical(document)
    sealed = body[:-1] + b',"check":"' + format_reader.sha256(body).encode() + b'"}'
    altered: Bucket = {**bucket, key: [ObjectVersion("altered", sealed)]}
    with pytest.raises(Broken):
        read_versions(altered, "workspace", KEY)


def test_examples_on_the_page_are_sealed_and_chained() -> None:
    """The documents that the page shows are real: their seals, hashes and copies fit."""
    page = (PROJECT / "docs" / "format.md").read_text(encoding="utf-8")
    documents = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert len(documents) == 3
    for document in documents:
        check = document.pop("check")
        assert check == format_reader.sha256(format_reader.canonical(document))
    record = documents[1]
    chain = [format_reader.record_of(record), *record["recent"]]
    assert len(chain) == 1 + format_reader.copies(record["number"], record["first"])
    for newer, older in pairwise(chain):
        assert newer["prev"] == format_reader.sha256(format_reader.canonical(older))
