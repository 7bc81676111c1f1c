"""Saves through bookstore's archiver, in the environment of bookstore.

Usage: bookstore_worker.py ENDPOINT BUCKET
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from bookstore.archive import ArchiveRecord, BookstoreContentsArchiver
from serving import serve
from traitlets.config import Config

LOOK_SECONDS = 0.005


class Archiver:
    """One archiver, as a Jupyter server has it, on an event loop of its own."""

    def __init__(self, endpoint: str, bucket: str) -> None:
        config = Config()
        config.BookstoreSettings.s3_endpoint_url = endpoint
        config.BookstoreSettings.s3_bucket = bucket
        config.BookstoreSettings.s3_access_key_id = os.environ["AWS_ACCESS_KEY_ID"]
        config.BookstoreSettings.s3_secret_access_key = os.environ["AWS_SECRET_ACCESS_KEY"]
        self._loop = asyncio.new_event_loop()
        self._manager = BookstoreContentsArchiver(config=config)

    def save(self, path: str) -> dict[str, float]:
        """Archive one notebook and wait for it: what the hook before a save sets going."""
        return self._loop.run_until_complete(self._save(path, _model(path)))

    def burst(self, path: str, sources: list[str], gap_seconds: float) -> None:
        """Save one content after the other as a server does; wait for what that has started."""
        models = [_model(source) for source in sources]
        self._loop.run_until_complete(self._burst(path, models, gap_seconds))

    async def _save(self, path: str, model: dict[str, Any]) -> dict[str, float]:
        start = time.perf_counter()
        content = nbformat.writes(nbformat.from_dict(model["content"]))
        await self._manager.archive(ArchiveRecord(path, content, self._loop.time()))
        return {"seconds": time.perf_counter() - start}

    async def _burst(self, path: str, models: list[dict[str, Any]], gap_seconds: float) -> None:
        start = time.monotonic()
        for number, model in enumerate(models):
            await asyncio.sleep(max(0.0, start + number * gap_seconds - time.monotonic()))
            self._manager.run_pre_save_hook(model, path)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not any(lock.locked() for lock in self._manager.path_locks.values()):
                break


def _model(path: str) -> dict[str, Any]:
    """Return what the contents API hands to the hook."""
    content = nbformat.reads(Path(path).read_text(encoding="utf-8"), as_version=4)
    return {"type": "notebook", "content": content}


if __name__ == "__main__":
    archiver = Archiver(*sys.argv[1:])
    serve({"save": archiver.save, "burst": archiver.burst})
