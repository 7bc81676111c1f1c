"""The values that the layers hand to each other: identifiers, records, versions.

All of them are immutable, and none of them does any input or output.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NewType, Self

from nbvc.errors import InvalidKey
from nbvc.text import has_controls
from nbvc.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

VersionId = NewType("VersionId", str)
"""Opaque token that the store gave to a version; compared for equality, never parsed."""

WriteId = NewType("WriteId", str)
"""Random token of one save; tells a repeat of the same save from a new one."""

SHORT_DIGEST_LENGTH = 7
MIN_DIGEST_PREFIX = 4
MAX_KEY_BYTES = 1024
"""S3's limit for a key, in UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""

MAX_NUMBER = 9_999_999_999
CONTROL_FOLDERS = frozenset({".nbvc", ".git", ".hg", ".svn", ".ipynb_checkpoints"})
NOTEBOOK_SUFFIX = ".ipynb"

_DIGEST = r"[0-9a-f]{64}"
_IGNORED_BY_HFS = r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]"  # none is printable
_SHORT_NAMES = frozenset({"nbvc~1", "git~1", "hg~1", "svn~1", "ipynb_~1"})


Data = bytes | memoryview
"""The bytes of a notebook. Of a large one a view, whose bytes stay on disk: ``nbvc.mapped``."""


class Digest(str):
    """SHA-256 of the exact stored bytes, as 64 lower-case hexadecimal digits."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check and keep *value*.

        Raises:
            ValueError: It is not 64 lower-case hexadecimal digits.
        """
        if not re.fullmatch(_DIGEST, value):
            raise ValueError(f"not a SHA-256 digest: {value!r}")
        return super().__new__(cls, value)

    @classmethod
    def of(cls, data: Data) -> Self:
        """Return the digest of *data*."""
        return cls(hashlib.sha256(data).hexdigest())

    @property
    def short(self) -> str:
        """The first seven digits, for tables."""
        return self[:SHORT_DIGEST_LENGTH]


class NotebookKey(str):
    """``<namespace>/<path>.ipynb``: the name of a notebook within an area of a store.

    Kept exactly as given: no case folding, no Unicode normalisation, as S3 does.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check and keep *value*.

        Raises:
            InvalidKey: It is empty, absolute, has an empty, ``.`` or ``..`` segment, a control
                character or backslash, a control folder such as ``.git``, a folder whose name ends
                in ``.ipynb``, or no ``.ipynb`` suffix itself.
        """
        check_key_path(value)
        if not value.endswith(NOTEBOOK_SUFFIX):
            raise InvalidKey(
                f"{value!r} is not a notebook: its name does not end in .ipynb.",
                hint="nbvc keeps versions of .ipynb files only.",
            )
        folders = value.split("/")[:-1]
        if any(folder.endswith(NOTEBOOK_SUFFIX) for folder in folders):
            # The index of a notebook lies under its name, as files in such a folder would.
            raise InvalidKey(f"{value!a} lies in a folder whose name ends in .ipynb.")
        return super().__new__(cls, value)


def check_key_path(value: str) -> None:
    """Check that *value* is a plain relative path that every store and file system can hold.

    Raises:
        InvalidKey: It is not.
    """
    shown = ascii(value)
    if not value:
        raise InvalidKey("The name of a notebook cannot be empty.")
    if "\\" in value or has_controls(value):
        raise InvalidKey(f"{shown} holds a backslash or a character that cannot be stored.")
    if len(value.encode()) > MAX_KEY_BYTES:
        raise InvalidKey(f"{shown[:60]}... is longer than {MAX_KEY_BYTES} bytes, the limit of S3.")
    for segment in value.split("/"):
        if not segment.rstrip(" ."):  # "..", and what Windows takes for it
            raise InvalidKey(
                f"{shown} is not a plain relative path (no leading or doubled slash, no '..')."
            )
        if _is_control_folder(segment):
            raise InvalidKey(f"{shown} lies in {segment!a}, which nbvc never touches.")


def below(namespace: str, path: str) -> str:
    """Return the key of *path* in *namespace*; an empty one is the whole area."""
    return f"{namespace}/{path}" if namespace else path


