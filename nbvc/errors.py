"""Every error nbvc raises on purpose, grouped by what the caller does next.

::

    NbvcError                      1  failure
     ├─ InvalidInput               2  change what was typed or passed
     │   ├─ InvalidNotebook           the bytes are not a notebook
     │   ├─ InvalidKey                a path or key that cannot name a notebook
     │   ├─ InvalidRef                a ref that cannot be read
     │   └─ InvalidConfig             a setting that cannot be used
     ├─ NotFound                   3  name something that exists
     │   ├─ WorkspaceNotFound         no nbvc workspace here
     │   ├─ NotebookNotFound          no such notebook
     │   ├─ VersionNotFound           no such version
     │   └─ StoreNotFound             no such bucket or folder
     ├─ Ambiguous                  4  choose one of the candidates
     ├─ Conflict                   5  look at what is there, then decide
     │   ├─ PreconditionFailed        the condition of a write did not hold; nothing was written
     │   ├─ AlreadyExists             the name is taken
     │   └─ UnsavedChanges            a local file holds bytes that no version holds
     ├─ AccessDenied               6  get permission or fresh credentials
     │   ├─ CredentialsMissing        none were found
     │   └─ CredentialsExpired        they were good once
     ├─ StoreError                 7  the store cannot do it, or not now
     │   ├─ StoreUnavailable          not reached, or overloaded: try again (retryable)
     │   ├─ OutcomeUnknown            no reply came: it may or may not be stored
     │   ├─ VersioningOff             the bucket keeps no versions
     │   ├─ ClockSkewed               this machine's clock is wrong
     │   └─ StoreMisconfigured        wrong region, endpoint or server
     ├─ IntegrityError             8  bytes are not what was recorded
     └─ Interrupted              130  Ctrl-C
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class NbvcError(Exception):
    """Base of all errors that nbvc raises on purpose.

    Attributes:
        kind: Stable name of the error for programs; never changes once released.
        exit_code: Exit status of the command line for this error.
        retryable: Whether the same call may succeed later without any change.
        deferrable: Whether a version that could not be stored for it goes into the outbox, to be
            delivered once the store can take it.
        message: What happened, to which thing, and why. Holds no secret.
        hint: What to type or change next, or ``None`` where there is nothing to say.
    """

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    deferrable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain values for JSON: ``kind``, ``message``, ``hint``, and more."""
        return {"kind": self.kind, "message": self.message, "hint": self.hint}


class InvalidInput(NbvcError):
    """What was typed or passed cannot be used; nothing was done."""

    kind = "invalid-input"
    exit_code = 2


class InvalidNotebook(InvalidInput):
    """The bytes are not a Jupyter notebook."""

    kind = "invalid-notebook"


class InvalidKey(InvalidInput):
    """A path or key that cannot name a notebook, or that leads outside the workspace."""

    kind = "invalid-key"


class InvalidRef(InvalidInput):
    """A ref that cannot be read."""

    kind = "invalid-ref"


class InvalidConfig(InvalidInput):
    """A setting or a configuration file that cannot be used."""

    kind = "invalid-config"


class NotFound(NbvcError):
    """What was named does not exist."""

    kind = "not-found"
    exit_code = 3


class WorkspaceNotFound(NotFound):
    """No folder from here upwards is an nbvc workspace."""

    kind = "workspace-not-found"


class NotebookNotFound(NotFound):
    """There is no notebook with this path or key."""

    kind = "notebook-not-found"


class VersionNotFound(NotFound):
    """The notebook exists, the version does not."""

    kind = "version-not-found"


class StoreNotFound(NotFound):
    """There is no bucket, or no folder, of this name."""

    kind = "store-not-found"


class Ambiguous(NbvcError):
    """What was typed fits several things.

    Attributes:
        candidates: One dictionary of facts for each thing that fits.
    """

    kind = "ambiguous"
    exit_code = 4

    def __init__(
        self, message: str, *, candidates: Sequence[Mapping[str, Any]], hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.candidates = [dict(candidate) for candidate in candidates]

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain values, with its candidates."""
        return {**super().to_dict(), "candidates": self.candidates}


class Conflict(NbvcError):
    """Something is in the way; nothing was changed."""

    kind = "conflict"
    exit_code = 5


class PreconditionFailed(Conflict):
    """The condition of a write did not hold; nothing was written."""

    kind = "precondition-failed"


class AlreadyExists(Conflict):
    """The name is taken; nothing was overwritten."""

    kind = "already-exists"


class UnsavedChanges(Conflict):
    """A local file holds bytes that no version holds, and would have been overwritten."""

    kind = "unsaved-changes"


class AccessDenied(NbvcError):
    """The store, or the file system, refuses."""

    kind = "access-denied"
    exit_code = 6


class CredentialsMissing(AccessDenied):
    """No credentials were found for the store."""

    kind = "credentials-missing"


class CredentialsExpired(AccessDenied):
    """The credentials were valid once."""

    kind = "credentials-expired"


class StoreError(NbvcError):
    """The store cannot do what was asked, or not now.

    Attributes:
        retry_after_seconds: How long the store asks to wait, where it said so.
    """

    kind = "store-error"
    exit_code = 7

    def __init__(
        self, message: str, *, hint: str | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class StoreUnavailable(StoreError):
    """The store was not reached, or is overloaded; nothing was changed there."""

    kind = "store-unavailable"
    retryable = True
    deferrable = True


class OutcomeUnknown(StoreError):
    """A write was sent and no clear reply came: it may or may not be stored.

    Only who knows the write ID may retry, after a look at what is stored.
    """

    kind = "outcome-unknown"
    deferrable = True


class VersioningOff(StoreError):
    """The store answered without a version ID: it keeps no versions, so nothing is safe there."""

    kind = "versioning-off"
    deferrable = True


class ClockSkewed(StoreError):
    """This machine's clock differs too much from the store's."""

    kind = "clock-skewed"


class StoreMisconfigured(StoreError):
    """Wrong region, endpoint or server for this store."""

    kind = "store-misconfigured"


class IntegrityError(NbvcError):
    """Bytes in the store are not the bytes that were recorded.

    Attributes:
        actual: SHA-256 of the bytes that are there, where it is known.
    """

    kind = "integrity"
    exit_code = 8

    def __init__(self, message: str, *, hint: str | None = None, actual: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.actual = actual


class Interrupted(NbvcError):
    """The user pressed Ctrl-C."""

    kind = "interrupted"
    exit_code = 130
