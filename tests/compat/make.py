"""Freeze a store that today's code writes: ``python -m tests.compat.make v3``.

Run it for a new format only, never again for one that was released; see the README here.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nbvc.errors import VersionNotFound
from nbvc.model import Area, Digest, NotebookKey, Version
from nbvc.refs import parse_selector
from nbvc.repository import Repository
from nbvc.repository.settings import read_settings
from nbvc.stores.local import LocalStore
from tests.compat.frozen import HERE, PROJECT, SUMS, Dumped, sums, to_document
from tests.compat.story import NAMESPACE, START, Story, write_locked
from tests.stores.memory import MemoryStore

REFS = {
    "weather.ipynb": ("latest", "latest~2", "v3", "first-look", "submitted", "published"),
    "sub/日本.ipynb": ("latest", "kept", "v1"),
    "packed.ipynb": ("latest", "latest~1", "in-a-pack", "v1"),
    "unpacked.ipynb": ("latest", "plain-again", "v1"),
    "thinned.ipynb": ("latest", "to-keep"),
    "sub/cold.ipynb": ("latest", "v1", "v3"),
    "Untitled.ipynb": ("v1", "v2"),
    "named-2.ipynb": ("latest", "v2"),
    "runs/nightly.ipynb": ("latest",),
}


def main() -> None:
    """Freeze a store in a new folder beside this file."""
    folder = HERE / sys.argv[1]
    if folder.exists():
        sys.exit(f"{folder} exists, and what is frozen is never written again.")
    (folder / "objects").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        expected = _freeze_project(folder, Path(scratch) / "project")
    _write_json(folder / "expected.json", expected)
    locked = MemoryStore(now=lambda: START)
    write_locked(locked)
    _write_dump(folder, "locked.json", _dump(locked))
    (folder / SUMS).write_text(sums(folder), encoding="utf-8")
    print(Digest.of((folder / SUMS).read_bytes()))  # noqa: T201


def _freeze_project(folder: Path, project: Path) -> dict[str, Any]:
    """Write the story in *project*, freeze it in both forms, and return what it must say."""
    story = Story(project)
    story.write()
    with tarfile.open(folder / PROJECT, "w:gz", compresslevel=9) as archive:
        archive.add(project, arcname="project", filter=_without_owner)
    with closing(LocalStore(project / ".nbvc" / "store")) as store:
        _write_dump(folder, "bucket.json", _dump_local(store, project))
        expected = _expected(store)
    _check_told(story, expected)
    expected["waiting"] = [
        {"path": told.path, "digest": Digest.of(told.data), "message": told.message}
        for told in story.told
        if told.number is None
    ]
    return expected


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _dump_local(store: LocalStore, project: Path) -> Iterator[Dumped]:
    """Yield all versions in the order of writing, with the content types that only it knows."""
    with closing(sqlite3.connect(project / ".nbvc" / "store" / "index.sqlite3")) as connection:
        rows = connection.execute(
            "SELECT version_id, key, digest, content_type, metadata, modified_microseconds"
            " FROM versions ORDER BY sequence"
        ).fetchall()
    for version_id, key, digest, content_type, metadata, microseconds in rows:
        yield Dumped(
            key=key,
            version_id=version_id,
            data=None if digest is None else store.get(key, version_id).data,
            metadata=json.loads(metadata),
            content_type=content_type,
            modified_at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds),
            locked_until=None,
        )


def _dump(store: MemoryStore) -> Iterator[Dumped]:
    for entry in reversed([*store.list_versions("")]):
        blob = store.get(entry.key, entry.version_id)
        is_index = entry.key.startswith(".nbvc/")
        yield Dumped(
            key=entry.key,
            version_id=entry.version_id,
            data=blob.data,
            metadata=dict(blob.metadata),
            content_type="application/json" if is_index else "application/x-ipynb+json",
            modified_at=entry.modified_at,
            locked_until=blob.locked_until,
        )


def _write_dump(folder: Path, name: str, versions: Iterable[Dumped]) -> None:
    documents = []
    for version in versions:
        documents.append(to_document(version))
        if version.data is not None:
            (folder / "objects" / Digest.of(version.data)).write_bytes(version.data)
    _write_json(folder / name, documents)


def _write_json(path: Path, value: Any) -> None:
    """Write *value*; of an array, each item on a line of its own, so that it can be looked at."""

    def text(part: Any, indent: int | None = None) -> str:
        return json.dumps(part, ensure_ascii=False, sort_keys=True, indent=indent)

    lines = ",\n".join(map(text, value)) if isinstance(value, list) else ""
    path.write_text(f"[\n{lines}\n]\n" if lines else f"{text(value, 1)}\n", encoding="utf-8")


def _expected(store: LocalStore) -> dict[str, Any]:
    repository = Repository(
        store, settings=read_settings(store), sleep=lambda _: None, jitter=lambda: 0.0
    )
    notebooks: dict[str, Any] = {area.value: {} for area in Area}
    for area in Area:
        keys = {
            key
            for entry in store.list_versions(f"{repository.layout.prefix(area)}/")
            if (key := repository.layout.notebook_key(area, entry.key)) is not None
        }
        for key in sorted(keys):
            path = key.removeprefix(f"{NAMESPACE}/")
            versions = [_version(repository, v) for v in repository.log(key, area=area)]
            notebooks[area.value][path] = versions
    refs = {
        f"{path}@{ref}": repository.resolve(
            NotebookKey(f"{NAMESPACE}/{path}"), parse_selector(ref)
        ).number
        for path, names in REFS.items()
        for ref in names
    }
    repository.backend.parallel.close()
    return {"namespace": NAMESPACE, "notebooks": notebooks, "refs": refs}


def _version(repository: Repository, version: Version) -> dict[str, Any]:
    try:
        repository.read(version)
        readable = True
    except VersionNotFound:
        readable = False
    changes, source, run = version.changes, version.source, version.run
    return {
        "number": version.number,
        "digest": version.digest,
        "version_id": version.version_id,
        "size_bytes": version.size_bytes,
        "saved_at": version.saved_at.isoformat(),
        "author": version.author,
        "message": version.message,
        "parent": version.parent,
        "changes": changes
        and [
            changes.cells_added,
            changes.cells_removed,
            changes.cells_changed,
            changes.outputs_only,
        ],
        "source": source and [source.area.value, source.key, source.number, source.version_id],
        "run": run
        and [run.outcome, run.asked, dict(run.parameters), list(run.left_out), run.error],
        "tags": list(version.tags),
        "published": version.published,
        "missing": version.missing,
        "readable": readable,
    }


def _check_told(story: Story, expected: dict[str, Any]) -> None:
    """Check that what is to be expected for ever is what was told at the time."""
    drafts = expected["notebooks"][Area.WORKSPACE.value]
    for told in story.told:
        if told.number is None:
            continue
        found = next(v for v in drafts[told.path] if v["number"] == told.number)
        assert found["digest"] == Digest.of(told.data)
        assert (found["author"], found["message"]) == (told.author, told.message)


if __name__ == "__main__":
    main()
