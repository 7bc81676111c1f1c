"""What each command prints for a person: the whole text, but for times and version IDs."""
# ruff: noqa: E501

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest

from nbvc.stores.local import LocalStore
from tests.command_line import CommandLine, normal
from tests.notebook_samples import code, markdown, notebook, stream

ONE = notebook(markdown("# Churn"), code("x = 1"))
TWO = notebook(markdown("# Churn"), code("x = 2"), code("print(x)"))
RUN = notebook(
    markdown("# Churn"), code("x = 2"), code("print(x)", outputs=[stream("2\n")], execution_count=1)
)


def shown(text: str) -> str:
    """Return the text that a test expects."""
    return dedent(text).lstrip("\n")


@pytest.fixture
def churn(project: CommandLine) -> CommandLine:
    """Return a workspace with one notebook of two versions."""
    project.write("churn.ipynb", ONE)
    project("save", "-m", "first results")
    project.write("churn.ipynb", TWO)
    project("save")
    return project


def test_nbvc_alone_says_what_it_is_and_shows_three_examples(cli: CommandLine) -> None:
    """Exit 0, no workspace needed."""
    found = cli()
    assert found.stdout.startswith("nbvc keeps every save of a Jupyter notebook as a version")
    assert found.stdout.count("\n  nbvc ") == 3
    for verb in ("diff", "show", "checkout", "clone", "publish", "status", "nbvc --help"):
        assert verb in found.stdout


def test_init_says_where_versions_are_kept_and_what_to_type_next(cli: CommandLine) -> None:
    """Also when it is run again."""
    cli.write("churn.ipynb", ONE)
    found = cli("init", "--namespace", "ada/project")
    assert found.stdout == shown("""
        project is now an nbvc workspace. Versions are kept in this folder, in .nbvc/store.
        Namespace: ada/project
        Record the 1 notebook here with: nbvc save
        """)
    assert "project is still an nbvc workspace" in cli("init").stdout


def test_save_says_number_digest_changes_and_what_to_type_next(project: CommandLine) -> None:
    """For a first version, a second one, one of outputs only, and none."""
    project.write("churn.ipynb", ONE)
    assert project("save").stdout == shown("""
        Saved v1 DIGEST1 of churn.ipynb (2 cells added)
        Publish it with: nbvc publish churn.ipynb
        """).replace("DIGEST1", digest(ONE))
    project.write("churn.ipynb", TWO)
    assert project("save").stdout == shown("""
        Saved v2 DIGEST2 of churn.ipynb (1 cell changed, 1 added)
        See what changed with: nbvc diff churn.ipynb v1 v2. Publish it with: nbvc publish churn.ipynb
        """).replace("DIGEST2", digest(TWO))
    project.write("churn.ipynb", RUN)
    assert "(1 cell changed; outputs only)\n" in project("save").stdout
    assert project("save").stdout == "churn.ipynb is unchanged since v3.\n"


def digest(data: bytes) -> str:
    """Return the digest as tables show it."""
    from nbvc.model import Digest

    return Digest.of(data).short


def test_save_of_several_sums_up(project: CommandLine) -> None:
    """Each new version has a line; the unchanged ones share one."""
    for name in ("a", "b", "c"):
        project.write(f"{name}.ipynb", ONE)
    found = project("save").stdout.splitlines()
    assert [line.split(" of ")[-1] for line in found[:3]] == [
        f"{name}.ipynb (2 cells added)" for name in "abc"
    ]
    assert found[3] == "List the versions of one with: nbvc log PATH"
    assert project("save").stdout == "3 notebooks are unchanged.\n"
    project("rm", "a.ipynb", "b.ipynb", "c.ipynb")
    assert project("save").stdout == "There are no notebooks here to save.\n"


def test_save_on_an_older_version_says_what_it_is_based_on(churn: CommandLine) -> None:
    """So that nobody takes the versions in between for lost."""
    churn("checkout", "v1")
    churn.write("churn.ipynb", RUN)
    found = churn("save").stdout.splitlines()
    assert found[1] == (
        "It is based on v1; what was saved since then is kept as well: nbvc log churn.ipynb"
    )
    assert found[2].startswith("See what changed with: nbvc diff churn.ipynb v1 v3.")


def test_log_shows_a_line_for_each_version(churn: CommandLine) -> None:
    """Columns that would be empty are left out."""
    churn("tag", "churn.ipynb@v1", "draft")
    churn("publish", "churn.ipynb@v1")
    one, two = digest(ONE), digest(TWO)
    assert normal(churn("log").stdout) == shown(f"""
        VERSION  DIGEST   SAVED                 AUTHOR  SIZE       CHANGES                  MARKS               MESSAGE
        v2       {two}  TIME  ada     {size(TWO)}  1 cell changed, 1 added
        v1       {one}  TIME  ada     {size(ONE)}  2 cells added            [draft, published]  first results
        """)
    assert "MARKS" not in churn("log", "-n", "1").stdout
    assert churn("log", "--published").stdout.count("\n") == 2
    nobody = churn("log", "--author", "BEN")
    assert (nobody.stdout, nobody.stderr) == ("", "No version of churn.ipynb fits.\n")
    assert churn("log", "--since", "yesterday").stdout.count("\n") == 3
    assert churn("log", "--until", "2020-01-01").stdout == ""
    assert churn("log", "churn.ipynb@v1").stdout.count("\n") == 2


