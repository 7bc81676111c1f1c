"""States: what may change about a notebook, each state whole, small and immutable.

The sequence of states is also the audit trail: each says who did what, and when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nbvc.errors import IntegrityError
from nbvc.manifest.sealing import FORMAT, MALFORMED, format_time, parse_time, seal, unseal
from nbvc.model import Digest, NotebookKey, WriteId

MAX_TAGS = 1_000
MAX_SEGMENTS = 1_000


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
class State:
    """One entry of the state sequence of a notebook.

    Attributes:
        number: Position in the sequence, from 1.
        write_id: Random token of the act.
        saved_at: When, by the clock of who did it; UTC.
        author: Who did it.
        action: What was done: ``tag``, ``untag``, ``rename``, ``moved``, ``remove``, ``restore``,
            ``unpublish``, ``repair``, ``gone``...
        tags: Name to version number.
        segments: Earlier names, oldest part first.
        moved_to: Present name of the notebook, where it was renamed.
        removed: Whether it was removed, or unpublished.
        prev: SHA-256 of the bytes of the previous state.
        gone: Numbers, from first to last, whose bytes the store has lost for good, and of which a
            repair has said so.
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
    gone: tuple[tuple[int, int], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def is_gone(self, number: int) -> bool:
        """Return whether a repair has said that the bytes of *number* are lost."""
        return any(first <= number <= last for first, last in self.gone)


_KNOWN = frozenset(State.__dataclass_fields__) - {"extra"}


def encode(state: State) -> bytes:
    """Return the bytes to store under the number of *state*."""
    document: dict[str, Any] = dict(state.extra)
    document.update(
        format=FORMAT,
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
    return seal(document)


def decode(data: bytes, *, what: str) -> State:
    """Return the state in *data*.

    Raises:
        IntegrityError: It is damaged, or not a state.
        StoreMisconfigured: A newer release of nbvc wrote it.
    """
    document = unseal(data, what=what)
    document.pop("format")
    try:
        return State(
            number=int(document["number"]),
            write_id=WriteId(document["write_id"]),
            saved_at=parse_time(document["saved_at"]),
            author=document["author"],
            action=document["action"],
            tags={str(name): int(number) for name, number in document["tags"].items()},
            segments=tuple(
                Segment(key=NotebookKey(s["key"]), first=int(s["first"]), last=int(s["last"]))
                for s in document["segments"]
            ),
            moved_to=NotebookKey(document["moved_to"]) if document["moved_to"] else None,
            removed=bool(document["removed"]),
            prev=Digest(document["prev"]) if document["prev"] else None,
            gone=tuple((int(first), int(last)) for first, last in document.get("gone", ())),
            extra={name: value for name, value in document.items() if name not in _KNOWN},
        )
    except MALFORMED as error:
        raise IntegrityError(f"The {what} is not a state: {error!r}.") from error
