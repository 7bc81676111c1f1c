"""Pack, unpack and forget: make a history smaller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from nbvc.cli.context import (
    AllOption,
    ApplyOption,
    JsonOption,
    ScopeArgument,
    State,
    state_of,
)
from nbvc.cli.output import count, size
from nbvc.errors import InvalidInput
from nbvc.text import typed
from nbvc.workspace import describing

if TYPE_CHECKING:
    from nbvc.repository.forgetting import ForgetReport
    from nbvc.repository.packing import PackReport
    from nbvc.repository.unpacking import UnpackReport
    from nbvc.workspace.shrinking import Place

MAX_KEPT_SHOWN = 8

_T = TypeVar("_T")

Line = tuple[str, ...]
"""A line of output, in parts of which some have a style."""


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for command in (pack, unpack, forget):
        app.command()(command)


def pack(
    context: typer.Context,
    path: ScopeArgument = None,
    older_than: Annotated[
        float, typer.Option(metavar="DAYS", help="Only versions older than this.")
    ] = 30,
    keep_newest: Annotated[
        int, typer.Option(metavar="N", help="Leave the newest N of each notebook as they are.")
    ] = 10,
    everything: AllOption = False,
    apply: ApplyOption = False,
    json: JsonOption = False,
) -> None:
    """Move old versions together, where they take a fraction of the room.

    \b
    nbvc pack
    nbvc pack mine.ipynb --apply
    nbvc pack --older-than 90 --keep-newest 50 --apply

    Every command reads packed versions as before; to other tools they are plain files again
    after nbvc unpack. Tagged, published, locked and the newest versions stay as they are. Nothing
    is deleted before its pack was read back and compared, so it can be stopped at any point.
    """
    from nbvc.workspace.shrinking import pack_rules

    state = state_of(context)
    with _opened(state, path, everything=everything) as place:
        rules = pack_rules(state.session(), older_than, keep_newest)
        reports = _shown(place.pack(rules, apply=apply), state, json, _packed_line(state, apply))
    if json:
        state.output.emit(describing.shrunk(reports, applied=apply))
        return
    versions, plain, packed, stay, finished = _totals(
        reports, "versions", "plain_bytes", "packed_bytes", "locked", "finished"
    )
    say = state.output.say
    if finished:
        verb = "Removed" if apply else "Would remove"
        say(f"{verb} {count(finished, 'plain version')} that an earlier run had packed.")
    if stay:
        verb = "stays" if stay == 1 else "stay"
        say(f"{count(stay, 'version')} {verb} plain: locked, or not yours to delete.")
    if not versions:
        say("Nothing is old enough to be packed." if not finished else "Nothing else is to do.")
    elif apply:
        say(f"Packed {count(versions, 'version')}: {size(plain)} became {size(packed)}.")
    else:
        say(f"Would pack {count(versions, 'version')}, {size(plain)} now. Nothing was changed.")
    if not apply and (versions or finished):
        options = _options(("--older-than", older_than, 30), ("--keep-newest", keep_newest, 10))
        _hint(state, "pack", path, options, everything=everything)


def unpack(
    context: typer.Context,
    path: ScopeArgument = None,
    everything: AllOption = False,
    apply: ApplyOption = False,
    json: JsonOption = False,
) -> None:
    """Make packed versions plain files again.

    \b
    nbvc unpack mine.ipynb
    nbvc unpack mine.ipynb --apply
    nbvc unpack --all --apply

    They get new version IDs in the store; their numbers, digests and tags stay.
    """
    state = state_of(context)
    with _opened(state, path, everything=everything) as place:
        reports = _shown(place.unpack(apply=apply), state, json, _unpacked_line(state, apply))
    if json:
        state.output.emit(describing.shrunk(reports, applied=apply))
        return
    versions, plain = _totals(reports, "versions", "plain_bytes")
    if not versions:
        state.output.say("Nothing is packed.")
    elif apply:
        state.output.say(f"Unpacked {count(versions, 'version')}: they take {size(plain)}.")
    else:
        state.output.say(
            f"Would unpack {count(versions, 'version')}, which will take {size(plain)}. "
            "Nothing was changed."
        )
        _hint(state, "unpack", path, "", everything=everything)


def forget(
    context: typer.Context,
    path: ScopeArgument = None,
    keep_last: Annotated[int, typer.Option(metavar="N", help="Keep the last N versions.")] = 0,
    keep_daily: Annotated[
        int, typer.Option(metavar="N", help="Keep the last version of each of N days.")
    ] = 0,
    keep_weekly: Annotated[
        int, typer.Option(metavar="N", help="Keep the last version of each of N weeks.")
    ] = 0,
    keep_monthly: Annotated[
        int, typer.Option(metavar="N", help="Keep the last version of each of N months.")
    ] = 0,
    keep_tagged: Annotated[
        bool, typer.Option("--keep-tagged", help="Keep nothing but what is always kept.")
    ] = False,
    everything: AllOption = False,
    apply: ApplyOption = False,
    json: JsonOption = False,
) -> None:
    """Delete versions for good, but for those that the rules keep.

    \b
    nbvc forget --keep-last 20 --keep-daily 30 --keep-monthly 24
    nbvc forget mine.ipynb --keep-last 5 --apply
    nbvc forget --all --keep-tagged

    A version stays if any rule keeps it. The latest, tagged, published and locked versions always
    stay. Days, weeks and months without versions are not counted. Numbers are never reused.
    """
    from datetime import UTC, datetime

    from nbvc.repository.thinning import KeepRules

    if min(keep_last, keep_daily, keep_weekly, keep_monthly) < 0:
        raise InvalidInput("A rule cannot keep less than 0 versions.")
    rules = KeepRules(
        last=keep_last,
        daily=keep_daily,
        weekly=keep_weekly,
        monthly=keep_monthly,
        tagged=keep_tagged,
        zone=datetime.now().astimezone().tzinfo or UTC,
    )
    state = state_of(context)
    with _opened(state, path, everything=everything) as place:
        reports = _shown(place.forget(rules, apply=apply), state, json, _forgotten(state, apply))
    if json:
        state.output.emit(describing.forgotten(reports, applied=apply))
        return
    if _summarize_forgotten(state, reports, apply=apply):
        options = _options(
            ("--keep-last", keep_last, 0),
            ("--keep-daily", keep_daily, 0),
            ("--keep-weekly", keep_weekly, 0),
            ("--keep-monthly", keep_monthly, 0),
        )
        tagged = " --keep-tagged" if keep_tagged else ""
        _hint(state, "forget", path, f"{options}{tagged}", everything=everything)


def _summarize_forgotten(state: State, reports: list[ForgetReport], *, apply: bool) -> bool:
    """Say what was deleted, or would be; return whether something is left to be done."""
    versions, freed, finished, stay = _totals(
        reports, "versions", "freed_bytes", "finished", "locked"
    )
    say = state.output.say
    if stay:
        verb = "is" if stay == 1 else "are"
        say(f"{count(stay, 'version')} {verb} still in the store: locked, or not yours to delete.")
    if finished:
        say(f"Deleted {count(finished, 'version')} that an earlier run had let go of.")
    if not versions:
        say(f"The rules keep every version of {count(len(reports))}.")
    elif apply:
        say(f"Deleted {count(versions, 'version')} of {count(len(reports))}: {size(freed)} freed.")
    else:
        say(
            f"Would delete {count(versions, 'version')} of {count(len(reports))}, "
            f"which frees about {size(freed)}. Nothing was changed."
        )
    return bool(versions) and not apply


@contextmanager
def _opened(state: State, path: str | None, *, everything: bool) -> Iterator[Place]:
    """Open what is to be made smaller: a URL, or a part of the present workspace's store."""
    from nbvc.workspace import shrinking
    from nbvc.workspace.targets import is_url

    if everything and path is not None:
        raise InvalidInput("--all means the whole store, so no path can be named with it.")
    if path is not None and is_url(path):
        with shrinking.opened_at_url(state.session(), path) as place:
            yield place
        return
    with state.workspace() as workspace:
        yield shrinking.in_workspace(workspace, path, everything=everything)


