"""What a request asks for: its query or its body, read once, with a bound on everything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from nbvc.errors import InvalidInput

MAX_TEXT_LENGTH = 4_096
"""Longer than any path, ref or cursor."""

_FLAGS = {"true": True, "false": False}


class Asked:
    """The arguments of a request, by name. Those that nobody asks for are ignored.

    Args:
        values: Each with a value of JSON.
        are_texts: Whether they are all texts, as in a query, also where they mean something else.
    """

    hint: str | None = "GET /nbvc/api/v1/openapi.json says what each route takes."

    def __init__(self, values: Mapping[str, Any], *, are_texts: bool = False) -> None:
        self._values = values
        self._are_texts = are_texts

    @classmethod
    def from_query(cls, arguments: Mapping[str, Sequence[bytes]]) -> Self:
        """Read a query as Tornado took it apart; of an argument given twice the last counts."""
        values = {name: _decoded(name, given[-1]) for name, given in arguments.items()}
        return cls(values, are_texts=True)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """Read a body.

        Raises:
            InvalidInput: It is no JSON object.
        """
        try:
            values = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidInput("The body of the request is no JSON.", hint=cls.hint) from error
        if not isinstance(values, dict):
            raise InvalidInput("The body of the request is no JSON object.", hint=cls.hint)
        return cls(values)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; *default* where it was not given, or is empty or ``null``.

        Raises:
            InvalidInput: It is no text, too long, or missing where there is no default.
        """
        value = self._values.get(name)
        if value is None or value == "":
            if default is None:
                raise InvalidInput(f"{name} is missing.", hint=self.hint)
            return default
        if not isinstance(value, str):
            raise InvalidInput(f"{name} must be a text.", hint=self.hint)
        if len(value) > MAX_TEXT_LENGTH:
            raise InvalidInput(f"{name} is longer than {MAX_TEXT_LENGTH:,} characters.")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(f"{name} holds half a character.") from error
        return value

    def flag(self, name: str) -> bool:
        """Return whether something is wanted; in a query, ``true`` or ``false``.

        Raises:
            InvalidInput: It is neither.
        """
        value = self._values.get(name)
        if self._are_texts and value is not None:
            value = _FLAGS.get(value, value)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise InvalidInput(f"{name} must be true or false.", hint=self.hint)

    def number(self, name: str, default: int, *, most: int) -> int:
        """Return a whole number from 1 to *most*.

        Raises:
            InvalidInput: It is something else.
        """
        text = self.text(name, str(default))
        if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most:
            return int(text)
        raise InvalidInput(f"{name} must be a number from 1 to {most}.")


def _decoded(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name!a} is not UTF-8 text.") from error
