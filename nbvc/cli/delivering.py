"""Push: deliver what waits in the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nbvc import looking
from nbvc.cli.context import DryRunOption, JsonOption, State, state_of
from nbvc.text import printable_line

if TYPE_CHECKING:
    from nbvc.workspace.core import Workspace
    from nbvc.workspace.delivering import Delivery


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(push)


def push(context: typer.Context, dry_run: DryRunOption = False, json: JsonOption = False) -> None:
    """Deliver the versions that wait in the outbox of this folder.

    \b
    nbvc push
    nbvc push --dry-run

    Versions wait where nbvc save could not reach the store. They are delivered in the order in
    which they were saved, each once. Every other command that reaches the store does this too, but
    for versions that came with the folder: have a look first, with --dry-run.

    What a killed nbvc run left is saved as well.
    """
    from nbvc.workspace import describing
    from nbvc.workspace.delivering import Delivery

    state = state_of(context)
    with state.workspace() as workspace:
        if dry_run:
            delivery = Delivery(waiting=tuple(workspace.outbox.waiting()))
        else:
            _recover_runs(state, workspace)
            delivery = workspace.push()
            workspace.delivered.clear()  # they are told of below
        if json:
            state.output.emit(describing.delivery(delivery))
        else:
            _report(state, workspace, delivery, dry_run=dry_run)
    if delivery.error is not None:
        raise delivery.error


def _recover_runs(state: State, workspace: Workspace) -> None:
    """Save what runs of notebooks left when they were killed, if there ever was a run here."""
    if looking.is_folder(workspace.room / "runs"):
        from nbvc.cli.running import recover_runs
        from nbvc.scheduling.places import Place

        recover_runs(state, Place(workspace.session, workspace=workspace))


def _report(state: State, workspace: Workspace, delivery: Delivery, *, dry_run: bool) -> None:
    from nbvc.cli.output import count, when

    output, now = state.output, state.environment.now()
    for each in delivery.delivered:
        path = printable_line(state.shown(workspace, each.waited.path))
        was_there = each.record.write_id != each.waited.write_id
        did = "Already in the store:" if was_there else "Delivered"
        output.say(f"{did} v{each.record.number} {each.record.digest.short} of {path}")
    for version in delivery.waiting:
        since = when(version.saved_at, now, relative=output.is_terminal)
        path = printable_line(state.shown(workspace, version.path))
        elsewhere = ""
        is_elsewhere = version.store != workspace.store_setting
        if is_elsewhere:
            elsewhere = f", for another store: {version.store}"
        if not version.own:
            elsewhere += f", not put there by you but by {printable_line(version.author)}"
        verb = "Would deliver" if dry_run and not is_elsewhere else "Waiting:"
        output.say(f"{verb} {version.digest.short} of {path}, saved {since}{elsewhere}")
    captured = workspace.captures.summary()
    if captured:
        output.say(captured)
    elif not delivery.delivered and not delivery.waiting:
        output.say("Nothing waits in the outbox.")
    for file in workspace.outbox.damaged():
        output.note(f"Damaged on this disk, and kept: {file}")
    if delivery.delivered and delivery.waiting:
        output.say(f"{count(len(delivery.waiting), 'version')} still waiting.")
