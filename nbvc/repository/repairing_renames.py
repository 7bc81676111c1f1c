"""Find a name before the present one again, where the whole index of both is lost.

A rename leaves two traces in the notebooks themselves: the copy under the new name says which
version it is a copy of, and the old name ends in that version and a delete marker.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from nbvc.errors import IntegrityError, StoreMisconfigured
from nbvc.manifest.metadata import Provenance
from nbvc.manifest.states import Segment, State, encode
from nbvc.model import Area, NotebookKey, VersionId
from nbvc.repository import sequence
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination
from nbvc.repository.history import read_provenance, unindexed
from nbvc.repository.mendings import Mending, MendingKind, Step
from nbvc.repository.records import Manifest
from nbvc.repository.states import read_state
from nbvc.repository.surveying import Surveyed


class RenameFinder:
    """Knows upon which versions delete markers lie, and under which names.

    Args:
        backend: The store.
        act: Who repairs.
    """

    def __init__(self, backend: Backend, act: Act) -> None:
        self._backend = backend
        self._act = act
        self._hidden: dict[VersionId, NotebookKey] = {}

    def note(self, surveyed: Surveyed) -> None:
        """Take note of a name that was left, even if it was used again since."""
        found = surveyed.examinations.get(Area.WORKSPACE)
        if found is not None:
            self._hidden.update(dict.fromkeys(found.hidden, surveyed.key))

    def is_copy(self, surveyed: Surveyed) -> bool:
        """Return whether a notebook of which no index is left begins with a copy by a rename."""
        return self._copied(surveyed).source_number is not None

    def source(self, surveyed: Surveyed) -> NotebookKey | None:
        """Return the name before, once all names were noted."""
        version_id = self._copied(surveyed).source_version_id
        return None if version_id is None else self._hidden.get(VersionId(version_id))

    def step(self, surveyed: Surveyed) -> Step | None:
        """Return how to link a notebook with the name before; ``None`` where that is not found."""
        key, last = self.source(surveyed), self._copied(surveyed).source_number
        if key is None or last is None or key == surveyed.key:
            return None
        mending = Mending(
            kind=MendingKind.REPLACED_STATE,
            message=f"{surveyed.key} continues {key} again, after v{last}: it was renamed.",
            area=Area.WORKSPACE,
            key=surveyed.key,
            object_key=self._backend.layout.states(Area.WORKSPACE, surveyed.key),
        )
        found = surveyed.examinations[Area.WORKSPACE]
        return Step(mendings=(mending,), run=partial(self._link, found, key, last))

    def _copied(self, surveyed: Surveyed) -> Provenance:
        """Return what the oldest version says, where nothing but versions is left of a notebook."""
        found = surveyed.examinations.get(Area.WORKSPACE)
        if found is None or found.records.objects or found.state is not None or not found.listed:
            return Provenance()
        oldest = found.listed[-1]
        known = found.versions.provenances.get(oldest.version_id)
        if known is not None:
            return known
        return read_provenance(self._backend, unindexed(Area.WORKSPACE, found.key, oldest))

    def _link(self, found: Examination, key: NotebookKey, last: int) -> bool:
        """Claim the state that names the earlier names, with their tags."""
        prefix = self._backend.layout.states(Area.WORKSPACE, found.key)
        try:
            file = Manifest(self._backend, Area.WORKSPACE, key).file(last)
            before = read_state(self._backend, Area.WORKSPACE, key)
        except (IntegrityError, StoreMisconfigured):
            return False
        state = State(
            number=(found.states.newest or 0) + 1,
            write_id=self._act.write_id,
            saved_at=self._act.now,
            author=self._act.author,
            action="repair",
            tags=before.tags if before is not None else {},
            segments=before.segments if before is not None else (),
            removed=found.removed,
            gone=before.gone if before is not None else (),
        )
        segment = Segment(key=key, first=file.first, last=last)
        state = replace(state, segments=(*state.segments, segment))
        return sequence.claim(
            self._backend, prefix, state.number, encode(state), self._act.write_id
        )
