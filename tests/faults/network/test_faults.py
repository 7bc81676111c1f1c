"""The n-th S3 request of every command goes wrong: nothing is lost, doubled or damaged."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from nbvc import errors
from tests.faults.disk.world import Clean, Scene, assert_survived, play
from tests.faults.forking import SEED
from tests.faults.network.faults import FAULTS, GROUPS, Fault
from tests.faults.network.proxy import Plan
from tests.faults.network.scenes import IS_FAST, MADE_ANEW, SAMPLED, SCENES
from tests.faults.network.world import S3World, Struck

pytestmark = pytest.mark.real_s3

ONCE, FOR_EVER = (4, 1) if IS_FAST else (2, 1)
"""How many points of each command are struck in the ordinary suite."""

TYPED = {
    error.exit_code
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.NbvcError) and error.exit_code > 1
}
"""The exit codes that a command may end with; 1 is what an error without a name of its own has."""

Point = tuple[Fault, int]
every_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
sampled_scenes = pytest.mark.parametrize("scene", SAMPLED, ids=lambda scene: scene.name)


@sampled_scenes
def test_some_faults_at_some_requests_lose_nothing(scene: Scene, world: S3World) -> None:
    """Once each, and some for ever after. A seeded sample of all pairs of a fault and a request."""
    clean = play(scene, world)
    chance = random.Random(f"{SEED} {scene.name}")
    points = _points(clean, FAULTS)
    once = ONCE // 2 if scene.name in MADE_ANEW else ONCE
    print(f"seed {SEED}, {scene.name}: {once} + {FOR_EVER} of {len(points)} points")  # noqa: T201
    for fault, at in chance.sample(points, min(once, len(points))):
        _strike(scene, world, clean, fault, at)
    for fault, at in chance.sample(points, min(FOR_EVER, len(points))):
        _strike(scene, world, clean, fault, at, for_ever=True)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("group", GROUPS)
@every_scene
def test_any_fault_at_any_request_loses_nothing(scene: Scene, group: str, world: S3World) -> None:
    """Once at each request, and for ever after the first and the middle one."""
    clean = play(scene, world)
    failed = []
    for fault in GROUPS[group]:
        points = [(at, False) for _, at in _points(clean, [fault])]
        points += [(at, True) for at in {1, len(clean.outcome.requests) // 2} - {0}]
        struck, before = 0, len(failed)
        for at, for_ever in points:
            try:
                struck += _strike(scene, world, clean, fault, at, for_ever=for_ever)
            except (AssertionError, errors.NbvcError) as error:
                struck += 1
                failed.append(f"{fault.name} at {at}{' for ever' if for_ever else ''}: {error!r}")
        found = len(failed) - before
        print(f"{scene.name} {fault.name}: {struck} struck, {found} failed")  # noqa: T201
    assert not failed, "\n".join(failed)


def _points(clean: Clean, faults: Sequence[Fault]) -> list[Point]:
    requests = clean.outcome.requests
    return [
        (fault, at)
        for fault in faults
        for at, request in enumerate(requests, 1)
        if fault.fits(request)
    ]


def _strike(
    scene: Scene,
    world: S3World,
    clean: Clean,
    fault: Fault,
    at: int,
    *,
    for_ever: bool = False,
) -> bool:
    """Strike, and check everything; return whether there was anything to strike."""
    world.put_back()
    plan = Plan(at=at, strike=fault.strike, for_ever=for_ever)
    outcome = world.run(scene.arguments, plan, impatient=fault.timeout)
    if not outcome.struck:
        return False
    often = "from" if for_ever else "at"
    print(f"{fault.name} {often} request {at}: {outcome.struck}: {outcome.said}")  # noqa: T201
    _check_said(outcome, must_pass=fault.passes and not for_ever)
    done = outcome.done and not outcome.waits
    assert_survived(scene, world, clean, done=done)
    return True


def _check_said(outcome: Struck, *, must_pass: bool) -> None:
    assert "Traceback" not in outcome.stderr, outcome.said
    if must_pass:
        assert (outcome.exit_code, outcome.waits) == (0, False), outcome.said
        return
    assert outcome.exit_code in {0, *TYPED}, outcome.said
    assert outcome.exit_code == 0 or "error: " in outcome.stderr, outcome.said
