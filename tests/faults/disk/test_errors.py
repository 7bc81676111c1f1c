"""An error at the n-th file-system call of every command: it is told, and nothing is lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from nbvc.errors import NbvcError
from tests.faults.disk.scenes import SCENES
from tests.faults.disk.striking import EVERY, Call, Outcome, Strike
from tests.faults.disk.world import Clean, Scene, World, assert_survived, play
from tests.faults.forking import sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An error of the disk, and how it comes.

    Attributes:
        error: The errno.
        kinds: Letters of the calls that can give it, by their manual pages.
        for_ever: Whether it stays, for all calls of those kinds.
        strikes: How many calls of each command are struck in the ordinary suite.
    """

    error: int
    kinds: str
    for_ever: bool
    strikes: int = 2

    @property
    def name(self) -> str:
        """Return it as a word."""
        return f"{errno.errorcode[self.error]}-{'for-ever' if self.for_ever else 'once'}"


NO_SPACE, NO_ACCESS, INTERRUPTED = "CWSTNKMH", "COHNKUMPAD", "CORWST"
TROUBLES = (
    *(Trouble(error=errno.ENOSPC, kinds=NO_SPACE, for_ever=ever) for ever in (False, True)),
    *(Trouble(error=errno.EIO, kinds=EVERY, for_ever=ever) for ever in (False, True)),
    *(Trouble(error=errno.EACCES, kinds=NO_ACCESS, for_ever=ever) for ever in (False, True)),
    # One that stays is no interruption: Python and SQLite make the call again, as they should.
    Trouble(error=errno.EINTR, kinds=INTERRUPTED, for_ever=False, strikes=1),
)

scenes = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)


@scenes
def test_an_error_at_some_calls_is_told_and_loses_nothing(scene: Scene, world: World) -> None:
    """A seeded sample of all calls, SQLite's too: no room, a failing disk, no permission."""
    clean = play(scene, world)
    for trouble in TROUBLES:
        calls = clean.outcome.count(trouble.kinds)
        points = sample(calls, trouble.strikes, f"{scene.name} {trouble.name}")
        assert _fail_at(points, scene, world, clean, trouble) == len(points)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
@scenes
def test_an_error_at_any_call_is_told_and_loses_nothing(
    scene: Scene, world: World, trouble: Trouble
) -> None:
    """At every one of them, until the command gets through."""
    clean = play(scene, world)
    struck = _fail_at(count(1), scene, world, clean, trouble)
    assert struck >= clean.outcome.count(trouble.kinds)


def _fail_at(
    points: Iterable[int], scene: Scene, world: World, clean: Clean, trouble: Trouble
) -> int:
    """Let the call at each of *points* fail, until one is beyond the end; return how often."""
    for failed, at in enumerate(points):
        world.put_back()
        strike = Strike(at=at, error=trouble.error, for_ever=trouble.for_ever, kinds=trouble.kinds)
        outcome = world.run(scene.arguments, strike, offline=scene.offline)
        print(f"{trouble.name} at call {at}: {outcome.struck}")  # noqa: T201
        if outcome.struck is None:
            return failed
        _check_told(outcome, outcome.struck, trouble.error, world.root)
        assert_survived(scene, world, clean, done=outcome.done)
    return failed + 1


EXIT_CODES = {0, NbvcError.exit_code, *(kind.exit_code for kind in NbvcError.__subclasses__())}
REASONS = {
    errno.ENOSPC: ("is full", os.strerror(errno.ENOSPC), "heck the disk"),
    errno.EIO: (os.strerror(errno.EIO), "heck the disk"),
    errno.EACCES: ("may not be", "cannot be opened", "permission", "heck the disk"),
    errno.EINTR: (os.strerror(errno.EINTR), "heck the disk"),
}
"""What a message says of an error. SQLite calls most of them an I/O error, and keeps the errno."""


def _check_told(outcome: Outcome, struck: Call, error: int, root: Path) -> None:
    """Check that a person learns what failed, where, and why; or that it did not matter."""
    said, told = outcome.said, outcome.stderr
    assert outcome.exit_code in EXIT_CODES, said
    assert "Traceback" not in said, said
    assert "unexpected" not in said, said
    assert not list(root.rglob("home/cache/debug/*")), said
    if outcome.exit_code == 0:
        return
    assert "error: " in told or "\nLeft out " in f"\n{told}", said
    assert any(reason in told for reason in REASONS[error]), said
    assert str(root) in told or Path(struck.path).name in told, said
