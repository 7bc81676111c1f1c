"""Areas with other prefixes than the usual ones, as a bookstore may have had them."""

from __future__ import annotations

from tests.command_line import CommandLine
from tests.notebook_samples import code, notebook


def test_store_with_other_prefixes_works_like_any_other(cli: CommandLine) -> None:
    """Init takes the prefixes over, and later commands and URLs know them."""
    cli("init", "--workspace-prefix", "drafts", "--published-prefix", "shared/all")
    cli.write("mine.ipynb", notebook(code("1")))
    cli("save")
    url = cli("resolve", "mine.ipynb@v1", "--json").json["url"].partition("?")[0]
    assert "/store/drafts/" in url
    assert "/store/shared/all/" in cli("publish", "--json").json["url"]
    assert cli("log", url, "--json").json[0]["number"] == 1
    folder = url.rpartition("/")[0]
    cli("clone", folder, "copy")
    assert (cli.folder / "copy" / "mine.ipynb").read_bytes() == notebook(code("1"))
    published = cli("ls", url.partition("/drafts/")[0] + "/shared/all", "--json").json
    assert [entry["area"] for entry in published] == ["published"]


def test_prefixes_of_a_store_cannot_be_changed_later(cli: CommandLine) -> None:
    """A second init with other prefixes is refused: the notebooks lie under the first ones."""
    cli("init")
    result = cli("init", "--workspace-prefix", "drafts", "--json", exit_code=5)
    assert "cannot be changed" in result.error["message"]


def test_prefixes_that_hide_one_another_are_refused(cli: CommandLine) -> None:
    """One area cannot lie within the other one."""
    cli("init", "--published-prefix", "workspace/shared", exit_code=2)


def test_removed_notebook_comes_back_with_two_commands(project: CommandLine) -> None:
    """What ``rm`` says brings it back does: the file, and its place in the listing."""
    project.write("mine.ipynb", notebook(code("1")))
    project("save")
    project("rm", "mine.ipynb")
    assert project("ls", "--json").json == []
    project("checkout", "mine.ipynb@latest")
    assert project("save", "mine.ipynb", "--json").json[0]["number"] == 2
    assert [entry["number"] for entry in project("ls", "--json").json] == [2]
    assert project("ls", "--removed", "--json").json == []
