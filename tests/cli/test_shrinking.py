"""``nbvc pack``, ``unpack`` and ``forget``: what a person reads, what a script reads."""

from __future__ import annotations

import json

import pytest

from tests.command_line import CommandLine
from tests.notebook_samples import code, notebook

OLD = ("--older-than", "0", "--keep-newest", "1")


@pytest.fixture
def long(cli: CommandLine) -> CommandLine:
    """Return a workspace with one notebook of five versions, the second of which is tagged."""
    cli("init")
    for number in range(1, 6):
        cli.write("mine.ipynb", notebook(code(f"run = {number}")))
        cli("save", "-m", f"run {number}")
    cli("tag", "mine.ipynb@v2", "good")
    return cli


def test_nothing_is_packed_that_is_young_or_new(long: CommandLine) -> None:
    """Thirty days, and the newest ten, unless other numbers are given."""
    assert long("pack").stdout == "Nothing is old enough to be packed.\n"
    assert long("pack", "--older-than", "0").stdout == "Nothing is old enough to be packed.\n"
    assert "3 versions" in long("pack", *OLD).stdout


def test_a_dry_run_says_what_to_type_and_that_does_it(long: CommandLine) -> None:
    """The hint is the whole command, with the options that were given."""
    planned = long("pack", "mine.ipynb", *OLD)
    assert "Would pack 3 versions" in planned.stdout
    hint = "nbvc pack mine.ipynb --older-than 0 --keep-newest 1 --apply"
    assert planned.stderr == f"hint: Do it with: {hint}\n"
    done = long(*hint.split()[1:])
    assert done.stdout.splitlines()[-1].startswith("Packed 3 versions: ")
    assert long(*hint.split()[1:]).stdout == "Nothing is old enough to be packed.\n"


def test_every_command_reads_packed_versions(long: CommandLine) -> None:
    """Show, diff, checkout, clone of a version, log, check, status."""
    log = long("log", "--json").json
    long("pack", *OLD, "--apply")
    assert long("log", "--json").json == log
    assert long("show", "mine.ipynb@v1").data == notebook(code("run = 1"))
    assert "cell 1" in long("diff", "v1", "v3", "--stat").stdout
    long("checkout", "mine.ipynb@v3", "-o", "third.ipynb")
    assert (long.folder / "third.ipynb").read_bytes() == notebook(code("run = 3"))
    assert long("check", "--read-data").stdout.endswith(": nothing is wrong.\n")
    assert long("repair").stdout.startswith("Nothing is to be mended")


def test_unpacking_is_a_dry_run_first_too(long: CommandLine) -> None:
    """And says when nothing is packed."""
    assert long("unpack").stdout == "Nothing is packed.\n"
    long("pack", *OLD, "--apply")
    planned = long("unpack")
    assert "Would unpack 3 versions" in planned.stdout
    assert planned.stderr == "hint: Do it with: nbvc unpack --apply\n"
    assert "Unpacked 3 versions" in long("unpack", "--apply").stdout
    assert long("unpack", "--apply").stdout == "Nothing is packed.\n"
    assert long("check", "--read-data").stdout.endswith(": nothing is wrong.\n")


def test_forgetting_tells_what_goes_what_stays_and_why(long: CommandLine) -> None:
    """A line for what goes, a line for what stays, the sum, and what to type."""
    planned = long("forget", "--keep-last", "2", "--keep-tagged")
    goes, stays, summary = planned.stdout.splitlines()
    assert goes.endswith("mine.ipynb: v1, v3")
    assert stays == "  keeps 3 versions: v5 (latest, last), v4 (last), v2 (tagged)"
    assert summary.startswith("Would delete 2 versions of 1 notebook, which frees about ")
    assert planned.stderr == "hint: Do it with: nbvc forget --keep-last 2 --keep-tagged --apply\n"
    done = long("forget", "--keep-last", "2", "--keep-tagged", "--apply").stdout.splitlines()
    assert done[-1].startswith("Deleted 2 versions of 1 notebook: ")
    refused = long("show", "mine.ipynb@v1", exit_code=3)
    assert "was deleted with nbvc forget" in refused.stderr
    assert [v["number"] for v in long("log", "--json").json] == [5, 4, 2]
    again = long("forget", "--keep-last", "2").stdout
    assert again == "The rules keep every version of 1 notebook.\n"


