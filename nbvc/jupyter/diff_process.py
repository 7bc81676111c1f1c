"""A process that compares two notebooks and ends: it can be killed without harm.

Standard input has one line of JSON, which says how long each notebook is, what to call it and what
is to be left out; then both notebooks. Standard output gets the diff as JSON, or an object with the
``error``.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import IO

from nbvc.diffing import DiffOptions, diff_notebooks, load, to_json
from nbvc.errors import InvalidNotebook, NbvcError
from nbvc.model import Data
from nbvc.values import dataclass

_STANDARD_INPUT, _STANDARD_OUTPUT = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two notebooks that are to be compared.

    Attributes:
        old: The bytes of the one.
        new: Those of the other.
        names: What to call them in an error.
        options: What is left out.
    """

    old: Data
    new: Data
    names: tuple[str, str]
    options: DiffOptions

    @property
    def size_bytes(self) -> int:
        """How long both are together."""
        return len(self.old) + len(self.new)

    def diff(self) -> bytes:
        """Return what leads from the old one to the new one, in nbdime's format, as JSON.

        Raises:
            InvalidNotebook: One of them is no notebook.
        """
        old, new = load(self.old, name=self.names[0]), load(self.new, name=self.names[1])
        found = to_json(diff_notebooks(old, new, self.options))
        return json.dumps(found, separators=(",", ":")).encode()

    def send(self, stream: IO[bytes]) -> None:
        """Write it to the standard input of such a process."""
        head = {
            "lengths": [len(self.old), len(self.new)],
            "names": self.names,
            "options": asdict(self.options),
        }
        stream.write(json.dumps(head).encode() + b"\n")
        stream.write(self.old)
        stream.write(self.new)
        stream.close()


def read_result(result: bytes) -> bytes:
    """Return the diff that such a process has written.

    Raises:
        InvalidNotebook: One of the two is no notebook.
        NbvcError: It found no diff, for whatever reason.
    """
    if result.startswith(b"["):
        return result
    try:
        error = json.loads(result)["error"]
    except (ValueError, KeyError, TypeError):
        raise NbvcError("The comparison came to no end.", hint="Try again.") from None
    raise InvalidNotebook(error["message"], hint=error["hint"])


def main() -> None:
    """Compare what comes on standard input."""
    with os.fdopen(_STANDARD_INPUT, "rb") as stream:
        head = json.loads(stream.readline())
        old, new = (stream.read(length) for length in head["lengths"])
    pair = Pair(
        old=old,
        new=new,
        names=(head["names"][0], head["names"][1]),
        options=DiffOptions(**head["options"]),
    )
    try:
        result = pair.diff()
    except InvalidNotebook as error:
        result = json.dumps({"error": error.to_dict()}).encode()
    with os.fdopen(_STANDARD_OUTPUT, "wb") as stream:
        stream.write(result)


if __name__ == "__main__":
    main()
