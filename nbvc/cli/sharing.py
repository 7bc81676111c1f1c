"""Commands that share: publish, unpublish, ls, resolve, clone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbvc.cli.context import (
    DryRunOption,
    JsonOption,
    MessageOption,
    NotebookArgument,
    RefArgument,
    State,
    state_of,
)
from nbvc.cli.output import count
from nbvc.cli.progress import progress_bar
from nbvc.text import printable_line, typed

if TYPE_CHECKING:
    from nbvc.model import Area
    from nbvc.repository import Listed, Repository
    from nbvc.workspace.results import CloneResult


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(publish)
    app.command()(unpublish)
    app.command("ls")(list_notebooks)
    app.command()(resolve)
    app.command()(clone)


def publish(
    context: typer.Context,
    ref: RefArgument = None,
    message: MessageOption = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Share a version: copy it to the published area, inside the store.

    \b
    nbvc publish
    nbvc publish mine.ipynb@v3 -m "as sent to the journal"

    Without a version, the latest saved one is published.
    """
    from nbvc.cli.targets import in_workspace
    from nbvc.refs import Ref, parse_ref
    from nbvc.workspace import describing

    state = state_of(context)
    with state.workspace() as workspace:
        target = in_workspace(workspace, parse_ref(ref) if ref else Ref(path=None, selector=None))
        path = workspace.folder / target.path
        if dry_run:
            version = target.resolve()
            state.output.say(f"Would publish {version.name} of {target.path} as {target.key}.")
            return
        result = workspace.publish(path, target.selector, message=message)
        shown = state.shown(workspace, target.path)
    if json:
        state.output.emit(describing.published(result))
    else:
        state.output.say(f"Published {result.source.name} of {shown} as {result.url}")
        state.output.say(f"Take it back with: nbvc unpublish {typed(shown)}")
    if result.unsaved_changes and target.selector is None:
        state.output.note(
            f"{shown} as it is now differs from {result.source.name}: "
            "save it and publish again to share that."
        )


