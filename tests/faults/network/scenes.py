"""The scenes of the disk on S3: those that send requests. One that is added there is here too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.disk import scenes as on_disk
from tests.faults.disk.world import Scene
from tests.faults.network.world import S3World
from tests.s3_server import server_name


def _from_folder(scene: Scene) -> Scene:
    """Return *scene* with the store of the workspace in its own folder."""

    def prepare(world: S3World) -> None:
        world.embed()
        scene.prepare(world)

    return replace(scene, prepare=prepare)


SCENES = [
    _from_folder(scene) if scene.name == "migrate" else scene
    for scene in on_disk.SCENES
    if not scene.offline
]

IS_FAST = server_name() in {"", "ministack"}
"""Whether the server under test is quick; on others the ordinary suite strikes less."""

SAMPLED = [
    scene
    for scene in SCENES
    if (IS_FAST and scene.name != "push-captured")
    or scene.name in {"save-several", "publish", "mv"}
]
"""The scenes of the ordinary suite: elsewhere one for each way to write. What was captured is sent
as what waits."""

MADE_ANEW = {"pack", "unpack", "forget"}
"""Scenes that remove versions: nobody can put those back, so each strike takes long."""

only_fast = pytest.mark.skipif(
    not IS_FAST, reason="the proxy answers in the server's place, so one server is enough"
)
