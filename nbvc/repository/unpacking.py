"""Make packed versions plain again, so that any tool can read them.

A store gives every version that is written a new version ID and the place on top, so this takes
three steps: the versions are written as they were, oldest first; what was current is put on top
again; and a new state names a table of their new IDs, by which they are found from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from typing import TypeVar

from nbvc.errors import Conflict, VersionNotFound
from nbvc.manifest.metadata import NUMBER, Provenance, from_metadata
from nbvc.manifest.packs import MAX_PACKED_VERSIONS, Packed, Packer
from nbvc.manifest.runs import runs_of
from nbvc.manifest.states import State
from nbvc.model import Area, NotebookKey, VersionId, WriteId
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.current import put_on_top
from nbvc.repository.pack_objects import (
    filled_packs,
    overlaps,
    overtaken,
    packs_in_use,
    put_pack,
    remove_packs,
    remove_unused,
    without_numbers,
)
from nbvc.repository.packs import Located, Packs
from nbvc.repository.repeats import adoption_id
from nbvc.repository.states import change_by, read_state
from nbvc.repository.transfer import entries_of
from nbvc.stores.base import NOTEBOOK_TYPE, WRITE_ID, Blob, Overwrite, VersionEntry
from nbvc.values import dataclass

MAX_PUT_BACK = 20

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackReport:
    """What was made plain again, or would be.

    Attributes:
        key: The notebook.
        versions: Versions that are plain now and were not before.
        plain_bytes: Their length.
        packed_bytes: Length of the packs that are not needed any more.
    """

    key: NotebookKey
    versions: int = 0
    plain_bytes: int = 0
    packed_bytes: int = 0


class Unpacking:
    """Makes all packed versions of one notebook, under one name, plain again.

    While it writes, the object under the notebook's own key is an older version; the last thing it
    writes there is what was current before. A run that was cut off is finished by the next one.

    Args:
        backend: The store, in which packed versions can be read.
        packs: Reads packs.
        key: The name that holds the bytes.
        act: Who unpacks.
    """

    def __init__(self, backend: Backend, packs: Packs, key: NotebookKey, act: Act) -> None:
        self._backend, self._packs = backend, packs
        self._key, self._act = key, act
        self._data_key = backend.layout.data_key(Area.WORKSPACE, key)
        self._state = read_state(backend, Area.WORKSPACE, key)

    def preview(self) -> UnpackReport:
        """Return what :meth:`run` would do."""
        located = list(self._located())
        return UnpackReport(
            key=self._key,
            versions=len(located),
            plain_bytes=sum(each.packed.size_bytes for each in located),
            packed_bytes=sum(pack.size_bytes for pack in filled_packs(self._state)),
        )

    def run(self) -> UnpackReport:
        """Unpack, and return what was done. Nothing is deleted before a state says where it is.

        Raises:
            IntegrityError: A pack is damaged, or something is not in the store as it was written.
        """
        located = list(self._located())
        if not located:
            return UnpackReport(key=self._key)
        landed = self._landed(located)
        plain: list[Packed] = []
        for each in located:
            plain_as = landed.get(each.packed.number) or self._write(self._read(each), each)
            plain.append(replace(each.packed, frame=0, start=0, plain_as=plain_as))
        self._put_back()
        named = {pack.digest for pack in self._claim(plain).packs}
        removed = [pack for pack in filled_packs(self._state) if pack.digest not in named]
        remove_packs(self._backend, self._key, removed)
        remove_unused(self._backend, self._key)
        return UnpackReport(
            key=self._key,
            versions=len(plain),
            plain_bytes=sum(packed.size_bytes for packed in plain),
            packed_bytes=sum(pack.size_bytes for pack in removed),
        )

    def _located(self) -> Iterator[Located]:
        """Yield the packed versions, oldest first."""
        if self._state is None:
            return
        state = replace(self._state, packs=filled_packs(self._state))
        found = [
            Located(place=place, packed=packed)
            for place, table in self._packs.tables(Area.WORKSPACE, self._key, state)
            for packed in table.versions
        ]
        yield from sorted(found, key=lambda each: each.packed.number)

    def _landed(self, located: list[Located]) -> dict[int, VersionId]:
        """Return what an earlier run has written already, by number. A request for each."""
        writes = {each.packed.number: _write_id(each.packed) for each in located}
        sizes = {each.packed.size_bytes for each in located}
        landed: dict[int, VersionId] = {}
        for entry in entries_of(self._backend.store, self._data_key):
            if entry.is_delete_marker or entry.size_bytes not in sizes:
                continue
            said = self._said(entry)
            if said is None or said.number not in writes:
                continue
            if said.write_id == writes[said.number]:
                landed[said.number] = entry.version_id
        return landed

    def _read(self, located: Located) -> Blob:
        with packs_in_use(self._backend, self._key, [located.place.pack]):
            return self._packs.read(located)

    def _write(self, blob: Blob, located: Located) -> VersionId:
        stored = self._backend.store.put(
            self._data_key,
            blob.data,
            mode=Overwrite(),
            metadata={
                **blob.metadata,
                WRITE_ID: _write_id(located.packed),
                NUMBER: str(located.packed.number),
            },
            content_type=NOTEBOOK_TYPE,
        )
        return stored.version_id

    def _put_back(self) -> None:
        """Put on top again what was written last, by whomever but an unpacking.

        Raises:
            Conflict: Others save at every moment.
        """
        for _ in range(MAX_PUT_BACK):
            covering, last = self._top()
            if last is None or not covering:
                return
            if last.is_delete_marker:
                self._backend.store.delete(self._data_key)
                return
            with suppress(VersionNotFound):  # covered by another, and let go of since
                put_on_top(self._backend, self._data_key, last.version_id)
                if self._is_covered_by_its_copy(last):
                    return
        raise Conflict(f"{self._key} is being saved by many others.", hint="Run the command again.")

    def _top(self) -> tuple[int, VersionEntry | None]:
        """Return what was saved or removed last, and how many entries of ours cover it.

        Where a copy lies, others may have saved unnoticed before it was put there, so it does not
        tell. One with a number as well does: to what a migration writes, nobody saves meanwhile.
        """
        covering = 0
        for entry in entries_of(self._backend.store, self._data_key):
            if entry.is_delete_marker or not self._is_ours(entry):
                return covering, entry
            covering += 1
        return covering, None

    def _is_covered_by_its_copy(self, last: VersionEntry) -> bool:
        """Return whether nobody saved between the look at what was last, and its copy."""
        above = takewhile(
            lambda entry: entry.version_id != last.version_id,
            entries_of(self._backend.store, self._data_key),
        )
        return all(not entry.is_delete_marker and self._is_ours(entry) for entry in above)

    def _is_ours(self, entry: VersionEntry) -> bool:
        """Return whether an unpacking has written an entry: it has a number, or is a copy.

        Or it is gone since it was listed: only what is not current is ever deleted.
        """
        said = self._said(entry)
        return said is None or (said.number is not None) is not (said.again is not None)

    def _said(self, entry: VersionEntry) -> Provenance | None:
        try:
            head = self._backend.store.head(self._data_key, entry.version_id)
        except VersionNotFound:
            return None
        return from_metadata(head.metadata)

    def _claim(self, plain: list[Packed]) -> State:
        """Name in a new state where the versions are now.

        Raises:
            Conflict: Somebody else packs or unpacks at this moment.
        """
        packer = Packer(Area.WORKSPACE, self._key, self._act.write_id)
        tables = [packer.table_of(part) for part in _parts(plain, MAX_PACKED_VERSIONS)]
        for table in tables:
            put_pack(self._backend, self._packs, self._key, table, self._act)
        numbers = runs_of(packed.number for packed in plain)
        before = filled_packs(self._state)

        def change(state: State) -> State | None:
            if state.filled_packs != before:
                return None
            others = without_numbers(state.packs, numbers)
            return replace(state, packs=(*others, *(table.pack for table in tables)))

        state = change_by(self._backend, self._key, change, self._act, "unpack")
        packed = filled_packs(state)
        if state is None or any(overlaps(pack, table.pack) for pack in packed for table in tables):
            raise overtaken(self._key)
        return state


def _write_id(packed: Packed) -> WriteId:
    """Return the write ID that the record of a version has: another tool's object names none."""
    said = from_metadata(packed.metadata)
    if said.write_id is not None and said.digest == packed.digest:
        return said.write_id
    return adoption_id(packed.version_id)


def _parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def packed_names(backend: Backend, key: NotebookKey) -> list[NotebookKey]:
    """Return the names of a notebook under which versions are packed, the earliest first."""
    state = read_state(backend, Area.WORKSPACE, key)
    earlier = [segment.key for segment in state.segments] if state is not None else []
    names = dict.fromkeys([*earlier, key])

    def state_of(name: NotebookKey) -> State | None:
        return state if name == key else read_state(backend, Area.WORKSPACE, name)

    return [name for name in names if filled_packs(state_of(name))]
