"""Print a diff on a terminal as nbdime does, without running git or diff.

nbdime writes what is in the notebooks as it stands. Here every control character in it becomes a
visible escape; nbdime's own colours travel as characters that occur in neither notebook, and are
put in last.
"""

from __future__ import annotations

import json
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING

from nbdime import prettyprint
from nbdime.diff_utils import to_diffentry_dicts

from nbvc.diffing.options import DiffOptions
from nbvc.diffing.settling import settle
from nbvc.text import printable, printable_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from nbvc.diffing.entries import Diff
    from nbvc.diffing.loading import Notebook


_PLAIN = prettyprint.col_const[False]
_COLOURED = prettyprint.col_const[True]
_PRIVATE_USE = range(0xF0000, 0xFFFFE)


class _PrettyPrintConfig(prettyprint.PrettyPrintConfig):  # type: ignore[misc]
    """nbdime's settings, with marks in place of colours."""

    def __init__(self, out: _EscapingWriter, marks: Sequence[str], options: DiffOptions) -> None:
        super().__init__(
            out=out,
            include=SimpleNamespace(
                outputs=not options.without_outputs,
                metadata=not options.without_metadata,
                details=not options.without_details,
                id=not options.without_details,
            ),
            use_git=False,
            use_diff=False,
        )
        self._marks = type(_PLAIN)(*marks)

    @property
    def KEEP(self) -> str:  # noqa: N802
        return str(self._marks.KEEP)

    @property
    def REMOVE(self) -> str:  # noqa: N802
        return str(self._marks.REMOVE)

    @property
    def ADD(self) -> str:  # noqa: N802
        return str(self._marks.ADD)

    @property
    def INFO(self) -> str:  # noqa: N802
        return str(self._marks.INFO)

    @property
    def RESET(self) -> str:  # noqa: N802
        return str(self._marks.RESET)


class _EscapingWriter:
    """Escapes what it is given, then puts the colours in for the marks."""

    def __init__(self, out: TextIO, colours: dict[str, str]) -> None:
        self._out = out
        self._colours = colours

    def write(self, text: str) -> None:
        """Write *text* to the terminal."""
        safe = printable(text)
        for mark, colour in self._colours.items():
            safe = safe.replace(mark, colour)
        self._out.write(safe)


def render(
    a: Notebook,
    diff: Diff,
    *,
    out: TextIO,
    names: tuple[str, str],
    use_color: bool = False,
    options: DiffOptions | None = None,
) -> None:
    """Print *diff* to *out*; nothing where it is empty.

    Args:
        a: The old notebook, from ``load``.
        diff: What ``diff_notebooks`` returned for it, also as plain values of JSON.
        out: Where to print. It is given only what every UTF-8 terminal can show.
        names: What to call the old and the new notebook.
        use_color: Whether to use colours (ANSI escapes).
        options: Those that *diff* was made with.
    """
    if not diff:
        return
    colours = _marks_for_colours(a, diff) if use_color else {}
    marks = tuple(colours) or _PLAIN
    config = _PrettyPrintConfig(_EscapingWriter(out, colours), marks, options or DiffOptions())
    old, new = (printable_line(name) for name in names)
    out.write(f"--- {old}\n+++ {new}\n")
    prettyprint.pretty_print_diff(a, settle(a, to_diffentry_dicts(diff)), "", config)


def _marks_for_colours(a: Notebook, diff: Diff) -> dict[str, str]:
    """Return a character for each of nbdime's colours; none, if the notebooks use them all up."""
    used = set(json.dumps([a, diff], ensure_ascii=False))
    free = list(islice((c for c in map(chr, _PRIVATE_USE) if c not in used), len(_COLOURED)))
    return dict(zip(free, _COLOURED, strict=True)) if len(free) == len(_COLOURED) else {}
