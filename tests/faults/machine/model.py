"""The plain model: what two people know of one store, in dictionaries and lists.

It knows nothing of requests, records or files. A version is an object; who refers to one (a log, a
tag, a working copy) refers to that object, so what a version is called is not needed to find it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nbvc.model import Digest

PATHS = ("a.ipynb", "b.ipynb", "sub/c.ipynb")
TAGS = ("good", "release")


@dataclass(slots=True, kw_only=True, eq=False)
class Version:
    """One version, in the store or on its way there.

    Attributes:
        data: Its bytes.
        author: Who saved it; ``None``: another tool.
        message: What they said; ``None``: another tool said nothing.
        saved_at: When, by the clock of who saved it; ``None``: only the store knows.
        parent: Number of the version that the working copy was based on.
        number: Its number, once it has a record.
        source: What it is a copy of, for a rename or a publication.
        version_id: What the store calls it, once that was seen.
        home: The path under which its bytes lie.
        packed: Whether they are in a pack.
        elsewhere: Whether they were in one and are plain again, under another version ID.
        let_go: Whether somebody let go of it.
    """

    data: bytes = field(repr=False)
    author: str | None = None
    message: str | None = None
    saved_at: datetime | None = None
    parent: int | None = None
    number: int | None = None
    source: Version | None = None
    version_id: str | None = None
    home: str = ""
    packed: bool = False
    elsewhere: bool = False
    let_go: bool = False

    @property
    def is_listed(self) -> bool:
        """Whether the store lists it under the version ID that its record names."""
        return not (self.packed or self.elsewhere or self.let_go)

    @property
    def is_foreign(self) -> bool:
        """Whether another tool wrote it, and said nothing of it."""
        return self.saved_at is None

    @property
    def name(self) -> str:
        """How people call it."""
        return f"v{self.number}" if self.number else str(self.version_id)


@dataclass(slots=True, kw_only=True)
class Shelf:
    """The versions of one notebook in one area.

    Attributes:
        path: The present name.
        records: Those with a number, in the order of the numbers; also from under earlier names.
        stored: Those under the present name, in the order in which the store got them.
        current: The one that a plain reader of the key sees; ``None``: there is none, or a marker.
        removed: Whether the notebook is said to be removed.
        moved_to: The name that it is said to have now.
        shared: What the notebook that it was renamed to has too, while it is one again.
        hidden: What is not shown any more of what lies under earlier names: somebody has let go of
            it here, and perhaps was cut off before that was done.
    """

    path: str = ""
    records: list[Version] = field(default_factory=list)
    stored: list[Version] = field(default_factory=list)
    current: Version | None = None
    removed: bool = False
    moved_to: str | None = None
    shared: list[Version] = field(default_factory=list)
    hidden: list[Version] = field(default_factory=list)

    @property
    def exists(self) -> bool:
        """Whether the store ever had it."""
        return bool(self.records or self.stored)

    @property
    def newest_number(self) -> int:
        """The newest number; 0 for none."""
        return self.records[-1].number or 0 if self.records else 0

    @property
    def has_index(self) -> bool:
        """Whether anything was recorded or said of it."""
        return bool(self.records) or self.removed or self.moved_to is not None

    def log(self) -> list[Version]:
        """Return its versions, newest first; one without a number before the next older one."""
        left = deque(version for version in reversed(self.stored) if version.is_listed)
        log = []
        for record in reversed(self.records):
            if self.has_let_go_of(record):
                continue
            while left and not (left[0].number and left[0].number < (record.number or 0)):
                listed = left.popleft()
                if listed.number is None:
                    log.append(listed)
                elif listed is record:
                    break
            log.append(record)
        return log + [version for version in left if version.number is None]

    def has_let_go_of(self, version: Version) -> bool:
        """Whether *version* is not shown any more."""
        return version.let_go or version in self.hidden

    def write(self, version: Version) -> None:
        """Store *version*, without a number."""
        version.home = self.path
        self.stored.append(version)
        self.current = version

    def record(self, version: Version) -> None:
        """Give *version* the next number."""
        version.number = self.newest_number + 1
        if version.parent is not None and version.parent >= version.number:
            version.parent = None
        self.records.append(version)

    def unrecorded_before(self, mine: Version | None) -> list[Version]:
        """Return what the next save adopts: what lies above the newest recorded one, oldest first.

        Args:
            mine: The version that is saved; ``None``: everything is somebody else's.
        """
        end = len(self.stored) if mine is None else self.stored.index(mine)
        found: list[Version] = []
        for version in reversed(self.stored[:end]):
            if version.number is not None:
                break
            found.append(version)
        return found[::-1]


@dataclass(slots=True, kw_only=True)
class Notebook:
    """All that is known under one path."""

    drafts: Shelf = field(default_factory=Shelf)
    published: Shelf = field(default_factory=Shelf)
    tags: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Waiting:
    """A version that waits in an outbox.

    Attributes:
        path: Of the notebook.
        version: What waits; perhaps the store has it already.
        base: The version that the working copy was based on.
        sent: Whether it was sent before.
        write_id: What it is called in the outbox, once that was seen.
    """

    path: str
    version: Version
    base: Version | None
    sent: bool
    write_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Folder:
    """What lies on the disk of one person.

    Attributes:
        author: Who that is.
        files: Path to bytes.
        base: Path to the version that the file is based on; perhaps one that waits.
        known: Path to the newest version that was seen from here.
        outbox: What waits, in order.
        seen: Paths that are remembered.
        cloned: Paths whose base came with a clone, which does not ask for its number.
    """

    author: str
    files: dict[str, bytes] = field(default_factory=dict)
    base: dict[str, Version] = field(default_factory=dict)
    known: dict[str, Version] = field(default_factory=dict)
    outbox: list[Waiting] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    cloned: set[str] = field(default_factory=set)

    def queue(self, path: str) -> list[Waiting]:
        """Return what waits of one notebook."""
        return [waiting for waiting in self.outbox if waiting.path == path]

    def set_base(self, path: str, version: Version | None) -> None:
        """Note what the file at *path* is based on."""
        self.base.pop(path, None)
        self.cloned.discard(path)
        if version is not None:
            self.base[path] = version

    def forget(self, path: str) -> None:
        """Forget what is remembered of *path*."""
        self.set_base(path, None)
        self.known.pop(path, None)
        self.seen.discard(path)


@dataclass(slots=True, kw_only=True)
class World:
    """One store, and the folders of those who use it.

    Attributes:
        notebooks: Path to notebook.
        folders: Name to folder.
        now: What the clocks of both say.
        pending: The version that the present command is storing.
        delivery_stops_after: After how many steps a delivery is stopped; ``None``: never.
    """

    now: datetime
    delivery_stops_after: int | None = None
    notebooks: dict[str, Notebook] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)
    pending: Version | None = None

    def notebook(self, path: str) -> Notebook:
        """Return the notebook at *path*, which may be new."""
        return self.notebooks.setdefault(path, Notebook(drafts=Shelf(path=path)))

    def versions(self) -> Iterator[Version]:
        """Yield all versions in the store."""
        for notebook in self.notebooks.values():
            for shelf in (notebook.drafts, notebook.published):
                yield from shelf.records
                yield from (version for version in shelf.stored if version.number is None)

    def packed_in(self, path: str) -> list[Version]:
        """Return what is packed of what lies under a name, lowest number first."""
        found = {
            id(version): version
            for notebook in self.notebooks.values()
            for version in notebook.drafts.records
            if version.home == path and version.packed
        }
        return sorted(found.values(), key=lambda version: version.number or 0)

    def ask_number(self, folder: Folder, path: str) -> None:
        """Ask for the number of what was cloned: so it may turn out to be the newest one."""
        base = folder.base.get(path)
        if path not in folder.cloned or base is None or base.number is None:
            return
        folder.cloned.discard(path)
        if [base] == self.notebook(path).drafts.records[-1:]:
            folder.known[path] = base

    def seen_in_store(self) -> dict[str, Any]:
        """Return what a reader of the store must see."""
        return {
            path: {
                "log": [_shown(version, notebook) for version in notebook.drafts.log()],
                "published": [_shown(version, None) for version in notebook.published.log()],
                "tags": dict(sorted(notebook.tags.items())),
                "packed": sorted(
                    {version.number for version in self.packed_in(path) if version.number}
                ),
                "listed": notebook.drafts.current is not None,
                "published now": notebook.published.current is not None,
                "moved to": notebook.drafts.moved_to,
                "said to be removed": notebook.drafts.removed,
            }
            for path in PATHS
            if (notebook := self.notebooks.get(path, Notebook()))
        }

    def seen_in_folder(self, name: str) -> dict[str, Any]:
        """Return what the owner of a folder must see."""
        folder = self.folders[name]
        return {
            "files": {path: Digest.of(data).short for path, data in sorted(folder.files.items())},
            "waiting": [
                (
                    waiting.path,
                    Digest.of(waiting.version.data).short,
                    waiting.version.author,
                    waiting.version.message,
                    waiting.version.saved_at,
                )
                for waiting in folder.outbox
            ],
        }

    def seen_in_status(self, name: str) -> dict[str, Any]:
        """Return what ``nbvc status`` must say, with nothing in the outbox and the store there."""
        folder = self.folders[name]
        for path in folder.seen:
            self.ask_number(folder, path)
        return {path: self._status(folder, path) for path in sorted({*folder.files, *folder.seen})}

    def _status(self, folder: Folder, path: str) -> tuple[str, int | None, int | None]:
        base = folder.base.get(path)
        latest = self.notebook(path).drafts.newest_number or None
        data = folder.files.get(path)
        if data is None:
            state = "missing"
        elif base is None:
            state = "new"
        else:
            state = "unchanged" if base.data == data else "changed"
        return state, base.number if base else None, latest


def _shown(version: Version, notebook: Notebook | None) -> dict[str, Any]:
    published = notebook.published.current if notebook else None
    return {
        "number": version.number,
        "digest": Digest.of(version.data).short,
        "parent": version.parent,
        "author": version.author,
        "message": version.message or "",
        "saved at": version.saved_at,
        "missing": False,
        "published": published is not None and published.source is version,
        "tags": tuple(
            sorted(
                name
                for name, number in (notebook.tags if notebook else {}).items()
                if number == version.number
            )
        ),
    }
