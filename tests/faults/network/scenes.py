"""The scenes of the disk on S3: those that send requests. One that is added there is here too."""

from __future__ import annotations

from dataclasses import replace

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

SAMPLED = (
    SCENES
    if server_name() in {"", "ministack"}
    else [scene for scene in SCENES if scene.name in {"save-several", "publish", "mv", "push"}]
)
"""Those of the ordinary suite: on slower servers one for each way to write."""
