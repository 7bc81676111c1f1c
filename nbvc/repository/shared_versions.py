"""Which versions of a notebook stay, whatever its own rules say: other names need them too.

A notebook that was renamed shares its older versions with its earlier names. Somebody may have
saved under one of those since, so that it is a notebook again, with tags of its own; and what was
published under one still is.
"""

from __future__ import annotations

from collections.abc import Iterator

from nbvc.manifest.runs import Numbers
from nbvc.manifest.states import Segment, State
from nbvc.model import Area, NotebookKey, Version, VersionId
from nbvc.repository.backend import Backend
from nbvc.repository.history import read_published
from nbvc.repository.records import Manifest
from nbvc.repository.states import read_state

SHARED = "shared with another notebook"


class SharedVersions:
    """The versions of one notebook that its other names need. 2 to 4 requests for each of them.

    Args:
        backend: The store.
        key: The notebook.
        state: Its state.
    """

    def __init__(self, backend: Backend, key: NotebookKey, state: State | None) -> None:
        self._backend = backend
        others = [s for s in (state.segments if state is not None else ()) if s.key != key]
        taken = backend.parallel.map(lambda segment: list(self._numbers(segment)), others)
        single = [(number, number) for numbers in taken for number in numbers]
        self._numbered = Numbers([*(state.shared if state is not None else ()), *single])
        published = backend.parallel.map(self._published, others)
        self._ids = {version_id for version_id in published if version_id is not None}

    def __contains__(self, version: Version) -> bool:
        """Return whether another name needs *version*."""
        return version.number in self._numbered or version.version_id in self._ids

    def _numbers(self, segment: Segment) -> Iterator[int]:
        """Yield the latest version, and the tagged ones, of an earlier name that is in use again.

        Of those that belong to this history: later numbers there are other versions.
        """
        state = read_state(self._backend, Area.WORKSPACE, segment.key)
        if state is None or state.moved_to is not None:
            return
        newest = Manifest(self._backend, Area.WORKSPACE, segment.key).newest_number() or 0
        named = {newest, *state.tags.values()}
        yield from (number for number in named if number <= segment.last)

    def _published(self, segment: Segment) -> VersionId | None:
        said = read_published(self._backend, segment.key)
        return VersionId(said.source_version_id) if said and said.source_version_id else None
