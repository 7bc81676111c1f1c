"""What a write to a repository is told: who acts, what is to be stored, what is known already."""

from __future__ import annotations

from datetime import datetime

from nbvc.manifest.records import MAX_AUTHOR_LENGTH, MAX_MESSAGE_LENGTH, RecordFile
from nbvc.model import Changes, Data, Digest, Run, Source, VersionId, WriteId
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who does something, when and why.

    Attributes:
        author: Name of a person; longer than 200 characters is cut.
        message: What they say about it; longer than 2,000 characters is cut.
        now: The moment, in UTC.
        write_id: Random token of this one act.
    """

    author: str
    message: str
    now: datetime
    write_id: WriteId

    def __post_init__(self) -> None:
        """Cut what is longer than a record may hold."""
        object.__setattr__(self, "author", self.author[:MAX_AUTHOR_LENGTH])
        object.__setattr__(self, "message", self.message[:MAX_MESSAGE_LENGTH])


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A version before it is stored.

    Attributes:
        data: Exact bytes of the notebook.
        digest: Their SHA-256.
        parent: Number of the version that the working copy is based on, where it is known.
        parent_version_id: Its version ID, for one that may get its number in this very save.
        changes: What changed against it, where known.
        source: Where the bytes came from, for a copy.
        run: How the bytes were made, for the result of a run.
    """

    data: Data
    digest: Digest
    parent: int | None
    parent_version_id: VersionId | None = None
    changes: Changes | None
    source: Source | None = None
    run: Run | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a workspace remembers of the newest version it has seen.

    Attributes:
        file: File of the newest record.
        etag: ETag of the notebook object of that version; a write on top of it notices any version
            that came in between, at no cost.
        finished: Whether it was stored, without a record, by an earlier save of the same bytes that
            was cut off, and got its record by this one.
    """

    file: RecordFile
    etag: str
    finished: bool = False
