"""``nbvc repair``: what a person reads, what a script reads, and how it exits."""

from __future__ import annotations

import pytest

from nbvc.manifest.layout import STORE_FILE
from nbvc.manifest.sealing import seal, unseal
from tests.cli.embedded import ONE, key_of, lose_a_version, store_of
from tests.command_line import CommandLine
from tests.repository.damaging import overwrite, purge, rewrite


def spoil(cli: CommandLine) -> None:
    """Delete the records of one notebook for good, and damage one of the other."""
    store = store_of(cli)
    for entry in list(store.list_keys(f".nbvc/workspace/{key_of(cli, 'mine.ipynb')}/v/")):
        purge(store, entry.key)
    first = f".nbvc/workspace/{key_of(cli, 'sub/other.ipynb')}/v/9999999998.json"
    rewrite(store, first, b"junk")
    store.close()


def test_a_healthy_workspace_needs_nothing(saved: CommandLine) -> None:
    """One sentence, and exit status 0, with and without --apply."""
    assert saved("repair").stdout == "Nothing is to be mended in 2 notebooks.\n"
    assert saved("repair", "--apply").stdout == "Nothing is to be mended in 2 notebooks.\n"
    assert saved("repair", "sub").stdout == "Nothing is to be mended in 1 notebook.\n"


def test_without_apply_nothing_is_changed_and_the_next_step_is_told(saved: CommandLine) -> None:
    """One line for each thing, then the sum, then what to type."""
    spoil(saved)
    result = saved("repair")
    *lines, summary = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "would mend adopted-version",
        "would mend adopted-version",
        "would mend restored-record",
    ]
    assert lines[2].endswith("/project/sub/other.ipynb is put back as it was.")
    assert summary == "Would mend 3 things in 2 notebooks. Nothing was changed."
    assert result.stderr == "hint: Do it with: nbvc repair --apply\n"
    saved("check", exit_code=8)
    assert "nbvc repair sub --apply" in saved("repair", "sub").stderr
    assert "nbvc repair --all --apply" in saved("repair", "--all").stderr


def test_with_apply_everything_is_back(saved: CommandLine) -> None:
    """Log, bytes, numbers and messages; a second repair has nothing to do."""
    before = saved("log", "mine.ipynb", "--json").json
    spoil(saved)
    result = saved("repair", "--apply")
    assert result.stdout.splitlines()[-1] == "Mended 3 things in 2 notebooks."
    assert saved("log", "mine.ipynb", "--json").json == before
    assert saved("show", "sub/other.ipynb@v1").data == ONE
    assert saved("check", "--read-data").stdout.endswith(": nothing is wrong.\n")
    assert saved("repair", "--apply").stdout == "Nothing is to be mended in 2 notebooks.\n"


def test_what_the_store_lost_is_marked_and_no_failure_any_more(saved: CommandLine) -> None:
    """Check exits with 8 before and with 0 after; the log shows the version as missing."""
    lose_a_version(saved)
    saved("check", exit_code=8)
    assert "noted-gone" in saved("repair", "--apply").stdout
    assert "note gone" in saved("check").stdout
    versions = saved("log", "mine.ipynb", "--json").json
    assert [version["missing"] for version in versions] == [False, True]


def test_what_cannot_be_mended_is_told_and_exits_with_8(saved: CommandLine) -> None:
    """A version of another size than was saved: only a backup has it."""
    store = store_of(saved)
    key = f".nbvc/workspace/{key_of(saved, 'mine.ipynb')}/v/9999999997.json"
    document = unseal(store.get(key).data, what="record")
    rewrite(store, key, seal({**document, "size_bytes": 9_999}))
    store.close()
    for options in ((), ("--apply",)):
        result = saved("repair", *options, exit_code=8)
        assert "error size-differs: v2 of" in result.stdout
        assert "1 error cannot be mended" in result.stdout


def test_json_holds_mendings_and_what_remains(saved: CommandLine) -> None:
    """The same facts, for programs."""
    spoil(saved)
    found = saved("repair", "--json").json
    assert found["applied"] is False
    assert found["notebooks"] == 2
    assert found["remaining"] == []
    assert [(m["kind"], m["number"]) for m in found["mendings"]] == [
        ("adopted-version", 1),
        ("adopted-version", 2),
        ("restored-record", 1),
    ]
    assert found["mendings"][0]["area"] == "workspace"
    assert saved("repair", "--apply", "--json").json["applied"] is True
    assert saved("repair", "--json").json["mendings"] == []


def test_a_damaged_settings_file_is_mended_first(saved: CommandLine) -> None:
    """The workspace remembers what the store said, so that nothing has to be tried."""
    store = store_of(saved)
    before = store.get(STORE_FILE).data
    overwrite(store, STORE_FILE, b"junk")
    store.close()
    assert "restored-settings" in saved("repair", "--apply").stdout
    store = store_of(saved)
    assert store.get(STORE_FILE).data == before
    store.close()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("nothing.ipynb",), 3, "no notebook"),
        (("nowhere",), 3, "no notebook below"),
        (("--all", "sub"), 2, "no path can be named"),
        (("../elsewhere.ipynb",), 2, "error:"),
    ],
)
def test_what_is_not_there_is_said(
    saved: CommandLine, arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    """A path, a folder, options that do not go together."""
    assert said in saved("repair", *arguments, exit_code=exit_code).stderr


def test_a_store_that_was_never_prepared_is_not_written_to(saved: CommandLine) -> None:
    """The next step is init."""
    store = store_of(saved)
    purge(store, STORE_FILE)
    store.close()
    result = saved("repair", f"file://{saved.folder}/.nbvc/store", "--apply", exit_code=3)
    assert "nbvc init" in result.stderr
