"""Init: bind a folder to a store and a namespace, and prepare the store."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from nbvc import looking
from nbvc.environment import Environment
from nbvc.errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    StoreMisconfigured,
    StoreNotFound,
    VersioningOff,
)
from nbvc.manifest.layout import Layout
from nbvc.model import check_key_path
from nbvc.repository.lock import Lock
from nbvc.repository.settings import StoreSettings, prepare, set_lock
from nbvc.stores.base import Capabilities, Store
from nbvc.stores.opening import find_bucket
from nbvc.text import typed
from nbvc.values import dataclass
from nbvc.workspace.agreeing import agree
from nbvc.workspace.core import EMBEDDED_FOLDER, Workspace
from nbvc.workspace.files import find_notebooks, make_folder, write_file
from nbvc.workspace.owning import owner_of
from nbvc.workspace.session import Session
from nbvc.workspace.settings import (
    CONFIG_FILE,
    CONTROL_FOLDER,
    EMBEDDED,
    SETTINGS,
    WHOLE_AREA,
    Settings,
    set_user_value,
    write_workspace_file,
)
from nbvc.workspace.targets import is_url

Ask = Callable[[str], bool]
_CREATE_HINT = "Repeat the command with --create."
"""With all that was typed: the endpoint and the profile are not remembered yet."""
_UNWANTED = re.compile(r"[^\w.@+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class InitResult:
    """What init did.

    Attributes:
        folder: The workspace.
        store: URL of its store.
        namespace: Its part of the keys.
        embedded: Whether the store lies in the folder itself.
        created_bucket: Whether the bucket was made.
        enabled_versioning: Whether versioning was turned on.
        capabilities: What the store was found to do.
        lock: For how long its new versions are locked; ``None``: not at all.
        again: Whether the folder was bound like this before.
        notebooks: Number of notebooks on disk.
    """

    folder: Path
    store: str
    namespace: str
    embedded: bool
    created_bucket: bool
    enabled_versioning: bool
    capabilities: Capabilities
    lock: Lock | None
    again: bool
    notebooks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A store that can be used.

    Attributes:
        settings: What it says of itself.
        created_bucket: Whether the bucket was made.
        enabled_versioning: Whether versioning was turned on.
    """

    settings: StoreSettings
    created_bucket: bool
    enabled_versioning: bool


def init(
    folder: Path,
    url: str | None,
    *,
    namespace: str | None,
    create: bool,
    ask: Ask,
    environment: Environment,
    flags: Mapping[str, str | None],
    layout: Layout | None = None,
    lock: Lock | None = None,
) -> InitResult:
    """Make *folder* a workspace. Idempotent.

    Args:
        folder: An existing folder.
        url: ``s3://bucket[/root]``, or a folder for a shared embedded store; ``None``: one of this
            folder's own.
        namespace: Part of the keys for this folder; by default ``<login>/<folder>``. A single
            slash: none, so that the paths in the folder are the keys.
        create: Make the bucket, and turn its versioning on, without asking.
        ask: Asks the user a question; False where there is nobody to ask.
        environment: Surroundings.
        flags: Settings such as ``endpoint_url``; those of the store are kept in the user's file.
        layout: Prefixes of the areas, for a store that is prepared for the first time.
        lock: Lock the versions that anybody saves in that store from now on.

    Raises:
        InvalidInput: Versions were to be locked in an embedded store.
        StoreMisconfigured: They were to be locked in a bucket without Object Lock.
        Conflict: The folder is bound to another store or namespace, or the store has other
            prefixes.
        StoreNotFound: There is no such bucket, and it was not to be made.
        VersioningOff: The bucket keeps no versions, and that was not to be changed.
    """
    folder = folder.resolve()
    stored = store_value(url, environment.cwd)
    chosen = _namespace(namespace, environment.login, folder)
    again = check_binding(folder, stored if url else None, namespace, environment)
    if again is not None:
        stored, chosen = again
    session = Session(environment, None, flags)
    store_url = (
        (folder / CONTROL_FOLDER / EMBEDDED_FOLDER).as_uri() if stored == EMBEDDED else stored
    )
    if lock is not None:
        _check_can_lock(store_url)
    if stored == EMBEDDED:
        _make_control_folder(folder, environment)
    ready = prepare_store(session, store_url, create=create, ask=ask, layout=layout, lock=lock)
    remember_connection(session.settings, store_url, flags, environment)
    bind(folder, store=stored, namespace=chosen, settings=ready.settings, environment=environment)
    return InitResult(
        folder=folder,
        store=store_url,
        namespace=chosen,
        embedded=stored == EMBEDDED,
        created_bucket=ready.created_bucket,
        enabled_versioning=ready.enabled_versioning,
        capabilities=ready.settings.capabilities,
        lock=ready.settings.lock,
        again=again is not None,
        notebooks=sum(1 for _ in find_notebooks(folder)),
    )


