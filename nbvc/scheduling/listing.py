"""Notebooks and folders below a folder of keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from nbvc.errors import InvalidInput
from nbvc.model import NOTEBOOK_SUFFIX
from nbvc.repository import Repository
from nbvc.values import dataclass

MAX_ENTRIES = 1_000_000
"""How many notebooks and folders one listing may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A notebook, or a folder of notebooks.

    Attributes:
        path: Its key, or the beginning of the keys of what lies in it.
        size_bytes: Size of the latest version; ``None`` for a folder.
        saved_at: When that was written, by the store's clock; ``None`` for a folder.
    """

    path: str
    size_bytes: int | None = None
    saved_at: datetime | None = None

    @property
    def is_notebook(self) -> bool:
        """Whether it is one, and no folder."""
        return self.size_bytes is not None


def children(repository: Repository, folder: str) -> list[Entry]:
    """Return what lies right in *folder*, in order. 1 request for each 1,000 notebooks below it."""
    depth = folder.count("/") + 1 if folder else 0
    return [entry for entry in below(repository, folder) if entry.path.count("/") == depth]


def below(repository: Repository, folder: str) -> Iterator[Entry]:
    """Yield what lies below *folder*, at any depth, each folder before what lies in it.

    Raises:
        InvalidInput: It is more than one listing may have.
    """
    prefix = f"{folder}/" if folder else ""
    seen: set[str] = {folder}
    found = repository.list_notebooks(prefix, with_versions=False)
    for count, listed in enumerate(found, start=1):
        for parent in _parents(listed.key, len(prefix)):
            if parent not in seen:
                seen.add(parent)
                yield Entry(path=parent)
        yield Entry(path=listed.key, size_bytes=listed.size_bytes, saved_at=listed.saved_at)
        if count + len(seen) > MAX_ENTRIES:
            raise InvalidInput(
                f"There are more than {MAX_ENTRIES:,} notebooks below {folder or 'the store'}.",
                hint="List a folder in it.",
            )


def is_notebook(path: str) -> bool:
    """Return whether *path* can only be the key of a notebook: no folder is called so."""
    return path.endswith(NOTEBOOK_SUFFIX)


def _parents(key: str, start: int) -> Iterator[str]:
    """Yield the folders of *key* that begin after *start* characters, the outermost first."""
    end = key.find("/", start)
    while end >= 0:
        yield key[:end]
        end = key.find("/", end + 1)
