"""What the methods of a workspace return."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nbvc.errors import NbvcError
from nbvc.model import Changes, Digest, NotebookKey, Version, VersionId
from nbvc.values import dataclass
from nbvc.workspace.outbox import Failure, Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveResult:
    """What became of one notebook in a save.

    Attributes:
        path: Path of the notebook, relative to the workspace.
        saved: Whether a new version was stored; False where nothing had changed.
        number: Number of the version that holds the file's bytes; ``None`` after an error.
        digest: Digest of the bytes.
        version_id: Version ID of that version.
        parent: Number of the version that the file was based on.
        changes: What changed against the parent, where known.
        waiting: Whether the version waits in the outbox, and has no number yet.
        needs_push: Whether only a push delivers it, for no key could be kept that shows whose it
            is.
        error: Why it was not saved, or why it waits.
    """

    path: str
    saved: bool
    number: int | None = None
    digest: Digest | None = None
    version_id: VersionId | None = None
    parent: int | None = None
    changes: Changes | None = None
    waiting: bool = False
    needs_push: bool = False
    error: NbvcError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookStatus:
    """Where one notebook stands.

    Attributes:
        path: Relative to the workspace.
        state: ``new`` (never saved), ``changed``, ``unchanged``, ``waiting`` (its bytes wait in the
            outbox), ``missing`` (saved once, and the file is gone), ``unreadable``, or ``invalid``
            (its name cannot be a key of a store).
        number: Number of the version that the file is based on.
        digest: Digest of that version.
        latest: Number of the newest version in the store; ``None`` where not known.
        behind: Whether the store has a newer version than the one the file is based on.
    """

    path: str
    state: str
    number: int | None = None
    digest: Digest | None = None
    latest: int | None = None
    behind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a workspace stands.

    Attributes:
        folder: The workspace.
        store: URL of its store.
        namespace: Its part of the store's keys.
        notebooks: Its notebooks, in order of their paths.
        unreachable: Why the store could not be asked, where it could not.
        waiting: The versions that wait in the outbox, in the order of delivery.
        captured: How much of what was done in Jupyter waits behind a rename or a removal there.
        damaged: Files of the outbox that cannot be read any more.
        failure: Why the last delivery stopped, where it did.
    """

    folder: Path
    store: str
    namespace: str
    notebooks: tuple[NotebookStatus, ...]
    unreachable: NbvcError | None = None
    waiting: tuple[Waiting, ...] = ()
    captured: int = 0
    damaged: tuple[Path, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutResult:
    """What a checkout wrote.

    Attributes:
        path: The file that was written.
        version: The version whose bytes it has now.
        rescued: The version in which the former bytes were saved first, where that was needed.
    """

    path: Path
    version: Version
    rescued: SaveResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishResult:
    """What a publish did.

    Attributes:
        key: Notebook key, the same in both areas.
        number: Number of the publication.
        version_id: Version ID of the published copy.
        source: The version that was promoted.
        digest: Digest of its bytes.
        url: Where it can be read.
        unsaved_changes: Whether the local file has changes that are not part of it.
    """

    key: NotebookKey
    number: int
    version_id: VersionId
    source: Version
    digest: Digest
    url: str
    unsaved_changes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneResult:
    """What a clone wrote.

    Attributes:
        folder: Where the notebooks are.
        bound: Whether that folder is a workspace now.
        store: URL of the store.
        namespace: Namespace of the workspace, where it is one.
        files: Each file that was written, with its version.
        present: Number of files that had the wanted bytes already.
        skipped: Each notebook that was left out, by its key in the store, with the reason.
    """

    folder: Path
    bound: bool
    store: str
    namespace: str | None
    files: tuple[tuple[Path, Version], ...]
    present: int = 0
    skipped: tuple[tuple[str, NbvcError], ...] = ()


class SomeFailed(NbvcError):
    """Some notebooks could not be saved, or only wait where the store was required.

    Attributes:
        results: What became of each notebook, in order.
    """

    kind = "some-failed"

    def __init__(self, results: Sequence[SaveResult], failed: Sequence[SaveResult]) -> None:
        waiting = sum(result.waiting for result in failed)
        told = f" ({waiting} of them waits in the outbox)" if waiting else ""
        super().__init__(
            f"{len(failed)} of {len(results)} notebooks could not be saved{told}.",
            hint="Deliver what waits later: nbvc push" if waiting else None,
        )
        self.results = list(results)
        first = failed[0].error
        self.exit_code = first.exit_code if first else 1  # type: ignore[misc]
