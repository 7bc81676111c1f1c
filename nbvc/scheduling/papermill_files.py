"""What papermill notes in the notebook that it executes: parameters, times, and how cells ended."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from nbvc.manifest.executions import MAX_WORD_LENGTH
from nbvc.values import dataclass

_ERROR_MARKER = "papermill-error-cell-tag"


class _CellMetadata(msgspec.Struct):
    papermill: Any = None
    tags: Any = None


class _Cell(msgspec.Struct):
    metadata: _CellMetadata = msgspec.field(default_factory=_CellMetadata)
    outputs: list[_Output] = []


class _Output(msgspec.Struct):
    output_type: Any = None
    ename: Any = None


class _Metadata(msgspec.Struct):
    papermill: Any = None


class _Notebook(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    cells: list[_Cell] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an execution is, by what papermill wrote.

    Attributes:
        parameters: Names and values that were given.
        input_path: Path or address of the input, as it was given.
        started_at: When papermill began to execute; ``None`` where it did not.
        ended: Whether it has come to an end, well or not.
        cells_done: Number of cells that were executed, or failed.
        cells_total: Number of cells.
        failed_cell: Number of the first cell that failed, from 1.
        error: What kind of error that was.
    """

    parameters: dict[str, Any]
    input_path: str | None
    started_at: datetime | None
    ended: bool
    cells_done: int
    cells_total: int
    failed_cell: int | None
    error: str | None

    @property
    def outcome(self) -> str:
        """How a run that went no further than this ended."""
        if self.started_at is None:
            return "prepared"
        if self.failed_cell is not None:
            return "failed"
        return "completed" if self.ended else "interrupted"


def read_progress(data: bytes) -> Progress:
    """Return how far the execution of the notebook in *data* is.

    Whatever cannot be read counts as not said: another engine may write other things.
    """
    notebook = _decode(data)
    said = _dict(notebook.metadata.papermill)
    parameters, path = _dict(said.get("parameters")), said.get("input_path")
    # papermill points to the cell that failed with cells of its own, which nobody executed.
    cells = [cell for cell in notebook.cells if _ERROR_MARKER not in _list(cell.metadata.tags)]
    statuses = [_dict(cell.metadata.papermill).get("status") for cell in cells]
    failed_cell, error = _failure(notebook)
    return Progress(
        parameters=parameters,
        input_path=path if isinstance(path, str) else None,
        started_at=_moment(said.get("start_time")),
        ended=said.get("end_time") is not None,
        cells_done=sum(status in {"completed", "failed"} for status in statuses),
        cells_total=len(cells),
        failed_cell=failed_cell,
        error=error,
    )


def _decode(data: bytes) -> _Notebook:
    try:
        return msgspec.json.decode(data, type=_Notebook)
    except (msgspec.MsgspecError, RecursionError):
        # Such as NaN, which is no JSON, and which Python writes.
        with suppress(ValueError, RecursionError, msgspec.MsgspecError):
            return msgspec.convert(json.loads(data), type=_Notebook)
    return _Notebook()


def _failure(notebook: _Notebook) -> tuple[int | None, str | None]:
    for number, cell in enumerate(notebook.cells, start=1):
        if _dict(cell.metadata.papermill).get("exception") is not True:
            continue
        names = [output.ename for output in cell.outputs if output.output_type == "error"]
        name = names[-1] if names and isinstance(names[-1], str) and names[-1] else None
        return number, name[:MAX_WORD_LENGTH] if name else None
    return None, None


def _moment(value: object) -> datetime | None:
    with suppress(TypeError, ValueError, OverflowError):
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
