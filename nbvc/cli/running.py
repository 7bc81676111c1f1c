"""Run: execute a version of a notebook."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from nbvc.cli.context import JsonOption, MessageOption, RefArgument, State, state_of
from nbvc.text import typed

if TYPE_CHECKING:
    from nbvc.cli.targets import Target
    from nbvc.model import NotebookKey
    from nbvc.scheduling.places import Place
    from nbvc.scheduling.results import Input, SavedRun

_PAIRS = ("parameters", "raw_parameters")

ParametersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        metavar="NAME VALUE",
        help="A parameter; numbers, True, False and None are read as such.",
        show_default=False,
    ),
]
RawParametersOption = Annotated[
    list[str] | None,
    typer.Option("--raw", "-r", metavar="NAME TEXT", help="One that is text.", show_default=False),
]
ParameterFilesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--parameters-file", "-f", help="A YAML or JSON file of them.", show_default=False
    ),
]
ResultOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="KEY",
        help="Where to save the result: a path here, or a notebook key. By default "
        "mine.run.ipynb, beside mine.ipynb.",
        show_default=False,
    ),
]
KernelOption = Annotated[
    str | None,
    typer.Option("--kernel", "-k", help="Its kernel, if not the one it names.", show_default=False),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(help="Where it runs; the present folder by default.", show_default=False),
]


class RunCommand(TyperCommand):
    """A command whose parameters are given as a name and a value, which Typer has no type for."""

    def __init__(self, *args: Any, params: list[Any], **kwargs: Any) -> None:  # noqa: ANN401
        for param in params:
            if param.name in _PAIRS:
                param.nargs = 2
        super().__init__(*args, params=params, **kwargs)


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command(cls=RunCommand)(run)


def run(
    context: typer.Context,
    ref: RefArgument = None,
    parameters: ParametersOption = None,
    raw_parameters: RawParametersOption = None,
    parameter_files: ParameterFilesOption = None,
    output: ResultOption = None,
    kernel: KernelOption = None,
    cwd: FolderOption = None,
    message: MessageOption = "",
    json: JsonOption = False,
) -> None:
    """Execute a version with papermill, and save the result as a version.

    \b
    nbvc run mine.ipynb
    nbvc run mine.ipynb@published -p alpha 0.1 -p region eu --output nightly/mine.ipynb

    The result names the version that ran, and its parameters; nbvc log shows them. What a notebook
    did before it failed (exit code 1) or was interrupted (130) is saved as well.
    """
    from nbvc.cli.targets import open_target
    from nbvc.refs import LATEST
    from nbvc.scheduling.running import RunFailed, RunInterrupted, require_papermill

    require_papermill()
    state = state_of(context)
    given = _parameters(state, parameters or [], raw_parameters or [], parameter_files or [])
    with open_target(state, ref) as target:
        place = _place(target)
        key = _output_key(target, output)
        recover_runs(state, place)
        executed = _read(target, (target.selector or LATEST).text)
        _note_what_differs(state, target, executed)
        try:
            saved = _run(
                state, place, executed, key, given, kernel=kernel, cwd=cwd, message=message
            )
        except (RunFailed, RunInterrupted) as error:
            _report(state, target, error.saved, executed, json=json)
            if isinstance(error, RunFailed) and not json:
                state.output.note_lines(error.details)
            raise
        _report(state, target, saved, executed, json=json)


def _parameters(
    state: State, typed_ones: list[Any], raw_ones: list[Any], files: list[Path]
) -> dict[str, Any]:
    """Return the parameters, as papermill puts them together: what is typed wins over files."""
    from nbvc.scheduling.parameters import looks_secret, read_file, typed_value

    found: dict[str, Any] = {}
    for file in files:
        found |= read_file(state.environment.cwd / file)
    found |= {name: typed_value(value) for name, value in typed_ones}
    found |= dict(raw_ones)
    for name in (name for name, value in found.items() if looks_secret(name, value)):
        state.output.note(
            f"The value of {name} becomes part of the result, for everybody who may read it. "
            "Give secrets in environment variables."
        )
    return found


def _place(target: Target) -> Place:
    from nbvc.scheduling.places import Place

    return Place(target.session, workspace=target.workspace, repository=target.repository)


def _output_key(target: Target, output: str | None) -> NotebookKey:
    """Return the key of the result: of a path in the workspace, or a key that is whole already."""
    from nbvc.model import NotebookKey, below
    from nbvc.scheduling.addresses import SCHEME

    workspace = target.workspace
    if output is None:
        path = PurePosixPath(target.key)
        return NotebookKey(str(path.with_name(f"{path.stem}.run.ipynb")))
    is_key = output.startswith(SCHEME) or workspace is None
    if workspace is not None and not is_key:
        is_key = output.startswith(below(workspace.namespace, ""))
    if workspace is None or is_key:
        return NotebookKey(output.removeprefix(SCHEME))
    return workspace.key(output)


def recover_runs(state: State, place: Place) -> None:
    """Save what killed runs left, and say so; what cannot be saved is no reason to stop."""
    from nbvc.errors import NbvcError
    from nbvc.scheduling.results import recover

    try:
        for saved in recover(place):
            where = f"v{saved.number}" if saved.number else "waits in the outbox"
            state.output.note(f"Saved what an earlier run left: {saved.key} {where}.")
    except NbvcError as error:
        state.output.note(f"What an earlier run left could not be saved: {error.message}")


def _read(target: Target, asked: str) -> Input:
    from nbvc.scheduling.results import Input

    version = target.resolve()
    data = target.repository.read(version)
    return Input(version=version, asked=asked, data=data, name=target.name)


def _note_what_differs(state: State, target: Target, executed: Input) -> None:
    """Say that the file has changes which do not run, where no version was named."""
    from nbvc import looking

    workspace = target.workspace
    if workspace is None or target.selector is not None:
        return
    file = workspace.folder / target.path
    if looking.is_file(file) and workspace.read_working_copy(file) != executed.data:
        state.output.note(
            f"{target.path} as it is now differs from {executed.version.name}, which runs: "
            "save it and run again to run that."
        )


def _run(
    state: State,
    place: Place,
    executed: Input,
    key: NotebookKey,
    parameters: dict[str, Any],
    *,
    kernel: str | None,
    cwd: Path | None,
    message: str,
) -> SavedRun:
    from nbvc.cli.context import working_folder
    from nbvc.cli.progress import cell_bar
    from nbvc.scheduling import running

    folder = working_folder(state.environment.cwd / cwd) if cwd else state.environment.cwd
    with cell_bar(state) as progress:
        return running.run(
            place,
            executed,
            key,
            parameters,
            kernel=kernel,
            cwd=folder,
            message=message,
            on_progress=progress,
        )


def _report(
    state: State, target: Target, saved: SavedRun | None, executed: Input, *, json: bool
) -> None:
    """Say what became of the result; nothing where nothing ran."""
    from nbvc.model import below

    if saved is None:
        return
    if json:
        from nbvc.scheduling import describing

        state.output.emit(describing.ran(saved))
        return
    workspace, say = target.workspace, state.output.say
    shown: str = saved.key
    if workspace is not None and shown.startswith(prefix := below(workspace.namespace, "")):
        shown = state.shown(workspace, shown.removeprefix(prefix))
    verbs = {"completed": "Ran", "failed": "Ran, and it failed:", "interrupted": "Interrupted:"}
    say(f"{verbs[saved.run.outcome]} {executed.version.name} of {target.name}")
    if saved.waiting:
        say(f"{shown} {saved.digest.short} waits in the outbox, safe on this disk.")
        if saved.error is not None:
            state.output.note(f"Not in the store yet: {saved.error.message}")
        say("The next command that reaches the store delivers it, or: nbvc push")
        return
    say(f"Saved the result as v{saved.number} {saved.digest.short} of {shown}")
    if workspace is not None:
        say(f"Look at it with: nbvc show {typed(f'{shown}@v{saved.number}')} --summary")
