"""Renders the reference of the command line from the commands, the errors and the settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from nbvc import errors
from nbvc.cli.main import app
from nbvc.errors import NbvcError
from nbvc.workspace.results import SomeFailed
from nbvc.workspace.settings import SETTINGS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"

# Typer has a copy of click of its own, whose names are not public.
Command = Any

INTRODUCTION = """\
# Command line

Written by `scripts/generate-cli-reference` from the commands themselves; a test compares the two.

Data goes to standard output, messages to standard error. With `--json`, standard output carries
JSON alone ([its fields](json.md)). On a terminal, times are relative and long output goes through a
pager; elsewhere times are in UTC and nothing is cut. How to name a version (`v3`, `latest~1`, a
digest, a tag) is in the [tutorial](../tutorial.md#look-back).
"""
AFTER_EXIT_CODES = """\
An option or command that does not exist ends with 2. With `--json`, an error is one line of JSON
on standard error: `{"error": {"kind": ..., "message": ..., "hint": ...}}`.
"""
BEFORE_SETTINGS = """\
What is found first holds: option, environment variable, workspace, your own file, default.
"""
AFTER_SETTINGS = """\
A workspace can come from somebody else. So its file holds the store and the namespace only; what
decides where signed requests go is kept in your own file, under the store's URL.
"""
OTHER_VARIABLES = {
    "NBVC_CONFIG": "The file with your settings, in place of `nbvc/config.toml` in the user's "
    "configuration folder (`~/.config` on Linux)",
    "NBVC_CACHE_DIR": "The folder of the cache, in place of `nbvc` in the user's cache folder "
    "(`~/.cache` on Linux)",
    "JUPYTERHUB_USER": "The author, where the setting `author` is not set; after it come git's "
    "`user.name` and the login name",
    "PAGER": "The program that shows long output, where the setting `pager` is not set",
    "NO_COLOR": "Any value turns colour off, as does `TERM=dumb`",
    "AWS_PROFILE, AWS_...": "Credentials, profile, region and endpoint, as the AWS tools read "
    "them; nbvc keeps no credentials",
}


def render() -> str:
    """Return the whole page."""
    root: Command = typer.main.get_command(app)
    commands = list(_walk(root, "nbvc"))
    lines = [INTRODUCTION, "| command | what it does |", "|---|---|"]
    lines += [f"| [`{name}`](#{_anchor(name)}) | {_first_line(c)} |" for name, c in commands[1:]]
    for name, command in commands:
        lines += ["", f"## {name}", "", *_describe(root, name, command)]
    lines += ["## Exit codes", "", *_exit_codes(), "", AFTER_EXIT_CODES]
    lines += ["## Settings", "", BEFORE_SETTINGS, *_settings(), "", AFTER_SETTINGS]
    lines += ["| other variable | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in OTHER_VARIABLES.items()]
    return "\n".join(lines) + "\n"


def _walk(command: Command, name: str) -> Iterator[tuple[str, Command]]:
    """Yield the command and all below it that help lists."""
    yield name, command
    for child, found in getattr(command, "commands", {}).items():
        if not found.hidden:
            yield from _walk(found, f"{name} {child}")


def _describe(root: Command, name: str, command: Command) -> Iterator[str]:
    above = root.make_context("nbvc", [], resilient_parsing=True)
    context = command.make_context(name, [], parent=above, resilient_parsing=True)
    yield from ("```text", " ".join([name, *command.collect_usage_pieces(context)]), "```", "")
    paragraphs = [part.strip("\n") for part in (command.help or "").split("\n\n")]
    for paragraph in paragraphs:
        if paragraph.startswith("\b"):
            yield from ("```text", *paragraph.splitlines()[1:], "```", "")
        else:
            yield from (" ".join(paragraph.split()), "")
    records = [found for p in command.get_params(context) if (found := p.get_help_record(context))]
    yield from ("| argument or option | what it is |", "|---|---|")
    yield from (f"| `{_cell(first)}` | {_cell(second)} |" for first, second in records)
    yield ""


def _first_line(command: Command) -> str:
    return _cell((command.help or "").strip().partition("\n")[0])


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _exit_codes() -> Iterator[str]:
    yield from ("| exit code | `kind` in JSON | meaning |", "|---|---|---|")
    yield "| 0 | | Done; or nothing was to be done |"
    yield "| 1 | | `diff --exit-code`: there are differences; `config get`: it is not set |"
    for error in sorted(_errors(NbvcError), key=lambda e: (e.exit_code, e is not NbvcError)):
        code = "that of the first" if error is SomeFailed else str(error.exit_code)
        meaning = (error.__doc__ or "").strip().partition("\n")[0]
        if error is NbvcError:
            meaning = "Any other failure."
        yield f"| {code} | `{error.kind}` | {_cell(meaning)} |"


def _errors(error: type[NbvcError]) -> Iterator[type[NbvcError]]:
    """Yield the error and those below it that have a kind of their own."""
    if error is SomeFailed or error.__module__ == errors.__name__:
        yield error
    for child in error.__subclasses__():
        yield from _errors(child)


def _settings() -> Iterator[str]:
    yield "| setting | environment variable | kept in | what it is |"
    yield "|---|---|---|---|"
    for setting in SETTINGS.values():
        kept = "your file, for all workspaces"
        if setting.in_workspace:
            kept = "the workspace (`nbvc init`, `nbvc migrate`)"
        elif setting.per_store:
            kept = "your file, for each store"
        default = f"; default: {setting.default}" if setting.default else ""
        what = f"{_cell(setting.help)}{default}"
        yield f"| `{setting.name}` | `{setting.variable}` | {kept} | {what} |"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
