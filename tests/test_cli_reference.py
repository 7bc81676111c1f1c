"""The reference of the command line, which is generated."""

from __future__ import annotations

import subprocess
import sys

from tests.pages import PROJECT

SCRIPT = "import sys, cli_reference; sys.stdout.write(cli_reference.render())"


def test_reference_of_the_command_line_is_up_to_date() -> None:
    """The page says what the commands say now; scripts/generate-cli-reference writes it anew."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=PROJECT / "scripts",
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    page = PROJECT / "docs" / "reference" / "cli.md"
    assert page.read_text(encoding="utf-8") == ran.stdout
