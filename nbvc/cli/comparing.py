"""diff, and readable views of notebooks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, TextIO, cast

import typer

from nbvc.cli.context import REF_COMPLETION, JsonOption, State, state_of
from nbvc.errors import InvalidInput
from nbvc.refs import LATEST, Ref, Selector, parse_ref

if TYPE_CHECKING:
    from contextlib import ExitStack

    from nbvc.cli.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two notebooks that are compared."""

    name: str
    data: bytes = field(repr=False)


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
    source_only: Annotated[
        bool, typer.Option("--source-only", help="Compare only what people typed.")
    ] = False,
    ignore_outputs: Annotated[
        bool, typer.Option("--ignore-outputs", help="Leave outputs out.")
    ] = False,
    ignore_metadata: Annotated[
        bool, typer.Option("--ignore-metadata", help="Leave metadata out.")
    ] = False,
    ignore_details: Annotated[
        bool, typer.Option("--ignore-details", help="Leave execution counts and cell ids out.")
    ] = False,
    stat: Annotated[bool, typer.Option("--stat", help="One line for each changed cell.")] = False,
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

    state = state_of(context)
    with ExitStack() as stack:
        old, new, pager = _sides(state, stack, arguments or [])
    if stat:
        differs = _print_stat(state, old, new, as_json=json)
    else:
        chosen = {
            "source_only": source_only,
            "ignore_outputs": ignore_outputs,
            "ignore_metadata": ignore_metadata,
            "ignore_details": ignore_details,
        }
        differs = _print_diff(state, old, new, chosen, pager, as_json=json)
    if exit_code and differs:
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


def _sides(state: State, stack: ExitStack, arguments: list[str]) -> tuple[Side, Side, str | None]:
    """Return the two notebooks that the arguments mean, and the pager to show them in."""
    refs = [_parse(argument) for argument in arguments]
    if len(refs) > 3 or (len(refs) == 3 and (refs[0].path is None or refs[0].selector)):
        raise InvalidInput(
            "diff takes a notebook and one or two versions.", hint="nbvc diff mine.ipynb v1 v2"
        )
    shared: str | None = None
    if len(refs) >= 2 and refs[0].path and not refs[0].selector and not refs[1].path:
        shared, refs = refs[0].path, refs[1:]
    targets = [
        _open(state, stack, ref, shared) for ref in refs or [Ref(path=shared, selector=None)]
    ]
    pager = targets[0].session.settings.get("pager")
    if len(targets) == 1:
        before = _start_reading(targets[0], targets[0].selector or LATEST)
        return before(), _working_copy(targets[0]), pager
    old, new = map(_start_side, targets)
    return old(), new(), pager


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
    """Begin to read what was named: a version, the file as it is, or the latest under a URL."""
    if target.selector is None and target.workspace is not None:
        side = _working_copy(target)
        return lambda: side
    return _start_reading(target, target.selector or LATEST)


def _working_copy(target: Target) -> Side:
    if target.workspace is None:
        raise InvalidInput(
            f"{target.name} is in a store: there is no local file to compare it with.",
            hint="Name two versions, as in: nbvc diff URL@v1 URL@v2",
        )
    data = target.workspace.read_working_copy(target.workspace.folder / target.path)
    return Side(name=target.name, data=data)


def _start_reading(target: Target, selector: Selector) -> Callable[[], Side]:
    """Begin to read a version; the result is a function that waits for it."""
    versioned = replace(target, selector=selector)

    def read() -> Side:
        version = versioned.resolve()
        data = versioned.repository.read(version)
        return Side(name=f"{target.name}@{version.name}", data=data)

    return target.repository.backend.parallel.start(read)


def _print_stat(state: State, old: Side, new: Side, *, as_json: bool) -> bool:
    from dataclasses import asdict

    from nbvc.notebook import stat

    changes = stat(old.data, new.data)
    if as_json:
        state.output.emit([asdict(change) for change in changes])
        return bool(changes)
    rows = (
        (
            f"cell {change.new_number or change.old_number}",
            change.cell_type,
            change.kind,
            ", ".join(change.parts),
            change.first_line,
        )
        for change in changes
    )
    headers = ("CELL", "TYPE", "WHAT", "IN", "FIRST LINE")
    if not changes:
        _say_same(state, old, new)
        return False
    for line in state.output.table(rows, headers=headers):
        state.output.data(line)
    return True


def _print_diff(
    state: State,
    old: Side,
    new: Side,
    chosen: dict[str, bool],
    pager: str | None,
    *,
    as_json: bool,
) -> bool:
    if old.data == new.data:
        if as_json:
            state.output.emit([])
        else:
            _say_same(state, old, new)
        return False
    from nbvc import diffing

    options = diffing.DiffOptions(**chosen)
    with _without_address_grammar():
        before = diffing.load(old.data, name=old.name)
        after = diffing.load(new.data, name=new.name)
    found = diffing.diff_notebooks(before, after, options)
    if as_json:
        state.output.emit(diffing.to_json(found))
    elif not found:
        _say_same(state, old, new)
    else:
        with _without_address_grammar():
            render = diffing.render
        with state.output.pager(pager) as stream:
            render(
                before,
                found,
                out=cast("TextIO", stream),
                names=(old.name, new.name),
                use_color=state.output.use_color,
                options=options,
            )
    return bool(found)


@contextmanager
def _without_address_grammar() -> Iterator[None]:
    """Keep jsonschema, which nbformat imports, from a grammar that takes a second to compile.

    It is for the format ``iri``, which no notebook's schema uses. Only for a process of our own.
    """
    modules = cast("dict[str, object]", sys.modules)
    name = "rfc3987_syntax"
    if name in modules:
        yield
        return
    modules[name] = None  # an import of it then fails, as if it were not installed
    try:
        yield
    finally:
        del modules[name]


def _say_same(state: State, old: Side, new: Side) -> None:
    what = "are the same" if old.data == new.data else "differ in nothing that is shown here"
    state.output.note(f"{old.name} and {new.name} {what}.")
