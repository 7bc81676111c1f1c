"""On a terminal, in a pipe, in another locale, interrupted: how output behaves there."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from nbvc.stores.base import Overwrite
from nbvc.stores.local import LocalStore
from tests.command_line import TIMEOUT_SECONDS, CommandLine
from tests.notebook_samples import code, markdown, notebook, stream

ONE, TWO = notebook(markdown("# Churn"), code("x = 1")), notebook(code("x = 2"))
HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202e"
ESCAPED = r"\x1b]0;owned\x07\x1b[31mred\x9b2J\u202e"
ANNOUNCED = """
import os
from nbvc.__main__ import main
os.write(1, b"started\\n")
main()
"""


@pytest.fixture
def churn(project: CommandLine) -> CommandLine:
    """Return a workspace with one notebook of two versions."""
    for data in (ONE, TWO):
        project.write("churn.ipynb", data)
        project("save")
    return project


def on_terminal(
    cli: CommandLine,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    typed: str = "",
    exit_code: int = 0,
) -> str:
    """Run a command on a terminal of 120 columns, and return what is shown there."""
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "PAGER": "cat"}
    environment.update(variables or {})
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        cli.command(*arguments),
        cwd=cli.folder,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    if typed:
        os.write(leader, typed.encode())
    shown = bytearray()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        while time.monotonic() < deadline:
            if not select.select([leader], [], [], 1)[0]:
                continue
            try:
                data = os.read(leader, 65_536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not data:
                break
            shown += data
    finally:
        os.close(leader)
    assert process.wait(TIMEOUT_SECONDS) == exit_code, shown.decode()
    return shown.decode().replace("\r\n", "\n")


def put_unindexed(cli: CommandLine) -> None:
    """Write a version that no record names."""
    key = cli("resolve", "--json").json["key"]
    store = LocalStore(cli.folder / ".nbvc/store")
    store.put(f"workspace/{key}", ONE, mode=Overwrite(), metadata={}, content_type="text/plain")
    store.close()


class TestColour:
    """Only on a terminal, and only where it is wanted."""

    def test_a_terminal_gets_colour(self, churn: CommandLine) -> None:
        """In tables, in differences, in errors."""
        assert "\x1b[2mVERSION" in on_terminal(churn, "log")
        assert "\x1b[31m" in on_terminal(churn, "diff", "v1", "v2")
        assert "\x1b[31merror:\x1b[0m " in on_terminal(churn, "show", "v9", exit_code=3)
        assert "\x1b[1mcell 1: code" in on_terminal(churn, "show", "v2", "--summary")
        assert "\x1b[32mok" in on_terminal(churn, "doctor")
        put_unindexed(churn)
        assert "\x1b[33mnote\x1b[0m unindexed" in on_terminal(churn, "check")

    @pytest.mark.parametrize(
        ("option", "variables"),
        [("--no-color", {}), (None, {"NO_COLOR": "1"}), (None, {"TERM": "dumb"})],
    )
    def test_colour_can_be_turned_off(
        self, churn: CommandLine, option: str | None, variables: dict[str, str]
    ) -> None:
        """By an option, or by what all programs know."""
        options = [option] if option else []
        for arguments, exit_code in (
            (["log"], 0),
            (["diff", "v1", "v2"], 0),
            (["show", "v2", "--summary"], 0),
            (["show", "v9"], 3),
        ):
            shown = on_terminal(
                churn, *options, *arguments, variables=variables, exit_code=exit_code
            )
            assert "\x1b" not in shown

    def test_a_pipe_gets_none(self, churn: CommandLine) -> None:
        """Nor does a file."""
        for arguments in (["log"], ["diff", "v1", "v2"], ["show", "v2", "--summary"]):
            found = churn.process(*arguments, variables={"TERM": "xterm"})
            assert b"\x1b" not in found.data


class TestOnATerminal:
    """What only a person gets."""

    def test_times_are_relative_there_and_absolute_in_a_pipe(self, churn: CommandLine) -> None:
        """As a person reads them, and as a program does."""
        shown = on_terminal(churn, "log")
        assert "ago" in shown or "now" in shown
        assert "ago" not in churn.process("log").stdout

    def test_long_output_goes_through_the_pager(self, churn: CommandLine, tmp_path: Path) -> None:
        """The setting wins over $PAGER; none on a pipe; an empty one means none."""
        pager = tmp_path / "pager"
        pager.write_text(f"#!{sys.executable}\nimport sys\nprint('PAGED', sys.stdin.read())\n")
        pager.chmod(0o755)
        for arguments in (["log"], ["diff", "v1", "v2"], ["show", "v2", "--summary"]):
            shown = on_terminal(churn, *arguments, variables={"PAGER": str(pager)})
            assert shown.startswith("PAGED")
        assert "PAGED" not in churn.process("log", variables={"PAGER": str(pager)}).stdout
        churn("config", "set", "pager", str(pager))
        assert on_terminal(churn, "log").startswith("PAGED")
        variables = {"PAGER": str(pager), "NBVC_PAGER": ""}
        assert "PAGED" not in on_terminal(churn, "log", variables=variables)

    def test_a_pager_that_is_left_early_or_missing_is_no_error(
        self, churn: CommandLine, tmp_path: Path
    ) -> None:
        """As when one types q in less."""
        pager = tmp_path / "pager"
        pager.write_text("#!/bin/sh\nexit 0\n")
        pager.chmod(0o755)
        assert "Traceback" not in on_terminal(churn, "log", variables={"PAGER": str(pager)})
        assert "v1" in on_terminal(churn, "log", variables={"PAGER": "no-such-pager"})

    def test_a_line_is_cut_at_the_width_of_the_terminal(self, churn: CommandLine) -> None:
        """Never in a pipe."""
        churn.write("churn.ipynb", ONE)
        churn("save", "churn.ipynb", "-m", "long " * 100)
        lines = on_terminal(churn, "--no-color", "log", variables={"COLUMNS": "60"}).splitlines()
        assert max(map(len, lines)) <= 60
        assert any(line.endswith("…") for line in lines)
        assert ("long " * 100).strip() in churn.process("log").stdout

    def test_a_diff_cuts_nothing_but_the_name_of_a_cell(self, project: CommandLine) -> None:
        """Sources and outputs go on in the next line of the terminal; in a pipe all is whole."""
        long = "total = " + " + ".join(f"part_{n}" for n in range(30))
        for count in (1, 2):
            outputs = [stream(f"{count} {'x' * 50}\n")]
            project.write("long.ipynb", notebook(code(f"{long}\nn = {count}", outputs=outputs)))
            project("save")
        variables = {"COLUMNS": "60"}
        shown = on_terminal(project, "--no-color", "diff", "v1", "v2", variables=variables)
        heading, *rest = shown.splitlines()[3:]
        assert (len(heading), heading[-1]) == (60, "…")
        assert rest[:3] == [f" {long}", "-n = 1", "+n = 2"]
        assert rest[3].endswith(f', was "1 {"x" * 50}"')
        piped = project.process("diff", "v1", "v2").stdout.splitlines()[3:]
        assert piped == [f"cell 1 (code) changed: {long}"[:223], *rest]


class TestInAPipe:
    """Readers that go, disks that are full, output that is closed."""

    @pytest.mark.parametrize(
        "arguments", [["log"], ["log", "--json"], ["show", "v1"], ["ls"], ["diff", "v1", "v2"]]
    )
    def test_a_reader_that_has_gone_is_no_error(
        self, churn: CommandLine, arguments: list[str]
    ) -> None:
        """As after ``| head -1``: nothing on stderr."""
        reader, writer = os.pipe()
        os.close(reader)
        found = subprocess.run(
            churn.command(*arguments),
            cwd=churn.folder,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(writer)
        assert (found.returncode, found.stderr) == (0, b"")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    @pytest.mark.parametrize("arguments", [["log"], ["log", "--json"], ["show", "v1"]])
    def test_a_full_disk_behind_stdout_is_said(
        self, churn: CommandLine, arguments: list[str]
    ) -> None:
        """In one line, with exit code 1."""
        with Path("/dev/full").open("w") as full:
            found = subprocess.run(
                churn.command(*arguments),
                cwd=churn.folder,
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
                text=True,
            )
        assert found.returncode == 1
        assert found.stderr.startswith("error: ")
        assert "Traceback" not in found.stderr

    def test_closed_output_is_no_error(self, churn: CommandLine) -> None:
        """As under some schedulers."""
        shell = f"exec {' '.join(churn.command('save', '-m', 'x'))} <&- >&- 2>&-"
        churn.write("churn.ipynb", ONE)
        subprocess.run(["sh", "-c", shell], cwd=churn.folder, check=True)
        assert churn("log", "--json").json[0]["number"] == 3


class TestLocale:
    """Names and messages in any script, whatever the locale."""

    @pytest.mark.parametrize(
        "locale",
        [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}],
    )
    def test_every_command_works_with_names_that_the_locale_cannot_show(
        self, project: CommandLine, locale: dict[str, str]
    ) -> None:
        """What cannot be shown is escaped; JSON and bytes stay exact."""
        name = "分析 é.ipynb"
        project.write(name, ONE)
        project.process("save", "-m", "naïve 数", variables=locale)
        for arguments in (["log"], ["status"], ["ls"], ["resolve"], ["diff"], ["publish"]):
            project.process(*arguments, variables=locale)
        assert project.process("show", "v1", variables=locale).data == ONE
        found = project.process("log", "--json", variables=locale).json
        assert found[0]["message"] == "naïve 数"
        assert found[0]["key"].endswith(f"/{name}")
        project.process("checkout", f"{name}@v1", variables=locale)


class TestInterrupted:
    """Ctrl-C."""

    def test_it_ends_a_command_with_130_and_without_a_traceback(
        self, project: CommandLine, tmp_path: Path
    ) -> None:
        """Here in the middle of reading a notebook that never ends."""
        os.mkfifo(project.folder / "fifo")
        poison = tmp_path / "poison"
        poison.mkdir()
        (poison / "sitecustomize.py").write_text(
            "import nbvc.workspace.saving as saving, sys\n"
            "def slow(*_, **__):\n"
            "    sys.stdout.write('reading\\n'); sys.stdout.flush()\n"
            "    open('fifo', 'rb').read()\n"
            "saving.read_file = slow\n"
        )
        project.write("churn.ipynb", ONE)
        path = f"{poison}{os.pathsep}{project.variables['PYTHONPATH']}"
        process = subprocess.Popen(
            project.command("save"),
            cwd=project.folder,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 130
        assert errors == "Interrupted. Running the command again picks up.\n"
        assert project("save").stdout.startswith("Saved v1")

    @pytest.mark.parametrize("delay_seconds", [0.05, 0.1, 0.15])
    def test_it_shows_no_traceback_while_a_command_is_starting(
        self, churn: CommandLine, delay_seconds: float
    ) -> None:
        """Whenever it comes, once the program runs."""
        process = subprocess.Popen(
            [sys.executable, "-c", ANNOUNCED, "log"],
            cwd=churn.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        time.sleep(delay_seconds)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode in {130, 0, -signal.SIGINT}
        assert b"Traceback" not in errors


class TestHostileText:
    """Names, messages, authors and cells may come from anybody."""

    def test_no_terminal_obeys_a_message_or_an_author(
        self, churn: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What it would obey is shown as text."""
        monkeypatch.setenv("NBVC_AUTHOR", HOSTILE)
        churn.write("churn.ipynb", ONE)
        churn("save", "churn.ipynb", "-m", HOSTILE)
        shown = on_terminal(churn, "--no-color", "log", variables={"COLUMNS": "400"})
        assert ESCAPED in shown
        assert not set(shown) & set(HOSTILE[:1] + "\x07\x9b\u202e")
        for command in (["log"], ["ls"], ["ls", "--json"], ["log", "--json"], ["tag", "v3", "x"]):
            assert not set(churn(*command).stdout) & set(HOSTILE[:1] + "\x07\x9b\u202e")

    def test_no_terminal_obeys_the_name_of_a_file(self, project: CommandLine) -> None:
        """Control characters are refused as a name; what reorders text is escaped."""
        project.write("a\u202eb.ipynb", ONE)
        for command in (["save"], ["status"], ["log"], ["ls"], ["ls", "--names-only"], ["publish"]):
            found = project(*command)
            assert "\u202e" not in found.stdout + found.stderr
        assert r"a\u202eb.ipynb" in project("status").stdout
        project.write("c\x1b[31md.ipynb", ONE)
        refused = project("save", exit_code=2)
        assert "\x1b" not in refused.stdout + refused.stderr

    def test_no_terminal_obeys_a_cell(self, project: CommandLine) -> None:
        """Neither in a summary nor in a difference; the exact bytes are exact."""
        project.write("a.ipynb", notebook(code("x"), markdown(HOSTILE)))
        project("save")
        hostile = notebook(code(HOSTILE, outputs=[stream(HOSTILE)]), markdown("y"))
        project.write("a.ipynb", hostile)
        project("save")
        for command in (
            ["show", "--summary"],
            ["diff", "v1", "v2"],
            ["diff", "--stat", "v1", "v2"],
        ):
            shown = project(*command).stdout
            assert "\x1b" not in shown
            assert "\x9b" not in shown
        assert project("show", "v2").data == hostile

    def test_no_terminal_obeys_the_bytes_of_a_version(self, project: CommandLine) -> None:
        """JSON allows some of it, and another tool may have stored what is no JSON at all."""
        index = project.folder / ".nbvc/store"
        with closing(LocalStore(index)) as store:
            store.put(
                "workspace/team/a.ipynb",
                f"{HOSTILE}\n".encode() + b"\xff",
                mode=Overwrite(),
                metadata={},
                content_type="application/json",
            )
        shown = on_terminal(project, "show", f"{index.as_uri()}/workspace/team/a.ipynb")
        assert shown.rstrip() == ESCAPED + "\n" + r"\xff"
