"""Settings, where each may be set, and which place won.

The order is: flag, environment, workspace, user, default.

A workspace folder can come from a stranger. So its file may say which store and namespace it
belongs to, and nothing else: no endpoint, no profile, no credentials, no command.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbvc.environment import Environment
from nbvc.errors import AccessDenied, InvalidConfig, InvalidKey, NbvcError
from nbvc.model import check_key_path
from nbvc.stores.opening import ConnectionOptions
from nbvc.text import typed
from nbvc.values import dataclass
from nbvc.workspace.files import make_folder, write_file

CONTROL_FOLDER = ".nbvc"
CONFIG_FILE = "config.toml"
EMBEDDED = "embedded"
WHOLE_AREA = "/"
"""The namespace of a folder whose paths are keys as they are."""
MAX_CONFIG_BYTES = 1_000_000
MIN_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS = 0.1, 3600
_NUMBERS = {"cache_size_mb": (int,), "timeout_seconds": (int, float)}
"""Settings that a file may also hold as numbers, and of which kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        name: As in files and on the command line.
        help: What it does, in one line.
        in_workspace: Whether a workspace file may hold it.
        per_store: Whether the user's file keeps it under the URL of a store.
        default: Value where nothing is set, as text.
    """

    name: str
    help: str
    in_workspace: bool = False
    per_store: bool = False
    default: str | None = None

    @property
    def variable(self) -> str:
        """Name of its environment variable."""
        return f"NBVC_{self.name.upper()}"


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(name="store", help="URL of the store of this folder", in_workspace=True),
        Setting(name="namespace", help="Your part of the store's keys", in_workspace=True),
        Setting(name="author", help="Name that your versions carry"),
        Setting(name="endpoint_url", help="Address of an S3 server other than AWS", per_store=True),
        Setting(name="region", help="AWS region of the bucket", per_store=True),
        Setting(name="profile", help="AWS profile whose credentials to use", per_store=True),
        Setting(name="pager", help="Program that shows long output ('' for none)"),
        Setting(name="cache_size_mb", help="Size limit of the local cache", default="1024"),
        Setting(
            name="timeout_seconds", help="Longest silence of an S3 server to bear", default="20"
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A setting's value and where it was found."""

    name: str
    value: str | None
    origin: str


class Settings:
    """What is set, seen from one folder.

    Args:
        environment: Variables, and where the user's file is.
        folder: The workspace; ``None`` outside of one.
        flags: What was given on the command line; wins over all else.

    Raises:
        InvalidConfig: A file cannot be read, or holds what it may not hold.
    """

    def __init__(
        self,
        environment: Environment,
        folder: Path | None,
        flags: Mapping[str, str | None] | None = None,
    ) -> None:
        self._environment = environment
        self._flags = {name: value for name, value in (flags or {}).items() if value is not None}
        self._workspace_file = folder / CONTROL_FOLDER / CONFIG_FILE if folder else None
        self._workspace = _read_workspace_file(self._workspace_file)
        self._user = _read_toml(environment.user_config_file)
        _check_user_file(self._user, environment.user_config_file)

    def find(self, name: str, *, store_url: str | None = None) -> Value:
        """Return the value of a setting, and where it was found.

        Args:
            name: One of ``SETTINGS``.
            store_url: The store that a per-store setting is asked for.

        Raises:
            InvalidConfig: There is no such setting.
        """
        setting = setting_named(name)
        places = (
            (self._flags, name, "command line"),
            (self._environment.variables, setting.variable, f"environment ({setting.variable})"),
            (self._workspace, name, f"workspace ({self._workspace_file})"),
            (self._user_table(setting, store_url), name, f"user ({self.user_file})"),
        )
        for table, key, origin in places:
            if key in table:
                return Value(name=name, value=str(table[key]), origin=origin)
        return Value(name=name, value=setting.default, origin="default")

    def get(self, name: str, *, store_url: str | None = None) -> str | None:
        """Return the value of a setting, or ``None``."""
        return self.find(name, store_url=store_url).value

    @property
    def user_file(self) -> Path:
        """Where the user's own settings are."""
        return self._environment.user_config_file

    def connection(self, store_url: str) -> ConnectionOptions:
        """Return how to reach a store.

        Raises:
            InvalidConfig: A setting cannot be used.
        """
        return ConnectionOptions(
            endpoint_url=self.get("endpoint_url", store_url=store_url) or None,
            region=self.get("region", store_url=store_url) or None,
            profile=self.get("profile", store_url=store_url) or None,
            timeout_seconds=self.timeout_seconds,
        )

    @property
    def timeout_seconds(self) -> float:
        """Longest silence of an S3 server before a request counts as lost.

        Raises:
            InvalidConfig: It is no number, or none between 0.1 and 3,600.
        """
        found = self.find("timeout_seconds")
        try:
            seconds = float(found.value or "")
        except ValueError:
            seconds = 0.0
        if not MIN_TIMEOUT_SECONDS <= seconds <= MAX_TIMEOUT_SECONDS:
            raise InvalidConfig(
                f"timeout_seconds is {found.value!r}, not a number of seconds from "
                f"{MIN_TIMEOUT_SECONDS} to {MAX_TIMEOUT_SECONDS} ({found.origin})."
            )
        return seconds

    @property
    def cache_size_bytes(self) -> int:
        """Size limit of the local cache.

        Raises:
            InvalidConfig: It is no number.
        """
        found = self.find("cache_size_mb")
        if not (found.value or "").isdecimal():
            raise InvalidConfig(f"cache_size_mb is {found.value!r}, not a number ({found.origin}).")
        return int(found.value or 0) * 1_000_000

    def _user_table(self, setting: Setting, store_url: str | None) -> Mapping[str, Any]:
        if not setting.per_store:
            return self._user
        table: Mapping[str, Any] = self._user.get("stores", {}).get(store_url or "", {})
        return table


