"""The states of one notebook in a store: tags, links and removal, changed by claiming the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from nbvc.errors import Conflict, IntegrityError
from nbvc.manifest.states import State, decode, encode
from nbvc.model import Area, Digest, NotebookKey, WriteId
from nbvc.repository import sequence
from nbvc.repository.acts import Act
from nbvc.repository.backend import Backend

Change = Callable[[State], State | None]
"""Given the present state, returns the next one, or ``None`` where nothing is to be done."""


def newest_state_number(backend: Backend, area: Area, key: NotebookKey) -> int | None:
    """Return the number of the newest state, or ``None`` where nothing was ever set. 1 request."""
    return sequence.newest_number(backend, backend.layout.states(area, key))


def read_newest(backend: Backend, area: Area, key: NotebookKey, newest: sequence.Newest) -> State:
    """Return the newest state, which is known to exist. 1 request; none when cached.

    Raises:
        IntegrityError: It is damaged or missing, or another state lies in its place.
    """
    number = newest.number
    what = f"state {number} of {key}"

    def read(data: bytes) -> State:
        state = decode(data, what=what)
        if state.number != number:
            raise IntegrityError(f"The {what} says that it is state {state.number}: it was moved.")
        return state

    prefix = backend.layout.states(area, key)
    state = sequence.read_entry(backend, prefix, number, read, etag=newest.etag)
    if state is None:
        raise IntegrityError(f"The {what} is missing from the store.")
    return state


def read_state(backend: Backend, area: Area, key: NotebookKey) -> State | None:
    """Return the newest state of a notebook, ``None`` where nothing was ever set. 1 or 2 requests.

    Raises:
        IntegrityError: It is damaged.
    """
    newest = sequence.newest_entry(backend, backend.layout.states(area, key))
    return None if newest is None else read_newest(backend, area, key, newest)


def change_state(
    backend: Backend,
    area: Area,
    key: NotebookKey,
    change: Change,
    *,
    action: str,
    author: str,
    now: datetime,
    write_id: WriteId,
) -> State | None:
    """Apply *change* to the newest state and claim the next one; again if someone was faster.

    Atomic and durable. *change* may run several times, each time on a newer state.

    Returns:
        The state that holds now; ``None`` where there is still none.

    Raises:
        Conflict: 200 others were faster in a row.
    """
    prefix = backend.layout.states(area, key)
    for attempt in range(sequence.MAX_CLAIMS):
        present = read_state(backend, area, key)
        before = present or State(
            number=0, write_id=write_id, saved_at=now, author=author, action=action
        )
        after = change(before)
        if after is None:
            return present
        after = replace(
            after,
            number=before.number + 1,
            write_id=write_id,
            saved_at=now,
            author=author,
            action=action,
            prev=Digest.of(encode(present)) if present else None,
        )
        if sequence.claim(backend, prefix, after.number, encode(after), write_id):
            return after
        sequence.back_off(backend, attempt)
    raise Conflict(f"{key} is being changed by many others.", hint="Run the command again.")


def change_by(
    backend: Backend, key: NotebookKey, change: Change, act: Act, action: str
) -> State | None:
    """Apply *change* to the state of a notebook in the workspace area; see :func:`change_state`.

    Args:
        backend: The store to work on.
        key: The notebook.
        change: What to change.
        act: Who does it.
        action: What they do.
    """
    return change_state(
        backend,
        Area.WORKSPACE,
        key,
        change,
        action=action,
        author=act.author,
        now=act.now,
        write_id=act.write_id,
    )
