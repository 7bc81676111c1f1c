"""What the shell offers to complete: from the folder and from memory, never from the network."""

from __future__ import annotations

from pathlib import Path

from nbvc.errors import InvalidKey, NbvcError
from nbvc.model import NOTEBOOK_SUFFIX, check_key_path
from nbvc.text import printable_line

MAX_OFFERED = 200


def keep_refs_whole() -> None:
    """Let the script for bash hand over ``mine.ipynb@v3`` as one word.

    Bash breaks words at an ``@`` otherwise, and would complete the part behind it alone.
    """
    from typer import _completion_shared as typer_scripts

    script = typer_scripts.COMPLETION_SCRIPT_BASH
    whole = f"\nCOMP_WORDBREAKS=${{COMP_WORDBREAKS//@}}\n{script.lstrip()}"
    typer_scripts._completion_scripts["bash"] = whole


def notebooks(incomplete: str) -> list[str]:
    """Return paths of notebooks, and of folders, that begin with *incomplete*."""
    parent, slash, name = incomplete.rpartition("/")
    offered: list[str] = []
    try:
        for path in sorted(Path(parent + slash or ".").iterdir()):
            if not path.name.startswith(name) or path.name.startswith("."):
                continue
            if not _is_harmless(path.name):
                continue
            shown = f"{parent}{slash}{path.name}"
            if path.is_dir():
                offered.append(f"{shown}/")
            elif path.name.endswith(NOTEBOOK_SUFFIX):
                offered.append(shown)
    except (OSError, ValueError):
        return []
    return offered[:MAX_OFFERED]


def refs(incomplete: str) -> list[str]:
    """Return notebooks, or after ``.ipynb@`` the versions of one that are remembered here."""
    path, found, version = incomplete.rpartition(f"{NOTEBOOK_SUFFIX}@")
    if not found:
        return notebooks(incomplete)
    prefix = f"{path}{NOTEBOOK_SUFFIX}@"
    names = filter(_is_harmless, _versions(prefix[:-1]))
    return [f"{prefix}{name}" for name in names if name.startswith(version)]


def _is_harmless(name: str) -> bool:
    r"""Return whether a shell may be handed *name*, of a file or a tag that anybody made.

    The script for zsh evaluates what is offered, and its escapes are undone by a backslash: from
    ``\$(id)`` it would run ``id``. No notebook that nbvc keeps has one in its path.
    """
    try:
        check_key_path(name)
    except InvalidKey:
        return False
    return printable_line(name) == name


def _versions(path: str) -> list[str]:
    from nbvc.workspace.core import Workspace

    try:
        with Workspace.open() as workspace:
            relative = workspace.relative(path)
            known = workspace.index.get(relative).known
            near = workspace.store_url.startswith("file:")
            tags = workspace.tags(workspace.folder / relative) if near else ()
    except NbvcError:
        return []
    records = list(known.file) if known else []
    numbers = [f"v{record.number}" for record in records]
    digests = [record.digest.short for record in records]
    return ["latest", "published", *sorted(tags), *numbers, *digests]
