"""JupyterHub whose users' notebooks become versions in one bucket, each under the user's name.

Your authenticator and your spawner come on top: nothing here says who may log in, or where
servers run.
"""

import configparser
import os
from pathlib import Path

from jupyterhub.spawner import Spawner

c = get_config()  # noqa: F821 - JupyterHub gives it

STORE = os.environ.get("HUB_STORE", "s3://team-notebooks")
REGION = os.environ.get("HUB_REGION", "us-east-1")
ENDPOINT = os.environ.get("HUB_ENDPOINT", "")
"""Only for other servers than AWS."""

KEYS = Path(os.environ.get("HUB_KEYS", "/srv/jupyterhub/keys.ini"))
"""A section for each user, with the keys of an IAM user whose policy is that of one person. Only
the hub may read it."""


def keys_of(name: str) -> dict[str, str]:
    """Return the variables with the keys of a user; none where the user has no keys."""
    found = configparser.ConfigParser(interpolation=None, default_section="")
    found.read(KEYS)
    if name not in found:
        return {}
    return {
        "AWS_ACCESS_KEY_ID": found[name]["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": found[name]["aws_secret_access_key"],
    }


def give_a_part_of_the_store(spawner: Spawner) -> None:
    """Tell the server of a user where versions go, and with which keys."""
    name = spawner.user.escaped_name  # as in URLs: no slash in it, and nothing special to IAM
    keys = keys_of(name)
    if not keys:
        spawner.log.warning("No keys for %s: versions will wait in the home folder.", name)
    spawner.environment = {
        **spawner.environment,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",  # without keys, not with the role of the machine
        **({"AWS_ENDPOINT_URL_S3": ENDPOINT} if ENDPOINT else {}),
        **keys,
    }
    others = [each for each in spawner.args if not each.startswith("--NbvcExtension.")]
    spawner.args = [
        *others,
        f"--NbvcExtension.store={STORE}",
        f"--NbvcExtension.namespace={name}",
    ]


c.Spawner.pre_spawn_hook = give_a_part_of_the_store
# The hub's own variables stay with the hub, and so do its keys.
c.Spawner.env_keep = ["PATH", "LANG", "LC_ALL"]
# A server that nobody uses ends after an hour. What was not delivered by then waits in the home
# folder, and goes into the store when the server starts again.
c.Spawner.args = [
    "--ServerApp.shutdown_no_activity_timeout=3600",
    "--MappingKernelManager.cull_idle_timeout=1800",
]
