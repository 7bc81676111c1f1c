"""Imports point down only, and effects stay at the edge."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.layers import find_violations

PACKAGE = Path(__file__).resolve().parent.parent / "nbvc"

PLANTED = [
    ("model.py", "from nbvc.stores.base import Store", "model may not import stores"),
    ("errors.py", "import nbvc.model", "errors may not import model"),
    ("refs.py", "from nbvc import manifest", "refs may not import manifest"),
    (
        "notebook/read.py",
        "from ..manifest.records import decode",
        "notebook may not import manifest",
    ),
    ("stores/s3.py", "from nbvc.notebook import outline", "stores may not import notebook"),
    ("manifest/records.py", "import nbvc.stores.s3", "manifest may not import stores.s3"),
    (
        "repository/save.py",
        "def f():\n    from nbvc.workspace import x",
        "may not import workspace",
    ),
    ("workspace/open.py", "from nbvc.cli import main", "workspace may not import cli"),
    ("repository/save.py", "from nbvc import Workspace", "may not import the public face"),
    ("strange.py", "import os", "strange has no layer"),
    ("text.py", "import os\nos.environ['HOME']", "uses os.environ"),
    ("text.py", "from os import getenv as g\ng('HOME')", "uses os.getenv"),
    ("workspace/a.py", "from pathlib import Path as P\nP.home()", "uses pathlib.Path.home"),
    ("workspace/a.py", "def f(path):\n    return path.expanduser()", "uses expanduser"),
    ("repository/a.py", "import datetime as d\nd.datetime.now()", "uses datetime.datetime.now"),
    ("repository/a.py", "from datetime import datetime\nx = datetime.now", "datetime.datetime.now"),
    ("repository/a.py", "import time\ntime.time()", "uses time.time"),
    ("repository/a.py", "import random\nrandom.random()", "uses random"),
    ("repository/a.py", "from secrets import token_hex\ntoken_hex()", "uses secrets"),
    ("stores/s3.py", "import uuid\nuuid.uuid4()", "uses uuid"),
    ("stores/retry.py", "import time\ntime.time()", "uses time.time"),
    ("workspace/a.py", "print('x')", "uses print"),
    ("workspace/a.py", "import sys\nsys.stdout.write('x')", "uses sys.stdout"),
    ("cli/a.py", "import os\nos.system('x')", "uses os.system"),
    ("cli/a.py", "import subprocess\nsubprocess.run('x', shell=True)", "uses shell="),
]

ALLOWED = [
    ("manifest/metadata.py", "from nbvc.stores.base import WRITE_ID"),
    ("notebook/wire.py", "class Cell:\n    input: str"),
    ("model.py", "from nbvc.errors import InvalidKey"),
    ("repository/save.py", "from nbvc.manifest import records\nfrom nbvc.stores.base import Store"),
    ("repository/save.py", "from nbvc import __version__\nfrom . import other"),
    ("cli/main.py", "import os, sys\nfrom nbvc.workspace import x\nprint(os.environ, sys.stdout)"),
    ("stores/local.py", "import secrets, time\nsecrets.token_hex()\ntime.time()"),
    ("stores/retry.py", "import time\ntime.monotonic()"),
    ("__init__.py", "from nbvc.workspace import Workspace"),
    ("repository/save.py", "from datetime import datetime\ndatetime.fromisoformat('x')"),
    ("cli/a.py", "import subprocess\nsubprocess.run(['x'], shell=False)"),
]


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_module_keeps_to_its_layer(path: Path) -> None:
    """No module imports upwards, nor reaches for clock, chance, variables or terminal."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert find_violations(path.relative_to(PACKAGE).as_posix(), tree) == []


@pytest.mark.parametrize(("path", "code", "expected"), PLANTED)
def test_planted_violation_is_caught(path: str, code: str, expected: str) -> None:
    """The check can fail: each kind of violation is reported once, with its line."""
    (violation,) = find_violations(path, ast.parse(code))
    assert expected in violation


@pytest.mark.parametrize(("path", "code"), ALLOWED)
def test_allowed_code_is_not_reported(path: str, code: str) -> None:
    """The check does not stand in the way of what the layers allow."""
    assert find_violations(path, ast.parse(code)) == []