def _is_control_folder(segment: str) -> bool:
    """Return whether a file system may take *segment* for a control folder.

    HFS+ ignores some characters; NTFS ignores dots and blanks at the end, opens a stream after a
    colon, and gives every long name a short one (as git's ``is_hfs_dotgit`` and ``is_ntfs_dotgit``
    know). A key may come from a store, and be written on any of them.
    """
    shown = segment if segment.isprintable() else re.sub(_IGNORED_BY_HFS, "", segment)
    plain = shown.partition(":")[0].rstrip(" .").casefold()
    return plain in CONTROL_FOLDERS or plain in _SHORT_NAMES


class Area(StrEnum):
    """The two parts of a store; ``StoreSettings`` gives each its prefix."""

    WORKSPACE = "workspace"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a version changed against its parent, in cells.

    Attributes:
        cells_added: Number of cells that the parent does not have.
        cells_removed: Number of cells of the parent that are gone.
        cells_changed: Number of cells in both whose source, outputs, metadata or order differ.
        outputs_only: True where outputs changed and no source, no order and no number of cells did.
    """

    cells_added: int
    cells_removed: int
    cells_changed: int
    outputs_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Another version: where one was taken from (published, renamed), or what a run executed.

    Attributes:
        area: The area of the source.
        key: The notebook key of the source.
        number: Its number there, or ``None`` where it has no record.
        version_id: Its version ID there.
    """

    area: Area
    key: NotebookKey
    number: int | None
    version_id: VersionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a version was made by executing a notebook; it ended when the version was saved.

    Attributes:
        outcome: ``completed``, ``failed``, ``interrupted``, or ``prepared`` where nothing was to be
            executed; later releases may know more.
        input: The version that was executed; ``None`` where the input was no version.
        started_at: When it began, in UTC; ``None`` where nothing was executed.
        asked: How the input was named, as ``published``.
        parameters: Names and values that were given, as JSON knows them.
        left_out: Names of parameters whose values are not recorded.
        error: What kind of error ended it, as ``ZeroDivisionError``; ``None`` where none did.
        failed_cell: Number of the cell that raised it, from 1, in the version that was saved.
    """

    outcome: str
    input: Source | None = None
    started_at: datetime | None = None
    asked: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    error: str | None = None
    failed_cell: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One immutable entry of a manifest.

    Attributes:
        number: Position in the manifest, from 1, never reused.
        digest: SHA-256 of the notebook's exact bytes.
        version_id: The store's token for those bytes.
        size_bytes: Length of the notebook.
        saved_at: When it was saved, by the clock of who saved it; UTC. Order comes from the number.
        author: Who saved it; ``None`` for an adopted version of another tool.
        message: What the author wrote, or an empty string.
        parent: Number of the version that the working copy was based on.
        write_id: Random token of the save.
        changes: What changed against the parent, where it is known.
        source: Where the bytes were taken from, for published and renamed versions.
        run: How the bytes were made, for the result of a run.
        prev: SHA-256 of the previous record, or ``None`` for the first.
        stands_for: Only in a record that was rebuilt without its original: the hash that the next
            record names as its ``prev``.
        extra: Fields that this release does not know; kept as they are.
    """

    number: int
    digest: Digest
    version_id: VersionId
    size_bytes: int
    saved_at: datetime
    author: str | None
    message: str
    parent: int | None
    write_id: WriteId
    changes: Changes | None = None
    source: Source | None = None
    run: Run | None = None
    prev: Digest | None = None
    stands_for: Digest | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a notebook as a reader sees it: its record joined with the store's listing.

    ``None`` stands where nothing is known, as for a version that another tool wrote.

    Attributes:
        key: Notebook key under which the store holds the bytes: an earlier name, perhaps.
        area: The area that holds them.
        number: ``None`` for a version that no record names (*unindexed*).
        tags: Names that people gave to this version, sorted.
        published: Whether the published area shows this version now.
        missing: Whether the store no longer has its bytes: its listing lacks them, or a repair
            found so. False also where a listing that was cut off cannot tell.
    """

    key: NotebookKey
    area: Area = Area.WORKSPACE
    number: int | None
    digest: Digest | None
    version_id: VersionId
    size_bytes: int
    saved_at: datetime
    author: str | None = None
    message: str | None = None
    parent: int | None = None
    changes: Changes | None = None
    source: Source | None = None
    run: Run | None = None
    tags: tuple[str, ...] = ()
    published: bool = False
    missing: bool = False

    @property
    def indexed(self) -> bool:
        """Whether a record names this version."""
        return self.number is not None

    @property
    def name(self) -> str:
        """How people call it: ``v3``, or the version ID where it has no number."""
        return f"v{self.number}" if self.number is not None else self.version_id
