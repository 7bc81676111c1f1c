"""SIGKILL around the n-th S3 request of every command: nothing is lost, and work goes on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

import pytest

from tests.faults.disk.world import Clean, Scene, assert_survived, play
from tests.faults.forking import sample
from tests.faults.network.faults import KILLS, Fault
from tests.faults.network.proxy import Plan
from tests.faults.network.scenes import SAMPLED, SCENES
from tests.faults.network.world import S3World

pytestmark = pytest.mark.real_s3

POINTS = {"kill-before": 1, "kill-after": 2}
"""How many requests of each command are struck in the ordinary suite."""

every_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
sampled_scenes = pytest.mark.parametrize("scene", SAMPLED, ids=lambda scene: scene.name)
kills = pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.name)


@sampled_scenes
def test_a_kill_around_some_requests_loses_nothing(scene: Scene, world: S3World) -> None:
    """Before the server hears of a request, or after it carried it out. A seeded sample of all."""
    clean = play(scene, world)
    for kill in KILLS:
        requests = len(clean.outcome.requests)
        points = sample(requests, POINTS[kill.name], f"{scene.name} {kill.name}", what="requests")
        assert _kill_at(points, kill, scene, world, clean) == len(points)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@kills
@every_scene
def test_a_kill_around_any_request_loses_nothing(scene: Scene, kill: Fault, world: S3World) -> None:
    """At every one of them, until the command gets through."""
    clean = play(scene, world)
    killed = _kill_at(count(1), kill, scene, world, clean)
    print(f"{killed} points: {scene.name} {kill.name}")  # noqa: T201
    assert killed >= len(clean.outcome.requests)


def _kill_at(points: Iterable[int], kill: Fault, scene: Scene, world: S3World, clean: Clean) -> int:
    """Kill the command at each of *points*, until one is beyond its end; return how often."""
    killed = 0
    for at in points:
        world.put_back()
        outcome = world.run(scene.arguments, Plan(at=at, strike=kill.strike))
        print(f"killed at request {at}: {outcome.struck}")  # noqa: T201
        if not outcome.struck:
            return killed
        assert outcome.killed, outcome.said
        assert_survived(scene, world, clean, done=False)
        killed += 1
    return killed
