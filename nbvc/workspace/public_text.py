"""Make text safe to show to strangers: no names of people, no accounts, nothing secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from nbvc.environment import Environment

MIN_SECRET_LENGTH = 6
"""Shorter values of variables are words too often, as ``test``."""

_USER_INFO = re.compile(r"(?<=://)[^/\s@]*@")
_QUERY = re.compile(r"(?<=\w)(://[^\s?#'\"]*)[?#][^\s'\"]*")
_KEY_ID = re.compile(r"\b(?:ABIA|ACCA|AGPA|AIDA|AIPA|AKIA|ANPA|ANVA|APKA|AROA|ASCA|ASIA)\w{8,}")
_RESOURCE = re.compile(r"\barn:[^\s'\"]+")
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_SECRET_NAME = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|(ACCESS|API|AUTH|SIGNING)_?KEY", re.IGNORECASE
)
_UNUSABLE = re.compile(r"[^\w.@+-]+")


def is_secret_name(name: str) -> bool:
    """Return whether what is called *name* may hold a secret, as a variable ``API_KEY``."""
    return _SECRET_NAME.search(name) is not None


class PublicText:
    """Takes out of text what is nobody else's business.

    The home folder becomes ``~``, a login name in a path or a key ``<you>``, the number of an
    account ``<account>``; user information and queries leave URLs; and what variables with names
    like ``..._TOKEN`` hold is never repeated. It is the last of several lines of defence: what is
    not printed in the first place need not be taken out.

    Args:
        environment: Whose home, login and variables.
    """

    def __init__(self, environment: Environment) -> None:
        self._replacements = [
            *_secrets(environment),
            (_USER_INFO, ""),
            (_QUERY, r"\1"),
            *_homes(environment),
            *_logins(environment),
            (_KEY_ID, "<key>"),
            (_RESOURCE, "<resource>"),
            (_ACCOUNT, "<account>"),
        ]

    def clean(self, text: str) -> str:
        """Return *text* without all that. Doing it twice changes nothing more."""
        for pattern, replacement in self._replacements:
            text = pattern.sub(replacement, text)
        return text


def _secrets(environment: Environment) -> Iterator[tuple[re.Pattern[str], str]]:
    values = {
        value
        for name, value in environment.variables.items()
        if len(value) >= MIN_SECRET_LENGTH and is_secret_name(name)
    }
    for value in sorted(values, key=len, reverse=True):
        yield re.compile(re.escape(value)), "<hidden>"


def _homes(environment: Environment) -> Iterator[tuple[re.Pattern[str], str]]:
    if environment.home is None:
        return
    for home in {str(environment.home), str(environment.home.resolve())}:
        for spelling in {home, quote(home)} - {"/", ""}:
            yield re.compile(rf"{re.escape(spelling)}(?![\w@+-]|\.\w)"), "~"


def _logins(environment: Environment) -> Iterator[tuple[re.Pattern[str], str]]:
    """Yield what finds the user's names where they are part of a path, and not a word of ours."""
    names = {environment.login, environment.variables.get("JUPYTERHUB_USER", "")} - {""}
    for name in sorted(names | {_UNUSABLE.sub("-", name) for name in names}):
        escaped = re.escape(name)
        yield re.compile(rf"(?<=/){escaped}(?![\w@+-]|\.\w)"), "<you>"
        yield re.compile(rf"(?<![\w.@+:/-]){escaped}(?=/)"), "<you>"
