"""Show a diff in a browser, in nbdime's web view."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from nbvc.errors import InvalidInput

if TYPE_CHECKING:
    from nbvc.cli.context import State
    from nbvc.workspace.comparing import Comparison

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def show_in_browser(state: State, comparison: Comparison, *, wants_browser: bool) -> None:
    """Serve the diff until the page is closed, or Ctrl-C.

    Raises:
        InvalidInput: nbdime came without its web view.
    """
    from nbvc.cli.loopback import Loopback, Site
    from nbvc.diffing.webpage import assets, content, page

    files = assets()
    if "nbdime.js" not in files:
        raise InvalidInput(
            "The web view of nbdime is not installed.", hint="pip install --force-reinstall nbdime"
        )
    site = Site(
        page=page((comparison.old.name, comparison.new.name)),
        content=content(comparison.notebooks[0], comparison.diff),
        assets=files,
    )
    opens = wants_browser and _has_display(state)
    with Loopback(site) as server:
        state.output.data(server.url)
        sys.stdout.flush()
        where = "Opening it in the browser" if opens else "Open this address in a browser"
        state.output.note(f"{where}; it is good for one visit. Close the page, or press Ctrl-C.")
        if opens:
            threading.Thread(target=_open, args=(server.url,), daemon=True).start()
        server.wait()


def _has_display(state: State) -> bool:
    """Return whether a browser can show itself; one for terminals would use up the address."""
    variables = state.environment.variables
    return sys.platform in {"darwin", "win32"} or any(map(variables.get, _DISPLAYS))


def _open(url: str) -> None:
    import webbrowser

    webbrowser.open(url, new=2)
