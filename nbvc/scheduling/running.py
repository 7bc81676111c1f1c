"""Execute a version of a notebook with papermill, and save what comes of it as a version."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from nbvc.errors import Interrupted, NbvcError
from nbvc.model import NotebookKey
from nbvc.refs import Name, Selector
from nbvc.scheduling.addresses import address_of
from nbvc.scheduling.places import Place
from nbvc.scheduling.results import Input, ResultWriter, SavedRun

OnProgress = Callable[[int, int], None]


class RunFailed(NbvcError):
    """A notebook was executed, and did not come to its end.

    Attributes:
        saved: The version that holds what ran; ``None`` where nothing did.
        details: What the kernel said, as lines.
    """

    kind = "run-failed"

    def __init__(
        self, message: str, *, hint: str | None = None, saved: SavedRun | None, details: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.saved = saved
        self.details = details


class RunInterrupted(Interrupted):
    """A run was stopped by Ctrl-C, or by SIGTERM.

    Attributes:
        saved: The version that holds what ran; ``None`` where nothing did.
    """

    def __init__(self, message: str, *, saved: SavedRun | None) -> None:
        super().__init__(message)
        self.saved = saved


def require_papermill() -> None:
    """Check that what runs notebooks is installed.

    Raises:
        NbvcError: It is not.
    """
    try:
        import papermill  # noqa: F401
    except ImportError as error:
        raise NbvcError(
            f"nbvc run needs papermill, which is not installed ({error.name}).",
            hint="pip install 'nbvc[run]'",
        ) from error


def run(
    place: Place,
    executed: Input,
    output: NotebookKey,
    parameters: Mapping[str, Any],
    *,
    kernel: str | None = None,
    cwd: Path,
    message: str = "",
    on_progress: OnProgress = lambda _done, _total: None,
) -> SavedRun:
    """Execute *executed* with papermill; save the result as a version of *output*.

    Whatever ran becomes a version, also where the notebook fails or is interrupted. Durable when
    this returns or raises: in the store, in the outbox of the workspace, or as what is kept of a
    run on this disk.

    Args:
        place: Where the result is saved.
        executed: What to execute.
        output: Where to save the result.
        parameters: Names and values, as papermill takes them.
        kernel: Name of the kernel; by default the one that the notebook names.
        cwd: Where the kernel starts.
        message: What to say about it.
        on_progress: Called with the number of cells that are done, and of all.

    Returns:
        The version.

    Raises:
        RunFailed: The notebook failed.
        RunInterrupted: Somebody stopped it.
        NbvcError: The result could not be saved; it is kept on this disk.
    """
    writer = _Reporting(place, output, executed, message=message, on_progress=on_progress)
    try:
        with _stopped_by_sigterm():
            _execute(executed, output, writer, parameters, kernel=kernel, cwd=cwd)
    except KeyboardInterrupt as interrupt:
        saved = writer.finish("interrupted") if writer.progress else None
        raise RunInterrupted("The run was interrupted.", saved=saved) from interrupt
    except (
        Exception
    ) as error:  # of papermill, of the kernel, of an engine: there is no tree of them
        raise _failure(error, executed, writer) from error
    return writer.finish()


class _Reporting(ResultWriter):
    """Tells how far the run is, as it is written."""

    def __init__(
        self,
        place: Place,
        key: NotebookKey,
        executed: Input,
        *,
        message: str,
        on_progress: OnProgress,
    ) -> None:
        super().__init__(place, key, executed, message=message)
        self._on_progress = on_progress

    def write(self, data: bytes, progress: Any) -> None:  # noqa: ANN401
        super().write(data, progress)
        self._on_progress(progress.cells_done, progress.cells_total)


def _execute(
    executed: Input,
    output: NotebookKey,
    writer: ResultWriter,
    parameters: Mapping[str, Any],
    *,
    kernel: str | None,
    cwd: Path,
) -> None:
    from papermill import execute_notebook
    from papermill.iorw import papermill_io

    from nbvc.scheduling.papermill_handler import handler

    version = executed.version
    number = f"v{version.number}" if version.number is not None else version.version_id
    exact = Selector(base=Name(text=number), back=0, text=number)
    input_path, output_path = address_of(version.key, exact), address_of(output)
    if papermill_io.get_handler(input_path) is not handler:  # an installation without entry points
        papermill_io.register("nbvc://", handler)
    with handler.bound(input_path, executed.data, output_path, writer):
        execute_notebook(
            _unformatted(input_path),
            _unformatted(output_path),
            parameters=dict(parameters),
            kernel_name=kernel,
            progress_bar=False,
            cwd=str(cwd),
        )


def _unformatted(path: str) -> str:
    """Return *path* as papermill wants it, which puts parameters where braces are."""
    return path.replace("{", "{{").replace("}", "}}")


def _failure(error: Exception, executed: Input, writer: ResultWriter) -> NbvcError:
    """Return the error for a run that *error* ended, with what ran saved."""
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, NbvcError):
        return error
    name = f"{executed.name or executed.version.key}@{executed.version.name}"
    kind = type(error).__name__
    if writer.progress is None:
        return RunFailed(f"{name} cannot be run: {_reason(error)}", hint=_hint(error), saved=None)
    if isinstance(error, PapermillExecutionError):
        saved = writer.finish("failed", error=error.ename)
        cell = saved.run.failed_cell
        where = f" in cell {cell}" if cell else ""
        details = "\n".join(error.traceback)
        return RunFailed(f"{name} failed{where}: {error.ename}.", saved=saved, details=details)
    saved = writer.finish("failed", error=kind)
    return RunFailed(f"{name} failed: {_reason(error)}", hint=_hint(error), saved=saved)


def _reason(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text if text.endswith(".") else f"{text}."


def _hint(error: Exception) -> str | None:
    if type(error).__name__ == "NoSuchKernel" or "kernel name" in str(error):
        return "Name one that is installed here: nbvc run -k python3 ... (jupyter kernelspec list)"
    return None


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM stop the block as Ctrl-C does: what schedulers and containers send."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