def test_a_version_that_the_store_has_lost_is_marked_and_explained(churn: CommandLine) -> None:
    """In the log, in its JSON, and by every command that needs the bytes: exit code 3."""
    first = churn("log", "--json").json[1]
    with closing(LocalStore(churn.folder / ".nbvc" / "store")) as store:
        store.delete_version(f"workspace/{first['key']}", first["version_id"])
    assert churn("log").stdout.splitlines()[2].split()[-3:] == ["[missing]", "first", "results"]
    assert [version["missing"] for version in churn("log", "--json").json] == [False, True]
    for command in (["show", "v1"], ["checkout", "v1"], ["diff", "v1"], ["publish", "v1"]):
        found = churn(*command, exit_code=3)
        assert f"v1 of {first['key']} is missing: the store no longer has" in found.stderr
        assert "hint: nbvc log churn.ipynb shows which versions are still there." in found.stderr


def size(data: bytes) -> str:
    """Return a size as tables show it."""
    return f"{len(data)} Bytes"


def test_status_says_store_namespace_and_each_notebook(churn: CommandLine) -> None:
    """And what to type next, where there is something to do."""
    churn.write("churn.ipynb", RUN)
    churn.write("sub/new.ipynb", ONE)
    found = churn("status").stdout
    name = churn("config", "get", "namespace").stdout
    assert found == shown(f"""
        Store      {(churn.folder / ".nbvc/store").as_uri()}
        Namespace  {name.strip()}

        NOTEBOOK       BASED ON  STATE
        churn.ipynb    v2        changed
        sub/new.ipynb            new, never saved

        Record what is new or changed with: nbvc save
        """)
    churn("save")
    churn("checkout", "churn.ipynb@v1")
    assert "churn.ipynb    v1        unchanged  has newer versions, up to v3" in (
        churn("status").stdout
    )


def test_paths_are_shown_as_they_are_typed_where_one_stands(churn: CommandLine) -> None:
    """What is printed can be typed again, in a folder below too, blanks included."""
    below = churn.folder / "sub"
    churn.write("sub/my notes.ipynb", ONE)
    found = churn("save", cwd=below).stdout
    assert "of my notes.ipynb" in found
    assert "nbvc publish 'my notes.ipynb'" in found
    assert "churn" not in found
    status = churn("status", cwd=below).stdout
    assert "../churn.ipynb" in status
    assert "\nmy notes.ipynb" in status
    assert "nbvc checkout 'my notes.ipynb@latest'" in (
        churn("checkout", "my notes.ipynb@v1", cwd=below).stdout
    )
    churn.write("-dash.ipynb", ONE)
    assert "nbvc publish ./-dash.ipynb" in churn("save").stdout


def test_checkout_says_what_it_wrote_and_how_to_go_back(churn: CommandLine) -> None:
    """With force, also what it saved first."""
    assert churn("checkout", "v1").stdout == shown(f"""
        Wrote v1 {digest(ONE)} to churn.ipynb.
        Go back to the newest with: nbvc checkout churn.ipynb@latest
        """)
    churn.write("churn.ipynb", RUN)
    assert churn("checkout", "--force", "v2").stdout.startswith(
        "Saved what churn.ipynb held before as v3.\n"
    )
    assert churn("checkout", "v1", "-o", "old.ipynb").stdout == (
        f"Wrote v1 {digest(ONE)} to old.ipynb.\n"
    )


def test_publish_and_unpublish_say_where_and_how_to_take_it_back(churn: CommandLine) -> None:
    """And that unsaved changes are not part of it."""
    churn.write("churn.ipynb", RUN)
    found = churn("publish")
    url = f"{(churn.folder / '.nbvc/store').as_uri()}/published"
    assert found.stdout.startswith(f"Published v2 of churn.ipynb as {url}/")
    assert "Take it back with: nbvc unpublish churn.ipynb\n" in found.stdout
    assert found.stderr == (
        "churn.ipynb as it is now differs from v2: save it and publish again to share that.\n"
    )
    assert churn("unpublish").stdout.endswith(
        "churn.ipynb is not published any more. Its versions are kept.\n"
    )


def test_a_dry_run_says_what_it_would_do_and_does_nothing(churn: CommandLine) -> None:
    """For all that publishes or removes."""
    assert churn("publish", "--dry-run").stdout.startswith("Would publish v2 of churn.ipynb as ")
    assert churn("ls", "--published").stdout == ""
    churn("publish")
    assert churn("unpublish", "--dry-run").stdout.startswith("Would take back ")
    assert churn("rm", "--dry-run", "churn.ipynb").stdout == "Would remove churn.ipynb.\n"
    assert churn("ls", "--published").stdout != ""
    assert churn("ls").stdout != ""


