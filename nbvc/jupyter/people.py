"""Who does something on the server."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.identity import (
    IdentityProvider,
    LegacyIdentityProvider,
    PasswordIdentityProvider,
)

_ANONYMOUS = (IdentityProvider, PasswordIdentityProvider, LegacyIdentityProvider)
"""Those that know no names: they give each browser a random one."""


def author_of(handler: Any) -> str | None:
    """Return the name of who sent the request of *handler*; ``None`` where nobody knows.

    On JupyterHub, and with any other way to log in with a name, that is the name of the account.
    """
    if handler is None or type(handler.identity_provider) in _ANONYMOUS:
        return None
    user = handler.current_user
    name = user.get("name") if isinstance(user, dict) else getattr(user, "username", None)
    return name if isinstance(name, str) and name else None
