"""Commands that name: tag, mv, rm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbvc import looking
from nbvc.cli.context import REF_COMPLETION, DryRunOption, JsonOption, State, state_of
from nbvc.text import typed


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(tag)
    app.command("mv")(move)
    app.command("rm")(remove)


def tag(
    context: typer.Context,
    ref: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH][@VERSION]",
            help="A notebook, or a version of it; the latest by default.",
            autocompletion=REF_COMPLETION,
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The name.", show_default=False)
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", "-d", help="Take the name away.")] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Move a name that another version has.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Give versions names, or list the names of a notebook's versions.

    \b
    nbvc tag mine.ipynb
    nbvc tag mine.ipynb@v3 submitted
    nbvc tag --force mine.ipynb submitted
    nbvc tag -d mine.ipynb submitted
    """
    from nbvc.cli.targets import in_workspace
    from nbvc.errors import InvalidInput
    from nbvc.refs import LATEST, Ref, parse_ref

    state = state_of(context)
    if delete and name is None:
        ref, name = None, ref
    parsed = parse_ref(ref) if ref else Ref(path=None, selector=None)
    with state.workspace() as workspace:
        if name is None and parsed.path is None and parsed.selector is not None:
            raise InvalidInput(
                f"Which version is to have the tag {ref}?",
                hint=f"nbvc tag latest {typed(str(ref))}",
            )
        target = in_workspace(workspace, parsed)
        path = workspace.folder / target.path
        if name is None and delete:
            raise InvalidInput("Which tag?", hint=f"nbvc tag -d {typed(str(target.path))} NAME")
        if name is None:
            _print_tags(state, dict(workspace.tags(path)))
            return
        if delete:
            number = workspace.delete_tag(name, path)
            done = f"Took the tag {name} from v{number} of {target.path}."
        else:
            version = workspace.tag(name, path, target.selector or LATEST, move=force)
            number = version.number or 0
            done = f"Tagged {version.name} of {target.path} as {name}."
    if json:
        state.output.emit({"path": target.path, "tag": name, "number": number, "deleted": delete})
    else:
        state.output.say(done)


def move(
    context: typer.Context,
    old: Annotated[
        Path, typer.Argument(help="The notebook.", autocompletion=REF_COMPLETION, readable=False)
    ],
    new: Annotated[
        Path, typer.Argument(help="Its new path, or a folder to move it to.", readable=False)
    ],
    json: JsonOption = False,
) -> None:
    """Rename or move a notebook; its history, numbers and tags follow.

    \b
    nbvc mv mine.ipynb analysis/churn.ipynb
    """
    state = state_of(context)
    with state.workspace() as workspace:
        if looking.is_folder(state.environment.cwd / new):
            new = new / old.name
        version = workspace.rename(old, new)
        path = workspace.relative(new)
    if json:
        state.output.emit({"path": path, "number": version.number, "key": version.key})
    else:
        state.output.say(f"Renamed {old} to {path} ({version.name}). Its history came along.")


def remove(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Notebooks.", autocompletion=REF_COMPLETION),
    ],
    keep_file: Annotated[
        bool, typer.Option("--keep-file", help="Leave the local file where it is.")
    ] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Remove notebooks, here and from the store's listing. All versions are kept.

    \b
    nbvc rm mine.ipynb
    nbvc ls --removed
    nbvc checkout mine.ipynb@latest && nbvc save mine.ipynb

    The last line brings it back.
    """
    state = state_of(context)
    removed: dict[str, str] = {}
    with state.workspace() as workspace:
        for path in paths:
            relative = workspace.relative(path)
            if not dry_run:
                workspace.remove(path, keep_file=keep_file)
            removed[relative] = state.shown(workspace, relative)
    if json:
        state.output.emit([{"path": path, "removed": not dry_run} for path in removed])
        return
    for path in removed.values():
        if dry_run:
            state.output.say(f"Would remove {path}.")
        else:
            back = f"nbvc checkout {typed(f'{path}@latest')} && nbvc save {typed(path)}"
            state.output.say(f"Removed {path}. Bring it back with: {back}")


def _print_tags(state: State, tags: dict[str, int]) -> None:
    output = state.output
    if output.json:
        output.emit([{"tag": name, "number": number} for name, number in sorted(tags.items())])
    elif not tags:
        output.note("It has no tags. Set one with: nbvc tag PATH@VERSION NAME")
    else:
        for name, number in sorted(tags.items()):
            output.data(f"{name}  v{number}")