def test_ls_lists_the_notebooks_with_their_latest_versions(churn: CommandLine) -> None:
    """Drafts, published copies with their sources, removed ones, names alone."""
    key = churn("resolve", "--json").json["key"]
    assert normal(churn("ls").stdout) == shown(f"""
        LATEST  DIGEST   SAVED                 AUTHOR  SIZE       NOTEBOOK
        v2      {digest(TWO)}  TIME  ada     {size(TWO)}  {key}
        """)
    churn("publish", "churn.ipynb@v1")
    assert normal(churn("ls", "--published").stdout) == shown(f"""
        PUBLISHED  FROM  DIGEST   SAVED                 AUTHOR  SIZE       NOTEBOOK
        v1         v1    {digest(ONE)}  TIME  ada     {size(ONE)}  {key}
        """)
    assert churn("ls", "--names-only").stdout == f"{key}\n"
    assert churn("ls", "nobody/").stderr == "No notebook is in the store there.\n"
    churn("rm", "churn.ipynb")
    assert churn("ls").stdout == ""
    assert key in churn("ls", "--removed").stdout


def test_resolve_prints_a_line_for_each_fact(churn: CommandLine) -> None:
    """The URL is the one that S3 tools understand."""
    found = churn("resolve", "v1").stdout
    facts = dict(line.split(maxsplit=1) for line in found.splitlines())
    assert list(facts) == ["key", "number", "digest", "version_id", "url"]
    assert facts["url"].endswith(f"churn.ipynb?versionId={facts['version_id']}")


def test_tag_mv_and_rm_say_what_they_did(churn: CommandLine) -> None:
    """In one line each."""
    assert churn("tag", "v1", "draft").stdout == "Tagged v1 of churn.ipynb as draft.\n"
    assert churn("tag", "churn.ipynb").stdout == "draft  v1\n"
    assert churn("tag", "-d", "churn.ipynb", "draft").stdout == (
        "Took the tag draft from v1 of churn.ipynb.\n"
    )
    assert churn("mv", "churn.ipynb", "old.ipynb").stdout == (
        "Renamed churn.ipynb to old.ipynb (v3). Its history came along.\n"
    )
    assert churn("rm", "old.ipynb").stdout == (
        "Removed old.ipynb. Bring it back with: nbvc checkout old.ipynb@latest && nbvc save old.ipynb\n"
    )
    churn("checkout", "old.ipynb@latest")
    assert (churn.folder / "old.ipynb").read_bytes() == TWO


def test_clone_says_how_many_and_where_to_go_on(churn: CommandLine, tmp_path: Path) -> None:
    """For a folder, and for one notebook."""
    found = churn("clone", churn.folder, "copy", cwd=tmp_path).stdout.splitlines()
    assert found[0] == "Cloned 1 notebook to copy."
    assert found[2] == "Go on with: cd copy && nbvc status"
    again = churn("clone", churn.folder, "copy", cwd=tmp_path).stdout
    assert again.startswith("Cloned 0 notebooks to copy, 1 were there already.")
    url = churn("resolve", "v1", "--json").json["url"]
    assert churn("clone", url, cwd=tmp_path).stdout == (
        f"churn.ipynb: written (v1 {digest(ONE)}).\n"
    )


def test_clone_names_what_it_left_out_and_says_what_to_do(
    churn: CommandLine, tmp_path: Path
) -> None:
    """A line for each, and one hint; the rest is there."""
    churn.write("sub/deep.ipynb", ONE)
    churn("save", "sub/deep.ipynb")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/sub").symlink_to(tmp_path / "elsewhere")
    result = churn("clone", churn.folder, "copy", cwd=tmp_path, exit_code=2)
    assert result.stdout.splitlines()[0] == "Cloned 1 notebook to copy."
    left, hint = result.stderr.splitlines()
    assert re.match(
        r"Left out \S+/sub/deep\.ipynb: .* is outside of the workspace .*/copy\.$", left
    )
    assert hint == "hint: Use a path inside it, or make a workspace there: nbvc init"


def test_config_lists_values_and_origins(project: CommandLine) -> None:
    """What is set, what it is, and where it was set."""
    project("config", "set", "author", "Ada L")
    project("config", "set", "region", "eu-west-1", "--store", "s3://b")
    assert project("config", "get", "region", "--store", "s3://b").stdout == "eu-west-1\n"
    rows = project("config", "list", "--show-origin").stdout.splitlines()
    assert rows[0].split() == ["SETTING", "VALUE", "ORIGIN"]
    assert any(row.split() == ["author", "ada", "environment", "(NBVC_AUTHOR)"] for row in rows)
    project("config", "unset", "region", "--store", "s3://b")
    assert project("config", "get", "region", "--store", "s3://b", exit_code=1).stdout == ""


def test_a_long_table_loses_no_column(project: CommandLine) -> None:
    """A mark of an old version shows, though the first hundred rows have none."""
    for number in range(102):
        project.write("long.ipynb", notebook(code(f"x = {number}")))
        project("save", "long.ipynb")
    project("tag", "v1", "first")
    assert "[first]" in project("log").stdout
