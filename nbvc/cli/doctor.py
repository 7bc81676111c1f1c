"""The command that says whether everything works, and what to do where it does not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbvc.cli.context import JsonOption, State, state_of
from nbvc.cli.output import count

if TYPE_CHECKING:
    from nbvc.workspace.diagnosis import Diagnosis

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "unknown": "cyan"}
_HEALTH_WIDTH = 7
_NAME_WIDTH = 18


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command()(doctor)


def doctor(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="[URL]",
            help="A store: s3://bucket[/root] or a folder; by default that of this workspace.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Find out whether everything works, and say what to do where it does not.

    \b
    nbvc doctor
    nbvc doctor s3://bucket/team

    The output can be shown to anybody: it holds no credentials, no login and no machine name. What
    doctor writes to try the store, it removes again.
    """
    from nbvc.workspace.doctor import diagnose, exit_code

    state = state_of(context)
    found: list[Diagnosis] = []
    for diagnosis in diagnose(state.environment, url, flags=state.flags):
        found.append(diagnosis)
        if not json:
            _report(state, diagnosis)
    status = exit_code(found)
    if json:
        state.output.emit({"ok": status == 0, "checks": [_described(each) for each in found]})
    else:
        state.output.say(_summary(found))
    if status:
        raise typer.Exit(status)


def _report(state: State, found: Diagnosis) -> None:
    """Write one line of what was found, and below it what belongs to it."""
    health = found.health.value
    indent = " " * (_HEALTH_WIDTH + 2)
    painted = state.output.style(health.ljust(_HEALTH_WIDTH), _COLOURS[health])
    say = state.output.data
    say(painted, f"  {found.name.ljust(_NAME_WIDTH)}  {found.found}")
    for line in found.details:
        say(f"{indent}{line}")
    if found.hint:
        say(f"{indent}hint: {found.hint}")


def _summary(found: list[Diagnosis]) -> str:
    counts = Counter(each.health.value for each in found)
    parts = [f"{counts['failed']} failed" if counts["failed"] else "Nothing failed"]
    if counts["warning"]:
        parts.append(count(counts["warning"], "warning"))
    if counts["unknown"]:
        parts.append(f"{counts['unknown']} could not be looked at")
    return ", ".join(parts) + "."


def _described(found: Diagnosis) -> dict[str, Any]:
    return {
        "name": found.name,
        "status": found.health.value,
        "found": found.found,
        "hint": found.hint,
        "details": list(found.details),
        "error": found.error_kind,
    }
