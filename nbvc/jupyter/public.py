"""Errors as a browser may see them: no bucket, no endpoint, no absolute path, no secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nbvc.errors import Ambiguous, NbvcError
from nbvc.text import printable
from nbvc.workspace.core import Workspace
from nbvc.workspace.public_text import PublicText
from nbvc.workspace.targets import is_url

_STORE_URL = re.compile(r"\b(?:s3|file)://[^\s'\"]*[^\s'\".,;:]")
_ADDRESS = re.compile(r"\bhttps?://[^\s'\"]*[^\s'\".,;:]")
_HOST = re.compile(r"(?<![\w.])(?:[\w-]+(?:\.[\w-]+)*|\[[0-9a-fA-F:]+\]):\d{2,5}(?![\w.])")
_ABSOLUTE = re.compile(r"(?<![\w./<~-])~?/(?:[^\s/'\",;:]+/)*[^\s/'\",;:]*[^\s/'\",;:.]")
_NAMES = frozenset({"ref", "digest", "saved_at"})
"""What tells candidates apart: a digest may look like a secret."""


class PublicErrors:
    """Makes errors fit to be shown in a browser.

    Args:
        text: Takes out what is nobody else's business.
        root: The server's root: what lies in it is shown relative to it.
    """

    def __init__(self, text: PublicText, root: Path) -> None:
        self._text = text
        self._root = str(root)

    def clean(self, error: NbvcError, workspaces: Iterable[Workspace] = ()) -> NbvcError:
        """Return *error*, of the same kind, with nothing in it that is not to be shown.

        Args:
            error: The error.
            workspaces: Those that it may come from: the names of their buckets are taken out.
        """
        private = [name for workspace in workspaces for name in _names(workspace)]
        shown = _copy(error)
        shown.message = self._clean(error.message, private)
        shown.hint = self._clean(error.hint, private) if error.hint else None
        if isinstance(shown, Ambiguous):
            shown.candidates = [self._facts(facts, private) for facts in shown.candidates]
        return shown

    def _facts(self, facts: Mapping[str, Any], private: list[str]) -> dict[str, Any]:
        """Return the facts about a candidate, cleaned where they are more than its name."""
        return {
            name: self._clean(fact, private)
            if isinstance(fact, str) and name not in _NAMES
            else fact
            for name, fact in facts.items()
        }

    def _clean(self, text: str, private: list[str]) -> str:
        for name in sorted(private, key=len, reverse=True):
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", "<store>", text)
        text = _STORE_URL.sub("<store>", text)
        text = _ADDRESS.sub("<address>", text)
        text = _HOST.sub("<address>", text)
        text = text.replace(f"{self._root}/", "").replace(self._root, "<folder>")
        return printable(self._text.clean(_ABSOLUTE.sub("<path>", text)))


def _names(workspace: Workspace) -> list[str]:
    url = workspace.store_url
    if not is_url(url) or url.startswith("file:"):
        return [url]
    bucket, _, root = url.removeprefix("s3://").partition("/")
    return [url, bucket, *([f"{bucket}/{root}"] if root else [])]


def _copy(error: NbvcError) -> NbvcError:
    """Return an error of the same kind with the same facts, made without its constructor."""
    shown = type(error).__new__(type(error))
    shown.__dict__.update(error.__dict__)
    return shown
