"""Make the project's virtual environment ready and print its folder (see ``scripts/setup``).

Needs nothing but the standard library. A stamp in the environment says what was installed, so a
second run costs one small read. Two runs at once take turns.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
EXTRAS = ("", "test", "dev")
"""What can be asked for; each holds all of the one before it."""

STAMP = "nbvc-setup.json"
LOG = "nbvc-setup.log"
NETWORK_FAILURE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError"
    r"|Max retries exceeded|Connection (refused|reset)|Temporary failure in name resolution"
)


class SetupError(Exception):
    """The environment cannot be made; the message is for the user."""


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    extra = arguments[0] if arguments else ""
    if len(arguments) > 1 or extra not in EXTRAS:
        print("usage: scripts/setup [test|dev]", file=sys.stderr)
        return 2
    try:
        print(prepare(candidates(os.environ), extra))
    except (SetupError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def candidates(variables: Mapping[str, str]) -> Iterator[Path]:
    """Yield where the environment may be, best first."""
    if chosen := variables.get("NBVC_VENV"):
        yield Path(chosen).absolute()
        return
    yield PROJECT / ".venv"
    name = f"venv-{hashlib.sha256(os.fsencode(PROJECT)).hexdigest()[:12]}"
    cache = variables.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(cache):
        yield Path(cache) / "nbvc" / name
    shared = Path(tempfile.gettempdir()) / f"nbvc-{os.getuid()}"
    if is_private(shared):
        yield shared / name


def is_private(folder: Path) -> bool:
    """Tell whether *folder*, made if need be, is ours alone: others can write beside it."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def prepare(folders: Iterable[Path], extra: str) -> Path:
    """Return the first folder that is ready or can be made ready.

    Raises:
        SetupError: No folder can be written, or the installation failed.
    """
    tried = []
    for folder in folders:
        if is_ready(folder, extra):
            return folder
        if is_writable(folder):
            with exclusive(folder):
                if not is_ready(folder, extra):
                    build(folder, extra)
            return folder
        tried.append(str(folder))
    raise SetupError(
        f"the virtual environment cannot be written (tried: {', '.join(tried)}).\n"
        "hint: name a folder for it with NBVC_VENV=/path/to/folder"
    )


def wanted(folder: Path, extra: str) -> dict[str, str]:
    """Return the stamp of an environment that is ready now."""
    return {
        "project": str(PROJECT),
        "environment": str(folder),
        "python": "{}.{}".format(*sys.version_info),
        "pyproject": hashlib.sha256((PROJECT / "pyproject.toml").read_bytes()).hexdigest(),
        "extra": extra,
    }


def read_stamp(folder: Path) -> dict[str, str]:
    """Return what was installed in *folder*, or nothing where that is not known."""
    try:
        stamp = json.loads((folder / STAMP).read_bytes())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_ready(folder: Path, extra: str) -> bool:
    """Tell whether *folder* holds all that is wanted, and perhaps more."""
    stamp = read_stamp(folder)
    installed = stamp.get("extra")
    return (
        installed in EXTRAS
        and EXTRAS.index(installed) >= EXTRAS.index(extra)
        and stamp == wanted(folder, installed)
        and os.access(folder / "bin" / "python", os.X_OK)
    )


def is_writable(folder: Path) -> bool:
    """Tell whether *folder*, made if need be, takes new files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of *folder*; the folder itself is the lock, so nothing is left behind."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up to finish ...\n")
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


def build(folder: Path, extra: str) -> None:
    """Make or refresh the environment in *folder*, and stamp it.

    Raises:
        SetupError: It failed; the environment carries no stamp then.
    """
    before = read_stamp(folder)
    extra = max(extra, before.get("extra", ""), key=EXTRAS.index)
    stamp = wanted(folder, extra)
    (folder / STAMP).unlink(missing_ok=True)
    say(f"Setting up {folder} (once, about a minute) ...\n")
    moved = any(before.get(name, stamp[name]) != stamp[name] for name in ("environment", "python"))
    if moved or not has_pip(folder):
        create(folder)
    install(folder, f".[{extra}]" if extra else ".")
    temporary = folder / f"{STAMP}.new"
    temporary.write_text(json.dumps(stamp, indent=1) + "\n")
    temporary.replace(folder / STAMP)


def has_pip(folder: Path) -> bool:
    """Tell whether *folder* is an environment that works and that packages can go into."""
    python = folder / "bin" / "python"
    if not os.access(python, os.X_OK):
        return False
    check = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    return (
        subprocess.run([python, "-I", "-c", check], capture_output=True, check=False).returncode
        == 0
    )


def create(folder: Path) -> None:
    """Make a new environment in *folder*, in place of the one that is there.

    Raises:
        SetupError: Other files are there, or Python lacks its ``venv`` or ``ensurepip``.
    """
    if any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        raise SetupError(
            f"{folder} holds files and is not a virtual environment.\n"
            "hint: choose another folder with NBVC_VENV"
        )
    version = "{}.{}".format(*sys.version_info)
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        raise SetupError(
            f"Python {version} ({sys.executable}) cannot make virtual environments.\n"
            f"hint: on Debian or Ubuntu: apt install python{version}-venv"
        )
    # The environment that is being replaced may be the one that runs this.
    python = getattr(sys, "_base_executable", sys.executable)
    run(folder, [python, "-I", "-m", "venv", "--clear", str(folder)])


def install(folder: Path, requirement: str) -> None:
    """Install the project, editable, with what *requirement* asks for."""
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip"]
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    run(folder, [*pip, "install", *quiet, "--editable", requirement])


def run(folder: Path, command: list[str]) -> None:
    """Run *command* in the project, its output in a log that is shown if it fails.

    Raises:
        SetupError: It failed.
    """
    # A user-wide "install into my home" setting of pip is an error inside an environment.
    variables = {**os.environ, "PIP_USER": "0"}
    with tempfile.TemporaryFile() as output:
        status = subprocess.run(
            command,
            check=False,
            cwd=PROJECT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ).returncode
        output.seek(0)
        text = output.read().decode(errors="replace")
    (folder / LOG).write_text(text, encoding="utf-8")
    if status == 0:
        return
    if NETWORK_FAILURE.search(text):
        raise SetupError(
            "the package registry cannot be reached; check the network, the proxy and pip's index "
            f"settings (full log: {folder / LOG})"
        )
    raise SetupError(f"{' '.join(command)} ended with status {status}:\n{text}")


def say(text: str) -> None:
    """Tell the person who waits; standard output carries the folder only."""
    print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
