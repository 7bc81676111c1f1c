"""The state machine: what people and faults do, in any order, to two systems and a model."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nbvc.stores.base import Store
from nbvc.stores.local import LocalStore
from tests.faults.machine import commands
from tests.faults.machine.commands import Ref
from tests.faults.machine.line import Kind, Strike
from tests.faults.machine.model import PATHS, TAGS
from tests.faults.machine.system import Outcome, System
from tests.faults.machine.twin import Command, Twin
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
contents = st.sampled_from(CONTENTS)
people = st.sampled_from(["ada", "ben"])
messages = st.sampled_from(["one", "two"])
tags = st.sampled_from(TAGS)
refs = st.one_of(
    st.builds(Ref, back=st.integers(0, 3)),
    st.builds(Ref, number=st.integers(1, 4)),
    st.builds(Ref, tag=tags),
)
strikes = st.builds(Strike, kind=st.sampled_from(list(Kind)), at=st.integers(1, 12))


class Lockstep(RuleBasedStateMachine):
    """Runs every command on the embedded store, on S3 and on the model, and compares them."""

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
        makers = {
            "embedded": lambda n: LocalStore(root / f"store-{n}", create=True),
            "S3": type(self).new_bucket(self._exit, patch, root),
        }
        self.twins: list[Twin] = []
        for name, new_store in makers.items():
            system = System(name, root / name, new_store, owners)
            self._exit.callback(system.close)
            self.twins.append(Twin(system))
        self._strike: Strike | None = None
        self._again = False

    def teardown(self) -> None:
        """Let go of everything."""
        self._exit.close()

    # What people do

    @rule(who=people, path=paths, data=contents, message=messages)
    def save(self, who: str, path: str, data: bytes, message: str) -> None:
        """Write a notebook and save it; the same bytes, and from a stale parent, too."""
        who = self._present(who)
        self._write(who, path, data)
        self._run(who, partial(commands.save, who=who, path=path, message=message), "save", path, message)

    @rule(who=people, path=paths, message=messages)
    def save_as_it_is(self, who: str, path: str, message: str) -> None:
        """Save whatever is there."""
        who = self._present(who)
        self._run(who, partial(commands.save, who=who, path=path, message=message), "save", path, message)

    @rule(who=people, path=paths, data=contents)
    def edit(self, who: str, path: str, data: bytes) -> None:
        """Write a notebook, and do not save it."""
        self._write(self._present(who), path, data)

    @rule(who=people, path=paths)
    def lose_file(self, who: str, path: str) -> None:
        """Remove the file by hand."""
        who = self._present(who)
        if all(path in twin.world.folders[who].files for twin in self.twins):
            self._write(who, path, None)

    @rule(who=people, path=paths, ref=refs, force=st.booleans())
    def checkout(self, who: str, path: str, ref: Ref, force: bool) -> None:
        """Bring an older version back."""
        who = self._present(who)
        command = partial(commands.checkout, who=who, path=path, ref=ref, force=force)
        self._run(who, command, "checkout", path, ref, force=force)

    @rule(who=people, path=paths, ref=st.none() | refs, message=messages)
    def publish(self, who: str, path: str, ref: Ref | None, message: str) -> None:
        """Promote a version."""
        who = self._present(who)
        command = partial(commands.publish, who=who, path=path, ref=ref, message=message)
        self._run(who, command, "publish", path, ref, message)

    @rule(who=people, path=paths)
    def unpublish(self, who: str, path: str) -> None:
        """Take the published copy back."""
        who = self._present(who)
        command = partial(commands.unpublish, who=who, path=path)
        self._run(who, command, "unpublish", path, finish=True)

    @rule(who=people, path=paths, name=tags, ref=refs, move=st.booleans())
    def tag(self, who: str, path: str, name: str, ref: Ref, move: bool) -> None:
        """Give a version a name, or another version that name."""
        who = self._present(who)
        command = partial(commands.tag, who=who, path=path, name=name, ref=ref, move=move)
        self._run(who, command, "tag", path, name, ref, move=move)

    @rule(who=people, path=paths, name=tags)
    def delete_tag(self, who: str, path: str, name: str) -> None:
        """Take a name away."""
        who = self._present(who)
        command = partial(commands.delete_tag, who=who, path=path, name=name)
        self._run(who, command, "delete_tag", path, name)

    @rule(who=people, path=paths, keep_file=st.booleans())
    def remove(self, who: str, path: str, keep_file: bool) -> None:
        """Remove a notebook; a checkout, and then a save, bring it back."""
        who = self._present(who)
        command = partial(commands.remove, who=who, path=path, keep_file=keep_file)
        self._run(who, command, "remove", path, keep_file=keep_file, finish=True)

    @rule(who=people, old=paths, new=paths)
    def rename(self, who: str, old: str, new: str) -> None:
        """Give a notebook another name."""
        who = self._present(who)
        if old != new:
            command = partial(commands.rename, who=who, old=old, new=new)
            self._run(who, command, "rename", old, new, finish=True)

    @rule(who=people)
    def push(self, who: str) -> None:
        """Deliver what waits."""
        who = self._present(who)
        self._run(who, partial(commands.push, who=who), "push")

    @rule()
    def clone(self) -> None:
        """A second person copies the folder, anew if there was a copy before."""
        if self._is_cut or any(self._queue(twin, "ben") for twin in self.twins):
            return
        strike, self._strike = self._strike, None
        for twin in self.twins:
            twin.world.folders.pop("ben", None)
            act = partial(twin.system.clone, "ben")
            command = partial(commands.clone, who="ben")
            if strike is not None:
                twin.system.run(strike, act)
            twin.step("ben", command, act)
            if "ben" not in twin.world.folders:
                twin.system.drop("ben")

    @rule()
    def migrate(self) -> None:
        """Move everything to a fresh store, and go on there."""
        if self._is_cut or any(self._queue(twin, "ben") for twin in self.twins):
            return
        strike, self._strike = self._strike, None
        for twin in self.twins:
            twin.world.folders.pop("ben", None)
            twin.system.drop("ben")
            act = partial(twin.system.migrate, "ada", twin.system.fresh_store())
            command = partial(commands.migrate, who="ada")
            twin.step_until_done("ada", command, act, strike)

    # What happens to them

    @rule(strike=strikes, again=st.booleans())
    def strike(self, strike: Strike, again: bool) -> None:
        """Let something happen to a request of the next command; perhaps it is run again then."""
        self._strike, self._again = strike, again

    @rule()
    def go_offline(self) -> None:
        """Cut the line."""
        for twin in self.twins:
            twin.system.line.is_cut = True

    @rule()
    def go_online(self) -> None:
        """Mend the line."""
        for twin in self.twins:
            twin.system.line.is_cut = False

    @rule(path=paths, data=contents)
    def write_with_another_tool(self, path: str, data: bytes) -> None:
        """A plain put to the key, with no metadata."""
        for twin in self.twins:
            twin.world.notebook(path).drafts.write(commands.Version(data=data))
            twin.system.foreign(path, data)
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
        self, who: str, command: Command, name: str, *arguments: Any, finish: bool = False, **options: Any
    ) -> None:
        """Run a command on all, struck if that was planned.

        Args:
            who: Whose command it is.
            command: What it does to the model.
            name: What it is called in a system.
            arguments: What it is given there.
            finish: Whether it is run again wherever it did not come to its end.
            options: More of what it is given.
        """
        strike, self._strike = self._strike, None
        for twin in self.twins:
            act = partial(getattr(twin.system, name), who, *arguments, **options)
            done = twin.step(who, command, act, strike)
            if not done and not self._is_cut and (finish or self._again):
                twin.step(who, command, act)