def unpublish(
    context: typer.Context,
    path: NotebookArgument = None,
    message: MessageOption = "",
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Take a published notebook back. Its versions stay in the store.

    \b
    nbvc unpublish mine.ipynb
    """
    state = state_of(context)
    with state.workspace() as workspace:
        if dry_run:
            state.output.say(f"Would take back {workspace.key_of(workspace.choose(path))}.")
            return
        key = workspace.unpublish(path, message=message)
    if json:
        state.output.emit({"key": key, "published": False})
    else:
        state.output.say(f"{key} is not published any more. Its versions are kept.")


def list_notebooks(
    context: typer.Context,
    prefix: Annotated[
        str | None,
        typer.Argument(
            help="Beginning of a key, or a URL; your namespace by default.", show_default=False
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="What is published, by everybody.")
    ] = False,
    removed: Annotated[bool, typer.Option("--removed", help="What was removed.")] = False,
    names_only: Annotated[
        bool, typer.Option("--names-only", help="Keys alone: one request for each 1,000.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List the notebooks in the store, with their latest versions.

    \b
    nbvc ls
    nbvc ls --published
    nbvc ls s3://bucket/workspace/kylek
    """
    from nbvc.model import Area
    from nbvc.workspace import describing

    state = state_of(context)
    with ExitStack() as stack:
        repository, area, start = _place(state, stack, prefix, published=published)
        if removed:
            found: Iterator[Listed] = repository.list_removed(start)
        else:
            found = repository.list_notebooks(start, area=area, with_versions=not names_only)
        if json:
            state.output.emit_stream(describing.listed(entry) for entry in found)
        elif names_only:
            for entry in found:
                state.output.data(printable_line(entry.key))
        else:
            _print_listing(state, found, published=area is Area.PUBLISHED, removed=removed)


def resolve(context: typer.Context, ref: RefArgument = None, json: JsonOption = False) -> None:
    """Say exactly which version a ref means: key, version ID, digest, number and URL.

    \b
    nbvc resolve mine.ipynb@release --json
    nbvc resolve s3://bucket/workspace/kylek/mine.ipynb@latest
    """
    from nbvc.cli.targets import open_target
    from nbvc.workspace import describing

    state = state_of(context)
    with open_target(state, ref) as target:
        described = describing.resolved(target.resolve(), target.repository)
    if json:
        state.output.emit(described)
        return
    for name in ("key", "number", "digest", "version_id", "url"):
        value = described[name]
        state.output.data(f"{name:<11} {value if value is not None else '(not known)'}")


def clone(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(help="A URL, a notebook key, a folder of keys, or another workspace."),
    ],
    destination: Annotated[
        str | None, typer.Argument(metavar="[DEST]", help="Where to write.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Copy a notebook, or a whole folder of them, from a store to here.

    \b
    nbvc clone s3://bucket/workspace/kylek/notebooks
    nbvc clone s3://bucket/published/kylek/notebooks/mine.ipynb
    nbvc clone "s3://bucket/workspace/kylek/mine.ipynb?versionId=3HL4kqtJ"

    A folder becomes a workspace. A file that exists is never overwritten: mine-1.ipynb.
    """
    from nbvc.workspace import describing
    from nbvc.workspace.cloning import clone as clone_from

    state = state_of(context)
    with progress_bar(state) as progress:
        result = clone_from(state.session(), source, destination, progress=progress)
    if json:
        state.output.emit(
            {
                "folder": str(result.folder),
                "bound": result.bound,
                "store": result.store,
                "namespace": result.namespace,
                "skipped": [{"key": key, **error.to_dict()} for key, error in result.skipped],
                "files": [
                    {"path": str(path), **describing.version(version)}
                    for path, version in result.files
                ],
            }
        )
    else:
        _report_clone(state, result)
    for key, error in result.skipped:
        state.output.note(f"Left out {printable_line(key)}: {error.message}")
    if result.skipped:
        error = result.skipped[0][1]
        if error.hint:
            state.output.note(f"hint: {error.hint}")
        raise typer.Exit(error.exit_code)


def _report_clone(state: State, result: CloneResult) -> None:
    say = state.output.say
    written = len(result.files) - result.present
    if not result.bound:
        path, version = result.files[0]
        verb = "has these bytes already" if result.present else "written"
        digest = f" {version.digest.short}" if version.digest else ""
        say(f"{_relative(state, path)}: {verb} ({version.name}{digest}).")
        return
    there = f", {result.present} were there already" if result.present else ""
    say(f"Cloned {count(written)} to {_relative(state, result.folder)}{there}.")
    say(f"It is a workspace of {result.store}, namespace {result.namespace}.")
    say(f"Go on with: cd {typed(_relative(state, result.folder))} && nbvc status")


def _relative(state: State, path: Path) -> str:
    try:
        return str(path.relative_to(state.environment.cwd.resolve()))
    except ValueError:
        return str(path)


def _place(
    state: State, stack: ExitStack, prefix: str | None, *, published: bool
) -> tuple[Repository, Area, str]:
    """Return the repository, the area and the beginning of the keys that are to be listed."""
    from nbvc.model import Area, below
    from nbvc.workspace.targets import is_url

    area = Area.PUBLISHED if published else Area.WORKSPACE
    if prefix is not None and is_url(prefix):
        session = state.session()
        store_url, location = session.find_store(prefix)
        if location is not None:
            area = location.area
        start = location.path if location is not None else ""
        repository = stack.enter_context(session.open_repository(store_url))
        return repository, area, start
    workspace = stack.enter_context(state.workspace())
    start = prefix if prefix is not None else "" if published else below(workspace.namespace, "")
    return workspace.repository, area, start


def _print_listing(
    state: State, found: Iterable[Listed], *, published: bool, removed: bool
) -> None:
    output = state.output
    iterator = iter(found)
    first = list(islice(iterator, 1))
    if not first:
        what = "removed" if removed else "published" if published else "in the store"
        output.note(f"No notebook is {what} there.")
        return

    def rows() -> Iterator[tuple[str, ...]]:
        for entry in first:
            yield _listing_row(state, entry)
        for entry in iterator:
            yield _listing_row(state, entry)

    version = "PUBLISHED" if published else "LATEST"
    headers = (version, "FROM", "DIGEST", "SAVED", "AUTHOR", "SIZE", "NOTEBOOK")
    for line in output.table(rows(), headers=headers):
        output.data(line)


def _listing_row(state: State, entry: Listed) -> tuple[str, ...]:
    from nbvc.cli.output import size, when

    now = state.environment.now()
    return (
        f"v{entry.number}" if entry.number else "(unindexed)",
        f"v{entry.source_number}" if entry.source_number else "",
        entry.digest.short if entry.digest else "",
        when(entry.saved_at, now, relative=state.output.is_terminal),
        printable_line(entry.author or ""),
        size(entry.size_bytes),
        printable_line(entry.key),
    )
