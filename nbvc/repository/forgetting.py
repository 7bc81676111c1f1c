"""Let go of versions for good, so that an autosaved history does not grow for ever.

First a new state says which versions are let go of, by whom and when; no reader shows them from
then on. Only then are their bytes deleted. Their records stay: numbers are never reused, and the
chain of hashes stays whole. What a run that was cut off has left undone, the next one does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from nbvc.errors import Conflict, IntegrityError, VersionNotFound
from nbvc.manifest.metadata import from_metadata
from nbvc.manifest.packs import Packer, PackFile
from nbvc.manifest.runs import Numbers, Runs, merged, runs_of, subtract, within
from nbvc.manifest.states import Pack, Segment, State
from nbvc.model import Area, Digest, NotebookKey, Version, VersionId
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.current import find_current
from nbvc.repository.history import History, version_of
from nbvc.repository.pack_objects import (
    filled_packs,
    overtaken,
    packs_in_use,
    put_pack,
    remove_packs,
    remove_unused,
    remove_versions,
    without_numbers,
)
from nbvc.repository.packs import Located, Packs
from nbvc.repository.records import Manifest
from nbvc.repository.shared_versions import SHARED, SharedVersions
from nbvc.repository.states import change_by, read_state
from nbvc.repository.stays import read_down, read_up
from nbvc.repository.thinning import KeepRules, Kept, thin
from nbvc.repository.transfer import entries_of
from nbvc.values import dataclass

CURRENT, LOCKED = "current", "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetReport:
    """What was let go of, or would be.

    Attributes:
        key: The notebook.
        kept: The versions that stay, newest first, each with the reasons.
        forgotten: Numbers that go, as runs.
        versions: How many those are.
        freed_bytes: By how much the store shrinks; about, where versions are packed and nothing was
            done yet.
        finished: Versions that an earlier run had let go of, and whose bytes are deleted now.
        locked: Versions that are let go of, and that the store does not delete: they are locked, or
            the credential may not.
    """

    key: NotebookKey
    kept: tuple[Kept, ...] = ()
    forgotten: Runs = ()
    versions: int = 0
    freed_bytes: int = 0
    finished: int = 0
    locked: int = 0


class Forgetting:
    """Lets go of versions of one notebook, under all its names.

    Args:
        backend: The store, in which packed versions can be read.
        packs: Reads packs.
        key: The notebook.
        rules: What to keep.
        act: Who lets go.
    """

    def __init__(
        self, backend: Backend, packs: Packs, key: NotebookKey, rules: KeepRules, act: Act
    ) -> None:
        self._backend, self._packs = backend, packs
        self._key, self._act = key, act
        history = History(backend, Area.WORKSPACE, key)
        self._state = history.state
        kept = self._without_shared(thin(list(history.versions()), rules))
        kept = self._without_locked(self._without_current(kept))
        self._kept = tuple(each for each in kept if each.reasons)
        self._stay = 0
        self._drops = [each.version for each in reversed(kept) if not each.reasons]

    def preview(self) -> ForgetReport:
        """Return what :meth:`run` would do."""
        freed = 0
        for key, versions in self._by_name():
            packed = filled_packs(read_state(self._backend, Area.WORKSPACE, key))
            in_packs = Numbers(run for pack in packed for run in pack.numbers)
            freed += sum(v.size_bytes for v in versions if v.number not in in_packs)
            freed += sum(self._share(key, pack, versions) for pack in packed)
        return self._report(freed)

    def run(self) -> ForgetReport:
        """Let go, and return what was done.

        Durable step by step, and idempotent. No reader shows a version that is let go of, from the
        first step on; its bytes are deleted last.

        Raises:
            IntegrityError: A pack is damaged; nothing was deleted of it.
            Conflict: Somebody else packs or tags the notebook at this moment.
        """
        finished = self._finish()
        # What lies under earlier names is shown under this one.
        earlier = [version for version in self._drops if version.key != self._key]
        self._claim(self._key, runs_of(self._numbers(earlier)))
        freed = sum(self._forget(key, versions) for key, versions in self._by_name())
        return replace(self._report(freed), finished=finished, locked=self._stay)

    def _report(self, freed: int) -> ForgetReport:
        return ForgetReport(
            key=self._key,
            kept=self._kept,
            forgotten=runs_of(self._numbers(self._drops)),
            versions=len(self._drops),
            freed_bytes=freed,
        )

    def _numbers(self, versions: Sequence[Version]) -> list[int]:
        return [version.number for version in versions if version.number is not None]

    def _by_name(self) -> list[tuple[NotebookKey, list[Version]]]:
        groups = groupby(self._drops, key=lambda version: version.key)
        return [(key, list(versions)) for key, versions in groups]

    def _without_shared(self, kept: list[Kept]) -> list[Kept]:
        """Keep what other names of the notebook need."""
        shared = SharedVersions(self._backend, self._key, self._state)
        return [
            each if each.reasons or each.version not in shared else replace(each, reasons=(SHARED,))
            for each in kept
        ]

    def _without_current(self, kept: list[Kept]) -> list[Kept]:
        """Keep what a plain read of a name of the notebook gives. 2 requests for each name."""
        names = {each.version.key for each in kept if not each.reasons}
        current = {(key, find_current(self._backend, self._data_key(key))) for key in names}
        return [
            each
            if each.reasons or (each.version.key, each.version.version_id) not in current
            else replace(each, reasons=(CURRENT,))
            for each in kept
        ]

    @property
    def is_moved(self) -> bool:
        """Whether the notebook has another name now, under which it is to be thinned."""
        return self._state is not None and self._state.moved_to is not None

    def _without_locked(self, kept: list[Kept]) -> list[Kept]:
        """Keep what the store would not delete. A request for each version that would go."""

        def look(each: Kept) -> Kept:
            if each.reasons or each.version.missing:
                return each
            data_key = self._backend.layout.data_key(Area.WORKSPACE, each.version.key)
            try:
                head = self._backend.store.head(data_key, each.version.version_id)
            except (VersionNotFound, IntegrityError):
                return each
            return replace(each, reasons=(LOCKED,)) if head.is_locked(self._act.now) else each

        return list(self._backend.parallel.map(look, kept))

    def _share(self, key: NotebookKey, pack: Pack, versions: Sequence[Version]) -> int:
        """Return about how much of a pack is of *versions*."""
        try:
            table = self._packs.named_table(self._packs.place(Area.WORKSPACE, key, pack))
        except (VersionNotFound, IntegrityError):
            return 0
        going = Numbers(runs_of(self._numbers(versions)))
        whole = sum(packed.size_bytes for packed in table.versions)
        part = sum(packed.size_bytes for packed in table.versions if packed.number in going)
        return pack.size_bytes * part // whole if whole else 0

    def _forget(self, key: NotebookKey, versions: Sequence[Version]) -> int:
        """Let go of versions under one name; return how many bytes that frees."""
        going = runs_of(self._numbers(versions))
        state = read_state(self._backend, Area.WORKSPACE, key)
        touched = [p for p in filled_packs(state) if tuple(subtract(p.numbers, going)) != p.numbers]
        plain_again = self._packs.plain_again(Area.WORKSPACE, key, state)
        again = {packed.version_id: plain_as for packed, plain_as in plain_again}
        with packs_in_use(self._backend, key, touched):
            files = self._packed_anew(key, touched, going)
        for file in files:
            deque(self._packs.verify(self._packs.place(Area.WORKSPACE, key, file.pack)), maxlen=0)
        self._claim(key, going, touched, files)
        plain = self._plain(key)
        free = [again.get(v.version_id, v.version_id) for v in versions]
        free = [version_id for version_id in free if version_id in plain]
        stay = remove_versions(self._backend, self._data_key(key), free)
        self._stay += len(stay)
        remove_versions(self._backend, self._data_key(key), leftovers(self._backend, key))
        named = {file.pack.digest for file in files}
        remove_packs(self._backend, key, [pack for pack in touched if pack.digest not in named])
        remove_unused(self._backend, key)
        freed = sum(plain[version_id] for version_id in free if version_id not in stay)
        before, after = (sum(p.size_bytes for p in ps) for ps in (touched, [f.pack for f in files]))
        return freed + before - after

    def _data_key(self, key: NotebookKey) -> str:
        return self._backend.layout.data_key(Area.WORKSPACE, key)

    def _plain(self, key: NotebookKey) -> dict[VersionId, int]:
        """Return the plain versions under a name, and their sizes."""
        listed = entries_of(self._backend.store, self._data_key(key))
        return {e.version_id: e.size_bytes for e in listed if not e.is_delete_marker}

    def _packed_anew(self, key: NotebookKey, packs: Sequence[Pack], going: Runs) -> list[PackFile]:
        """Store what stays of *packs* in new ones."""
        numbers = Numbers(going)
        places = [self._packs.place(Area.WORKSPACE, key, pack) for pack in packs]
        staying = sorted(
            (
                Located(place=place, packed=packed)
                for place in places
                for packed in self._packs.named_table(place).versions
                if packed.number not in numbers
            ),
            key=lambda located: located.packed.number,
        )
        loaded = ((each.packed, self._packs.read(each).data) for each in staying)
        files = []
        for file in Packer(Area.WORKSPACE, key, self._act.write_id).pack(loaded):
            put_pack(self._backend, self._packs, key, file, self._act)
            files.append(replace(file, data=b""))
        return files

    def _claim(
        self,
        key: NotebookKey,
        going: Runs,
        touched: Sequence[Pack] = (),
        files: Sequence[PackFile] = (),
    ) -> None:
        """Say in a new state what is let go of, and where the rest is.

        Raises:
            Conflict: Somebody else packs, or tags one of the versions, at this moment.
        """
        numbers = Numbers(going)

        def change(state: State) -> State | None:
            if state.moved_to is None and any(n in numbers for n in state.tags.values()):
                raise Conflict(f"Somebody else tags {key}.", hint="Run the command again.")
            if not set(touched) <= set(state.packs):
                raise overtaken(key)
            kept = [pack for pack in state.packs if pack not in touched]
            if any(tuple(subtract(p.numbers, going)) != p.numbers for p in kept if not p.is_plain):
                raise overtaken(key)
            packs = (*without_numbers(kept, going), *(file.pack for file in files))
            forgotten = tuple(merged([*state.forgotten, *going]))
            after = replace(state, packs=packs, forgotten=forgotten)
            return None if after == state else after

        if going:
            change_by(self._backend, key, change, self._act, "forget")

    def _finish(self) -> int:
        """Delete what an earlier run has let go of, and left; return how many versions."""
        if self._state is None or not self._state.forgotten:
            return 0
        finished = 0
        for key, versions in list(self._hidden()):
            before = self._stay
            self._forget(key, versions)
            finished += len(versions) - (self._stay - before)
        names = {self._key, *(segment.key for segment in self._state.segments)}
        for key in sorted(names):
            left = leftovers(self._backend, key)
            stay = remove_versions(self._backend, self._data_key(key), left)
            self._stay += len(stay)
            finished += len(left) - len(stay)
            remove_unused(self._backend, key)
        return finished

    def _hidden(self) -> Iterator[tuple[NotebookKey, list[Version]]]:
        """Yield what is let go of under this name, and not yet under the earlier one that has it.

        An earlier run was cut off between the two. What is needed by now stays.
        """
        for segment in self._state.segments if self._state is not None else ():
            left = list(self._left_of(segment))
            kept = self._without_current(self._without_shared(left)) if left else []
            going = [each.version for each in kept if not each.reasons]
            if going:
                yield segment.key, going

    def _left_of(self, segment: Segment) -> Iterator[Kept]:
        """Yield what is let go of in this state, and not in that of an earlier name."""
        if self._state is None:
            return
        there = read_state(self._backend, Area.WORKSPACE, segment.key)
        hidden = within(self._state.forgotten, segment.first, segment.last)
        manifest = Manifest(self._backend, Area.WORKSPACE, segment.key)
        for first, last in subtract(hidden, there.forgotten if there is not None else ()):
            for record in read_up(manifest, first, last):
                version = version_of(Area.WORKSPACE, segment.key, record)
                yield Kept(version=version, reasons=())


def leftovers(backend: Backend, key: NotebookKey) -> list[VersionId]:
    """Return the plain versions under a name that were let go of, and are there still.

    Also the copies of such that were put on top once. Reads the whole manifest, and asks a listed
    version that no record names what it is.
    """
    state = read_state(backend, Area.WORKSPACE, key)
    newest = Manifest(backend, Area.WORKSPACE, key).newest()
    if state is None or not state.forgotten or newest is None:
        return []
    forgotten, data_key = Numbers(state.forgotten), backend.layout.data_key(Area.WORKSPACE, key)
    numbers: dict[VersionId, int] = {}
    digests: dict[VersionId, Digest] = {}
    for record in read_down(backend, key, newest, 1, elsewhere=False):
        numbers[record.version_id] = record.number
        if record.number in forgotten:
            digests[record.version_id] = record.digest
    listed = [e.version_id for e in entries_of(backend.store, data_key) if not e.is_delete_marker]

    def number_of(version_id: VersionId) -> int | None:
        if version_id in numbers:
            return numbers[version_id]
        try:
            said = from_metadata(backend.store.head(data_key, version_id).metadata)
            if said.again not in digests:
                return said.number
            data = backend.store.get(data_key, version_id).data
        except (VersionNotFound, IntegrityError):
            return None
        # Another tool may have written other bytes, and kept what was said of these.
        return numbers[said.again] if Digest.of(data) == digests[said.again] else None

    found = zip(listed, backend.parallel.map(number_of, listed), strict=True)
    return [version_id for version_id, number in found if number in forgotten]
