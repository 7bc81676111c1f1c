"""Every save in Jupyter becomes a version, and no save suffers from it."""

from __future__ import annotations

import asyncio
import errno
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbvc.errors import StoreUnavailable
from nbvc.jupyter import worker
from nbvc.repository import Repository
from nbvc.workspace.captures import Captures
from nbvc.workspace.core import Workspace
from tests.conftest import make_workspace
from tests.jupyter.serving import Server, cells
from tests.workspace.helpers import run_python

ONE, TWO = (json.dumps(cells(f"x = {number}")).encode() for number in (1, 2))
_CONTENTS = "jupyter_server.services.contents"
MANAGERS = [
    pytest.param({"ServerApp": {"contents_manager_class": f"{_CONTENTS}.{name}"}}, id=name)
    for name in (
        "largefilemanager.AsyncLargeFileManager",
        "filemanager.AsyncFileContentsManager",
        "largefilemanager.LargeFileManager",
        "filemanager.FileContentsManager",
    )
]


@pytest.mark.parametrize("jp_server_config", MANAGERS, indirect=True)
async def test_twenty_saves_ten_milliseconds_apart_are_twenty_versions(server: Server) -> None:
    """Also where one overlaps the next, none is skipped, and the last save is the newest.

    Requests that overlap may overtake each other on their way: the last one is that of the server.
    """
    saves = []
    for number in range(20):
        saves.append(asyncio.create_task(server.save("mine.ipynb", f"x = {number}")))
        await asyncio.sleep(0.01)
    await asyncio.gather(*saves)
    sources = await server.sources("mine.ipynb")
    assert sorted(sources) == sorted(f"x = {number}" for number in range(20))
    with server.workspace() as workspace:
        newest = workspace.read(workspace.resolve("mine.ipynb"))
        assert workspace.outbox.damaged() == []
    assert (server.root / "mine.ipynb").read_bytes() == newest


async def test_identical_content_makes_no_new_version(server: Server) -> None:
    """Pressing Save again, or an autosave of nothing new, is no version."""
    for _ in range(3):
        await server.save("mine.ipynb", "x = 1")
    assert await server.sources("mine.ipynb") == ["x = 1"]


async def test_events_tell_what_becomes_of_a_save(server: Server) -> None:
    """Queued at once, saved once it is in the store, with what names the version."""
    await server.save("my folder/über.ipynb", "x = 1", status=500)
    (server.root / "my folder").mkdir()
    await server.save("my folder/über.ipynb", "x = 1")
    await server.idle()
    assert [event["action"] for event in server.events] == ["queued", "saved"]
    assert {event["path"] for event in server.events} == {"my folder/über.ipynb"}
    with server.workspace() as workspace:
        version = workspace.resolve("my folder/über.ipynb")
    told = server.events[1]
    assert (told["number"], told["digest"], told["version_id"], told["author"]) == (
        1,
        version.digest,
        version.version_id,
        "ada",
    )


