"""diff, and readable views of notebooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from nbvc.cli.context import REF_COMPLETION, JsonOption, State, state_of
from nbvc.errors import InvalidInput
from nbvc.refs import LATEST, Ref, Selector, parse_ref

if TYPE_CHECKING:
    from contextlib import ExitStack

    from nbvc.cli.targets import Target
    from nbvc.diffing import DiffOptions
    from nbvc.model import Data
    from nbvc.workspace.comparing import Comparison, Side


SourceOnlyOption = Annotated[
    bool, typer.Option("--source-only", help="Compare only what people typed.")
]
IgnoreOutputsOption = Annotated[bool, typer.Option("--ignore-outputs", help="Leave outputs out.")]
IgnoreMetadataOption = Annotated[
    bool, typer.Option("--ignore-metadata", help="Leave metadata out.")
]
IgnoreDetailsOption = Annotated[
    bool, typer.Option("--ignore-details", help="Leave execution counts and cell ids out.")
]


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(diff)


def diff(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH] [A] [B]",
            help="What to compare: a notebook, versions of it, or both; paths, refs or URLs.",
            autocompletion=REF_COMPLETION,
            show_default=False,
        ),
    ] = None,
    source_only: SourceOnlyOption = False,
    ignore_outputs: IgnoreOutputsOption = False,
    ignore_metadata: IgnoreMetadataOption = False,
    ignore_details: IgnoreDetailsOption = False,
    stat: Annotated[bool, typer.Option("--stat", help="One line for each changed cell.")] = False,
    nbdime: Annotated[bool, typer.Option("--nbdime", help="Print it as nbdime does.")] = False,
    web: Annotated[
        bool, typer.Option("--web", help="Show it in a browser, in nbdime's web view.")
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="With --web: only print the address.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if there are differences.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare versions of a notebook, or a version with the file as it is now.

    \b
    nbvc diff                            the file against its latest version
    nbvc diff mine.ipynb v1              version 1 against the file
    nbvc diff v1 v2
    nbvc diff a.ipynb@v1 b.ipynb@v3 --source-only

    Without a version, the file as it is now is meant. JSON is in nbdime's format.
    """
    from contextlib import ExitStack

    from nbvc.cli.diff_output import print_found, without_address_grammar
    from nbvc.diffing import DiffOptions

    way = _chosen_way({"--stat": stat, "--nbdime": nbdime, "--web": web}, as_json=json)
    if no_browser and not web:
        raise InvalidInput("--no-browser is for --web.", hint="nbvc diff --web --no-browser")
    state = state_of(context)
    options = DiffOptions(
        source_only=source_only,
        ignore_outputs=ignore_outputs,
        ignore_metadata=ignore_metadata,
        ignore_details=ignore_details,
    )
    with ExitStack() as stack:
        comparison, pager = _compare(state, stack, arguments or [], options)
        with without_address_grammar():  # for formats before 4
            comparison.find(
                for_people=way in {"", "--stat"}, with_notebooks=way in {"--nbdime", "--web"}
            )
    if way == "--web" and comparison.differs:
        from nbvc.cli.diff_web import show_in_browser

        show_in_browser(state, comparison, wants_browser=not no_browser)
    else:
        print_found(state.output, comparison, way, pager=pager)
    if exit_code and comparison.differs:
        raise typer.Exit(1)


def print_summary(state: State, data: bytes, *, name: str, pager: str | None) -> None:
    """Print the cells of a notebook for a person."""
    from nbvc.notebook import summarize

    output = state.output
    with output.pager(pager) as stream:
        for cell in summarize(data, name=name):
            count = f" [{cell.execution_count}]" if cell.execution_count is not None else ""
            title = f"cell {cell.number}: {cell.cell_type}{count}"
            stream.write(output.style(title, "bold") + "\n")
            stream.writelines(f"    {line}\n" for line in cell.source)
            stream.writelines(output.style(f"  > {line}", "dim") + "\n" for line in cell.outputs)


