"""The commands by name: each is imported and built when it is asked for.

Typer builds all commands of an application at every start, which takes longer than to run one.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.main import get_command_name, get_group

_MODULES = {
    "init": "setup",
    "save": "history",
    "store": "history",
    "status": "history",
    "push": "delivering",
    "log": "history",
    "show": "history",
    "diff": "comparing",
    "checkout": "history",
    "publish": "sharing",
    "unpublish": "sharing",
    "ls": "sharing",
    "resolve": "sharing",
    "clone": "sharing",
    "run": "running",
    "tag": "naming",
    "mv": "naming",
    "rm": "naming",
    "check": "checking",
    "repair": "repairing",
    "pack": "shrinking",
    "unpack": "shrinking",
    "forget": "shrinking",
    "migrate": "setup",
    "doctor": "doctor",
    "config": "setup",
}


class LazyCommands(MutableMapping[str, Any]):
    """What a Typer group keeps its commands in: name to command, in the order of the help."""

    def __init__(self) -> None:
        self._commands: dict[str, Any] = dict.fromkeys(_MODULES)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        """Return the command, built now if need be."""
        command = self._commands[name]
        if command is None:
            command = self._commands[name] = _build(name)
        return command

    def __setitem__(self, name: str, command: Any) -> None:  # noqa: ANN401
        """Add a command that is built already."""
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        """Take a command away."""
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._commands)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._commands)


def _build(name: str) -> Any:  # noqa: ANN401
    app = typer.Typer(rich_markup_mode=None)
    import_module(f"nbvc.cli.{_MODULES[name]}").register(app)
    app.registered_commands = [
        info
        for info in app.registered_commands
        if info.callback and (info.name or get_command_name(info.callback.__name__)) == name
    ]
    app.registered_groups = [info for info in app.registered_groups if info.name == name]
    return get_group(app).commands[name]