def test_forgetting_without_a_rule_is_refused(long: CommandLine) -> None:
    """Nothing goes for want of a word; the hint shows what a rule looks like."""
    refused = long("forget", "--apply", exit_code=2)
    assert "Nothing says what to keep" in refused.stderr
    assert "hint: nbvc forget --keep-last" in refused.stderr
    long("forget", "--keep-last=-1", exit_code=2)
    assert len(long("log", "--json").json) == 5


@pytest.mark.parametrize("command", ["pack", "unpack", "forget"])
def test_parts_of_a_store_are_named_as_for_check(long: CommandLine, command: str) -> None:
    """A notebook, a folder, a URL, all; what is not there is an error, and one version is."""
    rule = ("--keep-last", "1") if command == "forget" else ()
    long(command, "mine.ipynb", *rule)
    long(command, "--all", *rule)
    long(command, "other.ipynb", *rule, exit_code=3)
    long(command, "nowhere", *rule, exit_code=3)
    long(command, "mine.ipynb@v1", *rule, exit_code=2)
    long(command, "mine.ipynb", "--all", *rule, exit_code=2)
    long(command, "s3://bucket/published/a/b.ipynb", *rule, exit_code=2)


def test_json_has_the_same_facts(long: CommandLine) -> None:
    """For scripts that run it at night."""
    planned = long("pack", *OLD, "--json").json
    assert planned["applied"] is False
    (notebook_,) = planned["notebooks"]
    assert (notebook_["versions"], notebook_["packed_bytes"]) == (3, 0)
    done = json.loads(long("pack", *OLD, "--apply", "--json").stdout)
    assert done["applied"] is True
    assert done["notebooks"][0]["packed_bytes"] > 0
    (unpacked,) = long("unpack", "--json").json["notebooks"]
    assert unpacked["versions"] == 3
    (forgotten,) = long("forget", "--keep-last", "1", "--json").json["notebooks"]
    assert forgotten["forgotten"] == [[1, 1], [3, 4]]
    assert [kept["number"] for kept in forgotten["kept"]] == [5, 2]


@pytest.mark.parametrize(
    "options", [("--older-than", "-1"), ("--keep-newest", "-1"), ("--older-than", "99999999")]
)
def test_impossible_numbers_are_refused(long: CommandLine, options: tuple[str, ...]) -> None:
    """With exit status 2, and nothing is done."""
    long("pack", *options, "--apply", exit_code=2)


def test_a_former_name_is_not_thinned(long: CommandLine) -> None:
    """All versions are those of the notebook as it is called now, which has the tags."""
    long("mv", "mine.ipynb", "other.ipynb")
    refused = long("forget", "mine.ipynb", "--keep-last", "1", "--apply", exit_code=3)
    assert "/project/mine.ipynb was renamed to " in refused.stderr
    assert "hint: Name the notebook as it is called now" in refused.stderr
    assert len(long("log", "other.ipynb", "--json").json) == 6
    long("forget", "--keep-last", "1", "--apply")
    assert [each["number"] for each in long("log", "other.ipynb", "--json").json] == [6, 2]


def test_a_clone_of_what_was_unpacked_knows_the_numbers(long: CommandLine) -> None:
    """What is on top has another version ID than its record says, and says which."""
    long("pack", *OLD, "--apply")
    long("unpack", "--apply")
    namespace = long("status", "--json").json["namespace"]
    store = (long.folder / ".nbvc/store").as_uri()
    copy = long.folder / "copy"
    long("clone", f"{store}/workspace/{namespace}", copy)
    (copy / "mine.ipynb").write_bytes(notebook(code("changed")))
    long("save", cwd=copy)
    newest = long("log", "mine.ipynb", "--json").json[0]
    assert (newest["number"], newest["parent"]) == (6, 5)