def setting_named(name: str) -> Setting:
    """Return the setting called *name*.

    Raises:
        InvalidConfig: There is none; the hint names the nearest.
    """
    if name in SETTINGS:
        return SETTINGS[name]
    near = difflib.get_close_matches(name, SETTINGS, 1)
    raise InvalidConfig(
        f"There is no setting {name!r}.",
        hint=f"Did you mean {near[0]}?" if near else f"Settings: {', '.join(SETTINGS)}.",
    )


def write_workspace_file(folder: Path, *, store: str, namespace: str, token: str) -> None:
    """Bind *folder* to a store and a namespace, durably."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("Written by nbvc. This folder's notebooks have versions in:"))
    document["store"] = store
    document["namespace"] = namespace
    path = folder / CONTROL_FOLDER / CONFIG_FILE
    write_file(path, tomlkit.dumps(document).encode(), token=token)


def set_user_value(
    path: Path, name: str, value: str | None, *, store_url: str | None, token: str
) -> None:
    """Set, or with ``None`` remove, a value in the user's file; comments and the rest stay.

    Raises:
        InvalidConfig: The setting is unknown, belongs to a workspace, or needs a store.
    """
    import tomlkit

    setting = setting_named(name)
    if setting.in_workspace:
        raise InvalidConfig(
            f"{name} belongs to a workspace.", hint="nbvc init sets it, nbvc migrate changes it."
        )
    if setting.per_store and store_url is None:
        raise InvalidConfig(
            f"{name} is kept for each store.", hint="Run this in a workspace, or give --store URL."
        )
    _check_encodable(f"{name} {value or ''} {store_url or ''}")
    text = _read_text(path)
    _parse(text, path)
    document = tomlkit.parse(text)
    table: Any = document
    if setting.per_store:
        stores = document.setdefault("stores", tomlkit.table(is_super_table=True))
        table = stores.setdefault(store_url, tomlkit.table())
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value
    make_folder(path.parent)
    write_file(path, tomlkit.dumps(document).encode(), token=token)


def _read_workspace_file(path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    table = _read_toml(path)
    for name in table:
        if name not in SETTINGS or not SETTINGS[name].in_workspace:
            raise InvalidConfig(
                f"{path} sets {name!r}, which a workspace may not set: "
                "a folder can come from somebody else.",
                hint=f"Remove that line; nbvc config set {name} ... sets it for you alone."
                if name in SETTINGS
                else "Remove that line.",
            )
        _check_value(name, table[name], path)
    if "namespace" in table:
        _check_namespace(table["namespace"], path)
    return table


def _check_user_file(table: Mapping[str, Any], path: Path) -> None:
    for name, value in table.items():
        if name == "stores" and isinstance(value, dict):
            for url, entries in value.items():
                if not isinstance(entries, dict):
                    raise InvalidConfig(f"{path}: [stores.{url!r}] is not a table.")
                for entry in entries:
                    _check_name(entry, path, per_store=True)
                    _check_value(entry, entries[entry], path)
        else:
            _check_name(name, path, per_store=False)
            _check_value(name, value, path)


def _check_name(name: str, path: Path, *, per_store: bool) -> None:
    setting = SETTINGS.get(name)
    if setting is None or setting.in_workspace or setting.per_store != per_store:
        raise InvalidConfig(
            f"{path} sets {name!r}, which does not belong there.",
            hint='nbvc config list shows the settings; per store ones go under [stores."URL"].',
        )


def _check_value(name: str, value: object, path: Path) -> None:
    if not isinstance(value, str) and type(value) not in _NUMBERS.get(name, ()):
        raise InvalidConfig(
            f"{path} sets {name} to something that is not text.", hint=f'Write {name} = "..."'
        )


def _check_namespace(value: str, path: Path) -> None:
    try:
        if value != WHOLE_AREA:
            check_key_path(value.strip("/"))
    except InvalidKey as error:
        raise InvalidConfig(f"The namespace in {path} cannot be used: {error.message}") from error


def _check_encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidConfig(f"{text!a} is not text that a file can hold.") from error


def _read_toml(path: Path) -> Mapping[str, Any]:
    return _parse(_read_text(path), path)


def _parse(text: str, path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(f"{path} is not valid TOML: {error}") from error


def _read_text(path: Path) -> str:
    """Return the text of a file of settings; none where there is no file."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise InvalidConfig(f"{path} is larger than {MAX_CONFIG_BYTES} bytes.")
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"{path} is not valid TOML: {error}") from error
    except PermissionError as error:
        raise AccessDenied(f"{path} may not be read.", hint=f"ls -l {typed(str(path))}") from error
    except OSError as error:
        raise NbvcError(
            f"{path} cannot be read: {error.strerror}.", hint="Check the disk."
        ) from error