def _chosen_way(ways: dict[str, bool], *, as_json: bool) -> str:
    """Return the option that says how to show a diff; empty where none was given.

    Raises:
        InvalidInput: There are two that exclude each other.
    """
    chosen = [name for name, is_chosen in ways.items() if is_chosen]
    if as_json and chosen != ["--stat"]:
        chosen.append("--json")
    if len(chosen) > 1:
        raise InvalidInput(
            f"{chosen[0]} and {chosen[1]} are two ways to show a diff.",
            hint=f"nbvc diff {chosen[0]}, or nbvc diff {chosen[1]}",
        )
    return chosen[0] if chosen else ""


def _compare(
    state: State, stack: ExitStack, arguments: list[str], options: DiffOptions
) -> tuple[Comparison, str | None]:
    """Return the comparison that the arguments mean, and the pager to show it in."""
    from nbvc.workspace.comparing import Comparison

    targets = _targets(state, stack, arguments)
    session = targets[0].session
    if len(targets) == 1:
        resolved = _start_version(targets[0], targets[0].selector or LATEST)
        old, new = resolved(), _working_copy(targets[0])
    else:
        old, new = (resolved() for resolved in [*map(_start_side, targets)])
    return Comparison(old, new, options, session.cache), session.settings.get("pager")


def _targets(state: State, stack: ExitStack, arguments: list[str]) -> list[Target]:
    """Return the one notebook, or the two, that the arguments mean."""
    refs = [_parse(argument) for argument in arguments]
    if len(refs) > 3 or (len(refs) == 3 and (refs[0].path is None or refs[0].selector)):
        raise InvalidInput(
            "diff takes a notebook and one or two versions.", hint="nbvc diff mine.ipynb v1 v2"
        )
    shared: str | None = None
    if len(refs) >= 2 and refs[0].path and not refs[0].selector and not refs[1].path:
        shared, refs = refs[0].path, refs[1:]
    return [_open(state, stack, ref, shared) for ref in refs or [Ref(path=shared, selector=None)]]


def _parse(argument: str) -> Ref:
    from nbvc.workspace.targets import is_url

    return Ref(path=argument, selector=None) if is_url(argument) else parse_ref(argument)


def _open(state: State, stack: ExitStack, ref: Ref, shared: str | None) -> Target:
    from nbvc.cli.targets import in_workspace, open_target
    from nbvc.workspace.targets import is_url

    path = ref.path or shared
    if path is not None and is_url(path):
        return stack.enter_context(open_target(state, path))
    workspace = state.shared_workspace(stack)
    return in_workspace(workspace, Ref(path=path, selector=ref.selector))


def _start_side(target: Target) -> Callable[[], Side]:
    """Begin to find what was named: a version, the file as it is, or the latest under a URL."""
    if target.selector is None and target.workspace is not None:
        side = _working_copy(target)
        return lambda: side
    return _start_version(target, target.selector or LATEST)


def _working_copy(target: Target) -> Side:
    if target.workspace is None:
        raise InvalidInput(
            f"{target.name} is in a store: there is no local file to compare it with.",
            hint="Name two versions, as in: nbvc diff URL@v1 URL@v2",
        )
    data = target.workspace.read_working_copy(target.workspace.folder / target.path)
    return _known_side(target.name, data)


def _start_version(target: Target, selector: Selector) -> Callable[[], Side]:
    """Begin to find a version; the result is a function that waits for it."""
    versioned = replace(target, selector=selector)

    def find() -> Side:
        from nbvc.workspace.comparing import Side

        version = versioned.resolve()
        name = f"{target.name}@{version.name}"
        if version.digest is None:  # of another tool's: only its bytes say what it is
            return _known_side(name, target.repository.read(version))
        return Side(
            name=name,
            digest=version.digest,
            start=lambda: parallel.start(lambda: target.repository.read(version)),
        )

    parallel = target.repository.backend.parallel
    return parallel.start(find)


def _known_side(name: str, data: Data) -> Side:
    from nbvc.model import Digest
    from nbvc.workspace.comparing import Side

    return Side(name=name, digest=Digest.of(data), start=lambda: lambda: data)
