"""The one place that reads the process's surroundings: variables, folders, clock, chance.

Everything below the top layer takes what it needs from an ``Environment`` as an argument, so that
a test can set the clock or the home directory without touching the process.
"""

from __future__ import annotations

import getpass
import os
import random
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from nbvc.model import WriteId
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a command knows about the process and the machine it runs on.

    Attributes:
        variables: Environment variables.
        user_config_file: Where the user's own settings are (it need not exist).
        cache_dir: Folder for what can be fetched again.
        cwd: Working directory.
        login: Login name of the user.
        now: Returns the present time, in UTC.
        timezone: The user's zone, for dates without one; ``None`` means the machine's.
        new_write_id: Returns a fresh random token.
        sleep: Waits for so many seconds.
        jitter: Returns a random number from 0 up to 1.
        home: The user's home folder, where there is one.
    """

    variables: Mapping[str, str]
    user_config_file: Path
    cache_dir: Path
    cwd: Path
    login: str
    now: Callable[[], datetime]
    timezone: tzinfo | None
    new_write_id: Callable[[], WriteId]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    home: Path | None = None

    @classmethod
    def current(cls) -> Environment:
        """Return the surroundings of this process."""
        import platformdirs

        variables = dict(os.environ)
        config = variables.get("NBVC_CONFIG")
        cache = variables.get("NBVC_CACHE_DIR")
        return cls(
            variables=variables,
            user_config_file=(
                Path(config) if config else platformdirs.user_config_path("nbvc") / "config.toml"
            ),
            cache_dir=Path(cache) if cache else platformdirs.user_cache_path("nbvc"),
            cwd=Path.cwd(),
            login=_login(variables),
            now=lambda: datetime.now(UTC),
            timezone=None,
            new_write_id=lambda: WriteId(secrets.token_urlsafe(16)),
            sleep=time.sleep,
            jitter=random.random,
            home=_home(),
        )


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # a container user without a passwd entry
        return None


def _login(variables: Mapping[str, str]) -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container user without a passwd entry
        return variables.get("HOSTNAME") or "user"
