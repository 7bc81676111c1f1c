"""People with names, for a server under test: each has a token. Runs inside of that server."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.identity import IdentityProvider, User

TOKENS = {"ann": "token-of-ann", "bob": "token-of-bob"}


class ByToken(IdentityProvider):
    """Knows each person by the token."""

    async def get_user_token(self, handler: Any) -> User | None:
        """Return whose token a request has."""
        found = self.get_token(handler)
        names = [name for name, token in TOKENS.items() if token == found]
        return User(username=names[0]) if names else None