def prepare_store(
    session: Session,
    store_url: str,
    *,
    create: bool,
    ask: Ask,
    layout: Layout | None = None,
    lock: Lock | None = None,
) -> Ready:
    """See to it that a store is there, keeps versions, and has its ``store.json``. Idempotent.

    Raises:
        StoreMisconfigured: Versions were to be locked in a bucket without Object Lock.
        Conflict: It was prepared with other prefixes than those of *layout*.
        StoreNotFound: There is no such bucket, and it was not to be made.
        VersioningOff: The bucket keeps no versions, and that was not to be changed.
    """
    store = session.open_store(store_url, create=True)
    try:
        created, enabled = _make_ready(store, create=create, ask=ask, lock=lock)
        settings = _prepare(store, session.environment, create=create, layout=layout)
        if lock is not None:
            settings = set_lock(store, lock, token=session.environment.new_write_id())
    finally:
        store.close()
    if layout is not None and settings.layout != layout:
        raise Conflict(
            f"{store_url} was prepared with the prefixes {settings.layout.workspace!r} and "
            f"{settings.layout.published!r}; they cannot be changed.",
            hint="Leave --workspace-prefix and --published-prefix out.",
        )
    return Ready(settings=settings, created_bucket=created, enabled_versioning=enabled)


def default_namespace(login: str, folder: Path) -> str:
    """Return ``<login>/<folder>``, with what a key should not hold replaced."""
    parts = (_UNWANTED.sub("-", part).strip("-.") for part in (login, folder.name))
    return "/".join(part or "notebooks" for part in parts)


def bind(
    folder: Path,
    *,
    store: str,
    namespace: str,
    settings: StoreSettings | None,
    environment: Environment,
) -> None:
    """Write what makes *folder* a workspace of a store that is ready. Idempotent."""
    _make_control_folder(folder, environment)
    owner = owner_of(environment)
    owner.tidy(environment.now())
    # First, for what was cut off before the folder is bound is done again by the same command.
    agree(
        folder,
        store=store,
        namespace=namespace.strip("/"),
        owner=owner,
        token=environment.new_write_id(),
    )
    write_workspace_file(folder, store=store, namespace=namespace, token=environment.new_write_id())
    if settings is not None:
        with Workspace(session_as_bound(folder, environment)) as workspace:
            workspace.remember_store(settings)


def session_as_bound(folder: Path, environment: Environment) -> Session:
    """Return a session on *folder* that no variable leads to another store or namespace."""
    return Session(replace(environment, variables={}), folder)


def store_value(url: str | None, cwd: Path) -> str:
    """Return what a workspace file holds for the store that the user typed.

    Raises:
        InvalidInput: It is no store.
    """
    if url is None or url == EMBEDDED:
        return EMBEDDED
    if is_url(url):
        return url.rstrip("/")
    if "://" in url:
        raise InvalidInput(
            f"{url} is no store that nbvc knows.",
            hint="Use s3://bucket, s3://bucket/root, or a folder.",
        )
    return usable_folder(cwd, url).as_uri()


def usable_folder(cwd: Path, typed: str) -> Path:
    """Return the folder, which need not exist, that a person typed in *cwd*, with links followed.

    Raises:
        InvalidInput: It can be none.
    """
    try:
        return looking.resolve(cwd / typed)
    except OSError as error:
        raise InvalidInput(f"{typed} is no usable path ({error.strerror}).") from error


def _namespace(namespace: str | None, login: str, folder: Path) -> str:
    if namespace is None:
        return default_namespace(login, folder)
    if namespace == WHOLE_AREA:
        return namespace
    stripped = namespace.strip("/")
    check_key_path(stripped)
    return stripped


