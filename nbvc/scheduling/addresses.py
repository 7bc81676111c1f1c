"""Addresses such as ``nbvc://kylek/notebooks/mine.ipynb?version=v3``: a key, and which version.

The key stands as it is, without percent-encoding, so that what a listing gives can be used again.
The version may be percent-encoded, as a program that builds a URL does it.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from nbvc.errors import InvalidInput
from nbvc.model import NOTEBOOK_SUFFIX, NotebookKey
from nbvc.refs import LATEST, Selector, parse_selector
from nbvc.values import dataclass

SCHEME = "nbvc://"
_QUERY = f"{NOTEBOOK_SUFFIX}?"
_VERSION = "version="
_EXAMPLE = f"Write {SCHEME}NAMESPACE/mine.ipynb?version=v3, or no version for the latest."


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What an address names.

    Attributes:
        path: The key of a notebook, or a folder of keys; empty for all of them.
        selector: The version that it names, if it names one.
    """

    path: str
    selector: Selector | None

    @property
    def key(self) -> NotebookKey:
        """The key of the notebook.

        Raises:
            InvalidKey: It is not a notebook's.
        """
        return NotebookKey(self.path)

    @property
    def version(self) -> Selector:
        """The version that it names; the latest where it names none."""
        return self.selector or LATEST


def split_version(text: str) -> tuple[str, str]:
    """Return *text* without its version, and the version with its ``?``; nothing where none is."""
    head, found, query = text.rpartition(_QUERY)
    return (head + NOTEBOOK_SUFFIX, f"?{query}") if found else (text, "")


def parse_address(text: str) -> Address:
    """Read an address; ``nbvc://`` may be missing.

    Raises:
        InvalidInput: What stands after the ``?`` names no version.
        InvalidRef: The version cannot be read.
    """
    path, query = split_version(text.removeprefix(SCHEME))
    if not query:
        return Address(path=path.strip("/"), selector=None)
    version = query[1:].removeprefix(_VERSION)
    if not query[1:].startswith(_VERSION) or not version or "&" in version:
        raise InvalidInput(f"{text} cannot be read after its '?'.", hint=_EXAMPLE)
    return Address(path=path.strip("/"), selector=parse_selector(unquote(version)))


def address_of(key: NotebookKey, selector: Selector | None = None) -> str:
    """Return the address of a notebook, or of a version of it."""
    version = f"?{_VERSION}{quote(selector.text, safe='~:')}" if selector else ""
    return f"{SCHEME}{key}{version}"
