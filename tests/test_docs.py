"""The documentation: what it shows is what happens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from nbvc.repository.findings import Kind
from nbvc.repository.mendings import MendingKind
from tests.moto_server import aws_variables, serve_moto
from tests.pages import PROJECT, SHOWN_HOME, Step, pages, read_blocks, read_session, run_session

NOT_RUN_REASONS = {
    "it downloads from the network",
    "it runs the whole test suite",
    "it needs the aws tool",
    "it needs a server that the tests do not have",
    "it shows the form only",
}
LANGUAGES = {"console", "python", "json", "toml", "text"}
TEST = re.compile(r"`(tests/[\w/]+(?:\.py)?)/?(?:::(\w+))?`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PAGES = pages()
SESSIONS = [page for page in PAGES if read_session(page)]


@pytest.fixture
def s3_variables() -> Iterator[dict[str, str]]:
    """Start an S3 server, and return the variables that send AWS clients there."""
    with serve_moto() as endpoint:
        yield aws_variables(endpoint)


@pytest.mark.parametrize("page", SESSIONS)
def test_session_on_a_page_prints_what_the_page_shows(
    page: str, tmp_path: Path, s3_variables: dict[str, str]
) -> None:
    """Every command that a page shows works in a clean home, and prints what is shown."""
    home = tmp_path / "home"
    home.mkdir()
    problems = run_session(read_session(page), home, s3_variables)
    assert not problems, "\n\n".join(problems)


def test_session_that_differs_from_its_page_is_noticed(tmp_path: Path) -> None:
    """The check can fail: on other output, and on another exit status."""
    steps = [
        Step(where="page:1", command="echo one; echo two", shown=("one", "...", "three")),
        Step(where="page:2", command="exit_status() { return 3; }; exit_status", shown=()),
        Step(where="page:3", command="echo fine", shown=("fine",)),
        Step(where="page:4", command=f"echo {tmp_path}", shown=(SHOWN_HOME,)),
    ]
    problems = run_session(steps, tmp_path, {})
    assert [problem.partition(": ")[0] for problem in problems] == ["page:1", "page:2"]


def test_pages_with_sessions_are_the_ones_for_people() -> None:
    """The main pages are run: none of them lost its session unnoticed."""
    assert {"README.md", "docs/tutorial.md", "docs/reference/python.md"} <= set(SESSIONS)
    how_to = {page for page in PAGES if page.startswith("docs/how-to/")}
    assert len(how_to & set(SESSIONS)) >= 4


@pytest.mark.parametrize("page", PAGES)
def test_block_that_is_not_run_gives_a_known_reason(page: str) -> None:
    """Commands are left out for a few reasons only, each stated above the block."""
    for block in read_blocks(page):
        where = f"{page}:{block.line}"
        assert block.language in LANGUAGES, where
        assert block.not_run is None or block.not_run in NOT_RUN_REASONS, where


@pytest.mark.parametrize("page", PAGES)
def test_json_on_a_page_is_json(page: str) -> None:
    """What can be copied from a page can be parsed."""
    for block in read_blocks(page):
        if block.language == "json":
            json.loads(block.text)


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md", "CONTRIBUTING.md"])
def test_link_on_a_page_leads_to_a_file_that_exists(page: str) -> None:
    """No page of the project links to nothing."""
    text = re.sub(r"```.*?```", "", (PROJECT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in LINK.findall(text):
        if "://" in target or target.startswith(("#", "mailto:")):
            continue
        path = (PROJECT / page).parent / unquote(target.partition("#")[0])
        assert path.exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_tests_that_a_page_names_exist(page: str) -> None:
    """Who says that a test proves something names one that is there."""
    for path, name in TEST.findall((PROJECT / page).read_text("utf-8")):
        assert (PROJECT / path).exists(), f"{page} names {path}"
        if name:
            text = (PROJECT / path).read_text("utf-8")
            assert f"def {name}(" in text or f"class {name}" in text, f"{page} names {path}::{name}"


def test_each_kind_of_finding_is_in_the_reference() -> None:
    """With its severity, for programs."""
    text = (PROJECT / "docs/reference/json.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|note) \|", text, flags=re.MULTILINE)
    assert rows == [(kind.value, kind.severity.value) for kind in Kind]


def test_each_kind_of_mending_is_in_the_reference() -> None:
    """For programs."""
    text = (PROJECT / "docs/reference/json.md").read_text(encoding="utf-8")
    section = text[text.index("## repair") : text.index("## diff")]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, flags=re.MULTILINE) == [*MendingKind]
