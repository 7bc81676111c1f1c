"""Install programs from PyPI, each into a virtual environment of its own in the user's cache.

Needs nothing but the standard library. Run as a program, it prints the folder of a peer that
``scripts/bench`` measures: ``own_environments.py bookstore``.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import setup_environment as setup
from setup_environment import SetupError, say

SCRIPTS = Path(__file__).resolve().parent
STAMP = "ready"


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to install.

    Attributes:
        name: What the folder is called.
        requirements: What pip is told to install.
        constraints: File below this folder with versions that are known to work.
    """

    name: str
    requirements: tuple[str, ...]
    constraints: str | None = None


PEERS = {
    "aws": Program(name="aws", requirements=("awscli==1.46.3",)),
    "bookstore": Program(
        name="bookstore",
        # It imports requests, and does not say that it needs it.
        requirements=(
            "bookstore==2.5.1",
            "notebook==6.5.7",
            "aiobotocore==1.3.3",
            "requests",
        ),
        constraints="benchmarks/bookstore-constraints.txt",
    ),
}
"""The peers of nbvc that would not get along with it in one environment."""


def main(arguments: list[str]) -> int:
    """Print the folder of a peer's environment, which is made first if need be."""
    if len(arguments) != 1 or arguments[0] not in PEERS:
        print(f"usage: own_environments.py {{{','.join(PEERS)}}}", file=sys.stderr)
        return 2
    try:
        print(installed(PEERS[arguments[0]]))
    except (SetupError, OSError) as error:
        say(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def installed(program: Program) -> Path:
    """Return the environment that has *program*, which is installed first if need be.

    Raises:
        SetupError: No folder can be written, or the installation failed.
    """
    folder = folder_of(program)
    with setup.exclusive(folder):
        if not (folder / STAMP).exists():
            install(folder, program)
    return folder


def folder_of(program: Program) -> Path:
    """Return the folder for an environment that holds exactly what is asked for now.

    Raises:
        SetupError: None can be written.
    """
    facts = [*program.requirements, "{}.{}".format(*sys.version_info)]
    facts += [(SCRIPTS / program.constraints).read_text()] if program.constraints else []
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
    tried = []
    for parent in candidates(os.environ):
        folder = parent / f"{program.name}-{digest}"
        if setup.is_writable(folder):
            return folder
        tried.append(str(parent))
    raise SetupError(
        f"{program.name} cannot be installed: no folder can be written "
        f"(tried: {', '.join(tried)}).\n"
        "hint: name one with NBVC_SERVERS_DIR=/path/to/folder"
    )


def candidates(variables: Mapping[str, str]) -> Iterator[Path]:
    """Yield where the environments may be, best first."""
    if chosen := variables.get("NBVC_SERVERS_DIR"):
        yield Path(chosen).absolute()
        return
    cache = Path(variables.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    if cache.is_absolute():
        yield cache / "nbvc" / "servers"
    shared = Path(tempfile.gettempdir()) / f"nbvc-{os.getuid()}"
    if setup.is_private(shared):
        yield shared / "servers"


def install(folder: Path, program: Program) -> None:
    """Make the environment and stamp it.

    Raises:
        SetupError: It failed; the environment carries no stamp then.
    """
    say(f"Installing {program.requirements[0]} into {folder} (once, up to a minute) ...\n")
    # What an attempt left that did not get as far as an environment.
    (folder / setup.LOG).unlink(missing_ok=True)
    setup.create(folder)
    limits = ["--constraint", str(SCRIPTS / program.constraints)] if program.constraints else []
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip", "install", "--no-input"]
    quiet = ["--disable-pip-version-check", "--progress-bar", "off"]
    setup.run(folder, [*pip, *quiet, *limits, *program.requirements])
    (folder / STAMP).touch()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
