"""What keeps a store in order: check, repair, pack, unpack and forget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from nbvc.repository.checking import Check
    from nbvc.repository.forgetting import ForgetReport
    from nbvc.repository.packing import PackReport
    from nbvc.repository.repairing import Repair
    from nbvc.repository.thinning import KeepRules
    from nbvc.repository.unpacking import UnpackReport
    from nbvc.workspace.core import Workspace


class Maintenance:
    """A part of :class:`nbvc.Workspace`, and of nothing else."""

    @property
    def _workspace(self) -> Workspace:
        return cast("Workspace", self)

    def check(
        self,
        path: str | Path | None = None,
        *,
        everything: bool = False,
        read_data: bool = False,
        sample: float = 1.0,
        seed: str = "",
        progress: Callable[[int, int], None] | None = None,
    ) -> Check:
        """Verify what the store has, without changing anything, and without delivering the outbox.

        Iterate over the result for the findings, which come as a stream; then ask it for its
        ``report``. What others save meanwhile is no finding.

        Args:
            path: A notebook or a folder, which need not exist here; ``None``: the whole namespace.
            everything: Check the whole store, instead of *path*.
            read_data: Read every record, and compare every byte with its digest. Without, the
                index is compared with the store's listing: a few requests for a thousand versions.
            sample: Which share of the versions to read, above 0 up to 1.
            seed: Decides which ones; the same seed chooses the same ones.
            progress: Told of versions and bytes so far.

        Raises:
            NotebookNotFound: There is no notebook of that path; raised while iterating.
        """
        from nbvc.repository.checking import CheckOptions
        from nbvc.workspace import checking

        options = CheckOptions(
            read_data=read_data,
            sample=sample,
            seed=seed,
            now=self._workspace.session.environment.now(),
        )
        return checking.check(
            self._workspace, path, options, everything=everything, progress=progress
        )

    def repair(
        self,
        path: str | Path | None = None,
        *,
        everything: bool = False,
        apply: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Repair:
        """Mend what :meth:`check` finds, or only say what would be done.

        Iterate over the result for what is mended, which comes as a stream; then ask it for its
        ``report``. No version of a notebook is deleted or written over. Idempotent: what was cut
        off is finished by the next one.

        Args:
            path: A notebook or a folder, which need not exist here; ``None``: the whole namespace.
            everything: Repair the whole store, instead of *path*.
            apply: Write, instead of only saying what would be written.
            progress: Told of notebooks so far, and 0.

        Raises:
            NotebookNotFound: There is no notebook of that path; raised while iterating.
        """
        from nbvc.workspace import repairing

        return repairing.repair(
            self._workspace, path, everything=everything, apply=apply, progress=progress
        )

    def pack(
        self,
        path: str | Path | None = None,
        *,
        older_than_days: float = 30,
        keep_newest: int = 10,
        everything: bool = False,
        apply: bool = False,
    ) -> Iterator[PackReport]:
        """Move cold versions together into packs, which take a fraction of the room.

        Every command reads packed versions as before; other tools need ``unpack`` first. Tagged,
        published, locked and the newest versions stay as they are. A version is deleted only after
        its pack was read back, compared with its record and named in a new state, so that nothing
        is lost at any point; what was cut off is finished by the next one. Idempotent.

        Args:
            path: A notebook or a folder, which need not exist here; ``None``: the whole namespace.
            older_than_days: Age from which a version is cold.
            keep_newest: How many of the newest versions of each notebook stay, at least 1.
            everything: Pack the whole store, instead of *path*.
            apply: Do it, instead of only saying what would be done.

        Yields:
            What was done, or would be, for each notebook of which something is cold.

        Raises:
            NotebookNotFound: There is no notebook of that path; raised while iterating.
            IntegrityError: A pack is not in the store as it was written; nothing was deleted.
        """
        from nbvc.workspace import shrinking

        rules = shrinking.pack_rules(self._workspace.session, older_than_days, keep_newest)
        place = shrinking.in_workspace(self._workspace, path, everything=everything)
        return place.pack(rules, apply=apply)

    def unpack(
        self, path: str | Path | None = None, *, everything: bool = False, apply: bool = False
    ) -> Iterator[UnpackReport]:
        """Make packed versions plain again, under new version IDs. Idempotent.

        Args:
            path: A notebook or a folder, which need not exist here; ``None``: the whole namespace.
            everything: Unpack the whole store, instead of *path*.
            apply: Do it, instead of only saying what would be done.

        Yields:
            What was done, or would be, for each notebook of which something is packed.

        Raises:
            NotebookNotFound: There is no notebook of that path; raised while iterating.
            IntegrityError: A pack is damaged.
            Conflict: Somebody else packs at this moment.
        """
        from nbvc.workspace import shrinking

        place = shrinking.in_workspace(self._workspace, path, everything=everything)
        return place.unpack(apply=apply)

    def forget(
        self,
        path: str | Path | None = None,
        *,
        rules: KeepRules,
        everything: bool = False,
        apply: bool = False,
    ) -> Iterator[ForgetReport]:
        """Let go of versions for good, but for those that *rules* keep. Idempotent.

        The latest, tagged, published and locked versions always stay. Numbers are never reused.

        Args:
            path: A notebook or a folder, which need not exist here; ``None``: the whole namespace.
            rules: What to keep.
            everything: The whole store, instead of *path*.
            apply: Do it, instead of only saying what would be done. What is deleted is gone.

        Yields:
            What was done, or would be, for each notebook.

        Raises:
            NotebookNotFound: There is no notebook of that path; raised while iterating.
            IntegrityError: A pack is damaged; nothing was deleted of it.
            Conflict: Somebody else packs at this moment.
        """
        from nbvc.workspace import shrinking

        place = shrinking.in_workspace(self._workspace, path, everything=everything)
        return place.forget(rules, apply=apply)
