"""States: what may change about a notebook, each state whole, small and immutable.

The sequence of states is also the audit trail: each says who did what, and when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from nbvc.manifest.members import flag, integer, malformed, number, text
from nbvc.manifest.runs import Runs
from nbvc.manifest.sealing import (
    FORMAT,
    FORMAT_WITH_PACKS,
    MALFORMED,
    format_time,
    parse_time,
    seal,
    unseal,
)
from nbvc.model import Digest, NotebookKey, WriteId
from nbvc.values import dataclass

MAX_TAGS = 1_000
MAX_SEGMENTS = 1_000
MAX_PACKS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the history that lies under an earlier name of the notebook.

    Attributes:
        key: That earlier name.
        first: First number that lies there.
        last: Last number that belongs to this history; later ones there are somebody else's.
    """

    key: NotebookKey
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """An object that holds, or tells where to find, versions that are not plain any more.

    Attributes:
        digest: SHA-256 of its bytes; the beginning of it is its name.
        size_bytes: Its length.
        table_bytes: Length of the table at its end, which says what lies where.
        numbers: The versions in it.
        is_plain: Whether its versions were made plain again, under other version IDs: then it has
            no more than its table, which names those.
    """

    digest: Digest
    size_bytes: int
    table_bytes: int
    numbers: Runs
    is_plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One entry of the state sequence of a notebook.

    Attributes:
        number: Position in the sequence, from 1.
        write_id: Random token of the act.
        saved_at: When, by the clock of who did it; UTC.
        author: Who did it.
        action: What was done: ``tag``, ``untag``, ``rename``, ``moved``, ``remove``, ``restore``,
            ``unpublish``, ``repair``, ``pack``, ``unpack``, ``forget``...
        tags: Name to version number.
        segments: Earlier names, oldest part first.
        moved_to: Present name of the notebook, where it was renamed.
        removed: Whether it was removed, or unpublished.
        prev: SHA-256 of the bytes of the previous state.
        gone: Numbers, from first to last, whose bytes the store has lost for good, and of which a
            repair has said so.
        packs: What holds the versions whose bytes are not where their records say.
        forgotten: Numbers, from first to last, whose versions somebody has let go for good.
        shared: Numbers, from first to last, whose versions another notebook has too: this one was
            renamed, and then somebody saved under its old name again.
        extra: Fields that this release does not know; kept as they are.
    """

    number: int
    write_id: WriteId
    saved_at: datetime
    author: str
    action: str
    tags: Mapping[str, int] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    moved_to: NotebookKey | None = None
    removed: bool = False
    prev: Digest | None = None
    gone: Runs = ()
    packs: tuple[Pack, ...] = ()
    forgotten: Runs = ()
    shared: Runs = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def is_gone(self, number: int) -> bool:
        """Return whether a repair has said that the bytes of *number* are lost."""
        return _holds(self.gone, number)

    def is_forgotten(self, number: int) -> bool:
        """Return whether somebody has let go of *number*."""
        return _holds(self.forgotten, number)

    @property
    def filled_packs(self) -> tuple[Pack, ...]:
        """The packs that hold the bytes of versions, and do not only say where they are plain."""
        return tuple(pack for pack in self.packs if not pack.is_plain)

    def is_packed(self, number: int) -> bool:
        """Return whether *number* is to be found by a pack."""
        return any(_holds(pack.numbers, number) for pack in self.packs)


def _holds(runs: Runs, number: int) -> bool:
    return any(first <= number <= last for first, last in runs)


_KNOWN = frozenset(State.__dataclass_fields__) - {"extra"}


def encode(state: State) -> bytes:
    """Return the bytes to store under the number of *state*."""
    document: dict[str, Any] = dict(state.extra)
    document.update(
        format=FORMAT_WITH_PACKS if state.packs or state.forgotten else FORMAT,
        number=state.number,
        write_id=state.write_id,
        saved_at=format_time(state.saved_at),
        author=state.author,
        action=state.action,
        tags=dict(state.tags),
        segments=[{"key": s.key, "first": s.first, "last": s.last} for s in state.segments],
        moved_to=state.moved_to,
        removed=state.removed,
        prev=state.prev,
    )
    if state.gone:
        document["gone"] = [list(numbers) for numbers in state.gone]
    if state.packs:
        document["packs"] = [_pack_document(pack) for pack in state.packs]
    if state.forgotten:
        document["forgotten"] = [list(numbers) for numbers in state.forgotten]
    if state.shared:
        document["shared"] = [list(numbers) for numbers in state.shared]
    return seal(document)


def decode(data: bytes, *, what: str) -> State:
    """Return the state in *data*.

    Raises:
        IntegrityError: It is damaged, or not a state.
        StoreMisconfigured: A newer release of nbvc wrote it.
    """
    document = unseal(data, what=what, newest=FORMAT_WITH_PACKS)
    document.pop("format")
    try:
        moved_to, prev = document["moved_to"], document["prev"]
        return State(
            number=number(document["number"]),
            write_id=WriteId(text(document["write_id"])),
            saved_at=parse_time(document["saved_at"]),
            author=text(document["author"]),
            action=text(document["action"]),
            tags=_tags(document["tags"]),
            segments=_segments(document["segments"]),
            moved_to=None if moved_to is None else NotebookKey(text(moved_to)),
            removed=flag(document["removed"]),
            prev=None if prev is None else Digest(prev),
            gone=_runs(document.get("gone", ())),
            packs=_packs(document.get("packs", ())),
            forgotten=_runs(document.get("forgotten", ())),
            shared=_runs(document.get("shared", ())),
            extra={name: value for name, value in document.items() if name not in _KNOWN},
        )
    except MALFORMED as error:
        raise malformed(what, "state", error) from error


def _pack_document(pack: Pack) -> dict[str, object]:
    return {
        "digest": pack.digest,
        "size_bytes": pack.size_bytes,
        "table_bytes": pack.table_bytes,
        "numbers": [list(numbers) for numbers in pack.numbers],
        "is_plain": pack.is_plain,
    }


def _packs(value: Sequence[Mapping[str, Any]]) -> tuple[Pack, ...]:
    if len(value) > MAX_PACKS:
        raise ValueError(f"more than {MAX_PACKS} packs")
    return tuple(
        Pack(
            digest=Digest(text(p["digest"])),
            size_bytes=integer(p["size_bytes"], 1),
            table_bytes=integer(p["table_bytes"], 1, integer(p["size_bytes"], 1)),
            numbers=_runs(p["numbers"]),
            is_plain=flag(p["is_plain"]),
        )
        for p in value
    )


def _runs(value: Sequence[Sequence[object]]) -> Runs:
    return tuple((number(first), number(last)) for first, last in value)


def _tags(value: Mapping[str, object]) -> dict[str, int]:
    tags = {name: number(tagged) for name, tagged in value.items()}
    if len(tags) > MAX_TAGS:
        raise ValueError(f"more than {MAX_TAGS} tags")
    return tags


def _segments(value: Sequence[Mapping[str, object]]) -> tuple[Segment, ...]:
    if len(value) > MAX_SEGMENTS:
        raise ValueError(f"more than {MAX_SEGMENTS} segments")
    return tuple(
        Segment(key=NotebookKey(text(s["key"])), first=number(s["first"]), last=number(s["last"]))
        for s in value
    )
