"""What every command owes to whoever runs it, whatever the input: a reason, not a traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.command_line import CommandLine, Result

OBEYED_BY_TERMINALS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
EXPLAINED = {0, 2, 3, 4, 5, 6, 7, 8}
"""Exit codes that say what was wrong; 1 is left for defects (and for what differs)."""


def check_harmless(result: Result, *, data: bool = False) -> Result:
    """Check that a command explained itself in text that no terminal obeys; return *result*.

    Args:
        result: What the command did.
        data: Whether its standard output is the exact bytes of a notebook.
    """
    assert result.exit_code in EXPLAINED, result
    shown = result.stderr if data else result.stderr + result.data.decode()
    assert "Traceback" not in shown, shown
    assert "unexpected" not in shown, shown
    found = OBEYED_BY_TERMINALS.search(shown)
    assert found is None, (found, shown[max(found.start() - 200, 0) : found.end() + 20])
    if result.exit_code and not result.data:  # check and doctor say there what they found
        assert result.stderr.startswith(("error: ", "Left out ", '{"error": ', "Usage: ")), result
    return result


def run(cli: CommandLine, *arguments: str | Path, cwd: Path | None = None) -> Result:
    """Run a command that may succeed or explain, and check it with ``check_harmless``."""
    return check_harmless(cli(*arguments, exit_code=None, cwd=cwd))


def read_json(result: Result) -> object:
    """Return what a command printed as JSON: strict, and in ASCII."""
    assert result.data.isascii()
    return json.loads(result.data, parse_constant=lambda name: name)