def check_binding(
    folder: Path, stored: str | None, namespace: str | None, environment: Environment
) -> tuple[str, str] | None:
    """Return how *folder* is bound already, or ``None``.

    Raises:
        Conflict: It is bound to another store or namespace than *stored* and *namespace* say.
    """
    if not looking.is_file(folder / CONTROL_FOLDER / CONFIG_FILE):
        return None
    settings = session_as_bound(folder, environment).settings
    bound = settings.get("store"), settings.get("namespace")
    if bound[0] is None or bound[1] is None:
        return None
    if (stored is not None and stored != bound[0]) or (
        namespace is not None and namespace.strip("/") != bound[1].strip("/")
    ):
        place = "its embedded store" if bound[0] == EMBEDDED else bound[0]
        raise Conflict(
            f"{folder} is bound to {place} with the namespace {bound[1]} already.",
            hint="nbvc migrate URL moves it, with its history, to another store.",
        )
    return bound[0], bound[1]


def _make_control_folder(folder: Path, environment: Environment) -> None:
    if not looking.is_folder(folder):
        raise InvalidInput(f"{folder} is not a folder.", hint=f"mkdir -p {typed(str(folder))}")
    control = folder / CONTROL_FOLDER
    make_folder(control)
    ignore = control / ".gitignore"
    if not looking.exists(ignore):
        write_file(ignore, b"*\n", token=environment.new_write_id())


def _check_can_lock(store_url: str) -> None:
    if store_url.startswith("file:"):
        raise InvalidInput(
            "Versions in a folder cannot be locked: who may write to it may remove its files.",
            hint="Keep them in a bucket: nbvc init s3://bucket --lock-days N, or nbvc migrate.",
        )


def _make_ready(
    store: Store, *, create: bool, ask: Ask, lock: Lock | None = None
) -> tuple[bool, bool]:
    """See to it that there is a bucket and that it keeps versions; return what had to be done."""
    bucket = find_bucket(store)
    if bucket is None:
        return False, False
    created = enabled = False
    if not bucket.exists():
        if not (create or ask(f"There is no bucket {bucket.name}. Create it?")):
            raise StoreNotFound(f"There is no bucket {bucket.name}.", hint=_CREATE_HINT)
        bucket.create(object_lock=lock is not None)
        created = True
    elif lock is not None and not bucket.object_lock().enabled:
        raise StoreMisconfigured(
            f"Bucket {bucket.name} has no Object Lock, so versions in it cannot be locked.",
            hint="On AWS its owner can turn it on, for good: aws s3api "
            f"put-object-lock-configuration --bucket {bucket.name} "
            "--object-lock-configuration ObjectLockEnabled=Enabled",
        )
    try:
        status = bucket.versioning_status()
    except AccessDenied:  # not a permission that nbvc needs: what the bucket does will show it
        return created, enabled
    if status != "Enabled":
        question = f"Versioning of bucket {bucket.name} is {status.lower()}. Turn it on?"
        if not (create or created or ask(question)):
            raise VersioningOff(
                f"Versioning of bucket {bucket.name} is {status.lower()}: it would keep only the "
                "last save of a notebook.",
                hint=_CREATE_HINT,
            )
        bucket.enable_versioning()
        enabled = True
    return created, enabled


def _prepare(
    store: Store, environment: Environment, *, create: bool, layout: Layout | None
) -> StoreSettings:
    local = store.url.startswith("file:")
    attempts = 5 if create and not local else 1
    for attempt in range(attempts):
        try:
            return prepare(
                store,
                token=environment.new_write_id(),
                now=environment.now(),
                layout=layout,
                capabilities=store.capabilities if local else None,
            )
        except VersioningOff:  # takes a while to be known everywhere after it was turned on
            if attempt == attempts - 1:
                raise
            environment.sleep(2.0**attempt)
    raise AssertionError("unreachable")


def remember_connection(
    settings: Settings, store_url: str, flags: Mapping[str, str | None], environment: Environment
) -> None:
    """Keep what decides where requests go in the user's file, under the URL of the store."""
    for name, value in flags.items():
        if value is not None and name in SETTINGS and SETTINGS[name].per_store:
            set_user_value(
                settings.user_file,
                name,
                value,
                store_url=store_url,
                token=environment.new_write_id(),
            )
