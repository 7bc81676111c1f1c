"""Examine the packs of one notebook key: what its newest state names against what the store has.

What the packs hold joins the store's own listing, so that everything else that is examined sees
the versions as if they had never been packed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from functools import partial

from nbvc.errors import IntegrityError, StoreMisconfigured, VersionNotFound
from nbvc.manifest.packs import Table
from nbvc.manifest.states import Pack, State
from nbvc.model import Area, NotebookKey
from nbvc.repository.backend import Backend
from nbvc.repository.findings import Finding, Kind
from nbvc.repository.packed_store import packs_of
from nbvc.stores.base import VersionEntry
from nbvc.values import dataclass

SETTLED_AFTER = timedelta(days=1)
"""Age, by the store's clock against ours, up to which a pack that no state names may be in the
making."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedPacks:
    """What the packs of one notebook key are.

    Attributes:
        listed: What the store lists of the notebook, and what its packs hold, newest first.
        stored: Every stored version of each pack object, by key, newest first.
        missing: Packs that the state names, and that the store does not have.
        damaged: Packs that the state names, and whose tables cannot be read.
        unlisted: Packs that no state names, and that hold the only copies of versions.
        findings: The same, in words.
    """

    listed: tuple[VersionEntry, ...] = ()
    stored: Mapping[str, tuple[VersionEntry, ...]] = field(default_factory=dict)
    missing: tuple[Pack, ...] = ()
    damaged: tuple[Pack, ...] = ()
    unlisted: tuple[Pack, ...] = ()
    findings: tuple[Finding, ...] = ()


class PackExaminer:
    """Examines the packs of one notebook key.

    Args:
        backend: The store to read.
        area: Its area.
        key: Its notebook.
        indexed: What the store lists of its index.
        state: Its newest state that can be read.
        now: The present time.
    """

    def __init__(
        self,
        backend: Backend,
        area: Area,
        key: NotebookKey,
        indexed: Iterable[VersionEntry],
        state: State | None,
        *,
        now: datetime,
    ) -> None:
        self._backend = backend
        self._area, self._key = area, key
        self._state, self._now = state, now
        self._packs = packs_of(backend)
        self._stored = _by_key(backend.layout.packs(area, key), indexed)

    def examine(self, listed: Sequence[VersionEntry]) -> ExaminedPacks:
        """Return what the packs are.

        Args:
            listed: What the store lists of the notebook, newest first, delete markers too.
        """
        named = self._state.packs if self._state is not None else ()
        if not named and not self._stored:
            return ExaminedPacks(listed=tuple(listed))
        findings: list[Finding] = []
        missing, damaged, good = self._sorted_out(named, findings)
        whole = self._whole(good, listed)
        unlisted: list[Pack] = []
        for pack, table in self._unnamed(named):
            if self._holds_only_copies(table, whole):
                unlisted.append(pack)
                self._packs.remember(self._area, self._key, pack, table)
                findings.append(self._found(Kind.UNLISTED_PACK, pack, "is named by no state."))
            elif self._modified_at(pack) < self._now - SETTLED_AFTER:
                findings.append(self._found(Kind.UNUSED_PACK, pack, "is not needed any more."))
        if unlisted:
            whole = self._whole((*good, *unlisted), listed)
        return ExaminedPacks(
            listed=tuple(whole),
            stored=self._stored,
            missing=tuple(missing),
            damaged=tuple(damaged),
            unlisted=tuple(unlisted),
            findings=tuple(findings),
        )

    def _sorted_out(
        self, named: Sequence[Pack], findings: list[Finding]
    ) -> tuple[list[Pack], list[Pack], list[Pack]]:
        """Return which packs are missing, which are damaged, and which can be read."""
        missing: list[Pack] = []
        damaged: list[Pack] = []
        good: list[Pack] = []
        for pack, fault in zip(named, self._backend.parallel.map(self._fault, named), strict=True):
            if fault is None:
                good.append(pack)
                continue
            kind, text = fault
            (missing if kind is Kind.MISSING_PACK else damaged).append(pack)
            findings.append(self._found(kind, pack, text))
        return missing, damaged, good

    def _fault(self, pack: Pack) -> tuple[Kind, str] | None:
        try:
            self._packs.table(self._packs.place(self._area, self._key, pack))
        except VersionNotFound:
            return Kind.MISSING_PACK, "is not in the store."
        except StoreMisconfigured as error:
            return Kind.NEWER_FORMAT, f"cannot be judged: {error.message}"
        except IntegrityError as error:
            return Kind.DAMAGED_PACK, f"cannot be read: {error.message}"
        return None

    def _whole(self, packs: Sequence[Pack], listed: Sequence[VersionEntry]) -> list[VersionEntry]:
        tables = (
            self._packs.named_table(self._packs.place(self._area, self._key, pack))
            for pack in packs
        )
        return self._packs.merged(self._area, self._key, tables, listed)

    def _unnamed(self, named: Sequence[Pack]) -> Iterator[tuple[Pack, Table]]:
        """Yield the packs that no state names, as far as they can be read."""
        key_of = partial(self._backend.layout.pack_key, self._area, self._key)
        known = {key_of(pack.digest) for pack in named}
        for object_key, versions in self._stored.items():
            if object_key in known or versions[0].is_delete_marker:
                continue
            try:
                pack, table = self._packs.discover(self._area, self._key, versions[0])
            except (VersionNotFound, IntegrityError, StoreMisconfigured):
                continue  # nothing that anybody counts on
            if key_of(pack.digest) == object_key:
                yield pack, table

    def _holds_only_copies(self, table: Table, whole: Iterable[VersionEntry]) -> bool:
        present = {entry.version_id for entry in whole}
        return any(
            packed.version_id not in present
            and packed.plain_as is None
            and not (self._state is not None and self._state.is_forgotten(packed.number))
            for packed in table.versions
        )

    def _modified_at(self, pack: Pack) -> datetime:
        return self._stored[self._object_key(pack)][0].modified_at

    def _object_key(self, pack: Pack) -> str:
        return self._backend.layout.pack_key(self._area, self._key, pack.digest)

    def _found(self, kind: Kind, pack: Pack, text: str) -> Finding:
        versions = ", ".join(
            f"v{first}" if first == last else f"v{first} to v{last}" for first, last in pack.numbers
        )
        return Finding(
            kind=kind,
            message=f"The pack {pack.digest.short} of {self._key} ({versions}) {text}",
            area=self._area,
            key=self._key,
            object_key=self._object_key(pack),
            expected=pack.digest,
        )


def _by_key(prefix: str, entries: Iterable[VersionEntry]) -> dict[str, tuple[VersionEntry, ...]]:
    found: dict[str, list[VersionEntry]] = {}
    for entry in entries:
        if entry.key.startswith(prefix):
            found.setdefault(entry.key, []).append(entry)
    return {key: tuple(versions) for key, versions in found.items()}
