"""Commands that set things up: init, config, migrate."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbvc.cli.context import (
    SETTING_COMPLETION,
    DryRunOption,
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    State,
    YesOption,
    state_of,
)
from nbvc.cli.output import count, size
from nbvc.text import without_secrets

if TYPE_CHECKING:
    from nbvc.repository.lock import Lock
    from nbvc.workspace.binding import InitResult
    from nbvc.workspace.settings import Settings


class LockModeName(StrEnum):
    """The modes of a lock as they are typed."""

    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"


config = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Read and change settings.",
)
StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="The store that a setting is for.", show_default=False),
]
NamespaceOption = Annotated[
    str | None,
    typer.Option(
        help="Your part of the store's keys; <user>/<folder> by default, / for all of them.",
        show_default=False,
    ),
]
CreateOption = Annotated[
    bool, typer.Option("--create", help="Make the bucket, turn on its versioning, without asking.")
]
LockDaysOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=36_500,
        metavar="DAYS",
        help="Lock each new version for so long: until then it cannot simply be deleted.",
        show_default=False,
    ),
]
LockModeOption = Annotated[
    LockModeName | None,
    typer.Option(
        help="Who may lift a lock: holders of a special right (the default), or nobody.",
        show_default=False,
    ),
]
WorkspacePrefixOption = Annotated[
    str, typer.Option(help="Where a new store keeps drafts.", metavar="PREFIX")
]
PublishedPrefixOption = Annotated[
    str, typer.Option(help="Where a new store keeps published copies.", metavar="PREFIX")
]
NameArgument = Annotated[
    str, typer.Argument(help="Name of the setting.", autocompletion=SETTING_COMPLETION)
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(init)
    app.command()(migrate)
    app.add_typer(config, name="config")


def init(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="[URL]",
            help="s3://bucket or s3://bucket/root; without it, versions stay in this folder.",
            show_default=False,
        ),
    ] = None,
    namespace: NamespaceOption = None,
    create: CreateOption = False,
    endpoint_url: EndpointOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    workspace_prefix: WorkspacePrefixOption = "workspace",
    published_prefix: PublishedPrefixOption = "published",
    lock_days: LockDaysOption = None,
    lock_mode: LockModeOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Keep versions of the notebooks in this folder.

    \b
    nbvc init
    nbvc init s3://bucket --namespace kylek/notebooks
    nbvc init s3://bucket/team --endpoint-url http://localhost:9000 --create
    nbvc init s3://locked-bucket --create --lock-days 90

    Without a URL everything stays in this folder, in .nbvc/; nbvc migrate moves it to S3 later.
    """
    from dataclasses import asdict

    from nbvc.manifest.layout import Layout
    from nbvc.workspace.binding import init as bind

    state = state_of(context)
    lock = _lock(state, lock_days, lock_mode, yes=yes)
    flags = {"endpoint_url": endpoint_url, "region": region, "profile": profile}
    layout = Layout(workspace=workspace_prefix.strip("/"), published=published_prefix.strip("/"))
    result = bind(
        state.environment.cwd,
        url,
        namespace=namespace,
        create=create,
        ask=state.ask,
        environment=state.environment,
        flags=flags,
        layout=layout if layout != Layout() else None,
        lock=lock,
    )
    if json:
        state.output.emit(asdict(result))
    else:
        _report_init(state, result)