async def test_a_save_does_not_wait_for_the_store(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a store that stalls, saves return, and the event loop is never held for 50 ms.

    The largest gap of one of three tries counts, for another process may hold up any one of them.
    """
    stalled, go_on = asyncio.Event(), threading.Event()
    loop, save = asyncio.get_running_loop(), Repository.save

    def stall(*arguments: Any, **named: Any) -> Any:
        loop.call_soon_threadsafe(stalled.set)
        go_on.wait(60)
        return save(*arguments, **named)

    await server.save("mine.ipynb", "x = 0")
    await server.idle()
    monkeypatch.setattr(Repository, "save", stall)
    await server.save("mine.ipynb", "x = 1")
    await stalled.wait()
    gaps = [await _largest_gap(server, attempt) for attempt in range(3)]
    go_on.set()
    assert min(gaps) < 0.05, gaps
    sources = await server.sources("mine.ipynb")
    assert len(sources) == 2 + 3 * 5


async def _largest_gap(server: Server, attempt: int) -> float:
    """Save five times, and return the longest time that the event loop did nothing else."""
    largest, before, done = 0.0, time.monotonic(), False

    async def watch() -> None:
        nonlocal largest, before
        while not done:
            await asyncio.sleep(0.001)
            largest = max(largest, time.monotonic() - before)
            before = time.monotonic()

    watching = asyncio.create_task(watch())
    for number in range(5):
        await server.save("mine.ipynb", f"y = {attempt}, {number}")
    done = True
    await watching
    return largest


async def test_a_large_notebook_is_taken_beside_the_event_loop(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And before the save is answered: the next one finds a copy of its own."""
    threads: list[str] = []
    add = Captures.add

    def note(*arguments: Any, **named: Any) -> Any:
        threads.append(threading.current_thread().name)
        return add(*arguments, **named)

    monkeypatch.setattr(Captures, "add", note)
    large = "x" * 4_100_000
    for number in range(3):
        await server.save("large.ipynb", large, f"x = {number}")
        assert len(threads) == number + 1
    assert threading.main_thread().name not in threads
    await server.save("small.ipynb", "x = 1")
    assert threads[-1] == threading.main_thread().name
    assert await server.sources("large.ipynb") == ["x = 0", "x = 1", "x = 2"]


@pytest.mark.parametrize("error", [OSError("disk"), RuntimeError("bug")], ids=type)
async def test_a_save_never_fails_because_of_nbvc(
    server: Server, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Whatever goes wrong in the hook, Jupyter's save succeeds, and the failure is told."""

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Captures, "add", fail)
        await server.save("mine.ipynb", "x = 1")
        await server.idle()
    assert [event["action"] for event in server.events] == ["failed"]
    await server.json("GET", "/api/contents/mine.ipynb")  # opening it finds what was missed
    assert await server.sources("mine.ipynb") == ["x = 1"]


async def test_the_users_own_save_hook_is_called_as_well(server: Server) -> None:
    """Registering a hook takes none away: bookstore was called instead of the user's."""
    called: list[str] = []

    def users_hook(os_path: str, **_: Any) -> None:
        called.append(Path(os_path).name)

    server.app.contents_manager.post_save_hook = users_hook
    await server.save("mine.ipynb", "x = 1")
    assert called == ["mine.ipynb"]
    assert await server.sources("mine.ipynb") == ["x = 1"]


async def test_a_save_that_failed_on_this_disk_is_no_version(server: Server) -> None:
    """What Jupyter could not write never reaches the store."""
    (server.root / "mine.ipynb").mkdir()
    body = {"type": "notebook", "format": "json", "content": cells("x = 1")}
    response = await server.ask("PUT", "/api/contents/mine.ipynb", body)
    assert response.code >= 400
    await server.idle()
    assert server.events == []


async def test_early_releases_of_the_server_do_as_well(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not tell which request a save belongs to: the author is the one of the session."""
    monkeypatch.delattr("jupyter_server.CallContext")
    await server.save("mine.ipynb", "x = 1")
    await server.json("POST", "/api/contents", {"copy_from": "mine.ipynb"}, status=201)
    assert await server.sources("mine.ipynb") == ["x = 1"]
    assert [event["author"] for event in server.events if event["action"] == "saved"] == [
        "ada",
        "ada",
    ]


async def test_other_files_are_left_alone(server: Server) -> None:
    """A text file or a folder is no notebook, and no error."""
    body = {"type": "file", "format": "text", "content": "x"}
    await server.json("PUT", "/api/contents/notes.txt", body, status=201)
    await server.json("PUT", "/api/contents/folder", {"type": "directory"}, status=201)
    await server.json("DELETE", "/api/contents/notes.txt", status=204)
    await server.idle()
    assert server.events == []


async def test_what_fails_is_told_once_and_tried_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store is away versions wait, with one event for the reason, without its name."""
    await server.save("mine.ipynb", "x = 0")
    await server.idle()
    server.events.clear()
    url = f"{server.root}/.nbvc/store is at s3://secret-bucket, https://10.0.0.1:9000/x?sig=1"

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable(f"Not reached: {url}.")

    with monkeypatch.context() as patch:
        patch.setattr(Repository, "save", fail)
        patch.setattr(Repository, "resume", fail)
        for number in (1, 2, 3):
            await server.save("mine.ipynb", f"x = {number}")
            await server.idle()
        status = await server.json("GET", "/nbvc/api/v1/status")
    failed = [event for event in server.events if event["action"] == "failed"]
    assert len(failed) == 1
    for told in (json.dumps(failed), json.dumps(status)):
        for private in (str(server.root), "secret-bucket", "10.0.0.1", "sig"):
            assert private not in told
    assert status["error"]["kind"] == "store-unavailable"
    assert status["folders"][0]["waiting"] == 3
    await server.save("mine.ipynb", "x = 4")
    assert await server.sources("mine.ipynb") == [f"x = {number}" for number in range(5)]
    status = await server.json("GET", "/nbvc/api/v1/status")
    assert (status["error"], status["folders"][0]["waiting"]) == (None, 0)


# What the hook misses


async def test_a_notebook_that_was_there_before_gets_a_version_when_it_is_opened(
    server: Server,
) -> None:
    """The state before the first edit is a version too."""
    (server.root / "old.ipynb").write_bytes(ONE)
    await server.json("GET", "/api/contents/old.ipynb")
    await server.save("old.ipynb", "x = 5")
    assert await server.sources("old.ipynb") == ["x = 1", "x = 5"]


async def test_edits_from_outside_are_found_when_it_is_opened(server: Server) -> None:
    """As after a git checkout, or another editor."""
    await server.save("mine.ipynb", "x = 0")
    await server.idle()
    (server.root / "mine.ipynb").write_bytes(TWO)
    await server.json("GET", "/api/contents/mine.ipynb")
    assert await server.sources("mine.ipynb") == ["x = 0", "x = 2"]


async def test_a_restored_checkpoint_is_found_when_it_is_opened(server: Server) -> None:
    """Reverting to a checkpoint fires neither hook nor event."""
    await server.save("mine.ipynb", "x = 0")
    point = await server.json("POST", "/api/contents/mine.ipynb/checkpoints", status=201)
    await server.save("mine.ipynb", "x = 1")
    await server.json("POST", f"/api/contents/mine.ipynb/checkpoints/{point['id']}", status=204)
    await server.json("GET", "/api/contents/mine.ipynb")
    assert await server.sources("mine.ipynb") == ["x = 0", "x = 1", "x = 0"]


async def test_half_of_a_file_is_no_version(server: Server) -> None:
    """What somebody is writing just now is no notebook yet."""
    await server.save("mine.ipynb", "x = 0")
    (server.root / "mine.ipynb").write_bytes(TWO[:-20])
    await server.json("GET", "/api/contents/mine.ipynb", status=400)
    await server.ask("GET", "/api/contents/mine.ipynb", params={"content": "0"})
    assert await server.sources("mine.ipynb") == ["x = 0"]


async def test_a_start_finds_what_changed_and_delivers_what_was_left(server: Server) -> None:
    """Of known notebooks; one that nobody ever opened here is left alone."""
    await server.save("mine.ipynb", "x = 0")
    await server.idle()
    (server.root / "mine.ipynb").write_bytes(ONE)
    (server.root / "never.ipynb").write_bytes(ONE)
    await server.app.extension_manager.start_all_extensions()
    assert await server.sources("mine.ipynb") == ["x = 0", "x = 1"]
    with server.workspace() as workspace:
        assert workspace.index.paths() == ["mine.ipynb"]


async def test_a_save_that_could_not_be_taken_is_found_without_being_opened(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that was full for a while: the worker looks again later."""
    monkeypatch.setattr(worker, "_FIRST_PAUSE_SECONDS", 0.01)
    await server.save("mine.ipynb", "x = 1")
    await server.idle()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Captures, "add", fail)
        await server.save("mine.ipynb", "x = 2")
    for _ in range(200):
        if await server.sources("mine.ipynb") == ["x = 1", "x = 2"]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await server.sources("mine.ipynb"))


async def test_a_server_that_stops_delivers_what_was_saved_last(server: Server) -> None:
    """Within its time; nothing is left for the next one to do."""
    for number in range(5):
        await server.save("mine.ipynb", f"x = {number}")
    await server.extension.stop_extension()
    with server.workspace() as workspace:
        assert workspace.outbox.is_empty()
        assert workspace.captures.is_empty()


async def test_opening_a_checkpoint_is_no_failure(server: Server) -> None:
    """What can have no versions is told only to who saves it."""
    folder = server.root / ".ipynb_checkpoints"
    folder.mkdir()
    (folder / "mine-checkpoint.ipynb").write_bytes(ONE)
    server.extension.versioning.opened_file(folder / "mine-checkpoint.ipynb", author=None)
    await server.idle()
    assert server.events == []


# Moves, removals, copies


async def test_a_rename_keeps_the_history(server: Server) -> None:
    """Also of the next Untitled.ipynb, which has nothing of the first one."""
    for name in ("first", "second"):
        made = await server.json("POST", "/api/contents", {"type": "notebook"}, status=201)
        assert made["path"] == "Untitled.ipynb"
        await server.save("Untitled.ipynb", name)
        await server.json("PATCH", "/api/contents/Untitled.ipynb", {"path": f"{name}.ipynb"})
        await server.save(f"{name}.ipynb", f"{name} again")
    for name in ("first", "second"):
        expected = ["", name, name, f"{name} again"]
        assert await server.sources(f"{name}.ipynb") == expected


async def test_a_renamed_folder_takes_its_histories_along(server: Server) -> None:
    """Each notebook in it keeps its versions."""
    (server.root / "old").mkdir()
    await server.save("old/mine.ipynb", "x = 1")
    await server.json("PATCH", "/api/contents/old", {"path": "new"})
    await server.save("new/mine.ipynb", "x = 2")
    assert await server.sources("new/mine.ipynb") == ["x = 1", "x = 1", "x = 2"]


async def test_a_deleted_notebook_can_be_recovered(server: Server) -> None:
    """It leaves the listing, and its versions stay."""
    await server.save("mine.ipynb", "x = 1")
    await server.json("DELETE", "/api/contents/mine.ipynb", status=204)
    await server.idle()
    with server.workspace() as workspace:
        assert list(workspace.repository.list_notebooks()) == []
        workspace.checkout("mine.ipynb", "v1")
    assert "x = 1" in (server.root / "mine.ipynb").read_text()


async def test_a_copy_starts_a_history_that_names_its_origin(server: Server) -> None:
    """The first version of the copy says of which version it is one."""
    await server.save("mine.ipynb", "x = 1")
    await server.save("mine.ipynb", "x = 2")
    copied = await server.json("POST", "/api/contents", {"copy_from": "mine.ipynb"}, status=201)
    await server.idle()
    with server.workspace() as workspace:
        (version,) = workspace.log(copied["path"])
        assert version.source is not None
        assert (version.source.key, version.source.number) == (workspace.key("mine.ipynb"), 2)


# Where to


async def test_a_bound_folder_keeps_its_own_store(server: Server, tmp_path: Path) -> None:
    """What nbvc init has bound goes there, all else into the store of the root."""
    folders = server.extension.versioning.folders
    (server.root / "team").mkdir()
    environment = folders.environment
    make_workspace(
        replace(environment, cwd=server.root / "team"), str(tmp_path / "shared"), namespace="team"
    )
    await server.save("team/mine.ipynb", "x = 1")
    await server.save("mine.ipynb", "x = 2")
    assert await server.sources("mine.ipynb") == ["x = 2"]
    with Workspace.open(server.root / "team", environment=environment) as team:
        assert [version.key for version in team.log(server.root / "team/mine.ipynb")] == [
            "team/mine.ipynb"
        ]


async def test_a_folder_of_a_stranger_gets_nothing(server: Server, tmp_path: Path) -> None:
    """Nobody told the server to send notebooks to a store that came with a folder."""
    (server.root / "cloned" / ".nbvc").mkdir(parents=True)
    config = f'store = "{(tmp_path / "theirs").as_uri()}"\nnamespace = "theirs"\n'
    (server.root / "cloned" / ".nbvc" / "config.toml").write_text(config)
    await server.save("cloned/mine.ipynb", "x = 1")
    await server.idle()
    assert [(e["action"], e["kind"]) for e in server.events] == [("failed", "access-denied")]
    assert not (server.root / "cloned" / ".nbvc" / "outbox").exists()


@pytest.mark.parametrize(
    "jp_server_config",
    [{"NbvcExtension": {"store": "../elsewhere", "namespace": "team/notebooks"}}],
    indirect=True,
)
async def test_store_and_namespace_can_be_configured(server: Server, tmp_path: Path) -> None:
    """c.NbvcExtension says where notebooks go that are in no bound folder."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    store = tmp_path / "elsewhere"
    with server.workspace() as workspace:
        assert workspace.store_url == store.as_uri()
        assert workspace.namespace == "team/notebooks"
        assert [version.number for version in workspace.log("mine.ipynb")] == [1]


async def test_a_folder_that_moves_to_another_store_is_followed(
    server: Server, tmp_path: Path
) -> None:
    """After nbvc migrate in a terminal, saves go to the new store, with the whole history."""
    await server.save("mine.ipynb", "x = 1")
    await server.idle()
    arguments = ["migrate", str(tmp_path / "new")]
    script = f"import sys; sys.argv[1:] = {arguments}; import nbvc.__main__ as m; m.main()"
    done = await asyncio.to_thread(run_python, script, server.root)
    assert done.returncode == 0, done.stderr
    await server.save("mine.ipynb", "x = 2")
    assert await server.sources("mine.ipynb") == ["x = 1", "x = 2"]
    with server.workspace() as workspace:
        assert workspace.store_url == (tmp_path / "new").as_uri()


@pytest.mark.parametrize("jp_server_config", [{"NbvcExtension": {"enabled": False}}], indirect=True)
async def test_it_can_be_turned_off(server: Server) -> None:
    """Then a save is a save, and nothing is made in the root."""
    await server.save("mine.ipynb", "x = 1")
    status = await server.json("GET", "/nbvc/api/v1/status")
    assert (status["enabled"], status["folders"]) == (False, [])
    assert not (server.root / ".nbvc").exists()
