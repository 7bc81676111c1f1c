"""Run several writers in every order in which their requests can reach a store.

Each writer is a greenlet that hands over before every request, so that one run is one schedule: the
sequence of who was let through. All schedules are tried where they are few, else a seeded sample.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from greenlet import getcurrent, greenlet

from nbvc.stores.base import Store
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")
SEED = 20_260_801


class SteppingStore(WrappedStore):
    """Lets another writer go on before each request."""

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Hand over, and send when it is this writer's turn again."""
        parent = getcurrent().parent
        if parent is not None:
            parent.switch(request)
        return send()


@dataclass(slots=True)
class Schedule:
    """Who goes next, at each point where several could.

    Attributes:
        choices: For each such point, the index of who went, among those who could.
        widths: How many could go at each point.
        pick: Makes the choices after those that are given.
    """

    choices: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    pick: Callable[[int], int] = lambda _: 0

    def choose(self, width: int) -> int:
        """Return who goes next among *width*."""
        step = len(self.widths)
        if step == len(self.choices):
            self.choices.append(self.pick(width))
        self.widths.append(width)
        return self.choices[step]

    def following(self) -> Schedule | None:
        """Return the next schedule in depth-first order, ``None`` after the last."""
        choices = list(self.choices)
        while choices and choices[-1] + 1 == self.widths[len(choices) - 1]:
            choices.pop()
        if not choices:
            return None
        choices[-1] += 1
        return Schedule(choices=choices)


def run(writers: Sequence[Callable[[], object]], schedule: Schedule) -> None:
    """Run *writers* to their ends in the order of *schedule*; raises what one of them raises."""
    waiting = [greenlet(writer) for writer in writers]
    for each in waiting:
        each.switch()
    while waiting := [each for each in waiting if not each.dead]:
        chosen = schedule.choose(len(waiting)) if len(waiting) > 1 else 0
        waiting[chosen].switch()


def every_schedule(limit: int) -> Iterator[Schedule]:
    """Yield all schedules, one after each run of the one before.

    Raises:
        AssertionError: There are more than *limit*.
    """
    schedule: Schedule | None = Schedule()
    for _ in range(limit):
        if schedule is None:
            return
        yield schedule
        schedule = schedule.following()
    raise AssertionError(f"more than {limit} schedules: sample them")


def sampled_schedules(count: int) -> Iterator[Schedule]:
    """Yield *count* schedules drawn at random, the same in every run of the tests."""
    source = random.Random(SEED)
    for _ in range(count):
        yield Schedule(pick=source.randrange)


def stepping(store: Store) -> SteppingStore:
    """Return *store* as the writers of a schedule must see it."""
    return SteppingStore(store)
