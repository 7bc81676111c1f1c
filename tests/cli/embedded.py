"""A workspace on the embedded store, and ways to spoil that store behind its back."""

from __future__ import annotations

from nbvc.stores.local import LocalStore
from tests.command_line import CommandLine
from tests.notebook_samples import code, notebook

ONE, TWO = notebook(code("1")), notebook(code("2"))


def fill(project: CommandLine) -> CommandLine:
    """Save two notebooks twice each, and publish one."""
    for name in ("mine.ipynb", "sub/other.ipynb"):
        for data in (ONE, TWO):
            project.write(name, data)
            project("save")
    project("publish", "mine.ipynb@v1")
    return project


def store_of(cli: CommandLine) -> LocalStore:
    """Return the embedded store of a workspace."""
    return LocalStore(cli.folder / ".nbvc" / "store")


def key_of(cli: CommandLine, path: str) -> str:
    """Return the notebook key of a path."""
    return str(cli("resolve", f"{path}@v1", "--json").json["key"])


def lose_a_version(cli: CommandLine) -> str:
    """Delete v1 of ``mine.ipynb`` for good; return its version ID."""
    found = cli("resolve", "mine.ipynb@v1", "--json").json
    store = store_of(cli)
    store.delete_version(f"workspace/{found['key']}", found["version_id"])
    store.close()
    return str(found["version_id"])
