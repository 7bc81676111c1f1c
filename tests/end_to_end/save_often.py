"""One writer of a race, as a process of its own: saves many contents on one notebook key."""

from __future__ import annotations

import sys

from nbvc.environment import Environment
from nbvc.model import Digest, NotebookKey
from nbvc.repository import Draft, Known
from nbvc.workspace.session import Session


def main(url: str, key: str, name: str, saves: int) -> None:
    """Save, and print the number and the digest of each acknowledged version."""
    session = Session(Environment.current())
    known: Known | None = None
    with session.open_repository(url) as repository:
        for turn in range(saves):
            data = f"{name} {turn}".encode()
            draft = Draft(data=data, digest=Digest.of(data), parent=None, changes=None)
            known = repository.save(NotebookKey(key), draft, session.act(), known)
            print(known.file.record.number, draft.digest, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
