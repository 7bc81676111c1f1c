"""Reads the Markdown pages of the documentation, and runs the sessions that they show.

A ```console block is a part of one shell session that lasts for the whole page: lines with ``$ ``
are typed, lines with ``> `` continue them, and the rest is what was printed. A ```python block is
run in that session too. ``<!-- not run: reason -->`` above a block leaves it out. In what is shown,
``...`` alone on a line stands for any number of lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SHOWN_HOME = "/home/ana"
MARK = "=-=-= end of command"
TIMEOUT_SECONDS = 240

_FENCE = re.compile(r"^```(\w*)\s*$")
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "TIME"),
    (re.compile(r"(versionId=|version_id\"?:? +\"?|\(unindexed\) +)[\w.-]{4,}"), r"\1VERSION"),
    (re.compile(r"\bL[\w-]{22}(?![\w-])"), "VERSION"),
    (re.compile(r" +"), " "),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: Path of the page below the project.
        line: Number of its first line.
        language: What the fence says.
        text: What is between the fences.
        not_run: Why it is not run; ``None`` where it is.
    """

    page: str
    line: int
    language: str
    text: str
    not_run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command of a session, and what the page says that it prints.

    Attributes:
        where: Page and line, for messages.
        command: What is typed.
        shown: Lines that it prints; ``None`` where the page does not say.
    """

    where: str
    command: str
    shown: tuple[str, ...] | None


def pages() -> list[str]:
    """Return the paths of all pages below the project."""
    top = [PROJECT / "README.md", PROJECT / "SECURITY.md"]
    found = [*top, *sorted((PROJECT / "docs").rglob("*.md"))]
    return [path.relative_to(PROJECT).as_posix() for path in found]


def read_blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    lines = (PROJECT / page).read_text(encoding="utf-8").splitlines()
    blocks: list[Block] = []
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if opened is None:
            number += 1
            continue
        end = lines.index("```", number + 1)
        above = _NOT_RUN.search(lines[number - 1]) if number else None
        blocks.append(
            Block(
                page=page,
                line=number + 2,
                language=opened[1],
                text="\n".join(lines[number + 1 : end]),
                not_run=above[1] if above else None,
            )
        )
        number = end + 1
    return blocks


def read_session(page: str) -> list[Step]:
    """Return the commands of a page that are to be run, in order."""
    steps: list[Step] = []
    for block in read_blocks(page):
        if block.not_run is None and block.language == "console":
            steps += _console_steps(block)
        elif block.not_run is None and block.language == "python":
            command = f"python - <<'END_OF_PYTHON'\n{block.text}\nEND_OF_PYTHON"
            steps.append(Step(where=f"{page}:{block.line}", command=command, shown=None))
    return steps


def _console_steps(block: Block) -> list[Step]:
    steps: list[Step] = []
    for offset, line in enumerate(block.text.splitlines()):
        where = f"{block.page}:{block.line + offset}"
        if line.startswith("$ "):
            steps.append(Step(where=where, command=line[2:], shown=()))
            continue
        assert steps, f"{where}: a console block begins with a command, a line with '$ '"
        last = steps[-1]
        if line.startswith("> ") and not last.shown:
            steps[-1] = Step(where=last.where, command=f"{last.command}\n{line[2:]}", shown=())
        else:
            shown = (*(last.shown or ()), line)
            steps[-1] = Step(where=last.where, command=last.command, shown=shown)
    return steps


def run_session(steps: Sequence[Step], home: Path, variables: Mapping[str, str]) -> list[str]:
    """Run the commands one after the other in one shell; return what does not fit the page.

    Args:
        steps: The commands.
        home: An empty folder; the source is linked there as ``nbvc``.
        variables: Environment variables beside the usual ones.
    """
    (home / "nbvc").symlink_to(PROJECT)
    script = "".join(f"{step.command}\nprintf '\\n%s %s\\n' '{MARK}' $?\n" for step in steps)
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=home,
        env={**_environment(home), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    parts = re.split(rf"\n{MARK} (\d+)\n", ran.stdout)
    printed, statuses = parts[::2], parts[1::2]
    assert len(statuses) == len(steps), ran.stdout[-2000:]
    problems: list[str] = []
    for step, output, status in zip(steps, printed, statuses, strict=False):
        problems += _compare(step, output.replace(str(home), SHOWN_HOME), int(status))
    return problems


def _environment(home: Path) -> dict[str, str]:
    """Return the variables of a person who has just installed nbvc."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(home),
        "LOGNAME": "ana",
        "USER": "ana",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def _compare(step: Step, output: str, status: int) -> list[str]:
    problems: list[str] = []
    fails = any(line.startswith("error:") for line in step.shown or ())
    if fails != (status != 0):
        problems.append(f"{step.where}: {step.command!r} ended with {status}:\n{output}")
    if step.shown is not None and not _fits(step.shown, output):
        expected = "\n".join(step.shown)
        problems.append(
            f"{step.where}: {step.command!r}\n--- shown\n{expected}\n--- printed\n{output}"
        )
    return problems


def _fits(shown: Sequence[str], output: str) -> bool:
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(f"{line}\n")
        for line in _normal("\n".join(shown)).split("\n")
    )
    return re.fullmatch(pattern, f"{_normal(output)}\n") is not None


def _normal(text: str) -> str:
    """Return *text* without what differs from run to run, and without widths of columns."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return "\n".join(line.strip() for line in text.strip().split("\n"))
