"""Addresses of ``nbvc://``."""

from __future__ import annotations

import pytest

from nbvc.errors import InvalidInput, InvalidKey
from nbvc.model import NotebookKey
from nbvc.refs import parse_selector
from nbvc.scheduling.addresses import address_of, parse_address

KEY = "kylek/notebooks/mine.ipynb"


@pytest.mark.parametrize(
    ("typed", "version"),
    [
        ("v3", "v3"),
        ("release-1.0", "release-1.0"),
        ("latest~2", "latest~2"),
        ("{2 days ago}", "{2 days ago}"),
        ("%7B2026-08-01%7D", "{2026-08-01}"),
        ("3HL4+qtJ%2F", "3HL4+qtJ/"),
    ],
)
def test_a_version_follows_the_question_mark(typed: str, version: str) -> None:
    """Any that is written after an ``@`` elsewhere; percent-encoded, as URLs are, or not."""
    address = parse_address(f"nbvc://{KEY}?version={typed}")
    assert (address.key, address.version.text) == (KEY, version)


def test_without_a_version_the_latest_is_meant() -> None:
    """As everywhere."""
    address = parse_address(f"nbvc://{KEY}")
    assert (address.key, address.selector, address.version.text) == (KEY, None, "latest")


@pytest.mark.parametrize("key", ["team/100%.ipynb", "team/what?.ipynb", "team/a b+c@v1.ipynb"])
def test_a_key_stands_as_it_is(key: str) -> None:
    """So that what a listing gives can be asked for."""
    made = address_of(NotebookKey(key), parse_selector("{2 days ago}"))
    address = parse_address(made)
    assert (address.key, address.version.text) == (key, "{2 days ago}")


@pytest.mark.parametrize("query", ["", "v3", "verison=v3", "version=", "version=v3&area=published"])
def test_what_names_no_version_is_refused(query: str) -> None:
    """A typing error must not run the latest version instead."""
    with pytest.raises(InvalidInput, match="after its '\\?'"):
        parse_address(f"nbvc://{KEY}?{query}" if query else f"nbvc://{KEY}?")


def test_a_folder_has_no_key() -> None:
    """Only a notebook can be run or read."""
    assert parse_address("nbvc://kylek/notebooks/").path == "kylek/notebooks"
    with pytest.raises(InvalidKey):
        _ = parse_address("nbvc://kylek/notebooks").key
