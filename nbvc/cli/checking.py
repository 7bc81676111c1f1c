"""Check: verify what a store has, and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from nbvc.cli.context import AllOption, JsonOption, ScopeArgument, State, state_of
from nbvc.cli.output import count, size
from nbvc.errors import IntegrityError, InvalidInput
from nbvc.text import typed
from nbvc.workspace import describing

if TYPE_CHECKING:
    from nbvc.repository.checking import Check, CheckOptions, CheckReport
    from nbvc.repository.findings import Finding


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(check)


def check(
    context: typer.Context,
    path: ScopeArgument = None,
    everything: AllOption = False,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Compare every byte with its digest.")
    ] = False,
    sample: Annotated[
        str | None,
        typer.Option(
            help="Read the bytes of this share of the versions only.",
            metavar="PERCENT",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(help="Read the same sample again.", metavar="TEXT", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Verify that nothing is lost or damaged. Changes nothing.

    \b
    nbvc check
    nbvc check mine.ipynb --read-data
    nbvc check s3://bucket --read-data --sample 5%

    Compares the index with the store's own listing; with --read-data also every byte with its
    digest. Exits with 8 where something is lost, damaged, or cannot be verified.
    """
    from nbvc.cli.progress import progress_bar
    from nbvc.repository.checking import CheckOptions

    state = state_of(context)
    share = _share(sample)
    options = CheckOptions(
        read_data=read_data or sample is not None,
        sample=share,
        seed=seed if seed is not None else state.environment.new_write_id()[:8],
        now=state.environment.now(),
    )
    with (
        progress_bar(state, "version") as progress,
        _opened(state, path, options, everything=everything, progress=progress) as opened,
    ):
        findings = list(opened) if json else []
        for finding in opened if not json else ():
            state.output.data(*finding_line(state, finding))
    if json:
        state.output.emit(describing.checked(opened.report, findings, options))
    else:
        _summarize(state, opened.report, options, path, everything=everything)
    if opened.report.errors:
        raise typer.Exit(IntegrityError.exit_code)


@contextmanager
def _opened(
    state: State,
    path: str | None,
    options: CheckOptions,
    *,
    everything: bool,
    progress: Callable[[int, int], None],
) -> Iterator[Check]:
    """Open what is to be checked: a URL, or a part of the present workspace's store."""
    from nbvc.workspace import checking
    from nbvc.workspace.targets import is_url

    if everything and path is not None:
        raise InvalidInput("--all checks the whole store, so no path can be named with it.")
    if path is not None and is_url(path):
        with checking.open_url_check(state.session(), path, options, progress=progress) as opened:
            yield opened
        return
    with state.workspace() as workspace:
        yield checking.check(workspace, path, options, everything=everything, progress=progress)


def _share(text: str | None) -> float:
    """Return the share that a person typed as ``5%``, ``5`` or ``0.1%``."""
    if text is None:
        return 1.0
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise InvalidInput(f"{text} is no share of the versions.", hint="Write --sample 5%")
    return share


def finding_line(state: State, finding: Finding) -> tuple[str, str]:
    """Return a finding as one line: what it is, and how to find it again."""
    facts = [
        f"{name} {value}"
        for name, value in (
            ("area", finding.area if finding.area == "published" else None),
            ("version ID", finding.version_id),
            ("expected", finding.expected),
            ("found", finding.actual),
        )
        if value is not None
    ]
    colour = "red" if finding.severity == "error" else "yellow"
    severity = state.output.style(finding.severity, colour)
    more = f" ({', '.join(facts)})" if facts else ""
    return severity, f" {finding.kind}: {finding.message}{more}"


def _summarize(
    state: State,
    report: CheckReport,
    options: CheckOptions,
    path: str | None,
    *,
    everything: bool,
) -> None:
    say = state.output.say
    read = ""
    if options.read_data:
        share = f" (drawn by --seed {options.seed})" if options.sample < 1 else ""
        read = f", read {count(report.versions_read, 'version')}{share}, {size(report.bytes_read)}"
    checked = f"{count(report.versions, 'version')} of {count(report.notebooks)}"
    found = "nothing is wrong"
    if report.errors or report.notes:
        found = f"{count(report.errors, 'error')}, {count(report.notes, 'note')}"
    say(f"Checked {checked}{read}: {found}.")
    if report.sizes_only:
        state.output.note(
            "The ETags of this store are no hashes, so most records were verified by their sizes. "
            "--read-data reads them all."
        )
    if report.errors:
        where = f" {typed(path)}" if path is not None else " --all" if everything else ""
        state.output.note(f"hint: See what can be mended, without changing it: nbvc repair{where}")
