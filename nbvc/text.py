"""Make text from elsewhere safe to print: names, messages, authors and cells may be hostile.

A terminal obeys control characters, and bidirectional overrides make text read differently from
what it is (CVE-2021-42574). Both are replaced by escapes that a reader sees.
"""

from __future__ import annotations

import re
import shlex

_INVISIBLE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # direction marks, line separators
    "\ud800-\udfff"  # lone surrogates, which no terminal encoding can carry
)
# Nothing in these classes is printable by ``str.isprintable``, which needs no pattern. Patterns are
# texts here, and in all that every command imports: ``re`` compiles them where they are needed.
_CONTROLS = r"[\x00-\x1f\x7f\ud800-\udfff]"
_USER_INFO = r"((?<=\w):/{1,2})[^/\s@]*@"
_QUERY = (
    r"((?<=\w):/{1,2}[^\s?#'\"]*)"
    r"(?:(\?versionId=[^\s&#'\"]*)[&#]|(?!\?versionId=)[?#])[^\s'\"]*"
)


def printable(text: str) -> str:
    r"""Return *text* with what a terminal would obey written as escapes such as ``\x1b``.

    Newlines and tabs stay. Doing it twice changes nothing more.
    """
    return text if text.isprintable() else re.sub(f"[{_INVISIBLE}]", _escape, text)


def printable_line(text: str) -> str:
    """Return *text* like ``printable``, with newlines and tabs escaped as well."""
    return text if text.isprintable() else re.sub(f"[{_INVISIBLE}\t\n]", _escape, text)


def has_controls(text: str) -> bool:
    """Return whether *text* holds an ASCII control character or a lone surrogate."""
    return not text.isprintable() and re.search(_CONTROLS, text) is not None


def without_secrets(text: str) -> str:
    """Return *text* without what may be secret in a URL that somebody typed or set.

    That is user information, and a query, as the signature of a signed URL; a version ID stays.
    One slash is enough to know a URL by, for a path that was one has no two.
    """
    without_users = re.sub(_USER_INFO, r"\1", text)
    return re.sub(_QUERY, lambda found: found[1] + (found[2] or ""), without_users)


def typed(path: str) -> str:
    """Return *path* as a person would type it in a shell: quoted, and never read as an option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def counted(number: int, thing: str) -> str:
    """Return ``1 line``, ``2,000 lines``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
