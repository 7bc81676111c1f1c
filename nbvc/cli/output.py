"""The only place that prints: text, tables, JSON, errors; colour and pager where they help."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from nbvc.errors import NbvcError
from nbvc.text import counted, printable, printable_line, without_secrets

_PAGER = "less"
_ROWS_MEASURED = 100
_COLOUR_CODES = "\x1b\\[[0-9;]*m"
_COLOURS = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "dim": "2",
    "bold": "1",
    "removed": "31;7",  # words within a red line
    "added": "32;7",
}


class _Styled(str):
    """Text that is printable but for colours of our own."""

    __slots__ = ()


class Output:
    """Where a command writes.

    Data goes to standard output, messages to standard error. Everything that a notebook, a name, a
    store or a person brought along is made printable here, so that no command can forget it, and a
    line stays one line.

    Args:
        variables: Environment variables: ``NO_COLOR``, ``TERM``, ``PAGER``.
        color: False turns colour off.
    """

    def __init__(self, variables: Mapping[str, str], *, color: bool = True) -> None:
        self._variables = variables
        self._wants_color = (
            color and not variables.get("NO_COLOR") and variables.get("TERM") != "dumb"
        )
        self.json = False

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads standard output."""
        return sys.stdout.isatty()

    @property
    def can_ask(self) -> bool:
        """Whether there is a person to ask."""
        return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def use_color(self) -> bool:
        """Whether standard output takes colour."""
        return self._wants_color and self.is_terminal

    def style(self, text: str, colour: str) -> str:
        """Return *text*, made printable, in a colour, where standard output takes one."""
        safe = printable_line(text)
        return _Styled(f"\x1b[{_COLOURS[colour]}m{safe}\x1b[0m" if self.use_color else safe)

    def drawn(self, pieces: Iterable[tuple[str, str]], *, may_cut: bool) -> str:
        """Return a line of pieces, each with its style; with *may_cut* as wide as the terminal."""
        room = shutil.get_terminal_size().columns if may_cut and self.is_terminal else None
        painted = []
        for text, style in pieces:
            safe = printable(text).replace("\n", "\\x0a")
            if room is not None:
                safe = _cut(safe, room) if room > 0 else ""
                room -= _width(safe)
            paint = style and safe and self.use_color
            painted.append(f"\x1b[{_COLOURS[style]}m{safe}\x1b[0m" if paint else safe)
        return "".join(painted)

    def data(self, *parts: str) -> None:
        """Write a line of data: one of a table, or parts of which some have a style."""
        safe = (part if isinstance(part, _Styled) else printable_line(part) for part in parts)
        sys.stdout.write("".join(safe) + "\n")

    def raw(self, data: bytes) -> None:
        """Write exact bytes; on a terminal, with what that would obey as escapes that one sees."""
        sys.stdout.flush()
        if self.is_terminal:
            sys.stdout.write(printable(data.decode("utf-8", "backslashreplace")))
            return
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def say(self, text: str) -> None:
        """Write a line of what happened: to standard output, unless that carries JSON."""
        (sys.stderr if self.json else sys.stdout).write(printable_line(text) + "\n")

    def note(self, text: str) -> None:
        """Write a line of message beside the data, after what was written before it."""
        sys.stdout.flush()
        sys.stderr.write(printable_line(text) + "\n")

    def note_lines(self, text: str) -> None:
        """Write lines of message, without the colours that came with them."""
        for line in re.sub(_COLOUR_CODES, "", text).splitlines():
            self.note(line)

    def emit(self, value: object) -> None:
        """Write *value* as JSON."""
        sys.stdout.write(_to_json(value, indent=2) + "\n")

    def emit_stream(self, values: Iterable[object]) -> None:
        """Write an array of *values* as JSON, as they come."""
        opened = False
        for value in values:
            text = _to_json(value, indent=2)
            sys.stdout.write((",\n" if opened else "[\n") + "  " + text.replace("\n", "\n  "))
            opened = True
        sys.stdout.write("\n]\n" if opened else "[]\n")

    def error(self, error: NbvcError) -> None:
        """Write what went wrong and what to do next; a URL in it without what may be secret."""
        told = _without_secrets(error.to_dict())
        if self.json:
            self.note(_to_json({"error": told}))
            return
        paint = self._wants_color and sys.stderr.isatty()
        sys.stdout.flush()
        sys.stderr.write("\x1b[31merror:\x1b[0m " if paint else "error: ")
        self.note(told["message"])
        for candidate in told.get("candidates", []):
            texts = (str(text) for text in candidate.values() if text not in {None, ""})
            self.note("  " + "  ".join(texts))
        if told["hint"]:
            self.note(f"hint: {told['hint']}")

    def table(self, rows: Iterable[Sequence[str]], *, headers: Sequence[str]) -> Iterator[str]:
        """Yield *rows* as printable lines with aligned columns; the last column is not padded.

        Widths are settled by the first hundred rows, so a long table streams. Columns without any
        value are left out of a shorter one. On a terminal that is too narrow, the last column gets
        lines of its own.
        """
        iterator = (tuple(map(printable_line, row)) for row in rows)
        first = [tuple(headers), *islice(iterator, _ROWS_MEASURED)]
        if len(first) == 1:
            return
        widths = [max(map(_width, column)) for column in zip(*first, strict=True)]
        short = len(first) <= _ROWS_MEASURED
        shown = [
            column
            for column in range(len(headers))
            if not short or any(row[column] for row in first[1:])
        ]
        room = shutil.get_terminal_size().columns if self.is_terminal else None
        spills = room is not None and sum(widths[column] + 2 for column in shown) > room + 2
        for number, row in enumerate(chain(first, iterator)):
            line = _cut(_line(row, widths, shown[:-1] if spills else shown), room)
            yield self.style(line, "dim") if number == 0 else line
            if spills and number and row[-1]:
                yield _cut(f"    {row[-1]}", room)

    @contextmanager
    def pager(self, wanted: str | None) -> Iterator[IO[str]]:
        """Give a stream for long text: the user's pager on a terminal, else standard output.

        Args:
            wanted: The setting ``pager``; empty for none; ``None`` for ``$PAGER``, else ``less``.
        """
        command = self._variables.get("PAGER", _PAGER) if wanted is None else wanted
        arguments = shlex.split(command) if self.is_terminal else []
        if not arguments or shutil.which(arguments[0]) is None or arguments == ["cat"]:
            yield sys.stdout
            return
        environment = {"LESS": "FRX", **self._variables}
        process = subprocess.Popen(  # noqa: S603
            arguments, stdin=subprocess.PIPE, env=environment, text=True, errors="replace"
        )
        assert process.stdin is not None
        try:
            with process.stdin as stream:
                yield stream
        except BrokenPipeError:  # the reader has seen enough
            pass
        finally:
            process.wait()


