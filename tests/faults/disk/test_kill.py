"""SIGKILL at the n-th file-system call of every command: nothing is lost, and work goes on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

import pytest

from tests.faults.disk.scenes import SCENES
from tests.faults.disk.striking import CHANGING, HALF_A_WRITE, KILL, Strike
from tests.faults.disk.world import Clean, Scene, World, assert_survived, play
from tests.faults.forking import sample

KILLS, HALVES = 6, 2
"""How many calls of each command are struck in the ordinary suite."""

WRITES = "W"
scenes = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)


@scenes
def test_a_kill_at_some_calls_loses_nothing(scene: Scene, world: World) -> None:
    """A seeded sample of all calls that change something or make it durable, SQLite's too."""
    clean = play(scene, world)
    points = sample(clean.outcome.count(CHANGING), KILLS, scene.name)
    assert _kill_at(points, scene, world, clean, KILL, CHANGING) == len(points)


@scenes
def test_a_kill_in_the_middle_of_some_writes_loses_nothing(scene: Scene, world: World) -> None:
    """Half of the bytes are in the file then. A seeded sample of all writes."""
    clean = play(scene, world)
    points = sample(clean.outcome.count(WRITES), HALVES, f"{scene.name} in the middle")
    assert _kill_at(points, scene, world, clean, HALF_A_WRITE, WRITES) == len(points)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("error", "kinds"), [(KILL, CHANGING), (HALF_A_WRITE, WRITES)])
@scenes
def test_a_kill_at_any_call_loses_nothing(
    scene: Scene, world: World, error: int, kinds: str
) -> None:
    """At every one of them, until the command gets through."""
    clean = play(scene, world)
    struck = _kill_at(count(1), scene, world, clean, error, kinds)
    assert struck >= clean.outcome.count(kinds)


def _kill_at(
    points: Iterable[int], scene: Scene, world: World, clean: Clean, error: int, kinds: str
) -> int:
    """Kill the command at each of *points*, until one is beyond its end; return how often."""
    for killed, at in enumerate(points):
        world.put_back()
        strike = Strike(at=at, error=error, kinds=kinds)
        outcome = world.run(scene.arguments, strike, offline=scene.offline)
        print(f"killed at call {at}: {outcome.struck}")  # noqa: T201
        if outcome.struck is None:
            return killed
        assert outcome.killed, outcome.said
        assert_survived(scene, world, clean, done=False)
    return killed + 1
