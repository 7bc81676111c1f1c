"""The state machine: what people and faults do, in any order, to two systems and a model."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from nbvc.stores.base import Store
from nbvc.stores.local import LocalStore
from tests.faults.machine import commands
from tests.faults.machine.commands import Ref
from tests.faults.machine.line import Kind, Strike
from tests.faults.machine.model import PATHS, TAGS
from tests.faults.machine.system import System
from tests.faults.machine.twin import Command, Twin
from tests.faults.oracle import assert_kept
from tests.notebook_samples import code, notebook

# Each of another length: a file that is written twice within one tick of the file system's clock
# is told apart by its size alone, where the clock of the machine was turned to a later year.
CONTENTS = tuple(notebook(code("x" * length)) for length in range(1, 7))
JUMPS = (
    timedelta(minutes=1),
    timedelta(days=2),
    timedelta(days=3_650),
    timedelta(minutes=-1),
    timedelta(days=-2),
    timedelta(days=-3_650),
)
_EARLIEST, _LATEST = 1990, 2090

paths = st.sampled_from(PATHS)
pairs = st.sampled_from([(old, new) for old in PATHS for new in PATHS if old != new])
contents = st.integers(0, len(CONTENTS) - 1)
people = st.sampled_from(["ada", "ben"])
messages = st.sampled_from(["one", "two"])
tags = st.sampled_from(TAGS)
refs = st.one_of(
    st.builds(Ref, back=st.integers(0, 2)),
    st.builds(Ref, number=st.integers(1, 4)),
    st.builds(Ref, tag=tags),
)
# The saves, which matter most, make few requests.
places = st.integers(1, 3) | st.integers(1, 12)
kinds = st.sampled_from(list(Kind))
strikes = st.builds(Strike, kind=kinds, at=places, again=st.booleans())
mishaps = st.none() | strikes | strikes
# Those that make a history smaller make many.
far_places = st.integers(1, 40)
far_strikes = st.builds(Strike, kind=kinds, at=far_places, again=st.just(value=True))
far_mishaps = st.none() | far_strikes | far_strikes


class Lockstep(RuleBasedStateMachine):
    """Runs every command on the embedded store, on S3 and on the model, and compares them."""

    tally: ClassVar[Counter[str]] = Counter()
    """What was done and what happened, in all programs together."""

    new_bucket: Callable[[ExitStack, pytest.MonkeyPatch, Path], Callable[[int], Store]]

    def __init__(self) -> None:
        super().__init__()
        self._exit = ExitStack()
        try:
            self._begin()
        except BaseException:
            self._exit.close()
            raise

    def _begin(self) -> None:
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        root = Path(
            self._exit.enter_context(tempfile.TemporaryDirectory(dir=memory, prefix="nbvc-"))
        ).resolve()
        patch = self._exit.enter_context(pytest.MonkeyPatch.context())
        owners: dict[str, System] = {}
        patch.setattr(
            "nbvc.workspace.session.open_store",
            lambda url, **options: owners[url].open_store(url, **options),
        )
        # In one thread the n-th request is the same one each time.
        patch.setattr("nbvc.repository.core.REMOTE_WORKERS", 1)
        patch.setattr("nbvc.repository.packing.AT_ONCE", 1)
        makers = {
            "embedded": lambda n: LocalStore(root / f"store-{n}", create=True),
            "S3": type(self).new_bucket(self._exit, patch, root),
        }
        self.twins: list[Twin] = []
        for name, new_store in makers.items():
            system = System(name, root / name, new_store, owners)
            self._exit.callback(system.close)
            self.twins.append(Twin(system))
        self.tally["programs"] += 1
        self._cut_for = 0
        self._prepare()

    def _prepare(self) -> None:
        """Let there be something to work on: notebooks, a tag, a publication, a second person."""
        for twin in self.twins:
            twin.compares = False
        for path, content in (("a.ipynb", 0), ("a.ipynb", 1), ("b.ipynb", 2)):
            self.save("ada", path, content, "begin", None)
        self.tag("ada", "a.ipynb", "good", Ref(number=1), False, None)
        self.publish("ada", "a.ipynb", None, "begin", None)
        for twin in self.twins:
            twin.compares = True
        self.clone(None)

    def teardown(self) -> None:
        """Look once more at everything, as after any fault, and let go of it."""
        try:
            if sys.exc_info()[0] is None:
                for twin in self.twins:
                    assert_kept(twin.system.store, twin.ledger())
        finally:
            self._exit.close()

    # What people do

    @rule(who=people, path=paths, content=contents, message=messages, strike=mishaps)
    def save(self, who: str, path: str, content: int, message: str, strike: Strike | None) -> None:
        """Write a notebook and save it; the same bytes, and from a stale parent, too."""
        who = self._present(who)
        self._write(who, path, CONTENTS[content])
        command = partial(commands.save, who=who, path=path, message=message)
        self._run(strike, who, command, "save", path, message)

    @rule(who=people, path=paths, message=messages, strike=mishaps)
    def save_as_it_is(self, who: str, path: str, message: str, strike: Strike | None) -> None:
        """Save whatever is there."""
        who = self._present(who)
        command = partial(commands.save, who=who, path=path, message=message)
        self._run(strike, who, command, "save", path, message)

    @rule(who=people, path=paths, content=contents)
    def edit(self, who: str, path: str, content: int) -> None:
        """Write a notebook, and do not save it."""
        self._write(self._present(who), path, CONTENTS[content])

    @rule(who=people, path=paths)
    def lose_file(self, who: str, path: str) -> None:
        """Remove the file by hand."""
        who = self._present(who)
        if all(path in twin.world.folders[who].files for twin in self.twins):
            self._write(who, path, None)

    @rule(who=people, path=paths, ref=refs, force=st.booleans(), strike=mishaps)
    def checkout(self, who: str, path: str, ref: Ref, force: bool, strike: Strike | None) -> None:
        """Bring an older version back."""
        who = self._present(who)
        command = partial(commands.checkout, who=who, path=path, ref=ref, force=force)
        self._run(strike, who, command, "checkout", path, ref, force=force)

    @rule(who=people, path=paths, ref=st.none() | refs, message=messages, strike=mishaps)
    def publish(
        self, who: str, path: str, ref: Ref | None, message: str, strike: Strike | None
    ) -> None:
        """Promote a version."""
        who = self._present(who)
        command = partial(commands.publish, who=who, path=path, ref=ref, message=message)
        self._run(strike, who, command, "publish", path, ref, message)

    @rule(who=people, path=paths, strike=mishaps)
    def unpublish(self, who: str, path: str, strike: Strike | None) -> None:
        """Take the published copy back."""
        who = self._present(who)
        command = partial(commands.unpublish, who=who, path=path)
        self._run(strike, who, command, "unpublish", path, finish=True)

    @rule(who=people, path=paths, name=tags, ref=refs, move=st.booleans(), strike=mishaps)
    def tag(
        self, who: str, path: str, name: str, ref: Ref, move: bool, strike: Strike | None
    ) -> None:
        """Give a version a name, or another version that name."""
        who = self._present(who)
        command = partial(commands.tag, who=who, path=path, name=name, ref=ref, move=move)
        self._run(strike, who, command, "tag", path, name, ref, move=move)

    @rule(who=people, path=paths, name=tags, strike=mishaps)
    def delete_tag(self, who: str, path: str, name: str, strike: Strike | None) -> None:
        """Take a name away."""
        who = self._present(who)
        command = partial(commands.delete_tag, who=who, path=path, name=name)
        self._run(strike, who, command, "delete_tag", path, name)

    @rule(who=people, path=paths, keep_file=st.booleans(), strike=mishaps)
    def remove(self, who: str, path: str, keep_file: bool, strike: Strike | None) -> None:
        """Remove a notebook; a checkout, and then a save, bring it back."""
        who = self._present(who)
        command = partial(commands.remove, who=who, path=path, keep_file=keep_file)
        self._run(strike, who, command, "remove", path, keep_file=keep_file, finish=True)

    @rule(who=people, names=pairs, strike=mishaps)
    def rename(self, who: str, names: tuple[str, str], strike: Strike | None) -> None:
        """Give a notebook another name."""
        who, (old, new) = self._present(who), names
        command = partial(commands.rename, who=who, old=old, new=new)
        self._run(strike, who, command, "rename", old, new, finish=True)

    @rule(who=people, strike=mishaps)
    def push(self, who: str, strike: Strike | None) -> None:
        """Deliver what waits."""
        who = self._present(who)
        self._run(strike, who, partial(commands.push, who=who), "push")

    @rule(who=people, strike=mishaps)
    def repair(self, who: str, strike: Strike | None) -> None:
        """Give a number to everything that has none."""
        who = self._present(who)
        self._run(strike, who, partial(commands.repair, who=who), "repair")

    @rule(who=people, path=paths, keep_newest=st.integers(0, 2), strike=far_mishaps)
    def pack(self, who: str, path: str, keep_newest: int, strike: Strike | None) -> None:
        """Move old versions together."""
        who = self._present(who)
        command = partial(commands.pack, who=who, path=path, keep_newest=keep_newest)
        self._run(strike, who, command, "pack", path, keep_newest, finish=True)

    @rule(who=people, path=paths, strike=far_mishaps)
    def unpack(self, who: str, path: str, strike: Strike | None) -> None:
        """Make what is packed plain again."""
        who = self._present(who)
        command = partial(commands.unpack, who=who, path=path)
        self._run(strike, who, command, "unpack", path, finish=True)

    @rule(who=people, path=paths, last=st.integers(0, 2), strike=far_mishaps)
    def forget(self, who: str, path: str, last: int, strike: Strike | None) -> None:
        """Let go of old versions."""
        who = self._present(who)
        command = partial(commands.forget, who=who, path=path, last=last)
        self._run(strike, who, command, "forget", path, last, finish=True)

    @rule(strike=mishaps)
    def clone(self, strike: Strike | None) -> None:
        """A second person copies the folder, anew if there was a copy before."""
        if self._is_cut or any(self._queue(twin, "ben") for twin in self.twins):
            return
        for twin in self.twins:
            twin.world.folders.pop("ben", None)
            act = partial(twin.system.clone, "ben")
            command = partial(commands.clone, who="ben")
            if strike is not None:
                twin.system.run(strike, act)
            twin.step("ben", command, act)
            if "ben" not in twin.world.folders:
                twin.system.drop("ben")

    @rule(strike=mishaps)
    def migrate(self, strike: Strike | None) -> None:
        """Move everything to a fresh store, and go on there."""
        if self._is_cut or any(self._queue(twin, "ben") for twin in self.twins):
            return
        for twin in self.twins:
            twin.world.folders.pop("ben", None)
            twin.system.drop("ben")
            act = partial(twin.system.migrate, "ada", twin.system.fresh_store())
            command = partial(commands.migrate, who="ada")
            twin.step_until_done("ada", command, act, strike)

    # What happens to them

    @rule(commands=st.integers(1, 4))
    def go_offline(self, commands: int) -> None:
        """Cut the line for the next commands."""
        self._cut_for = commands
        self._set_cut(True)

    @rule()
    def go_online(self) -> None:
        """Mend the line."""
        self._set_cut(False)

    @rule(path=paths, content=contents)
    def write_with_another_tool(self, path: str, content: int) -> None:
        """A plain put to the key, with no metadata."""
        for twin in self.twins:
            twin.world.notebook(path).drafts.write(commands.Version(data=CONTENTS[content]))
            twin.system.foreign(path, CONTENTS[content])
            twin.compare()

    @rule(jump=st.sampled_from(JUMPS))
    def set_the_clock(self, jump: timedelta) -> None:
        """Set the clock forward or back."""
        for twin in self.twins:
            now = twin.world.now + jump
            if _EARLIEST < now.year < _LATEST:
                twin.system.now = twin.world.now = now

    @rule(who=people)
    def check(self, who: str) -> None:
        """Verify every byte: nothing is damaged, and what has no number is named."""
        who = self._present(who)
        for twin in self.twins:
            if not self._is_cut:
                assert twin.system.findings(who) == twin.expected_findings()

    @rule()
    def list_notebooks(self) -> None:
        """List what is there, and what was removed."""
        for twin in self.twins:
            assert twin.system.listed() == twin.expected_listing()

    # How

    def _count(self, twin: Twin, name: str, strike: Strike | None) -> None:
        self.tally["commands"] += 1
        self.tally[name] += 1
        self.tally["without a line"] += twin.system.line.is_cut
        self.tally["waiting"] += any(folder.outbox for folder in twin.world.folders.values())
        if strike is not None and twin.system.line.struck:
            self.tally[strike.kind.name] += 1

    def _set_cut(self, is_cut: bool) -> None:
        for twin in self.twins:
            twin.system.line.is_cut = is_cut

    @property
    def _is_cut(self) -> bool:
        return self.twins[0].system.line.is_cut

    def _queue(self, twin: Twin, who: str) -> list[Any]:
        folder = twin.world.folders.get(who)
        return folder.outbox if folder else []

    def _present(self, who: str) -> str:
        """Return *who*, or whoever is there instead."""
        return who if all(who in twin.world.folders for twin in self.twins) else "ada"

    def _write(self, who: str, path: str, data: bytes | None) -> None:
        for twin in self.twins:
            twin.system.write(who, path, data)
            files = twin.world.folders[who].files
            if data is None:
                del files[path]
            else:
                files[path] = data

    def _run(
        self,
        strike: Strike | None,
        who: str,
        command: Command,
        name: str,
        *arguments: Any,
        finish: bool = False,
        **options: Any,
    ) -> None:
        """Run a command on all.

        Args:
            strike: What happens to it.
            who: Whose command it is.
            command: What it does to the model.
            name: What it is called in a system.
            arguments: What it is given there.
            finish: Whether it is run again wherever it did not come to its end.
            options: More of what it is given.
        """
        if self._is_cut:
            self._cut_for -= 1
            self._set_cut(self._cut_for >= 0)
        for twin in self.twins:
            act = partial(getattr(twin.system, name), who, *arguments, **options)
            done = twin.step(who, command, act, strike)
            self._count(twin, name, strike)
            if not done and not self._is_cut and (finish or (strike and strike.again)):
                twin.step(who, command, act)
