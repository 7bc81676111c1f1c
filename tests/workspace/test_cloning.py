"""Clone: one notebook or a folder of them, from anywhere, over nobody's files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from moto import mock_aws

from nbvc.environment import Environment
from nbvc.errors import (
    AlreadyExists,
    Conflict,
    IntegrityError,
    InvalidInput,
    InvalidKey,
    NotebookNotFound,
    StoreUnavailable,
)
from nbvc.model import Digest, NotebookKey
from nbvc.repository.settings import prepare
from nbvc.stores.base import Overwrite, Store
from nbvc.stores.local import LocalStore
from nbvc.workspace.cloning import clone
from nbvc.workspace.core import Workspace
from nbvc.workspace.results import CloneResult
from nbvc.workspace.session import Session
from tests.conftest import make_workspace
from tests.notebook_samples import code, notebook
from tests.s3_server import isolate_aws_settings, new_bucket
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import Request, WrappedStore
from tests.workspace.conftest import OpenShared
from tests.workspace.helpers import ONE, THREE, TWO, litter, save, write

T = TypeVar("T")


@pytest.fixture
def ana(open_shared: OpenShared) -> Workspace:
    """Return a workspace on a shared store with three notebooks, one of them with two versions."""
    ana = open_shared("ana")
    save(ana, "mine.ipynb", ONE)
    save(ana, "mine.ipynb", TWO)
    save(ana, "other.ipynb", ONE)
    save(ana, "sub/deep.ipynb", THREE)
    return ana


def files(folder: Path) -> dict[str, bytes]:
    """Return the notebooks on disk below *folder*, with their bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.ipynb"))
    }


def put_raw(workspace: Workspace, key: str, data: bytes, **metadata: str) -> None:
    """Put an object into the store, as any tool could."""
    workspace.repository.store.put(
        f"workspace/{key}", data, mode=Overwrite(), metadata=metadata, content_type="text/plain"
    )


