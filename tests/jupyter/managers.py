"""Contents managers that a test asks for by name."""

from __future__ import annotations

from jupyter_server.services.contents.manager import AsyncContentsManager


class MemoryManager(AsyncContentsManager):
    """One that keeps its notebooks in no files."""
