"""A real system beside its model: each command is given to both, and both must then agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any

from nbvc.errors import NbvcError
from nbvc.model import Area, Digest
from nbvc.workspace.index import Base, Entry
from nbvc.workspace.outbox import Waiting as RealWaiting
from tests.faults.ledger import Ledger
from tests.faults.machine import commands
from tests.faults.machine.commands import Steps
from tests.faults.machine.line import Strike
from tests.faults.machine.model import TAGS, Folder, Version, Waiting, World
from tests.faults.machine.system import NAMESPACE, Outcome, System

MAX_STEPS = 100
Command = Callable[[World], Steps]


class Twin:
    """A system and its model.

    Args:
        system: The system.

    Attributes:
        compares: Whether they are compared after each command.
        world: What the model knows.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.compares = True
        self.world = World(now=system.now, folders={"ada": Folder(author="ada")})

    def step(
        self, who: str, command: Command, act: Callable[[], Outcome], strike: Strike | None = None
    ) -> bool:
        """Run a command on both; return whether it came to its end.

        Args:
            who: Whose command it is.
            command: What it does to the model.
            act: Runs it on the system.
            strike: What happens to the system meanwhile.
        """
        line, before = self.system.line, self.world
        outcome = self.system.run(strike, act)
        hit = line.struck and strike is not None and not strike.kind.is_mended
        if not hit and not line.is_cut:
            self.world = deepcopy(before)
            said = _finish(command(self.world))
            assert outcome == said, f"{self.system.name} said {outcome}, not {said}"
            self.compare(who)
            return True
        after = deepcopy(before)
        said = _finish(command(after))
        self._check_failure(outcome, said, who, strike)
        self.world = self._settle(before, command)
        if who in self.world.folders:
            self._learn(who, before.folders[who], after.folders.get(who))
        self.compare(who)
        return outcome == said

    def step_until_done(
        self, who: str, command: Command, act: Callable[[], Outcome], strike: Strike | None
    ) -> None:
        """Run a command, and once more where it was struck; what it left in between is no matter.

        What waited may have been delivered by the first try, or in part.
        """
        push, before = partial(self.system.push, who), deepcopy(self.world.folders[who])
        outcome = self.system.run(strike, act)
        if outcome[0] != "ok" and strike is not None:
            self.step(who, partial(commands.push, who=who), push)
            outcome = self.system.run(None, act)
        elif strike is not None and self.system.line.struck:
            # Perhaps only the delivery failed: then it waits for the new store.
            assert self.system.run(None, push) == ("ok", 0)
        said = _finish(command(self.world))
        assert outcome == said, f"{self.system.name} said {outcome}, not {said}"
        self.compare()
        self._learn(who, before, before)
        self.compare(who)

    def compare(self, asking: str | None = None) -> None:
        """Compare all that can be seen; also what ``nbvc status`` says to who is *asking*."""
        if not self.compares:
            return
        name = self.system.name
        seen, expected = self.system.seen_in_store(), self.world.seen_in_store()
        assert seen == expected, f"{name}: {_difference(seen, expected)}"
        self._note_ids()
        for who, folder in self.world.folders.items():
            found, told = self.system.seen_in_folder(who), self.world.seen_in_folder(who)
            assert found == told, f"{name}, {who}: {_difference(found, told)}"
            if who == asking and not folder.outbox and not self.system.line.is_cut:
                found, told = self.system.seen_in_status(who), self.world.seen_in_status(who)
                assert found == told, f"{name}, status of {who}: {_difference(found, told)}"

    def expected_findings(self) -> list[tuple[str, str]]:
        """Return what a check must name: the versions without a number, and nothing else."""
        return sorted(
            ("unindexed-version", path)
            for path, notebook in self.world.notebooks.items()
            for shelf in (notebook.drafts, notebook.published)
            for version in shelf.log()
            if version.number is None
        )

    def expected_listing(self) -> tuple[list[str], list[str]]:
        """Return the notebooks that must be listed, and those that must be listed as removed."""
        drafts = {path: each.drafts for path, each in sorted(self.world.notebooks.items())}
        there = [path for path, shelf in drafts.items() if shelf.current is not None]
        gone = [path for path, shelf in drafts.items() if shelf.exists and path not in there]
        return there, [path for path in gone if drafts[path].moved_to is None]

    def ledger(self) -> Ledger:
        """Return what the store must hold, for the oracle of all tests of faults."""
        ledger = Ledger()
        for path, notebook in self.world.notebooks.items():
            key = f"{NAMESPACE}/{path}"
            for area, shelf in (
                (Area.WORKSPACE, notebook.drafts),
                (Area.PUBLISHED, notebook.published),
            ):
                for version in shelf.log():
                    ledger.acknowledge(key, version.data, version.number, area=area)
            for version in notebook.drafts.records:
                if notebook.drafts.has_let_go_of(version):
                    ledger.acknowledge(key, version.data)
                    ledger.forget(key, version.number or 0, version.data)
            for name in TAGS:
                ledger.tag(key, name, notebook.tags.get(name))
        return ledger

    # After a failure

    def _check_failure(
        self, outcome: Outcome, said: Outcome, who: str, strike: Strike | None
    ) -> None:
        """Check that a command that failed says so, with one of the errors that it may give."""
        if self.system.line.is_cut:
            allowed = {"StoreUnavailable", "Conflict"}
        else:
            assert strike is not None
            if strike.kind.is_crash:
                assert outcome == ("crash",)
                return
            allowed = {"StoreUnavailable", "OutcomeUnknown", "Conflict"}
        if outcome[0] == "error":
            assert outcome == said or outcome[1] in allowed, f"{outcome}, not {said}"

    def _settle(self, before: World, command: Command) -> World:
        """Return the world that the store shows, of those that the command may have left."""
        seen = self.system.seen_in_store()
        nearest: list[str] = []
        for world in _left_behind(before, command, cut=self.system.line.is_cut):
            expected = world.seen_in_store()
            if seen == expected:
                return world
            nearest.append(_difference(seen, expected))
        raise AssertionError(
            f"{self.system.name} shows what no part of the command makes: {min(nearest, key=len)}"
        )

    def _learn(self, who: str, before: Folder, after: Folder | None) -> None:
        """Take over what is on the disk of *who*: as before the command, or as after it."""
        self._note_ids()
        folder = self.world.folders[who]
        with self.system.workspace(who) as workspace:
            data = {p: (workspace.folder / p).read_bytes() for p in workspace.notebooks()}
            waiting = workspace.outbox.waiting()
            entries = [workspace.index.get(path) for path in workspace.index.paths()]
        for path in {*data, *before.files}:
            allowed = [before.files.get(path), after.files.get(path) if after else None]
            assert data.get(path) in allowed, f"{path} of {who} has bytes that nobody wrote"
        folder.files = data
        folder.outbox = self._learn_outbox(folder, waiting)
        folder.base, folder.known, folder.seen, folder.cloned = {}, {}, set(), set()
        for entry in entries:
            self._learn_entry(folder, entry)

    def _learn_outbox(self, folder: Folder, waiting: list[RealWaiting]) -> list[Waiting]:
        """Return what waits: nothing but what waited, and perhaps what was just saved."""
        known = {each.write_id: each for each in folder.outbox}
        queue, new = [], 0
        for real in waiting:
            found = known.pop(real.write_id, None)
            if found is None:
                new += 1
                found = self._new_waiting(folder, real)
            found.sent = real.sent
            if real.parent is not None:  # also one that waited, and that others had saved already
                records = self.world.notebook(real.path).drafts.records
                found.base = next(each for each in records if each.number == real.parent)
            queue.append(found)
        assert new <= 1, f"{new} versions more wait"
        for gone in known.values():
            shelf = self.world.notebook(gone.path).drafts
            held = [version.data for version in shelf.records]  # perhaps let go of since
            assert gone.version.data in held, f"what waited of {gone.path} is lost"
        return queue

    def _new_waiting(self, folder: Folder, real: RealWaiting) -> Waiting:
        version, now = self.world.pending, self.world.now
        assert (real.author, real.saved_at) == (folder.author, now)
        if version is None or Digest.of(version.data) != real.digest:
            data = folder.files[real.path]
            assert Digest.of(data) == real.digest
            version = Version(data=data, author=folder.author, message=real.message, saved_at=now)
        return Waiting(
            path=real.path,
            version=version,
            base=folder.base.get(real.path),
            sent=real.sent,
            write_id=real.write_id,
        )

    def _learn_entry(self, folder: Folder, entry: Entry) -> None:
        path = entry.path
        folder.seen.add(path)
        if entry.base is not None:
            folder.set_base(path, self._version(folder, path, entry.base))
            if entry.base.number is None and entry.base.etag is not None:
                folder.cloned.add(path)
        if entry.known is not None:
            record = entry.known.file.record
            folder.known[path] = next(
                version
                for version in self.world.notebook(path).drafts.records
                if version.number == record.number
            )
            assert folder.known[path].version_id == record.version_id

    def _version(self, folder: Folder, path: str, base: Base) -> Version:
        if base.write_id is not None:
            return next(w.version for w in folder.outbox if w.write_id == base.write_id)
        shelf = self.world.notebook(path).drafts
        log = [*shelf.log(), *filter(shelf.has_let_go_of, shelf.records)]
        alike = [version for version in log if Digest.of(version.data) == base.digest]
        # After a migration, the version ID is still that of the former store.
        found = [version for version in alike if version.version_id == base.version_id]
        found += [version for version in alike if version.number == base.number]
        if not found and base.number is None and alike:
            return Version(data=alike[0].data, version_id=base.version_id)  # of the former store
        assert found, f"{path} is based on {base.number}, which is not in the log"
        return found[0]

    def _note_ids(self) -> None:
        """Note what the store calls each version, and that it is called so for good."""
        for path, ids in self.system.ids.items():
            notebook = self.world.notebook(path)
            versions = [*notebook.drafts.log(), *notebook.published.log()]
            for version, version_id in zip(versions, ids, strict=True):
                assert version.version_id in {None, version_id}, f"{version} was another before"
                version.version_id = version_id


