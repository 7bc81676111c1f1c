"""One reader of a race, as a process of its own: looks at the store until its input ends.

It has no cache, so that what it reads comes from the store. It fails at the first thing that a
reader must never see.
"""

from __future__ import annotations

import json
import random
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nbvc.environment import Environment
from nbvc.errors import NotebookNotFound
from nbvc.model import Digest, NotebookKey, Version, VersionId
from nbvc.refs import parse_selector
from nbvc.repository import Repository
from nbvc.repository.checking import Check, CheckOptions
from nbvc.repository.findings import Severity
from nbvc.repository.settings import read_settings
from nbvc.workspace.session import Session

PAUSE_SECONDS = 0.25
SAMPLE = 5
"""Versions read again in each round, besides those that are new."""


class Reader:
    """Reads the log and every version in it.

    Attributes:
        fetched: How many versions were read.
    """

    def __init__(self, repository: Repository, key: NotebookKey, chance: random.Random) -> None:
        self.fetched = 0
        self._repository = repository
        self._key = key
        self._chance = chance
        self._seen: dict[int, Version] = {}
        self._read: set[VersionId] = set()

    def look(self) -> None:
        """Check one log against the earlier ones, and fetch what it lists."""
        try:
            log = list(self._repository.log(self._key))
        except NotebookNotFound:
            assert not self._seen, "a notebook that had versions is said not to exist"
            return
        ids = [version.version_id for version in log]
        assert len(set(ids)) == len(ids), "a version is listed twice"
        indexed = {version.number: version for version in log if version.number is not None}
        assert list(indexed) == list(range(len(indexed), 0, -1)), f"numbers: {list(indexed)}"
        for number, version in self._seen.items():
            assert number in indexed, f"v{number} is not in the log any more"
            assert indexed[number].version_id == version.version_id, f"v{number} has changed"
        self._seen = indexed
        new = [version for version in log if version.version_id not in self._read]
        again = self._chance.sample(log, min(SAMPLE, len(log)))
        for version in [*new, *again]:
            self._fetch(version)
        self._resolve_latest(least=len(indexed))

    def _fetch(self, version: Version) -> None:
        data = self._repository.read(version)
        assert len(data) == version.size_bytes, f"{version} has {len(data)} bytes"
        assert version.digest in {None, Digest.of(data)}
        self._read.add(version.version_id)
        self.fetched += 1

    def _resolve_latest(self, least: int) -> None:
        latest = self._repository.resolve(self._key, parse_selector("latest"))
        assert latest.number is None or latest.number >= least
        self._fetch(latest)


class Lister:
    """Lists the notebooks of the store, and reads the newest version of each.

    Attributes:
        fetched: How many versions were read.
    """

    def __init__(self, repository: Repository, key: NotebookKey) -> None:
        self.fetched = 0
        self._repository = repository
        self._key = key
        self._newest = 0

    def look(self) -> None:
        """Check one listing against the one before it, and fetch what it names."""
        listed = {each.key: each for each in self._repository.list_notebooks()}
        assert self._key in listed or not self._newest, "the notebook is not listed any more"
        for each in listed.values():
            if each.number is None:
                continue
            assert each.number >= self._newest, f"v{each.number} is listed after v{self._newest}"
            self._newest = each.number
            selector = parse_selector(f"v{each.number}")
            version = self._repository.resolve(each.key, selector)
            assert version.version_id == each.version_id
            assert Digest.of(self._repository.read(version)) == each.digest
            self.fetched += 1


class Checker:
    """Checks the notebook, every second time with all its bytes.

    Attributes:
        fetched: How many versions were checked.
    """

    def __init__(self, repository: Repository, key: NotebookKey) -> None:
        self.fetched = 0
        self._repository = repository
        self._key = key
        self._rounds = 0

    def look(self) -> None:
        """Check that nothing is called lost or damaged, whatever is in the making."""
        self._rounds += 1
        options = CheckOptions(
            key=self._key, read_data=self._rounds % 2 == 0, now=Environment.current().now()
        )
        check = Check(self._repository.backend, options)
        for finding in check:
            assert finding.severity is not Severity.ERROR, finding
        self.fetched += check.report.versions


def main(kind: str, url: str, key: str, seed: int) -> None:
    """Look until the input ends, and once more then; print how often, and how much was read."""
    with opened(url) as repository:
        notebook_key = NotebookKey(key)
        looker: Reader | Lister | Checker
        if kind == "reader":
            looker = Reader(repository, notebook_key, random.Random(f"{seed} {kind}"))
        elif kind == "checker":
            looker = Checker(repository, notebook_key)
        else:
            looker = Lister(repository, notebook_key)
        rounds = repeat(looker.look)
    print(json.dumps({"rounds": rounds, "fetched": looker.fetched}))  # noqa: T201


@contextmanager
def opened(url: str) -> Iterator[Repository]:
    """Open the repository as a command does, but without a cache."""
    environment = Environment.current()
    store = Session(environment).open_store(url)
    with Repository(
        store,
        settings=read_settings(store),
        sleep=environment.sleep,
        jitter=environment.jitter,
    ) as repository:
        yield repository


def repeat(look: Callable[[], None]) -> int:
    """Call *look* until the input has ended, and once more; return how often."""
    rounds, ended = 0, False
    while not ended:
        ended = bool(select.select([sys.stdin], [], [], 0)[0])
        look()
        rounds += 1
        time.sleep(PAUSE_SECONDS)
    return rounds


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
