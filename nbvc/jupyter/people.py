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


def present_handler() -> Any:
    """Return what answers the present request; ``None`` where there is none.

    The first releases of Jupyter Server 2 do not tell: then the author is the session's, and a copy
    does not name its origin.
    """
    try:
        from jupyter_server import CallContext
    except ImportError:
        return None
    return CallContext.get(CallContext.JUPYTER_HANDLER)


def author_of(handler: Any) -> str | None:
    """Return the name of who sent the request of *handler*; ``None`` where nobody knows.

    On JupyterHub, and with any other way to log in with a name, that is the name of the account.
    """
    if handler is None or type(handler.identity_provider) in _ANONYMOUS:
        return None
    user = handler.current_user
    name = user.get("name") if isinstance(user, dict) else getattr(user, "username", None)
    return name if isinstance(name, str) and name else None