class TestOneNotebook:
    """A key or a URL."""

    def test_a_notebook_is_found_by_its_url(self, ana: Workspace, environment: Environment) -> None:
        """The latest version, into the working directory; no workspace is made of it."""
        found = clone(
            Session(environment), f"{ana.store_url}/workspace/team/notebooks/mine.ipynb", None
        )
        assert files(environment.cwd) == {"mine.ipynb": TWO}
        assert (found.bound, found.present) == (False, 0)
        assert not (environment.cwd / ".nbvc").exists()

    @pytest.mark.parametrize("version", ["@v1", "@latest~1", "?versionId={id}"])
    def test_an_old_version_is_found_by_its_ref_or_version_id(
        self, ana: Workspace, environment: Environment, version: str
    ) -> None:
        """As ``resolve`` prints it, or as people type it."""
        version_id = ana.resolve("mine.ipynb", "v1").version_id
        url = f"{ana.store_url}/workspace/team/notebooks/mine.ipynb"
        clone(Session(environment), url + version.format(id=version_id), "first.ipynb")
        assert files(environment.cwd) == {"first.ipynb": ONE}

    def test_a_notebook_is_found_by_its_key_in_the_same_store(
        self, ana: Workspace, open_shared: OpenShared
    ) -> None:
        """From within a workspace; a version may follow, a folder may be named."""
        ben = open_shared("ben")
        clone(ben.session, "team/notebooks/mine.ipynb@v1", None)
        clone(replace_folder(ben), "team/notebooks/sub/deep.ipynb", "copies")
        assert files(ben.folder) == {"mine.ipynb": ONE, "copies/deep.ipynb": THREE}

    def test_an_existing_file_is_never_overwritten(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """The copy gets the first free name; with the same bytes nothing is written."""
        url = f"{ana.store_url}/workspace/team/notebooks/mine.ipynb"
        (environment.cwd / "mine.ipynb").write_bytes(THREE)
        (environment.cwd / "mine-1.ipynb").mkdir()
        clone(Session(environment), url, None)
        assert (environment.cwd / "mine.ipynb").read_bytes() == THREE
        assert (environment.cwd / "mine-2.ipynb").read_bytes() == TWO
        assert clone(Session(environment), url, None).present == 1
        assert not (environment.cwd / "mine-3.ipynb").exists()

    def test_what_names_nothing_is_an_error_with_a_hint(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """Each its own."""
        session = Session(environment)
        with pytest.raises(NotebookNotFound):
            clone(session, f"{ana.store_url}/workspace/team/notebooks/none.ipynb", None)
        with pytest.raises(NotebookNotFound, match="no notebooks"):
            clone(session, f"{ana.store_url}/workspace/nobody", None)
        with pytest.raises(InvalidInput, match="names no area"):
            clone(session, f"{ana.store_url}/elsewhere/mine.ipynb", None)
        with pytest.raises(InvalidInput, match="neither a URL nor"):
            clone(session, "kylek/mine.ipynb", None)
        with pytest.raises(InvalidKey):
            clone(session, f"{ana.store_url}/workspace/team/../x.ipynb", None)
        assert files(environment.cwd) == {}


def replace_folder(workspace: Workspace) -> Session:
    """Return a new session of a workspace."""
    return Session(workspace.session.environment, workspace.folder)


class TestAFolder:
    """A folder of a store becomes a workspace."""

    def test_it_is_bound_to_the_same_namespace(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """Its next save goes on with the same history."""
        found = clone_all(ana, environment)
        copy = environment.cwd / "notebooks"
        assert files(copy) == {"mine.ipynb": TWO, "other.ipynb": ONE, "sub/deep.ipynb": THREE}
        assert (found.bound, found.namespace) == (True, "team/notebooks")
        with Workspace.open(copy, environment=environment) as workspace:
            assert [entry.state for entry in workspace.status().notebooks] == ["unchanged"] * 3
            assert not any(result.saved for result in workspace.save())
            write(workspace, "mine.ipynb", THREE)
            workspace.session.environment = replace(environment, cwd=copy)
            (result,) = workspace.save("mine.ipynb")
            assert (result.number, result.parent) == (3, 2)

    def test_it_goes_on_after_an_interruption(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """What is there already is left; what is missing comes; nothing is doubled."""
        clone_all(ana, environment)
        copy = environment.cwd / "notebooks"
        (copy / "other.ipynb").unlink()
        found = clone_all(ana, environment)
        assert found.present == 2
        assert sorted(files(copy)) == ["mine.ipynb", "other.ipynb", "sub/deep.ipynb"]

    def test_it_leaves_changed_files_and_puts_the_stored_ones_beside_them(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """Nothing that is on disk is lost."""
        clone_all(ana, environment)
        copy = environment.cwd / "notebooks"
        (copy / "mine.ipynb").write_bytes(THREE)
        clone_all(ana, environment)
        found = files(copy)
        assert (found["mine.ipynb"], found["mine-1.ipynb"]) == (THREE, TWO)

    def test_another_workspace_is_cloned_by_its_path(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """As with git; here with an embedded store."""
        make_workspace(environment)
        with Workspace.open(environment=environment) as workspace:
            save(workspace, "a.ipynb", ONE)
        elsewhere = environment.cwd.parent / "elsewhere"
        elsewhere.mkdir()
        clone(Session(replace(environment, cwd=elsewhere)), str(environment.cwd), "copy")
        assert files(elsewhere) == {"copy/a.ipynb": ONE}

    def test_published_notebooks_are_cloned_to_a_namespace_of_their_own(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """What one does with them is not the drafts of whoever published them."""
        ana.publish("mine.ipynb", "v1")
        url = f"{ana.store_url}/published/team/notebooks"
        found = clone(Session(environment), url, "shared")
        assert files(environment.cwd / "shared") == {"mine.ipynb": ONE}
        assert found.namespace == "ada/shared"
        shared = replace(environment, cwd=environment.cwd / "shared")
        with Workspace.open(environment=shared) as workspace:
            assert workspace.save()[0].number == 1
        assert next(ana.log("mine.ipynb")).number == 2

    def test_a_workspace_is_never_bound_to_something_else(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """Cloning into one would hide its own history."""
        make_workspace(environment)
        before = (environment.cwd / ".nbvc/config.toml").read_bytes()
        with pytest.raises(Conflict, match="bound"):
            clone_all(ana, environment, ".")
        assert (environment.cwd / ".nbvc/config.toml").read_bytes() == before
        assert files(environment.cwd) == {}

    def test_a_link_in_the_folder_is_not_followed(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """Neither out of it nor elsewhere in it."""
        copy, outside = environment.cwd / "notebooks", environment.cwd / "outside"
        copy.mkdir()
        outside.mkdir()
        (copy / "sub").symlink_to(outside)
        found = clone_all(ana, environment)
        assert files(outside) == {}
        assert [key for key, _ in found.skipped] == ["team/notebooks/sub/deep.ipynb"]

    def test_a_damaged_notebook_is_left_out_and_named(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """Its object says another digest than its bytes have; the others come."""
        metadata = {"nbvc-digest": Digest.of(ONE)}
        put_raw(ana, "team/notebooks/damaged.ipynb", TWO, **metadata)
        found = clone_all(ana, environment)
        assert "damaged.ipynb" not in files(environment.cwd / "notebooks")
        ((key, error),) = found.skipped
        assert key == "team/notebooks/damaged.ipynb"
        assert isinstance(error, IntegrityError)

    def test_a_key_below_another_notebooks_key_is_left_out(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """A store can hold both, a folder cannot."""
        put_raw(ana, "team/notebooks/mine.ipynb/below.ipynb", ONE)
        found = clone_all(ana, environment)
        ((key, error),) = found.skipped
        assert key == "team/notebooks/mine.ipynb/below.ipynb"
        assert isinstance(error, InvalidKey | AlreadyExists)

    def test_a_name_too_long_for_a_file_is_left_out(
        self, ana: Workspace, environment: Environment
    ) -> None:
        """A key may have 1,024 bytes, a file's name 255."""
        put_raw(ana, f"team/notebooks/{'x' * 300}.ipynb", ONE)
        ((_, error),) = clone_all(ana, environment).skipped
        assert isinstance(error, InvalidKey)


def clone_all(
    source: Workspace, environment: Environment, destination: str | None = None
) -> CloneResult:
    """Clone the namespace of *source* into the working directory of *environment*."""
    url = f"{source.store_url}/workspace/{source.namespace}"
    return clone(Session(environment), url, destination)


class GatheringStore(WrappedStore):
    """Holds back the answers until sixteen notebooks are asked for at once."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.together = threading.Barrier(16)
        self.asked = 0
        self._lock = threading.Lock()

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Wait for the others, if this is one of the first sixteen."""
        if request.name == "get" and request.key.endswith(".ipynb"):
            with self._lock:
                self.asked += 1
                early = self.asked <= 16
            if early:
                self.together.wait(timeout=20)
        return send()


class FailingStore(WrappedStore):
    """Stops answering after some notebooks."""

    left = 5

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Fail when enough was given."""
        if request.name == "get" and request.key.endswith(".ipynb"):
            if self.left == 0:
                raise StoreUnavailable("The store is gone.")
            self.left -= 1
        return send()


class RemoteSession(Session):
    """A session whose store is somewhere else."""

    store: Store

    def open_store(self, url: str, *, create: bool = False) -> Store:
        """Return that store."""
        return self.store


@pytest.fixture
def remote(environment: Environment) -> RemoteSession:
    """Return a session on a remote store with forty notebooks."""
    store = MemoryStore(url="s3://bucket")
    session = RemoteSession(environment)
    prepare(store, token="t", now=environment.now())
    session.store = store
    with session.open_repository("s3://bucket") as repository:
        for number in range(40):
            data = notebook(code(f"x = {number}"))
            repository.store.put(
                f"workspace/team/{number}.ipynb",
                data,
                mode=Overwrite(),
                metadata={},
                content_type="",
            )
    return session


class TestFromAfar:
    """Many requests at once."""

    def test_sixteen_notebooks_are_in_flight(self, remote: RemoteSession) -> None:
        """Sixteen requests that wait for each other are all sent."""
        remote.store = GatheringStore(remote.store)
        seen: list[int] = []
        found = clone(
            remote, "s3://bucket/workspace/team", None, progress=lambda done, _: seen.append(done)
        )
        assert len(found.files) == 40
        assert seen == list(range(1, 41))
        assert not remote.store.together.broken

    def test_a_store_that_goes_away_ends_it_and_it_can_be_run_again(
        self, remote: RemoteSession
    ) -> None:
        """What came is whole, and stays."""
        whole = remote.store
        remote.store = FailingStore(whole)
        with pytest.raises(StoreUnavailable):
            clone(remote, "s3://bucket/workspace/team", None)
        folder = remote.environment.cwd / "team"
        assert len(files(folder)) <= 5
        remote.store = whole
        assert len(clone(remote, "s3://bucket/workspace/team", None).files) == 40
        assert len(files(folder)) == 40
        assert litter(folder) == []

    def test_two_notebooks_that_want_the_same_free_name_both_get_one(
        self, remote: RemoteSession
    ) -> None:
        """``1.ipynb`` is in the way, so its copy becomes ``1-1.ipynb``, which is a notebook too."""
        for name in ("1-1", "1-2", "1-3"):
            remote.store.put(
                f"workspace/team/{name}.ipynb",
                name.encode(),
                mode=Overwrite(),
                metadata={},
                content_type="",
            )
        folder = remote.environment.cwd / "team"
        folder.mkdir()
        (folder / "1.ipynb").write_bytes(b"mine")
        clone(remote, "s3://bucket/workspace/team", None)
        found = files(folder)
        assert found["1.ipynb"] == b"mine"
        assert sorted({b"1-1", b"1-2", b"1-3", notebook(code("x = 1"))}) == sorted(
            data for name, data in found.items() if name.startswith("1-")
        )


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Return the URL of an S3 bucket."""
    isolate_aws_settings(monkeypatch, tmp_path)
    with mock_aws():
        store = new_bucket(None)
        yield store.url
        store.close()


def test_from_s3_by_every_kind_of_name(bucket: str, environment: Environment) -> None:
    """Folder, key, URL, version ID: all lead to the same bytes, odd characters included."""
    make_workspace(environment, bucket, namespace="team")
    with Workspace.open(environment=environment) as workspace:
        name = "a b+ü@100%.ipynb"
        save(workspace, name, ONE)
        save(workspace, name, TWO)
        url = workspace.repository.locate(workspace.resolve(name, "v1"))
        elsewhere = environment.cwd.parent / "elsewhere"
        elsewhere.mkdir()
        session = Session(replace(environment, cwd=elsewhere))
        clone(session, f"{bucket}/workspace/team", "copy")
        clone(session, url, "by-version-id.ipynb")
        clone(session, f"{bucket}/workspace/team/{name}", None)
        clone(workspace.session, f"team/{name}@v1", str(elsewhere / "by-key.ipynb"))
    assert files(elsewhere) == {
        f"copy/{name}": TWO,
        "by-version-id.ipynb": ONE,
        name: TWO,
        "by-key.ipynb": ONE,
    }


def test_a_bucket_that_nbvc_never_prepared_can_be_cloned(tmp_path: Path) -> None:
    """As bookstore, or any other tool, wrote it."""
    store = LocalStore(tmp_path / "store", create=True)
    store.put(
        "workspace/kylek/mine.ipynb", ONE, mode=Overwrite(), metadata={}, content_type="text/plain"
    )
    store.close()
    folder = tmp_path / "here"
    folder.mkdir()
    environment = replace(Environment.current(), cwd=folder, variables={})
    clone(Session(environment), f"{store.url}/workspace/kylek", None)
    assert files(folder) == {"kylek/mine.ipynb": ONE}
    with Workspace.open(folder / "kylek", environment=environment) as workspace:
        assert [entry.state for entry in workspace.status().notebooks] == ["unchanged"]
        assert workspace.key(folder / "kylek/mine.ipynb") == NotebookKey("kylek/mine.ipynb")
