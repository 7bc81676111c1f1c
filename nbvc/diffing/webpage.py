"""The page that nbdime's web view draws a diff in, and where its scripts are.

The scripts are nbdime's own; its server is not used. That one reads any file, and fetches any
address, that it is asked for.
"""

from __future__ import annotations

import html
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbvc.text import printable_line

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{old} and {new} - nbvc diff</title>
</head>
<body>
<div id="nbdime-header" class="nbdime-Diff">
<h3>Notebook Diff</h3>
<div id="nbdime-header-buttonrow">
<label><input id="nbdime-hide-unchanged" type="checkbox">Hide unchanged cells</label>
<button id="nbdime-trust" style="display: none">Trust outputs</button>
<button id="nbdime-close" style="display: none">Close</button>
<button id="nbdime-export" style="display: none">Export diff</button>
</div>
<div id="nbdime-header-banner" class="cm-merge-2pane">
<span id="nbdime-header-base">{old}</span>
<span id="nbdime-header-remote">{new}</span>
</div>
</div>
<div id="nbdime-root" class="nbdime-root"></div>
<script id="nbdime-config-data" type="application/json">{config}</script>
<script src="static/nbdime.js"></script>
<noscript>The web view of nbdime needs JavaScript.</noscript>
</body>
</html>
"""


def page(names: tuple[str, str]) -> bytes:
    """Return the page of a diff.

    Args:
        names: What to call the old and the new notebook.
    """
    old, new = map(printable_line, names)
    config = {
        "base": old,
        "remote": new,
        "baseUrl": "/",
        "closable": True,
        "savable": False,
        "hideUnchanged": True,
        "collapseIdentical": 2,
    }
    return _PAGE.format(
        old=html.escape(old),
        new=html.escape(new),
        # Within a script element nothing is unescaped, so nothing may look like its end.
        config=json.dumps(config).replace("<", "\\u003c"),
    ).encode()


def content(old: Any, diff: Sequence[Any]) -> bytes:  # noqa: ANN401
    """Return what the page asks for: a notebook, and what leads away from it, as JSON."""
    return json.dumps({"base": old, "diff": diff}, separators=(",", ":")).encode()


def assets() -> dict[str, Path]:
    """Return the files that the page loads, by name; none where nbdime has no web view."""
    found = find_spec("nbdime")
    places = (found.submodule_search_locations or []) if found else []
    folders = [Path(place, "webapp", "static") for place in places]
    return {
        file.name: file
        for folder in folders
        if folder.is_dir()
        for file in folder.iterdir()
        if file.suffix != ".map" and file.is_file()
    }
