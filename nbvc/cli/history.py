"""Commands that record versions, and that look at them: save, status, log, show, checkout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import dropwhile, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbvc.cli.context import (
    REF_COMPLETION,
    JsonOption,
    MessageOption,
    State,
    state_of,
)
from nbvc.text import printable_line, typed

if TYPE_CHECKING:
    from nbvc.cli.targets import Target
    from nbvc.model import Version
    from nbvc.workspace.results import NotebookStatus, SaveResult, Status

_AUTHOR_ROOM = 16  # on a terminal
_HEADERS = ("VERSION", "DIGEST", "SAVED", "AUTHOR", "SIZE", "CHANGES", "RUN", "MARKS", "MESSAGE")


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(save)
    app.command("store", hidden=True)(save)
    app.command()(status)
    app.command()(log)
    app.command()(show)
    app.command()(checkout)


def save(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Notebooks, or folders of them; by default all below this folder.",
            autocompletion=REF_COMPLETION,
            show_default=False,
        ),
    ] = None,
    message: MessageOption = "",
    allow_invalid: Annotated[
        bool,
        typer.Option(
            "--allow-invalid", help="Also store a file that is no valid notebook, as it is."
        ),
    ] = False,
    require_store: Annotated[
        bool,
        typer.Option(
            "--require-store", help="Fail (exit 7) where a version can only wait in the outbox."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Record the present state of notebooks as new versions.

    \b
    nbvc save
    nbvc save mine.ipynb -m "before the refactoring"

    What has not changed since its latest version is left alone. Where the store cannot be reached,
    versions wait in the outbox of this folder; nbvc push, or the next command, delivers them.
    """
    from nbvc.workspace import describing
    from nbvc.workspace.results import SomeFailed

    state = state_of(context)
    failure: SomeFailed | None = None
    with state.workspace() as workspace:
        try:
            results = workspace.save(
                paths or [Path()],
                message=message,
                allow_invalid=allow_invalid,
                require_store=require_store,
            )
        except SomeFailed as error:
            results, failure = error.results, error
        shown = {result.path: state.shown(workspace, result.path) for result in results}
    if json:
        state.output.emit([describing.saved(result) for result in results])
    else:
        _report_saved(state, results, shown, everything=not paths)
    if failure is not None:
        raise failure


def status(context: typer.Context, json: JsonOption = False) -> None:
    """Say where this folder's notebooks stand.

    \b
    nbvc status
    nbvc status --json
    """
    from nbvc.workspace import describing

    state = state_of(context)
    with state.workspace() as workspace:
        found = workspace.status()
        shown = {entry.path: state.shown(workspace, entry.path) for entry in found.notebooks}
    if json:
        state.output.emit(
            {
                "folder": str(found.folder),
                "store": found.store,
                "namespace": found.namespace,
                "notebooks": [describing.notebook_status(entry) for entry in found.notebooks],
                "unreachable": found.unreachable.to_dict() if found.unreachable else None,
                "outbox": describing.outbox(found),
            }
        )
        return
    output = state.output
    output.data(f"Store      {found.store}")
    output.data(f"Namespace  {found.namespace or '/'}")
    if found.waiting or found.damaged:
        _print_outbox(state, found)
    rows = [_status_row(entry, shown[entry.path]) for entry in found.notebooks]
    if rows:
        output.data("")
        for line in output.table(rows, headers=("NOTEBOOK", "BASED ON", "STATE", "STORE")):
            output.data(line)
    else:
        output.data("")
        output.data("There are no notebooks here yet.")
    if found.unreachable is not None:
        output.note("The store was not asked whether it has newer versions:")
        output.error(found.unreachable)
    elif any(entry.state in {"new", "changed"} for entry in found.notebooks):
        output.data("")
        output.data("Record what is new or changed with: nbvc save")


