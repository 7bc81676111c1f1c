"""The result of a run: what it costs to save, and what becomes of it without a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbvc.errors import AccessDenied, OutcomeUnknown
from nbvc.model import Digest, NotebookKey
from nbvc.refs import LATEST
from nbvc.repository import Draft
from nbvc.scheduling.papermill_files import read_progress
from nbvc.scheduling.places import Place
from nbvc.scheduling.results import ResultWriter, SavedRun, recover
from nbvc.stores.base import NOTEBOOK_TYPE, Overwrite
from nbvc.workspace.core import Workspace
from nbvc.workspace.owning import KEY_FILE
from tests.notebook_samples import code, notebook, runnable
from tests.stores.counting import CountingStore
from tests.stores.switching import SwitchedStore
from tests.workspace.conftest import counting  # noqa: F401 - a fixture
from tests.workspace.helpers import switchable

TIMES = {"start_time": "2026-08-01T11:59:00+00:00", "end_time": "2026-08-01T12:00:00+00:00"}


@pytest.fixture
def store(workspace: Workspace) -> SwitchedStore:
    """Return the store of *workspace*, which can be switched off."""
    return switchable(workspace)


def written(number: int, **said: Any) -> bytes:
    """Return what papermill writes at the end of a run."""
    return notebook(code(f"print({number})", id="a"), papermill={**TIMES, **said})


def run(workspace: Workspace, *states: bytes, key: str = "team/out.ipynb") -> SavedRun:
    """Write *states* as a run does, and finish it."""
    writer = ResultWriter(place(workspace), NotebookKey(key), None)
    for state in states:
        writer.write(state, read_progress(state))
    return writer.finish()


def place(workspace: Workspace) -> Place:
    """Return the place of a workspace."""
    return Place(workspace.session, workspace=workspace, repository=workspace.repository)


def kept(workspace: Workspace) -> list[Path]:
    """Return the files that are kept of runs."""
    return list((workspace.folder / ".nbvc" / "runs").iterdir())


def test_a_run_costs_five_requests_however_often_it_is_written(
    workspace: Workspace,
    counting: CountingStore,  # noqa: F811
) -> None:
    """Two for a save, as always, and three to learn what is there already."""
    run(workspace, written(1))
    counting.reset()
    run(workspace, *(written(number) for number in range(30)))
    assert sorted(counting.names) == ["get", "head", "list_keys", "put", "put"]
    assert counting.sent_bytes < len(written(1)) + 8_000


def test_a_record_of_a_run_stays_small(workspace: Workspace, counting: CountingStore) -> None:  # noqa: F811
    """With as many parameters as it may hold, and those of fifteen others with it."""
    parameters = {f"parameter_{number}": "x" * 100 for number in range(100)}
    for number in range(16):
        counting.reset()
        run(workspace, written(number, parameters=parameters))
    assert counting.sent_bytes - len(written(1, parameters=parameters)) < 16 * 3_000


def test_a_result_waits_behind_what_waits_already(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """Nothing overtakes it; both are delivered in order, with what made them."""
    store.off()
    first = run(workspace, written(1))
    store.on()
    store.off(only="put")
    second = run(workspace, written(2))
    assert (first.waiting, second.waiting) == (True, True)
    assert kept(workspace) == []
    store.on()
    workspace.push()
    versions = list(workspace.repository.log(NotebookKey("team/out.ipynb")))
    assert [workspace.read(version) for version in versions] == [written(2), written(1)]
    assert [version.run for version in versions] == [second.run, first.run]


def test_nothing_overtakes_what_somebody_else_put_there(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """Only a push delivers that, and only a push what waits behind it."""
    store.off()
    run(workspace, written(1))
    store.on()
    workspace.session.environment.user_config_file.with_name(KEY_FILE).unlink()
    del workspace.outbox, workspace.owner  # as for another process
    second = run(workspace, written(2))
    assert second.waiting
    assert second.error is not None
    assert "goes first" in second.error.message
    workspace.push()
    versions = workspace.repository.log(NotebookKey("team/out.ipynb"))
    assert [workspace.read(version) for version in versions] == [written(2), written(1)]


def test_a_reply_that_is_lost_makes_no_second_version(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """What waits is known by its write ID, also where somebody saved on top of it meanwhile."""
    key = NotebookKey("team/out.ipynb")
    run(workspace, written(0))
    store.off(OutcomeUnknown("No reply came."), only="put", replies_lost=True)
    assert run(workspace, written(1)).waiting
    store.on()
    draft = Draft(data=written(2), digest=Digest.of(written(2)), parent=None, changes=None)
    workspace.connect().save(key, draft, workspace.session.act())
    workspace.push()
    versions = list(workspace.repository.log(key))
    assert sorted(map(workspace.read, versions)) == sorted(map(written, range(3)))


def test_what_the_store_refuses_is_kept_on_this_disk(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """The error says so; the next run saves it once it may."""
    store.off(AccessDenied("The store refuses."), only="put")
    with pytest.raises(AccessDenied, match="kept on this disk, and the next run here saves it"):
        run(workspace, written(1))
    assert {file.suffix for file in kept(workspace)} == {".sent", ".lock"}
    with pytest.raises(AccessDenied):
        recover(place(workspace))
    store.on()
    (saved,) = recover(place(workspace))
    assert (saved.key, saved.number) == ("team/out.ipynb", 1)
    assert recover(place(workspace)) == []
    assert kept(workspace) == []


def test_what_the_disk_has_damaged_does_not_hold_up_the_others(
    workspace: Workspace, store: SwitchedStore
) -> None:
    """It is set aside, and kept."""
    store.off(AccessDenied("The store refuses."), only="put")
    for number in (1, 2):
        with pytest.raises(AccessDenied):
            run(workspace, written(number))
    first = min(file for file in kept(workspace) if file.suffix == ".sent")
    first.write_bytes(first.read_bytes()[:-5] + b"spoil")
    store.on()
    (saved,) = recover(place(workspace))
    assert workspace.read(workspace.repository.resolve(saved.key, LATEST)) == written(2)
    assert [file.suffix for file in kept(workspace) if file.suffix != ".lock"] == [".damaged"]


def test_what_is_kept_for_another_store_is_left_alone(
    workspace: Workspace, store: SwitchedStore, tmp_path: Path
) -> None:
    """It is not that store's business."""
    store.off(AccessDenied("The store refuses."), only="put")
    with pytest.raises(AccessDenied):
        run(workspace, written(1))
    store.on()
    assert recover(Place(workspace.session, store=(tmp_path / "other").as_uri())) == []
    assert len(recover(place(workspace))) == 1