def migrate(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="The store to move to: s3://bucket[/root], a folder.")],
    create: Annotated[
        bool,
        typer.Option("--create", help="Make the bucket, turn on its versioning, without asking."),
    ] = False,
    dry_run: DryRunOption = False,
    endpoint_url: EndpointOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Move this workspace, with its whole history, to another store.

    \b
    nbvc migrate s3://bucket --create
    nbvc migrate s3://bucket/team --dry-run

    Numbers, digests, times, authors, messages and tags stay the same. Everything is compared before
    the workspace is bound to the new store; the old one is left as it is. Stopped half-way, the
    same command goes on.
    """
    from dataclasses import asdict

    from nbvc.cli.progress import progress_bar
    from nbvc.workspace.migrating import migrate_workspace

    state = state_of(context)
    flags = {"endpoint_url": endpoint_url, "region": region, "profile": profile}
    with progress_bar(state, "version") as update:
        result = migrate_workspace(
            state.session(),
            url,
            create=create,
            ask=state.ask,
            dry_run=dry_run,
            flags=flags,
            progress=lambda step: update(step.versions_done, step.bytes_copied),
        )
    report = result.report
    if json:
        state.output.emit({**asdict(report), "source": result.source, "target": result.target})
        return
    say = state.output.say
    would = "Would copy" if dry_run else "Copied"
    say(
        f"{would} {count(report.versions_copied, 'version')} of "
        f"{count(report.notebooks)} ({size(report.bytes_copied)}) to {result.target}."
    )
    if report.versions_present:
        say(f"There already: {count(report.versions_present, 'version')}.")
    if result.rebound:
        say("All were compared. This folder belongs to the new store now.")
        say(f"The old store was left as it is: {result.source}")


@config.command("get")
def config_get(context: typer.Context, name: NameArgument, store: StoreOption = None) -> None:
    """Print the value of a setting.

    \b
    nbvc config get author
    """
    state = state_of(context)
    settings, store_url = _settings(state, store)
    value = settings.get(name, store_url=store_url)
    if value is None:
        state.output.note(f"{name} is not set.")
        raise typer.Exit(1)
    state.output.data(without_secrets(value))


@config.command("set")
def config_set(
    context: typer.Context,
    name: NameArgument,
    value: Annotated[str, typer.Argument(help="Its new value.")],
    store: StoreOption = None,
) -> None:
    """Set a setting for you, in all workspaces.

    \b
    nbvc config set author "Kyle Kelley"
    nbvc config set endpoint_url http://localhost:9000 --store s3://bucket
    """
    _set(state_of(context), name, value, store)


@config.command("unset")
def config_unset(context: typer.Context, name: NameArgument, store: StoreOption = None) -> None:
    """Remove a setting of yours.

    \b
    nbvc config unset author
    """
    _set(state_of(context), name, None, store)


@config.command("list")
def config_list(
    context: typer.Context,
    show_origin: Annotated[
        bool, typer.Option("--show-origin", help="Say where each value comes from.")
    ] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """List the settings and their values.

    \b
    nbvc config list --show-origin
    """
    from dataclasses import replace

    from nbvc.workspace.settings import SETTINGS

    state = state_of(context)
    settings, store_url = _settings(state, store)
    found = [settings.find(name, store_url=store_url) for name in SETTINGS]
    values = [replace(v, value=v.value and without_secrets(v.value)) for v in found]
    if json:
        state.output.emit([{"name": v.name, "value": v.value, "origin": v.origin} for v in values])
        return
    rows = [
        (v.name, v.value or "", v.origin if show_origin else SETTINGS[v.name].help) for v in values
    ]
    last = "ORIGIN" if show_origin else "WHAT IT IS"
    for line in state.output.table(rows, headers=("SETTING", "VALUE", last)):
        state.output.data(line)


def _settings(state: State, store: str | None) -> tuple[Settings, str | None]:
    """Return the settings, and the URL of the store that those of a store are asked for."""
    session = state.session()
    store_url = store or session.settings.get("store")
    return session.settings, store_url.rstrip("/") if store_url else None


def _set(state: State, name: str, value: str | None, store: str | None) -> None:
    from nbvc.workspace.settings import set_user_value, setting_named

    settings, store_url = _settings(state, store)
    per_store = setting_named(name).per_store
    set_user_value(
        settings.user_file,
        name,
        value,
        store_url=store_url,
        token=state.environment.new_write_id(),
    )
    done = "Removed" if value is None else "Set"
    for_store = f" for {store_url}" if per_store else ""
    state.output.say(f"{done} {name}{for_store} in {settings.user_file}.")


def _lock(state: State, days: int | None, mode: LockModeName | None, *, yes: bool) -> Lock | None:
    """Return the lock to set, once a person has agreed to one that nobody can undo."""
    from nbvc.errors import InvalidInput
    from nbvc.repository.lock import Lock
    from nbvc.stores.base import LockMode

    if days is None:
        if mode is None:
            return None
        raise InvalidInput(
            "--lock-mode says how to lock, not for how long.", hint="Add --lock-days."
        )
    lock = Lock(days=days, mode=LockMode[(mode or LockModeName.GOVERNANCE).name])
    if lock.mode is LockMode.COMPLIANCE and not yes:
        question = (
            f"For {count(days, 'day')} after it is saved nobody can remove a version, nor end what "
            "it costs, not even the owner of the account. This cannot be undone. Go on?"
        )
        if not state.ask(question):
            raise InvalidInput(
                "A compliance lock cannot be undone, so it was not set unasked.",
                hint="Add --yes to agree, or leave --lock-mode compliance out.",
            )
    return lock


def _report_init(state: State, result: InitResult) -> None:
    say = state.output.say
    if result.created_bucket:
        say(f"Created the bucket of {result.store}.")
    if result.enabled_versioning:
        say("Turned its versioning on. AWS may take 15 minutes to know that everywhere.")
    where = "this folder, in .nbvc/store" if result.embedded else result.store
    verb = "is still" if result.again else "is now"
    say(f"{_name(result.folder)} {verb} an nbvc workspace. Versions are kept in {where}.")
    say(f"Namespace: {result.namespace}")
    if result.lock:
        say(f"Versions that are saved in this store are locked for {result.lock}.")
    if not result.capabilities.conditional_create:
        say(
            "This store has no conditional writes; nbvc works around that, "
            "with one request more for each save."
        )
    if result.notebooks:
        what = "notebook" if result.notebooks == 1 else "notebooks"
        say(f"Record the {result.notebooks} {what} here with: nbvc save")
    else:
        say("Record notebooks here with: nbvc save")


def _name(folder: Path) -> str:
    return folder.name or str(folder)