def _without_secrets(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {name: _without_secrets(each) for name, each in value.items()}
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value


def when(moment: datetime, now: datetime, *, relative: bool) -> str:
    """Return *moment* for a person on a terminal (``2 hours ago``), or for a file (RFC 3339)."""
    if not relative:
        from nbvc.manifest.sealing import format_time

        return format_time(moment)[:19] + "Z"
    age = now - moment
    if timedelta(0) <= age < timedelta(days=30):
        import humanize

        return humanize.naturaltime(age)
    with suppress(OverflowError, ValueError):  # at either end of the years that there are
        moment = moment.astimezone()
    return moment.strftime("%Y-%m-%d %H:%M")


def size(size_bytes: int) -> str:
    """Return a size for a person: ``183.2 kB``."""
    import humanize

    return humanize.naturalsize(size_bytes)


def count(number: int, thing: str = "notebook") -> str:
    """Return ``1 notebook``, ``2 notebooks``."""
    return counted(number, thing)


def silence_broken_pipe() -> None:
    """Send what is left for standard output nowhere: its reader has gone."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def flush_output() -> None:
    """Write what is left for standard output; the last chance to say that it cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence_broken_pipe()
    except OSError as error:
        silence_broken_pipe()
        sys.stderr.write(f"error: The output could not be written: {error.strerror}.\n")
        raise SystemExit(1) from error


def set_up_streams() -> None:
    """Let every text be written, whatever the locale: what it cannot show is escaped."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        _reconfigure(stream)


def _reconfigure(stream: IO[str]) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _to_json(value: object, *, indent: int | None = None) -> str:
    """Return JSON in ASCII: right in any locale, and nothing in it is obeyed by a terminal."""
    return json.dumps(value, indent=indent, default=_plain).replace("\x7f", "\\u007f")


def _plain(value: object) -> str:
    from nbvc.workspace.describing import plain

    return plain(value)


def _line(row: Sequence[str], widths: Sequence[int], shown: Sequence[int]) -> str:
    cells = [row[column] + " " * (widths[column] - _width(row[column])) for column in shown[:-1]]
    return "  ".join([*cells, *(row[column] for column in shown[-1:])]).rstrip()


def _cut(line: str, room: int | None) -> str:
    """Return *line* shortened to the width of the terminal."""
    if room is None or _width(line) <= room:
        return line
    while line and _width(line) >= room:
        line = line[:-1]
    return line + "…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
