"""One writer of a race, as a process of its own: saves many contents on one notebook key.

Which contents, on top of what and after which pauses follows from the seed.
"""

from __future__ import annotations

import json
import random
import sys
import time

from nbvc.environment import Environment
from nbvc.model import Digest, NotebookKey
from nbvc.repository import Draft, Known
from nbvc.workspace.session import Session

FRESH_PROCESS = 0.2
"""How often a writer forgets what it knows, as a process that has just been started."""

LONGEST_PAUSE_SECONDS = 0.02
LARGEST_BYTES = 20_000


def main(url: str, key: str, name: str, saves: int, seed: int) -> None:
    """Save, and print the number, parent and digest of each acknowledged version.

    No more than that: a writer must not wait for who reads its output.
    """
    chance = random.Random(f"{seed} {name}")
    session = Session(Environment.current())
    known: Known | None = None
    with session.open_repository(url) as repository:
        for turn in range(saves):
            if chance.random() < FRESH_PROCESS:
                known = None
            data = f"{name} {turn} ".ljust(chance.randrange(LARGEST_BYTES), "x").encode()
            parent = known.file.record.number if known else None
            draft = Draft(data=data, digest=Digest.of(data), parent=parent, changes=None)
            time.sleep(chance.random() * LONGEST_PAUSE_SECONDS)
            known = repository.save(NotebookKey(key), draft, session.act(), known)
            line = {"number": known.file.record.number, "parent": parent, "digest": draft.digest}
            print(json.dumps(line), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