def log(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH]",
            help="The notebook (path or URL), perhaps with @VERSION to begin at.",
            autocompletion=REF_COMPLETION,
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("-n", "--limit", min=1, help="Show at most so many.", show_default=False),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only from then on: 2026-08-01, '2 days ago'.", show_default=False),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only up to then.", show_default=False)] = None,
    author: Annotated[
        str | None, typer.Option(help="Only by authors whose name has this.", show_default=False)
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Only what is published now.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List the versions of a notebook, newest first.

    \b
    nbvc log
    nbvc log mine.ipynb -n 20
    nbvc log mine.ipynb --since "2 weeks ago" --author kylek
    nbvc log s3://bucket/workspace/kylek/mine.ipynb
    """
    from nbvc.cli.targets import open_target
    from nbvc.workspace import describing

    state = state_of(context)
    with open_target(state, path) as target:
        wanted = _filters(target, since=since, until=until, author=author, published=published)
        plain = not wanted and target.selector is None
        versions: Iterable[Version] = target.log(limit if plain else None)
        if target.selector is not None:
            start = target.resolve().version_id
            versions = dropwhile(lambda version: version.version_id != start, versions)
        for fits in wanted:
            versions = filter(fits, versions)
        versions = islice(versions, limit)
        if json:
            state.output.emit_stream(describing.version(version) for version in versions)
        else:
            _print_log(state, target, versions)


def show(
    context: typer.Context,
    ref: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH][@VERSION]",
            help="A version (path, ref or URL); the latest by default.",
            autocompletion=REF_COMPLETION,
            show_default=False,
        ),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Show the cells in a readable form.")
    ] = False,
) -> None:
    """Write the exact bytes of a version to standard output.

    \b
    nbvc show mine.ipynb@v3 > old.ipynb
    nbvc show mine.ipynb@v3 --summary

    On a terminal, what would move its cursor or change its colours is shown as text.
    """
    from nbvc.cli.targets import open_target

    state = state_of(context)
    with open_target(state, ref) as target:
        data = target.repository.read(target.resolve())
        if not summary:
            state.output.raw(data)
            return
        from nbvc.cli.comparing import print_summary

        print_summary(state, data, name=target.name, pager=target.session.settings.get("pager"))


def checkout(
    context: typer.Context,
    ref: Annotated[
        str,
        typer.Argument(
            metavar="[PATH@]VERSION",
            help="The version to bring back.",
            autocompletion=REF_COMPLETION,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write it to this new file.", show_default=False),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Save what would be overwritten as a version first."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Bring a version back: write it over the local file.

    \b
    nbvc checkout v3
    nbvc checkout mine.ipynb@v3
    nbvc checkout mine.ipynb@{yesterday} -o mine-yesterday.ipynb

    What the file holds now is never lost: if no version has it, this refuses.
    """
    from nbvc.cli.targets import in_workspace
    from nbvc.refs import LATEST, parse_ref
    from nbvc.workspace import describing

    state = state_of(context)
    with state.workspace() as workspace:
        target = in_workspace(workspace, parse_ref(ref))
        selector = target.selector or LATEST
        result = workspace.checkout(
            workspace.folder / target.path, selector, output=output, force=force
        )
        path = state.shown(workspace, target.path)
    if json:
        state.output.emit(
            {"path": str(output or target.path), **describing.version(result.version)}
        )
        return
    if result.rescued is not None:
        state.output.say(f"Saved what {path} held before as v{result.rescued.number}.")
    digest = f" {result.version.digest.short}" if result.version.digest else ""
    state.output.say(f"Wrote {result.version.name}{digest} to {output or path}.")
    if output is None and selector != LATEST:
        latest = typed(f"{path}@latest")
        state.output.say(f"Go back to the newest with: nbvc checkout {latest}")


def _report_saved(
    state: State, results: list[SaveResult], shown: dict[str, str], *, everything: bool
) -> None:
    output = state.output
    saved = [result for result in results if result.saved]
    waiting = [result for result in results if result.waiting]
    unchanged = [
        result
        for result in results
        if not (result.saved or result.waiting) and result.error is None
    ]
    for result in saved:
        _report_version(state, result, shown[result.path])
    for result in waiting:
        digest = result.digest.short if result.digest else ""
        output.say(f"{shown[result.path]} {digest} waits in the outbox, safe on this disk.")
    for error in dict.fromkeys(result.error for result in results):  # one may stop many
        if error is not None and error.deferrable:
            output.note(f"Not in the store yet: {error.message}")
            if error.hint and not error.retryable:
                output.note(f"hint: {error.hint}")
        elif error is not None:
            output.error(error)
    if not results:
        output.say("There are no notebooks here to save.")
    elif everything and len(unchanged) > 1:
        output.say(f"{len(unchanged)} notebooks are unchanged.")
    else:
        for result in unchanged:
            since = f" since v{result.number}" if result.number else ""
            output.say(f"{shown[result.path]} is unchanged{since}.")
    if len(saved) == 1:
        path, parent = typed(shown[saved[0].path]), saved[0].parent
        compare = f"See what changed with: nbvc diff {path} v{parent} v{saved[0].number}. "
        output.say(f"{compare if parent else ''}Publish it with: nbvc publish {path}")
    elif saved:
        output.say("List the versions of one with: nbvc log PATH")
    if waiting:
        it = "it" if len(waiting) == 1 else "them"
        if any(result.needs_push for result in waiting):
            output.say(f"Deliver {it} with: nbvc push")
        else:
            output.say(f"The next command that reaches the store delivers {it}, or: nbvc push")


def _report_version(state: State, result: SaveResult, path: str) -> None:
    from nbvc.notebook import describe_changes

    digest = result.digest.short if result.digest else ""
    changes = describe_changes(result.changes)
    what = f" ({changes})" if changes else ""
    state.output.say(f"Saved v{result.number} {digest} of {path}{what}")
    if result.parent is not None and result.number != result.parent + 1:
        state.output.say(
            f"It is based on v{result.parent}; what was saved since then is kept as well: "
            f"nbvc log {typed(path)}"
        )


def _print_outbox(state: State, found: Status) -> None:
    from nbvc.cli.output import count, when

    output, now = state.output, state.environment.now()
    if found.waiting:
        since = min(version.saved_at for version in found.waiting)
        shown = when(since, now, relative=output.is_terminal)
        waiting = count(len(found.waiting), "version")
        output.data(f"Outbox     {waiting} waiting, the oldest since {shown}: nbvc push")
        foreign = sum(not version.own for version in found.waiting)
        if foreign:
            output.data(f"           {foreign} not put there by you: only nbvc push delivers that")
    if found.captured:
        output.data(f"Outbox     {found.captured} from Jupyter, behind a rename or a removal there")
    if found.failure is not None:
        output.data(f"           last error: {printable_line(found.failure.message)}")
    for file in found.damaged:
        output.data(f"           damaged on this disk: {printable_line(str(file))}")


def _status_row(entry: NotebookStatus, path: str) -> tuple[str, str, str, str]:
    words = {
        "missing": "file is gone",
        "new": "new, never saved",
        "waiting": "waits in the outbox",
        "invalid": "its name cannot be stored",
    }
    behind = ""
    if entry.behind and entry.number is not None:
        behind = f"has newer versions, up to v{entry.latest}"
    elif entry.behind:
        behind = f"has v{entry.latest}"
    return (
        printable_line(path),
        f"v{entry.number}" if entry.number else "",
        words.get(entry.state, entry.state),
        behind,
    )


def _filters(
    target: Target, *, since: str | None, until: str | None, author: str | None, published: bool
) -> list[Callable[[Version], bool]]:
    wanted: list[Callable[[Version], bool]] = []
    if since is not None:
        earliest = target.session.moment(since, end_of_day=False)
        wanted.append(lambda version: version.saved_at >= earliest)
    if until is not None:
        last = target.session.moment(until, end_of_day=True)
        wanted.append(lambda version: version.saved_at <= last)
    if author is not None:
        name = author.casefold()
        wanted.append(lambda version: name in (version.author or "").casefold())
    if published:
        wanted.append(lambda version: version.published)
    return wanted


def _print_log(state: State, target: Target, versions: Iterable[Version]) -> None:
    output = state.output
    now = target.session.environment.now()
    rows = _log_rows(state, versions, now)
    with output.pager(target.session.settings.get("pager")) as stream:
        empty = True
        for line in output.table(rows, headers=_HEADERS):
            empty = False
            stream.write(line + "\n")
    if empty:
        output.note(f"No version of {target.name} fits.")


def _log_rows(
    state: State, versions: Iterable[Version], now: datetime
) -> Iterator[tuple[str, ...]]:
    from nbvc.cli.describing_runs import describe_run
    from nbvc.cli.output import size, when
    from nbvc.notebook import describe_changes

    relative = state.output.is_terminal
    for version in versions:
        author = printable_line(version.author or "")
        if relative and len(author) > _AUTHOR_ROOM:
            author = author[: _AUTHOR_ROOM - 1] + "…"
        marks = [*version.tags]
        marks += [mark for mark in ("published", "missing") if getattr(version, mark)]
        yield (
            version.name if version.indexed else f"(unindexed) {version.version_id}",
            version.digest.short if version.digest else "",
            when(version.saved_at, now, relative=relative),
            author,
            size(version.size_bytes),
            describe_changes(version.changes),
            describe_run(version, may_cut=relative),
            f"[{', '.join(marks)}]" if marks else "",
            printable_line((version.message or "").strip()),
        )