def _shown(
    reports: Iterable[_T], state: State, json: bool, line: Callable[[_T], Iterable[Line]]
) -> list[_T]:
    """Return *reports*; print each as it comes, unless JSON is wanted."""
    from nbvc.cli.progress import progress_bar

    found: list[_T] = []
    with progress_bar(state) as progress:
        for report in reports:
            found.append(report)
            progress(len(found), 0)
            if not json:
                for parts in line(report):
                    state.output.data(*parts)
    return found


def _totals(reports: Iterable[object], *names: str) -> list[int]:
    """Return the sum of each of these numbers of *reports*."""
    listed = list(reports)
    return [sum(getattr(report, name) for report in listed) for name in names]


def _packed_line(state: State, apply: bool) -> Callable[[PackReport], Iterator[Line]]:
    verb = _verb(state, "packed" if apply else "would pack", done=apply)

    def line(report: PackReport) -> Iterator[Line]:
        if report.versions:
            became = f" became {size(report.packed_bytes)}" if apply else ""
            versions = count(report.versions, "version")
            yield verb, f" {versions} of {report.key}: {size(report.plain_bytes)}{became}"
        if report.skipped:
            versions = count(report.skipped, "version")
            yield (f"left {versions} of {report.key} as they are: too large, or damaged",)

    return line


def _unpacked_line(state: State, apply: bool) -> Callable[[UnpackReport], Iterator[Line]]:
    verb = _verb(state, "unpacked" if apply else "would unpack", done=apply)

    def line(report: UnpackReport) -> Iterator[Line]:
        versions = count(report.versions, "version")
        yield verb, f" {versions} of {report.key}: {size(report.plain_bytes)}"

    return line


def _forgotten(state: State, apply: bool) -> Callable[[ForgetReport], Iterator[Line]]:
    verb = _verb(state, "deleted" if apply else "would delete", done=apply)

    def lines(report: ForgetReport) -> Iterator[Line]:
        if not report.versions:
            return
        names = ", ".join(
            f"v{first}" if first == last else f"v{first} to v{last}"
            for first, last in report.forgotten
        )
        versions = count(report.versions, "version")
        yield verb, f" {versions} of {report.key}: {names}"
        shown = [f"{k.version.name} ({', '.join(k.reasons)})" for k in report.kept[:MAX_KEPT_SHOWN]]
        more = len(report.kept) - len(shown)
        rest = f", and {more} more" if more else ""
        yield (f"  keeps {count(len(report.kept), 'version')}: {', '.join(shown)}{rest}",)

    return lines


def _verb(state: State, text: str, *, done: bool) -> str:
    return state.output.style(text, "green" if done else "yellow")


def _options(*options: tuple[str, float, float]) -> str:
    """Return those of the options that are not at their defaults, as they are typed."""
    return "".join(f" {name} {value:g}" for name, value, default in options if value != default)


def _hint(state: State, command: str, path: str | None, options: str, *, everything: bool) -> None:
    where = f" {typed(path)}" if path is not None else " --all" if everything else ""
    state.output.note(f"hint: Do it with: nbvc {command}{where}{options} --apply")
