"""The Jupyter server extension: every save becomes a version by itself."""

from __future__ import annotations

from typing import Any

from nbvc import __version__

__all__ = ["__version__"]  # what jupyter server extension list shows


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server where the extension is."""
    from nbvc.jupyter.extension import NbvcExtension

    return [{"module": "nbvc.jupyter", "app": NbvcExtension}]