def _finish(steps: Steps) -> Outcome:
    """Run a command of the model to its end, and return what it says."""
    try:
        for _ in range(MAX_STEPS):
            next(steps)
    except StopIteration as end:
        return ("ok", *end.value)
    except NbvcError as error:
        return ("error", type(error).__name__)
    raise AssertionError("a command of so many steps")


def _left_behind(before: World, command: Command, *, cut: bool) -> Iterator[World]:
    """Yield the worlds that a command may leave that is cut off, after each of its steps.

    What is delivered first may be cut off alone, and the command go on.
    """
    limits: list[int | None] = [None, *range(MAX_STEPS)]
    seen_steps = -1
    for limit in limits:
        counts = 0
        for count in range(MAX_STEPS):
            world = deepcopy(before)
            world.delivery_stops_after, world.pending = limit, None
            steps = command(world)
            done = _advance(steps, 0 if cut else count)
            world.delivery_stops_after = None
            yield world
            counts = count
            if done or cut:
                break
        if cut or (limit is not None and counts >= seen_steps >= 0 and limit >= counts):
            return
        seen_steps = max(seen_steps, counts)


def _advance(steps: Steps, count: int) -> bool:
    """Make the first *count* steps; return whether there are no more."""
    try:
        for _ in range(count):
            next(steps)
    except (StopIteration, NbvcError):
        return True
    return False


def _difference(seen: Any, expected: Any, where: str = "") -> str:
    """Say briefly where two values differ."""
    if isinstance(seen, dict) and isinstance(expected, dict):
        return "; ".join(
            _difference(seen.get(name), expected.get(name), f"{where}/{name}")
            for name in sorted({*seen, *expected}, key=str)
            if seen.get(name) != expected.get(name)
        )
    if isinstance(seen, list) and isinstance(expected, list) and len(seen) == len(expected):
        return "; ".join(
            _difference(one, other, f"{where}[{index}]")
            for index, (one, other) in enumerate(zip(seen, expected, strict=True))
            if one != other
        )
    return f"{where} is {seen!r}, not {expected!r}"
