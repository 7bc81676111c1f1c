"""Clone from a store that lists what it likes: never outside of the folder, over nobody's file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nbvc.environment import Environment
from nbvc.errors import InvalidKey, NbvcError
from nbvc.model import VersionId
from nbvc.repository.settings import prepare
from nbvc.stores.base import Blob, Key, KeyEntry, Store
from nbvc.workspace.cloning import clone
from nbvc.workspace.owning import KEY_FILE
from nbvc.workspace.results import CloneResult
from nbvc.workspace.session import Session
from tests.hostile.case_insensitive import fold_case
from tests.hostile.paths import NEVER_A_FILE, NO_KEYS, ODD_KEYS
from tests.notebook_samples import code, notebook
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import WrappedStore

NOW = datetime(2026, 8, 1, tzinfo=UTC)
HOSTILE_KEYS = tuple(key for key in NO_KEYS if key.endswith(".ipynb"))


class LyingStore(WrappedStore):
    """Lists any keys, and has bytes for each of them."""

    def __init__(self, inner: Store, keys: tuple[str, ...]) -> None:
        super().__init__(inner)
        self.keys = keys

    def list_keys(
        self, prefix: str, *, start_after: Key | None = None, limit: int | None = None
    ) -> Iterator[KeyEntry]:
        """Yield them all, whatever was asked for."""
        for key in self.keys:
            yield KeyEntry(key=key, etag="e", size_bytes=1, modified_at=NOW)

    def get(self, key: Key, version_id: VersionId | None = None) -> Blob:
        """Return bytes that tell the key."""
        if key.startswith(".nbvc/"):
            return super().get(key, version_id)
        data = notebook(code(ascii(key)))
        return Blob(
            key=key,
            version_id=VersionId("x"),
            etag="e",
            size_bytes=len(data),
            modified_at=NOW,
            data=data,
        )


class LyingSession(Session):
    """A session whose store lies."""

    store: Store

    def open_store(self, url: str, *, create: bool = False) -> Store:
        """Return that store."""
        return self.store


def clone_from(environment: Environment, *keys: str) -> CloneResult:
    """Clone a folder from a store that lists *keys*."""
    inner = MemoryStore(url="s3://bucket")
    prepare(inner, token="t", now=NOW)
    session = LyingSession(environment)
    session.store = LyingStore(inner, keys)
    return clone(session, "s3://bucket/workspace/team", "copy")


def files(folder: Path) -> list[str]:
    """Return the paths of the files in *folder*, but for the control folder."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not path.startswith(".nbvc/"))


@pytest.fixture
def guarded(environment: Environment) -> Iterator[Environment]:
    """Return surroundings in which only the copy may change; and the user's key may be made."""
    parent, home = environment.cwd.parent, environment.user_config_file.parent
    (parent / ".git" / "hooks").mkdir(parents=True)
    before = {*parent.rglob("*"), home, home / KEY_FILE}
    yield environment
    new = set(parent.rglob("*")) - before - {environment.cwd / "copy"}
    assert all(path.is_relative_to(environment.cwd / "copy") for path in new)


def test_no_listed_key_leads_out_of_the_folder(guarded: Environment) -> None:
    """All of them are left out and named, with a reason; what can be kept comes."""
    keys = [f"workspace/team/{key}" for key in HOSTILE_KEYS]
    found = clone_from(guarded, *keys, "workspace/team/fine.ipynb")
    assert files(guarded.cwd / "copy") == ["fine.ipynb"]
    assert [key for key, _ in found.skipped] == [f"team/{key}" for key in HOSTILE_KEYS]
    assert {type(error) for _, error in found.skipped} == {InvalidKey}
    assert sorted(path.name for path in (guarded.cwd / "copy" / ".nbvc").iterdir())[:3] == [
        ".gitignore",
        "agreed.json",
        "config.toml",
    ]


@pytest.mark.parametrize("key", [*HOSTILE_KEYS, *NEVER_A_FILE], ids=ascii)
def test_a_listing_of_other_prefixes_leads_nowhere(guarded: Environment, key: str) -> None:
    """Also where the store lists keys that were not asked for."""
    try:
        found = clone_from(guarded, key, "workspace/team/fine.ipynb")
    except NbvcError:
        return
    assert "fine.ipynb" in files(guarded.cwd / "copy")
    assert len(found.files) + len(found.skipped) <= 2


def test_odd_names_come_as_they_are(guarded: Environment) -> None:
    """Each with the bytes of its own key: none is taken for another."""
    found = clone_from(guarded, *(f"workspace/team/{key}" for key in ODD_KEYS))
    copy = guarded.cwd / "copy"
    assert found.skipped == ()
    assert files(copy) == sorted(set(ODD_KEYS))
    for key in ODD_KEYS:
        assert (copy / key).read_bytes() == notebook(code(ascii(f"workspace/team/{key}")))


@pytest.mark.parametrize(
    "keys",
    [
        ("Mine.ipynb", "mine.ipynb", "MINE.ipynb"),
        ("Sub/a.ipynb", "sub/a.ipynb", "sub/b.ipynb"),
        ("a-1.ipynb", "A.ipynb", "a.ipynb"),
    ],
)
def test_keys_that_differ_in_case_never_overwrite_each_other(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]
) -> None:
    """Where the file system takes them for one name, each has a file of its own all the same."""
    fold_case(environment.cwd, monkeypatch)
    found = clone_from(environment, *(f"workspace/team/{key}" for key in keys))
    written = {path.read_bytes() for path in (environment.cwd / "copy").rglob("*.ipynb")}
    left_out = {key for key, _ in found.skipped}
    for key in keys:
        data = notebook(code(ascii(f"workspace/team/{key}")))
        assert (data in written) != (f"team/{key}" in left_out)


def test_the_stand_in_for_a_file_system_does_not_tell_case_apart(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of macOS: one file under both names, and no second one can be made."""
    fold_case(environment.cwd, monkeypatch)
    (environment.cwd / "Mine").write_bytes(b"1")
    assert (environment.cwd / "mINE").read_bytes() == b"1"
    with pytest.raises(FileExistsError):
        (environment.cwd / "mine").open("xb")
    other = environment.cwd / "other"
    other.write_bytes(b"2")
    with pytest.raises(FileExistsError):
        (environment.cwd / "MINE").hardlink_to(other)


def test_a_link_that_a_stranger_left_is_not_followed(guarded: Environment) -> None:
    """Whatever it leads to; a link in a circle neither."""
    copy = guarded.cwd / "copy"
    copy.mkdir()
    (copy / "out").symlink_to(guarded.cwd.parent / ".git" / "hooks")
    (copy / "loop").symlink_to("loop")
    (copy / "file.ipynb").symlink_to(guarded.cwd.parent / ".git" / "config")
    keys = ("out/x.ipynb", "loop/x.ipynb", "file.ipynb")
    found = clone_from(guarded, *(f"workspace/team/{key}" for key in keys))
    assert files(copy) in ([], ["file-1.ipynb"])
    assert {key for key, _ in found.skipped} >= {"team/out/x.ipynb", "team/loop/x.ipynb"}
