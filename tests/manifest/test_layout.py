"""Keys: newest first in a plain listing, one way from number to key and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvc.errors import InvalidKey
from nbvc.manifest.layout import Layout, entry_key, entry_number
from nbvc.model import MAX_KEY_BYTES, Area, NotebookKey
from tests.manifest.samples import keys, numbers

LAYOUT = Layout()
KEY = NotebookKey("kylek/notebooks/mine.ipynb")


def test_the_layout_of_a_bucket_is_the_documented_one() -> None:
    """The very keys of the design, which bookstore and other tools rely on."""
    assert LAYOUT.data_key(Area.WORKSPACE, KEY) == "workspace/kylek/notebooks/mine.ipynb"
    assert LAYOUT.data_key(Area.PUBLISHED, KEY) == "published/kylek/notebooks/mine.ipynb"
    records = LAYOUT.records(Area.WORKSPACE, KEY)
    assert entry_key(records, 42) == (
        ".nbvc/workspace/kylek/notebooks/mine.ipynb/v/9999999957.json"
    )
    assert LAYOUT.states(Area.PUBLISHED, KEY) == ".nbvc/published/kylek/notebooks/mine.ipynb/s/"


@given(numbers, numbers)
def test_a_plain_listing_gives_the_newest_first(one: int, other: int) -> None:
    """The higher number has the lower key."""
    assert (entry_key("v/", one) < entry_key("v/", other)) == (one > other)


@given(numbers, keys)
def test_every_key_leads_back_to_its_number(number: int, key: NotebookKey) -> None:
    """Number to key to number, under any prefix."""
    prefix = LAYOUT.records(Area.WORKSPACE, key)
    assert entry_number(prefix, entry_key(prefix, number)) == number


@pytest.mark.parametrize("number", [0, -1, 10_000_000_000])
def test_only_version_numbers_have_keys(number: int) -> None:
    """Ten digits hold the numbers from 1 on."""
    with pytest.raises(ValueError, match="not a version number"):
        entry_key("v/", number)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "9999999999.json",
        "999999998.json",
        "09999999998.json",
        "9999999998.jsonx",
        "9999999998",
        "999999999x.json",
        "-999999998.json",
        "99999\u0669\u0669998.json",
        "x/9999999998.json",
    ],
)
def test_other_keys_are_no_entries(name: str) -> None:
    """Whatever else lies in the folder is passed over."""
    assert entry_number("v/", f"v/{name}") is None
    assert entry_number("v/", "w/9999999998.json") is None


@given(keys, st.sampled_from(Area))
def test_a_data_key_leads_back_to_its_notebook(key: NotebookKey, area: Area) -> None:
    """And to no notebook of the other area."""
    data_key = LAYOUT.data_key(area, key)
    other = Area.PUBLISHED if area is Area.WORKSPACE else Area.WORKSPACE
    assert LAYOUT.notebook_key(area, data_key) == key
    assert LAYOUT.notebook_key(other, data_key) is None


@pytest.mark.parametrize("data_key", ["workspace/", "workspace/a.txt", "workspace//a.ipynb", "x"])
def test_other_objects_are_no_notebooks(data_key: str) -> None:
    """What another tool put beside the notebooks is passed over."""
    assert LAYOUT.notebook_key(Area.WORKSPACE, data_key) is None


@pytest.mark.parametrize(
    ("workspace", "published"),
    [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("", "b"), ("a/", "b"), ("a", ".nbvc/b"), ("..", "b")],
)
def test_prefixes_that_hide_one_another_are_refused(workspace: str, published: str) -> None:
    """Neither area may lie in the other, nor in a control folder."""
    with pytest.raises(InvalidKey):
        Layout(workspace=workspace, published=published)


def test_the_areas_may_have_other_names() -> None:
    """Names that only begin alike do not hide one another."""
    layout = Layout(workspace="team/work", published="team/work-out")
    assert layout.data_key(Area.PUBLISHED, KEY) == f"team/work-out/{KEY}"
    assert layout.notebook_key(Area.WORKSPACE, f"team/work-out/{KEY}") is None


def test_a_key_whose_index_would_be_too_long_is_refused() -> None:
    """The limit of 1,024 bytes holds for the keys of the records too, and is met exactly."""
    overhead = len(".nbvc/workspace//v/9999999998.json")
    fits = NotebookKey("é" * ((MAX_KEY_BYTES - overhead - 6) // 2) + ".ipynb")
    key = entry_key(LAYOUT.records(Area.WORKSPACE, fits), 1)
    assert MAX_KEY_BYTES - 1 <= len(key.encode()) <= MAX_KEY_BYTES
    with pytest.raises(InvalidKey, match="too long"):
        LAYOUT.data_key(Area.WORKSPACE, NotebookKey(f"é{fits}"))


def test_folder_with_a_notebooks_name_is_refused() -> None:
    """Keys below ``a.ipynb/`` would lie among the records of ``a.ipynb``, so there are none."""
    with pytest.raises(InvalidKey, match=r"folder whose name ends in \.ipynb"):
        NotebookKey("kylek/a.ipynb/v/0.ipynb")