def test_identical_content_makes_no_new_version(workspace: Workspace) -> None:
    """As everywhere; a run notes times in its result, so that this is one that only prepares."""
    state = runnable("print(1)")
    assert [run(workspace, state).number for _ in range(2)] == [1, 1]


def test_a_version_from_elsewhere_on_top_is_adopted(workspace: Workspace) -> None:
    """A result that another tool wrote in between keeps its place."""
    run(workspace, written(1))
    elsewhere = {"mode": Overwrite(), "metadata": {}, "content_type": NOTEBOOK_TYPE}
    workspace.repository.store.put("workspace/team/out.ipynb", written(2), **elsewhere)
    assert run(workspace, written(3)).number == 3


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"papermill": "yes"},
        {"papermill": {"parameters": [1], "start_time": 3, "end_time": None, "input_path": {}}},
        {"papermill": {"start_time": "soon", "parameters": {"x": float("nan")}}},
    ],
    ids=str,
)
def test_whatever_an_engine_writes_is_taken(metadata: dict[str, Any]) -> None:
    """What cannot be read counts as not said."""
    progress = read_progress(notebook(code("1", metadata={"tags": 3}), **metadata))
    assert (progress.started_at, progress.outcome, progress.cells_total) == (None, "prepared", 1)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"cells": 3}', b"[" * 100_000])
def test_what_is_no_notebook_says_nothing(data: bytes) -> None:
    """It is kept all the same: whoever wrote it may have meant it."""
    assert read_progress(data).cells_total == 0


def test_progress_counts_cells_that_are_done() -> None:
    """Those that failed as well; and the marks beside such a cell are none."""
    cells = [
        code(id=str(number), metadata={"papermill": {"status": status}})
        for number, status in enumerate(("completed", "failed", "running", "pending"))
    ]
    mark = code(id="mark", metadata={"tags": ["papermill-error-cell-tag"], "papermill": {}})
    progress = read_progress(json.dumps({"cells": [mark, *cells]}).encode())
    assert (progress.cells_done, progress.cells_total) == (2, 4)
