"""Where a page of a listing ends, as a text that the next request brings back.

A cursor names what was listed last, not how much: what is added meanwhile shifts no page.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from itertools import chain

from nbvc.errors import InvalidInput
from nbvc.model import MAX_NUMBER, Version
from nbvc.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCursor:
    """The version that was listed last.

    Attributes:
        number: Its number, or for one without a number that of the last one above it; ``None``
            where there is none.
        version_id: Its version ID.
    """

    number: int | None
    version_id: str

    @classmethod
    def read(cls, text: str) -> VersionCursor:
        """Read what :meth:`__str__` wrote.

        Raises:
            InvalidInput: It is something else.
        """
        match _decoded(text):
            case [None | int() as number, str() as version_id] if _is_number(number):
                return cls(number=number, version_id=version_id)
        raise _invalid()

    def __str__(self) -> str:
        return _encoded([self.number, self.version_id])

    def behind(self, versions: Iterable[Version]) -> Iterator[Version]:
        """Yield those of *versions*, newest first, that were not listed yet.

        Where the version is gone since, those behind its place.
        """
        iterator = iter(versions)
        for version in iterator:
            if version.version_id == self.version_id:
                return iterator
            is_older = (version.number or MAX_NUMBER) < (self.number or 0)
            if is_older:
                return chain([version], iterator)
        return iter(())

    @classmethod
    def after(cls, page: list[Version], before: VersionCursor | None) -> VersionCursor:
        """Return the cursor at the end of *page*, which began behind *before*."""
        numbers = [version.number for version in page if version.number is not None]
        number = numbers[-1] if numbers else before.number if before else None
        return cls(number=number, version_id=page[-1].version_id)


def read_key_cursor(text: str) -> str:
    """Read a cursor of a listing in the order of keys.

    Raises:
        InvalidInput: It is none.
    """
    key = _decoded(text)
    if not isinstance(key, str):
        raise _invalid()
    return key


def key_cursor(key: str) -> str:
    """Return the cursor at *key*."""
    return _encoded(key)


def _encoded(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(text: str) -> object:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError, binascii.Error) as error:
        raise _invalid() from error


def _is_number(value: object) -> bool:
    return value is None or (type(value) is int and 1 <= value <= MAX_NUMBER)


def _invalid() -> InvalidInput:
    return InvalidInput(
        "cursor is not one that this server gave.", hint="Leave it out to begin at the newest."
    )
