"""What a repair does: one value for each thing that it mends, or would mend."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from nbvc.model import Area, NotebookKey, VersionId
from nbvc.values import dataclass


class MendingKind(StrEnum):
    """What is done; the texts are stable, for programs."""

    RESTORED_SETTINGS = "restored-settings"
    """The file in which the store describes itself is written again."""
    RESTORED_RECORD = "restored-record"
    """A record is put back as it was, from a copy of it."""
    REBUILT_RECORD = "rebuilt-record"
    """A record of which nothing is left is made again from its version."""
    LOST_RECORD = "lost-record"
    """A number of which neither record nor version is left gets a record that says so."""
    ADOPTED_VERSION = "adopted-version"
    """A version without a record gets one, with the next number."""
    RESTORED_STATE = "restored-state"
    """A state is put back as it was."""
    REPLACED_STATE = "replaced-state"
    """A new state holds instead of one that is lost."""
    NOTED_GONE = "noted-gone"
    """Versions that the store has lost are marked as gone."""
    RESTORED_PACK = "restored-pack"
    """A pack is put back as it was."""
    NAMED_PACK = "named-pack"
    """A pack that holds the only copies of versions is named by a state again."""
    DROPPED_PACK = "dropped-pack"
    """A pack of which nothing is left is named no more."""
    DROPPED_TAG = "dropped-tag"
    """A tag at a number that no version has is taken away."""
    NUMBERED_NULL = "numbered-null"
    """The latest version, which was stored without versioning, gets a version ID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """One thing that is mended, or would be.

    Attributes:
        kind: What is done.
        message: One sentence that names the thing and says what is done to it.
        area: The area it lies in; ``None`` for the store itself.
        key: The notebook; ``None`` for the store itself.
        number: The version, or the state, that it is about.
        version_id: The version ID of the notebook object that it is about.
        object_key: Key, in the store, of what is written.
    """

    kind: MendingKind
    message: str
    area: Area | None = None
    key: NotebookKey | None = None
    number: int | None = None
    version_id: VersionId | None = None
    object_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to mend, and how.

    Attributes:
        mendings: What it is: several where one write serves them all.
        run: Does it; False where it could not be done, and nothing was changed. Idempotent.
    """

    mendings: tuple[Mending, ...]
    run: Callable[[], bool]
