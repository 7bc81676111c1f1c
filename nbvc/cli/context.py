"""What every command shares: output, settings from the command line, and how to open things."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbvc.cli.output import Output

if TYPE_CHECKING:
    from contextlib import ExitStack

    from nbvc.environment import Environment
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.session import Session


class State:
    """What the global options and ``--json`` set for the command that runs.

    Attributes:
        environment: Surroundings of the process.
        output: Where to write.
        debug: Whether unexpected errors show a traceback.
        flags: Settings from the command line.
        opened: The workspace, where several parts of a command share it.
    """

    def __init__(
        self,
        *,
        environment: Environment,
        output: Output,
        flags: dict[str, str | None],
        debug: bool = False,
    ) -> None:
        self.environment = environment
        self.output = output
        self.flags = flags
        self.debug = debug
        self.opened: Workspace | None = None

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Open the workspace of the working directory; says what was delivered meanwhile."""
        from nbvc.workspace.core import Workspace

        with Workspace.open(environment=self.environment, flags=self.flags) as workspace:
            try:
                yield workspace
            finally:
                if workspace.delivered:
                    self._note_delivered(workspace)

    def shared_workspace(self, stack: ExitStack) -> Workspace:
        """Open the workspace once for all that *stack* holds open."""
        if self.opened is None:
            self.opened = stack.enter_context(self.workspace())
        return self.opened

    def session(self) -> Session:
        """Return a session, with the workspace's folder where there is one."""
        from nbvc.workspace.choosing import find_workspace
        from nbvc.workspace.session import Session

        return Session(self.environment, find_workspace(self.environment.cwd), self.flags)

    def shown(self, workspace: Workspace, path: str) -> str:
        """Return a path of *workspace* as it is typed in the working directory."""
        return os.path.relpath(workspace.folder / path, self.environment.cwd.resolve())

    def _note_delivered(self, workspace: Workspace) -> None:
        from nbvc.cli.output import count

        waited = count(len(workspace.delivered), "version")
        self.output.note(f"Delivered {waited} that had waited in the outbox.")

    def ask(self, question: str) -> bool:
        """Ask a person; False where there is none."""
        return self.output.can_ask and typer.confirm(question, err=True)


def state_of(context: typer.Context) -> State:
    """Return what the global options set."""
    state = context.find_root().obj
    assert isinstance(state, State)
    return state


def _set_json(context: typer.Context, value: bool) -> bool:
    if not context.resilient_parsing and context.find_root().obj is not None:
        state_of(context).output.json = value
    return value


def _complete_notebook(incomplete: str) -> list[str]:
    from nbvc.cli.completion import notebooks

    return notebooks(incomplete)


def _complete_ref(incomplete: str) -> list[str]:
    from nbvc.cli.completion import refs

    return refs(incomplete)


def _complete_setting(incomplete: str) -> list[str]:
    from nbvc.workspace.settings import SETTINGS

    return [name for name in SETTINGS if name.startswith(incomplete)]


JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON, for programs.", callback=_set_json)
]
MessageOption = Annotated[
    str, typer.Option("--message", "-m", help="What you want to say about it.")
]
NotebookArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[PATH]",
        help="The notebook; not needed where there is only one.",
        autocompletion=_complete_notebook,
        show_default=False,
    ),
]
RefArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[PATH][@VERSION]",
        help="A notebook, a version of it, or both: mine.ipynb@v3.",
        autocompletion=_complete_ref,
        show_default=False,
    ),
]
ScopeArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[PATH]",
        help="A notebook, a folder or a URL; all of this workspace by default.",
        autocompletion=_complete_notebook,
        show_default=False,
    ),
]
ApplyOption = Annotated[
    bool, typer.Option("--apply", help="Do it. Without, only say what would be done.")
]
AllOption = Annotated[bool, typer.Option("--all", help="The whole store, not only your namespace.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Say what would be done, and do nothing.")
]
EndpointOption = Annotated[
    str | None,
    typer.Option(help="Address of an S3 server other than AWS.", metavar="URL", show_default=False),
]
RegionOption = Annotated[
    str | None, typer.Option(help="AWS region of the bucket.", show_default=False)
]
ProfileOption = Annotated[
    str | None, typer.Option(help="AWS profile whose credentials to use.", show_default=False)
]
SETTING_COMPLETION: Any = _complete_setting
REF_COMPLETION: Any = _complete_ref


def working_folder(folder: Path | None) -> Path:
    """Return the absolute folder that ``-C`` names.

    Raises:
        InvalidInput: It can be no folder.
    """
    from nbvc import looking
    from nbvc.errors import InvalidInput

    try:
        return looking.resolve(Path.cwd() / folder) if folder else Path.cwd()
    except OSError as error:
        raise InvalidInput(f"{folder} is no usable path ({error.strerror}).") from error
