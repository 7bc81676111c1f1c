"""``nbvc://`` for fsspec: versions as files, for pandas, dask and all that reads through it."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from nbvc.errors import AccessDenied, StoreUnavailable
from nbvc.scheduling.filesystem import NbvcFileSystem
from nbvc.workspace.core import Workspace
from nbvc.workspace.session import Session
from tests.command_line import CommandLine
from tests.notebook_samples import code, notebook
from tests.stores.counting import CountingStore
from tests.stores.switching import SwitchedStore

ONE, TWO = notebook(code("1")), notebook(code("22"))
MINE = "team/mine.ipynb"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a workspace with two versions of one notebook, and others in folders; and its home."""
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        cli = CommandLine(folder, home, patch)
        cli("init", "--namespace", "team")
        for data in (ONE, TWO):
            cli.write("mine.ipynb", data)
            cli("save", "-m", "said")
        for path in ("deep/a.ipynb", "deep/er/b.ipynb", "what?.ipynb"):
            cli.write(path, ONE)
        cli("save")
        cli("publish", "mine.ipynb@v1")
    return folder, home


@pytest.fixture
def filled(made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return the command line of that workspace, which the tests only read."""
    cli = CommandLine(*made, monkeypatch)
    monkeypatch.chdir(cli.folder)
    return cli


@pytest.fixture
def fs(filled: CommandLine) -> Iterator[NbvcFileSystem]:
    """Return the file system of that workspace."""
    NbvcFileSystem.clear_instance_cache()
    yield fsspec.filesystem("nbvc")
    NbvcFileSystem.clear_instance_cache()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[CountingStore]:
    """Return every store that is opened from now on; each counts its requests."""
    opened: list[CountingStore] = []
    open_store = Session.open_store

    def open_counting(session: Session, url: str, *, create: bool = False) -> CountingStore:
        opened.append(CountingStore(open_store(session, url, create=create)))
        return opened[-1]

    monkeypatch.setattr(Session, "open_store", open_counting)
    return opened


def test_the_installation_makes_fsspec_know_the_addresses(fs: NbvcFileSystem) -> None:
    """Whoever opens one needs no import of nbvc."""
    assert isinstance(fs, NbvcFileSystem)
    with fsspec.open(f"nbvc://{MINE}?version=v1") as opened:
        assert opened.read() == ONE


@pytest.mark.parametrize(
    ("version", "data"),
    [("", TWO), ("?version=v1", ONE), ("?version=published", ONE), ("?version=latest~1", ONE)],
)
def test_any_version_is_opened(fs: NbvcFileSystem, version: str, data: bytes) -> None:
    """Its exact bytes, or as text."""
    with fs.open(f"nbvc://{MINE}{version}", "r", encoding="utf-8") as opened:
        assert opened.read() == data.decode()
    assert fs.cat_file(f"{MINE}{version}") == data
    assert fs.cat_file(f"{MINE}{version}", 2, -3) == data[2:-3]
    assert fs.head(f"{MINE}{version}", 5) == data[:5]


def test_a_version_whose_name_has_a_question_mark_is_no_pattern(fs: NbvcFileSystem) -> None:
    """Fsspec takes one for a pattern; the version after it stays what it is."""
    name = f"{MINE}?version=v1"
    (opened,) = fsspec.open_files(f"nbvc://{name}")
    assert opened.path == name
    assert fs.cat(name) == ONE
    assert fs.cat([name, f"{MINE}?version=v2"]) == {name: ONE, f"{MINE}?version=v2": TWO}
    assert fs.glob(f"{MINE}?version=v9") == []
    assert fs.cat_file("team/what?.ipynb?version=v1") == ONE


def test_a_pattern_gives_notebooks_each_with_the_version(fs: NbvcFileSystem) -> None:
    """Folders are no notebooks; ``**`` goes into them."""
    assert fs.glob("team/*.ipynb") == [MINE, "team/what?.ipynb"]
    assert fs.glob("team/**/*.ipynb?version=v1") == [
        f"team/{name}.ipynb?version=v1" for name in ("deep/a", "deep/er/b", "mine", "what?")
    ]
    opened = fsspec.open_files("nbvc://team/deep/*.ipynb?version=v1")
    assert [each.path for each in opened] == ["team/deep/a.ipynb?version=v1"]


def test_folders_are_listed(fs: NbvcFileSystem) -> None:
    """As if they were folders; with sizes and times, as far as a listing has them."""
    assert fs.ls("nbvc://team", detail=False) == [
        "team/deep", MINE, "team/what?.ipynb"
    ]  # fmt: skip
    assert fs.ls("", detail=False) == ["team"]
    (found,) = (each for each in fs.ls("team/") if each["name"] == MINE)
    assert (found["type"], found["size"]) == ("file", len(TWO))
    assert fs.ls(MINE, detail=False) == [MINE]
    assert fs.find("team/deep") == ["team/deep/a.ipynb", "team/deep/er/b.ipynb"]
    assert fs.find("team", maxdepth=1) == [MINE, "team/what?.ipynb"]
    assert fs.find(f"{MINE}?version=v1") == [f"{MINE}?version=v1"]
    folders = [folder for folder, _, _ in fs.walk("team")]
    assert folders == ["team", "team/deep", "team/deep/er"]
    assert (fs.isdir("team/deep"), fs.isdir(MINE), fs.isfile(MINE)) == (True, False, True)


def test_the_facts_of_a_version_are_told(fs: NbvcFileSystem) -> None:
    """Those of its record, beside those that fsspec asks for."""
    name = f"{MINE}?version=v1"
    found = fs.info(f"nbvc://{name}")
    assert (found["name"], found["size"], found["type"]) == (name, len(ONE), "file")
    assert (found["number"], found["author"], found["message"]) == (1, "ada", "said")
    assert fs.created(name) == fs.modified(name) == found["created"]
    assert fs.size(MINE) == len(TWO)


@pytest.mark.parametrize(
    "path", ["team/gone.ipynb", f"{MINE}?version=v9", "gone", "tea", "team/mine.ipynb/x.ipynb"]
)
def test_what_does_not_exist_is_not_found(fs: NbvcFileSystem, path: str) -> None:
    """As a file would be."""
    assert not fs.exists(path)
    with pytest.raises(FileNotFoundError):
        fs.info(path)
    with pytest.raises(FileNotFoundError):
        fs.open(path)


def test_a_path_that_cannot_be_read_is_a_value_error(fs: NbvcFileSystem) -> None:
    """A typing error must not give the latest version instead."""
    with pytest.raises(ValueError, match="after its"):
        fs.open(f"{MINE}?verison=v1")


@pytest.mark.parametrize(
    "write",
    [
        lambda fs: fs.open(MINE, "wb"),
        lambda fs: fs.open(MINE, "a"),
        lambda fs: fs.pipe_file(MINE, b"x"),
        lambda fs: fs.touch(MINE),
        lambda fs: fs.rm(MINE),
        lambda fs: fs.rm_file(MINE),
        lambda fs: fs.mv(MINE, "team/other.ipynb"),
        lambda fs: fs.cp_file(MINE, "team/other.ipynb"),
        lambda fs: fs.mkdir("team/new"),
        lambda fs: fs.makedirs("team/new", exist_ok=True),
        lambda fs: fs.rmdir("team/deep"),
        lambda fs: fs.put_file(__file__, "team/new.ipynb"),
    ],
)
def test_nothing_is_written(fs: NbvcFileSystem, write: Callable[[Any], Any]) -> None:
    """And whoever tries is told what makes new versions."""
    with pytest.raises(OSError, match="nbvc:// is for reading: nbvc save, nbvc run"):
        write(fs)
    assert fs.cat_file(MINE) == TWO


def test_parts_of_one_version_fit_together(
    fs: NbvcFileSystem, counted: list[CountingStore]
) -> None:
    """It is looked up and read once, though ``latest`` may mean another one a moment later."""
    paths = [MINE, MINE, f"{MINE}?version=v1"]
    assert fs.cat_ranges(paths, [0, 5, 0], [5, None, 3]) == [TWO[:5], TWO[5:], ONE[:3]]
    (store,) = counted
    data_reads = [each for each in store.requests if each.key == f"workspace/{MINE}"]
    assert [each.name for each in data_reads].count("get") == 2
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(["team/gone.ipynb"], 0, 1, on_error="raise")
    (error,) = fs.cat_ranges(["team/gone.ipynb"], 0, 1)
    assert isinstance(error, FileNotFoundError)


def test_a_store_is_opened_once(fs: NbvcFileSystem, counted: list[CountingStore]) -> None:
    """However many files are opened, by however many threads that share the file system."""
    threads = [threading.Thread(target=fs.cat_file, args=(MINE,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counted) == 1


def test_a_listing_costs_one_request(fs: NbvcFileSystem, counted: list[CountingStore]) -> None:
    """At any depth, and not one for each folder or notebook."""
    fs.cat_file(MINE)
    (store,) = counted
    for look in (lambda: fs.ls("team"), lambda: fs.find("team"), lambda: fs.glob("team/**")):
        store.reset()
        look()
        assert store.names == ["list_keys"]


def test_another_folder_has_another_store(
    fs: NbvcFileSystem, filled: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fsspec keeps the file system; the workspace is that of the present working directory."""
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    with pytest.raises(ValueError, match="NBVC_STORE"):
        fs.ls("")
    filled("init", "--namespace", "team", cwd=other)
    assert fs.ls("") == []
    url = (filled.folder / ".nbvc" / "store").as_uri()
    assert fsspec.filesystem("nbvc", store=url).cat_file(MINE) == TWO
    monkeypatch.setenv("NBVC_STORE", url)
    assert fs.cat_file(MINE) == TWO


def test_a_store_can_be_named(
    filled: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a storage option, which wins over where one is."""
    url = (filled.folder / ".nbvc" / "store").as_uri()
    monkeypatch.chdir(tmp_path)
    with fsspec.open(f"nbvc://{MINE}?version=v1", store=url) as opened:
        assert opened.read() == ONE
    NbvcFileSystem.clear_instance_cache()


def test_what_is_sent_to_another_process_names_the_store(
    fs: NbvcFileSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A worker has another working directory; dask sends such files to many."""
    opened = fsspec.open(f"nbvc://{MINE}?version=v1", "r")
    sent = pickle.dumps((fs, opened))
    monkeypatch.chdir(tmp_path)
    there, opened_there = pickle.loads(sent)
    assert there.cat_file(MINE) == TWO
    with opened_there as file:
        assert json.load(file)["cells"][0]["source"] == "1"


def test_a_child_process_opens_a_store_of_its_own(fs: NbvcFileSystem) -> None:
    """Also one that was forked after its parent had opened one."""
    assert fs.cat_file(MINE) == TWO
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=lambda: queue.put((fs.cat_file(MINE), len(fs._opened))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        child.start()
    assert queue.get(timeout=60) == (TWO, 2)
    child.join()
    assert child.exitcode == 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AccessDenied("refused", hint="ask"), PermissionError),
        (StoreUnavailable("The store was not reached."), OSError),
    ],
)
def test_errors_are_those_of_files(
    fs: NbvcFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    expected: type[Exception],
) -> None:
    """And what cannot be told is never taken for a file that is not there."""
    open_store = Session.open_store

    def open_switched(session: Session, url: str, *, create: bool = False) -> SwitchedStore:
        switched = SwitchedStore(open_store(session, url, create=create))
        switched.error = error  # type: ignore[assignment]
        return switched

    monkeypatch.setattr(Session, "open_store", open_switched)
    for look in (fs.info, fs.exists, fs.open, fs.ls):
        with pytest.raises(expected, match=str(error)) as caught:
            look(MINE)
        assert not isinstance(caught.value, FileNotFoundError)


def test_a_reader_delivers_no_outbox(fs: NbvcFileSystem, filled: CommandLine) -> None:
    """It writes nothing, neither here nor in the store."""
    with Workspace.open(filled.folder) as workspace:
        before = {path: os.stat(path).st_mtime_ns for path in workspace.folder.rglob("*")}
    fs.cat_file(MINE)
    fs.find("")
    after = {path: os.stat(path).st_mtime_ns for path in filled.folder.rglob("*")}
    assert {path.name for path in after if after[path] != before.get(path)} <= {
        "index.sqlite3-shm", "index.sqlite3-wal", "index.sqlite3", "store"
    }  # fmt: skip
