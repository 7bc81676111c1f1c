"""What the doctor looks at on this machine: versions, settings, the workspace and its disk."""

from __future__ import annotations

import platform
import re
import shutil
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nbvc import __version__, looking
from nbvc.environment import Environment
from nbvc.errors import IntegrityError, InvalidInput
from nbvc.manifest.sealing import format_time
from nbvc.stores.opening import S3_SCHEME, parse_folder, parse_s3_url
from nbvc.text import typed
from nbvc.workspace.captures import Captures
from nbvc.workspace.core import INDEX_FILE
from nbvc.workspace.diagnosis import Diagnosis, warning, well
from nbvc.workspace.files import explained, write_file
from nbvc.workspace.index import Index
from nbvc.workspace.mounts import is_network
from nbvc.workspace.outbox import FOLDER as OUTBOX_FOLDER
from nbvc.workspace.outbox import Outbox
from nbvc.workspace.settings import CONTROL_FOLDER, EMBEDDED, SETTINGS, Value

if TYPE_CHECKING:
    from nbvc.workspace.session import Session

LITTLE_ROOM_BYTES = 100_000_000
"""A few saves of large notebooks; with less, there is a warning."""

_PACKAGES = ("botocore", "nbdime", "nbformat")
_PROBE_BYTES = b"x" * 65_536
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?")
_PUBLIC = {
    "region": re.compile(r"[a-z0-9-]{1,30}"),
    "cache_size_mb": _NUMBER,
    "timeout_seconds": _NUMBER,
}


def versions() -> Diagnosis:
    """Return which programs are at work; not the name of the machine."""
    packages = [f"{name} {_version(name)}" for name in _PACKAGES]
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return well(", ".join([f"nbvc {__version__}", python, *packages, system]))


def configuration(session: Session, store_url: str | None) -> Diagnosis:
    """Return each setting and where it was found, without the values that are private.

    Raises:
        InvalidConfig: A file cannot be used.
    """
    values = [session.settings.find(name, store_url=store_url) for name in SETTINGS]
    given = sum(value.value is not None and value.origin != "default" for value in values)
    lines = [f"{value.name}: {_shown(value)}" for value in values]
    variables = sorted(n for n in session.environment.variables if n.startswith("AWS_"))
    if variables:
        lines.append(f"AWS variables that are set: {', '.join(variables)}")
    return well(f"{given} of {len(values)} settings are set; the files can be read.", *lines)


def workspace(folder: Path | None, *, named: bool) -> Diagnosis:
    """Return whether there is a workspace, and whether what it remembers can be read.

    Args:
        folder: The workspace.
        named: Whether the user named a store, so that none is needed.

    Raises:
        IntegrityError: What it remembers is damaged.
    """
    if folder is None and named:
        return well("Not in a workspace; the store that you named is looked at.")
    if folder is None:
        return warning(
            "Not in a workspace, so there is no store to look at.",
            "nbvc init makes this folder one; nbvc doctor URL looks at a store.",
        )
    index = folder / CONTROL_FOLDER / INDEX_FILE
    if looking.exists(index):
        with closing(Index(index, "")) as opened:
            opened.paths()
    return well(f"The workspace is {folder}.")


def file_system(folder: Path, environment: Environment) -> Diagnosis:
    """Return whether the workspace can be written to, tried by writing, and how much room it has.

    Raises:
        AccessDenied: It cannot be written to.
        NbvcError: The disk is full, or fails.
    """
    probe = folder / CONTROL_FOLDER / "doctor.probe"
    write_file(probe, _PROBE_BYTES, token=environment.new_write_id())
    with explained(probe):
        probe.unlink()
    network = is_network(folder)
    kind = f", on a network file system ({network})" if network else ""
    return with_room(folder, f"The workspace can be written to{kind}")


def with_room(folder: Path, found: str) -> Diagnosis:
    """Return *found* with the room on the disk of *folder*; a warning where that is little."""
    with explained(folder):
        free = shutil.disk_usage(folder).free
    room = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.0f} MB"
    if free < LITTLE_ROOM_BYTES:
        return warning(f"{found}; only {room} are free.", "Make room on that disk.")
    return well(f"{found}; {room} are free.")


def outbox(folder: Path) -> Diagnosis:
    """Return what waits in the outbox, since when, and why.

    Raises:
        IntegrityError: A version that waited is damaged.
    """
    found = Outbox(folder / CONTROL_FOLDER / OUTBOX_FOLDER)
    damaged, waiting, failure = found.damaged(), found.waiting(), found.failure
    captured = Captures(found).summary()
    if damaged:
        raise IntegrityError(
            f"{len(damaged)} of the versions that waited in the outbox are damaged on this disk.",
            hint=f"tail -n +2 {typed(str(damaged[0]))} shows what is left of the first one.",
        )
    if not waiting and captured:
        return warning(
            captured, "A running Jupyter server does that by itself; otherwise: nbvc push"
        )
    if not waiting:
        return well("Nothing waits to be delivered.")
    oldest = min(version.saved_at for version in waiting)
    why = f"The last delivery stopped: {failure.kind}." if failure else ""
    count = "1 version waits" if len(waiting) == 1 else f"{len(waiting)} versions wait"
    return warning(
        f"{count} to be delivered, the oldest since {format_time(oldest)[:19]}Z.",
        "nbvc push delivers them once the store is reached.",
        *([why] if why else []),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _shown(value: Value) -> str:
    """Return a value as strangers may see it, and where it was found."""
    if value.value is None:
        return "not set"
    shown = _public_value(value.name, value.value)
    return shown if value.origin == "default" else f"{shown}, from {value.origin}"


def _public_value(name: str, text: str) -> str:
    if name == "store":
        return text if _is_plain_store(text) else "set, to something that is no store"
    if name == "endpoint_url":
        parts = urlsplit(text)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    pattern = _PUBLIC.get(name)
    return text if pattern is not None and pattern.fullmatch(text) else "set"


def _is_plain_store(text: str) -> bool:
    if text == EMBEDDED:
        return True
    try:
        parse_s3_url(text) if text.startswith(S3_SCHEME) else parse_folder(text)
    except InvalidInput:
        return False
    return True
