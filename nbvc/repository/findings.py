"""What an examination finds: one value for each thing that is lost, damaged or merely odd."""

from __future__ import annotations

from enum import StrEnum

from nbvc.model import Area, NotebookKey, VersionId
from nbvc.values import dataclass


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Something is lost, damaged, or cannot be verified."""
    NOTE = "note"
    """Nothing is lost; worth knowing."""


class Kind(StrEnum):
    """What was found; the texts are stable, for programs."""

    MISSING_VERSION = "missing-version"
    """A record whose version the store does not have."""
    DAMAGED_BYTES = "damaged-bytes"
    """A version whose bytes are not the ones that were saved."""
    SIZE_DIFFERS = "size-differs"
    """A version of another size than its record says."""
    DAMAGED_RECORD = "damaged-record"
    """A record file whose bytes cannot be read as a record."""
    MISSING_RECORD = "missing-record"
    """A record file that is not in the store, below one that is."""
    ALTERED_RECORD = "altered-record"
    """A record file that reads well and says other than was recorded: the hash chain shows it."""
    DAMAGED_STATE = "damaged-state"
    """A state that cannot be read, or that was changed since it was written."""
    MISSING_STATE = "missing-state"
    """A state that is not in the store, and that no later one replaces."""
    NEWER_FORMAT = "newer-format"
    """A file of the index that a newer release of nbvc wrote; this one cannot judge it."""
    DANGLING_TAG = "dangling-tag"
    """A tag at a number that no record has."""
    PUBLISHED_DIFFERS = "published-differs"
    """A published version whose bytes are not those of its source."""
    NULL_VERSION = "null-version"
    """The latest version was stored without versioning: the next such write replaces it."""
    DAMAGED_SETTINGS = "damaged-settings"
    """The file in which the store describes itself is missing or cannot be read."""
    DAMAGED_STORE = "damaged-store"
    """The store's own listing, or its entry of a version, cannot be read: an embedded store's."""
    MISSING_PACK = "missing-pack"
    """A pack that a state names, and that is not in the store: with it, all its versions."""
    DAMAGED_PACK = "damaged-pack"
    """A pack whose table cannot be read."""
    UNLISTED_PACK = "unlisted-pack"
    """A pack that holds the only copies of versions, and that no state names."""
    UNINDEXED_VERSION = "unindexed-version"
    """A version that no record names: another tool's, or a save's that was cut off."""
    REPEATED_VERSION = "repeated-version"
    """A version that a client of the store wrote twice; the other one is recorded."""
    REBUILT_RECORD = "rebuilt-record"
    """A record that was rebuilt without its original; the hash chain is vouched for by it alone."""
    GONE = "gone"
    """A missing version of which a repair has said so."""
    SUPERSEDED_DAMAGE = "superseded-damage"
    """A damaged, altered or missing state that a later good one replaced."""
    OLD_NULL_VERSION = "old-null-version"
    """An older version that was stored without versioning: it has no version ID of its own."""
    UNUSED_PACK = "unused-pack"
    """A pack that no state names, and that nothing needs: of a command that was cut off."""
    FORGOTTEN_VERSION = "forgotten-version"
    """A version that somebody has let go of, and that is in the store still."""
    NOT_LOCKED = "not-locked"
    """The newest version can be deleted, though the store is set to lock versions."""

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return Severity.NOTE if self in _NOTES else Severity.ERROR


_NOTES = frozenset(
    {
        Kind.UNINDEXED_VERSION,
        Kind.REPEATED_VERSION,
        Kind.REBUILT_RECORD,
        Kind.GONE,
        Kind.SUPERSEDED_DAMAGE,
        Kind.OLD_NULL_VERSION,
        Kind.UNUSED_PACK,
        Kind.FORGOTTEN_VERSION,
        Kind.NOT_LOCKED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an examination found.

    Attributes:
        kind: What it is.
        message: One sentence that names the thing and says what is wrong with it.
        area: The area it lies in; ``None`` for the store itself.
        key: The notebook; ``None`` for the store itself.
        number: The version, or the state, that it is about.
        version_id: The version ID of the notebook object that it is about.
        object_key: Key, in the store, of the object that is missing, damaged or odd.
        expected: Digest, or size in bytes, that should be found there; ``None`` where not known.
        actual: Digest, or size in bytes, that was found there; ``None`` where nothing was.
    """

    kind: Kind
    message: str
    area: Area | None = None
    key: NotebookKey | None = None
    number: int | None = None
    version_id: VersionId | None = None
    object_key: str | None = None
    expected: str | None = None
    actual: str | None = None

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.kind.severity
