"""An engine for papermill that starts no kernel: it writes as papermill's own does, in no time."""

from __future__ import annotations

import contextlib
import io
from typing import Any, NoReturn

import nbformat
from papermill.engines import Engine


class KernelDied(RuntimeError):
    """What the engine raises for a cell that says ``kernel_dies()``."""


class InstantEngine(Engine):
    """Executes cells in this process; see ``PapermillNotebookClient.papermill_execute_cells``."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> None:
        """Execute the code cells, up to the first that fails."""
        names: dict[str, Any] = {"kernel_dies": _die, "stop": _stop}
        for index, cell in enumerate(nb_man.nb.cells):
            try:
                nb_man.cell_start(cell, index)
                _execute(cell, names)
            except (KernelDied, KeyboardInterrupt):
                raise
            except Exception as error:  # noqa: BLE001 - whatever a cell raises
                output = nbformat.v4.new_output(
                    "error", ename=type(error).__name__, evalue=str(error), traceback=[repr(error)]
                )
                cell.outputs.append(output)
                nb_man.cell_exception(cell, cell_index=index, exception=error)
                break
            finally:
                nb_man.cell_complete(cell, cell_index=index)


def _execute(cell: Any, names: dict[str, Any]) -> None:
    if cell.cell_type != "code":
        return
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(cell.source, names)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue())]


def _die() -> NoReturn:
    raise KernelDied("Kernel died")


def _stop() -> NoReturn:
    raise KeyboardInterrupt
