"""Repair: mend what check finds, as far as it can be mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from nbvc.cli.checking import finding_line
from nbvc.cli.context import AllOption, ApplyOption, JsonOption, ScopeArgument, State, state_of
from nbvc.cli.output import count
from nbvc.errors import IntegrityError, InvalidInput
from nbvc.text import typed
from nbvc.workspace import describing

if TYPE_CHECKING:
    from nbvc.repository.mendings import Mending
    from nbvc.repository.repairing import Repair, RepairReport


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(repair)


def repair(
    context: typer.Context,
    path: ScopeArgument = None,
    everything: AllOption = False,
    apply: ApplyOption = False,
    json: JsonOption = False,
) -> None:
    """Mend what nbvc check finds. Says what it would do, and does it with --apply.

    \b
    nbvc repair
    nbvc repair mine.ipynb --apply
    nbvc repair s3://bucket --apply

    Gives versions without a record their numbers, puts damaged records back or makes them again
    from the notebooks, and marks what the store has lost. Never deletes a version of a notebook.
    Exits with 8 where something is lost or damaged that it cannot mend.
    """
    from nbvc.cli.progress import progress_bar

    state = state_of(context)
    with (
        progress_bar(state) as progress,
        _opened(state, path, everything=everything, apply=apply, progress=progress) as opened,
    ):
        mendings = list(opened) if json else []
        for mending in opened if not json else ():
            state.output.data(*_line(state, mending, apply=apply))
    if json:
        state.output.emit(describing.repaired(opened.report, mendings))
    else:
        _summarize(state, opened.report, path, everything=everything)
    if opened.report.remaining:
        raise typer.Exit(IntegrityError.exit_code)


@contextmanager
def _opened(
    state: State,
    path: str | None,
    *,
    everything: bool,
    apply: bool,
    progress: Callable[[int, int], None],
) -> Iterator[Repair]:
    """Open what is to be repaired: a URL, or a part of the present workspace's store."""
    from nbvc.workspace import repairing
    from nbvc.workspace.targets import is_url

    if everything and path is not None:
        raise InvalidInput("--all repairs the whole store, so no path can be named with it.")
    if path is not None and is_url(path):
        with repairing.open_url_repair(
            state.session(), path, apply=apply, progress=progress
        ) as opened:
            yield opened
        return
    with state.workspace() as workspace:
        yield workspace.repair(path, everything=everything, apply=apply, progress=progress)


def _line(state: State, mending: Mending, *, apply: bool) -> tuple[str, str]:
    """Return what is done, or would be, as one line."""
    area = " (area published)" if mending.area == "published" else ""
    verb = state.output.style("mended" if apply else "would mend", "green" if apply else "yellow")
    return verb, f" {mending.kind}: {mending.message}{area}"


def _summarize(state: State, report: RepairReport, path: str | None, *, everything: bool) -> None:
    say = state.output.say
    for finding in report.remaining:
        state.output.data(*finding_line(state, finding))
    things = count(report.mended, "thing")
    where = f" {typed(path)}" if path is not None else " --all" if everything else ""
    if report.mended and report.applied:
        say(f"Mended {things} in {count(report.notebooks)}.")
    elif report.mended:
        say(f"Would mend {things} in {count(report.notebooks)}. Nothing was changed.")
        state.output.note(f"hint: Do it with: nbvc repair{where} --apply")
    elif not report.remaining:
        say(f"Nothing is to be mended in {count(report.notebooks)}.")
    if report.remaining:
        cannot = count(len(report.remaining), "error")
        say(f"{cannot} cannot be mended: only a backup, or another copy, has what is lost.")
