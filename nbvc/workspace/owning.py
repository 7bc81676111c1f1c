"""Tell what this user put into an outbox from what came with the folder that it lies in.

A folder can come from a stranger, outbox included. Whoever only looks at it must not write what
waits there into a store, with their own rights and under anybody's name. So each waiting version
carries a code that only the user's own key makes (HMAC, RFC 2104). The key lies beside the user's
settings, never in a workspace.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from nbvc.environment import Environment
from nbvc.errors import NbvcError
from nbvc.manifest.sealing import canonical
from nbvc.workspace.files import create_file, make_folder, sweep

KEY_FILE = "outbox.key"
MEMBER = "owner"
_KEY_BYTES = range(16, 257)


class Owner:
    """The user's key. Never fails: without a key nothing is the user's own.

    Args:
        path: Where it is kept; made when first needed, readable by the user alone.
        new_token: Returns fresh random text.
    """

    def __init__(self, path: Path, new_token: Callable[[], str]) -> None:
        self._path = path
        self._new_token = new_token
        self._known: bytes | None = None

    def tidy(self, now: datetime) -> None:
        """Remove what was left by who could not come to the end of making the key. Never fails."""
        sweep(self._path.parent, now)

    def sign(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return *document* with the user's code; as it is where no key can be kept."""
        key = self._read() or self._make()
        return {**document, MEMBER: _code(key, document)} if key else dict(document)

    def made(self, document: Mapping[str, Any]) -> bool:
        """Tell whether :meth:`sign` returned *document* to this user."""
        key, said = self._read(), document.get(MEMBER)
        if key is None or not isinstance(said, str) or not said.isascii():
            return False
        rest = {name: value for name, value in document.items() if name != MEMBER}
        return hmac.compare_digest(said, _code(key, rest))

    @property
    def has_key(self) -> bool:
        """Whether there is a key; without one, nothing is told from what a stranger left."""
        return self._read() is not None

    def _read(self) -> bytes | None:
        if self._known is None:
            with suppress(OSError):
                found = self._path.read_bytes()
                self._known = found if len(found) in _KEY_BYTES else None
        return self._known

    def _make(self) -> bytes | None:
        token = self._new_token()
        with suppress(NbvcError):  # another process may be faster
            make_folder(self._path.parent)
            create_file(
                self._path, f"{token}{self._new_token()}".encode(), token=token, private=True
            )
        return self._read()


def owner_of(environment: Environment) -> Owner:
    """Return the user's key, which lies beside the user's settings."""
    return Owner(environment.user_config_file.with_name(KEY_FILE), environment.new_write_id)


def _code(key: bytes, document: Mapping[str, Any]) -> str:
    return hmac.new(key, canonical(document), hashlib.sha256).hexdigest()
