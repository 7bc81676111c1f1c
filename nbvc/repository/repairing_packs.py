"""Mend the packs of one notebook key: put back what was written over, or name what nobody names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from nbvc.manifest.states import Pack, State
from nbvc.model import Digest
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend
from nbvc.repository.examining import Examination
from nbvc.repository.index_objects import read
from nbvc.repository.mendings import Mending, MendingKind, Step
from nbvc.repository.placing import put_in_place
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PackPlan:
    """What is to be done about the packs of one notebook key.

    Attributes:
        steps: What puts packs back.
        restored: Those packs.
        lost: Packs of which nothing is left: the state names them no more.
        unlisted: Packs that the state is to name.
        hopeless: Digests of packs that cannot be mended.
    """

    steps: tuple[Step, ...] = ()
    restored: tuple[Pack, ...] = ()
    lost: tuple[Pack, ...] = ()
    unlisted: tuple[Pack, ...] = ()
    hopeless: frozenset[Digest] = frozenset()


class PackRepair:
    """Plans what is to be done about the packs of one notebook key.

    Args:
        backend: The store.
        examination: What was found.
        act: Who repairs.
    """

    def __init__(self, backend: Backend, examination: Examination, act: Act) -> None:
        self._backend = backend
        self._found = examination
        self._act = act

    def plan(self) -> PackPlan:
        """Return what is to be done. Reads the older stored versions of what is damaged."""
        packs = self._found.packs
        restored: list[Pack] = []
        steps: list[Step] = []
        lost: list[Pack] = []
        hopeless: set[Digest] = set()
        for pack in (*packs.missing, *packs.damaged):
            data = self._intact(pack)
            if data is not None:
                restored.append(pack)
                steps.append(self._restore(pack, data))
            elif pack in packs.missing:
                lost.append(pack)
            else:
                hopeless.add(pack.digest)
        return PackPlan(
            steps=tuple(steps),
            restored=tuple(restored),
            lost=tuple(lost),
            unlisted=packs.unlisted,
            hopeless=frozenset(hopeless),
        )

    def _intact(self, pack: Pack) -> bytes | None:
        for entry in self._stored(pack):
            if not entry.is_delete_marker and entry.size_bytes == pack.size_bytes:
                data = read(self._backend, entry).data
                if data is not None and Digest.of(data) == pack.digest:
                    return data
        return None

    def _stored(self, pack: Pack) -> Iterable[VersionEntry]:
        return self._found.packs.stored.get(self._key_of(pack), ())

    def _key_of(self, pack: Pack) -> str:
        layout = self._backend.layout
        return layout.pack_key(self._found.area, self._found.key, pack.digest)

    def _restore(self, pack: Pack, data: bytes) -> Step:
        key = self._key_of(pack)
        mending = Mending(
            kind=MendingKind.RESTORED_PACK,
            message=f"The pack {pack.digest.short} of {self._found.key} is put back as it was.",
            area=self._found.area,
            key=self._found.key,
            object_key=key,
        )
        run = partial(put_in_place, self._backend, key, data, self._act.write_id)
        return Step(mendings=(mending,), run=run)


def with_packs(state: State, plan: PackPlan) -> State:
    """Return *state* as it names packs once *plan* is done."""
    kept = (pack for pack in state.packs if pack not in plan.lost)
    return replace(state, packs=(*kept, *plan.unlisted))
