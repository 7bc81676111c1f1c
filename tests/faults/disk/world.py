"""A folder in which commands are struck, and what must hold after any strike.

Whatever happens to the command of a scene:

- Every notebook file holds its old bytes or the new ones, whole, or is there or not as it was
  before or as the command would leave it.
- No bytes that a file held are lost: some file, some version or the outbox has them.
- The oracle agrees: nothing acknowledged is missing but what a forget let go of, and at most one
  version more is there.
- The same command, given once more, succeeds without any other help, and leaves everything as if
  nothing had happened.
- A changed notebook can be saved; then every version has a record, and no temporary file is left.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbvc.errors import StoreNotFound
from nbvc.model import Area
from nbvc.stores.base import Store
from nbvc.stores.local import LocalStore
from tests.command_line import CommandLine
from tests.faults.disk.striking import Disk, Outcome, Strike
from tests.faults.ledger import Ledger
from tests.faults.oracle import assert_kept, assert_no_litter, assert_settled
from tests.notebook_samples import code, notebook

NAMESPACE = "team/nb"
EMBEDDED = "project/.nbvc/store"
SHARED, TARGET = "shared", "target"
NOTHING = Strike()


def small(text: str) -> bytes:
    """Return a notebook whose bytes lie in the index of the embedded store."""
    return notebook(code(text))


class World:
    """A folder with a workspace, a home and stores, which is put back before each strike.

    Args:
        cli: A command line in its folder ``project``.
        disk: Runs the commands that are struck.
        kept: A folder, not there yet, for the copy to put back.
    """

    def __init__(self, cli: CommandLine, disk: Disk, kept: Path) -> None:
        self.cli = cli
        self._disk = disk
        self.root = cli.folder.parent
        self.told = Ledger()
        self._kept = kept

    def keep(self) -> None:
        """Take the present state as the one to put back."""
        shutil.copytree(self.root, self._kept, symlinks=True)

    def prepare(self, scene: Scene) -> None:
        """Make the world of *scene*, and keep it."""
        scene.prepare(self)
        self.keep()

    def put_back(self) -> None:
        """Bring everything to the state that was kept."""
        for path in self.root.iterdir():
            shutil.rmtree(path)
        shutil.copytree(self._kept, self.root, symlinks=True, dirs_exist_ok=True)

    def bind(self, place: str | None = None) -> None:
        """Make ``project`` a workspace on the store at *place*, or on the one of its own."""
        self.cli("init", *([f"../{place}"] if place else []), "--namespace", NAMESPACE)

    def save(self, path: str, data: bytes) -> None:
        """Write a notebook and save it."""
        self.cli.write(path, data)
        self.cli("save", path)
        self.told.acknowledge(f"{NAMESPACE}/{path}", data)

    def files(self) -> dict[str, bytes]:
        """Return the notebook files outside of stores and of nbvc's own folders."""
        found = {}
        for path in sorted(self.root.rglob("*.ipynb")):
            relative = path.relative_to(self.root)
            if ".nbvc" not in relative.parts and relative.parts[0] not in {SHARED, TARGET}:
                found[str(relative)] = path.read_bytes()
        return found

    @contextmanager
    def store(self, place: str) -> Iterator[Store]:
        """Open a store of this world."""
        with closing(LocalStore(self.root / place)) as store:
            yield store

    def places(self) -> list[str]:
        """Return where stores are."""
        places = (EMBEDDED, SHARED, TARGET)
        return [place for place in places if (self.root / place / "index.sqlite3").is_file()]

    def stored(self) -> set[bytes]:
        """Return the bytes of all versions in the stores and the outbox."""
        found = set()
        for place in self.places():
            with self.store(place) as store:
                for entry in store.list_versions("workspace/"):
                    if not entry.is_delete_marker:
                        found.add(store.get(entry.key, entry.version_id).data)
        for file in self.root.glob("project/.nbvc/outbox/0*"):
            found.add(file.read_bytes().partition(b"\n")[2])
        return found

    def run(self, arguments: tuple[str, ...], strike: Strike = NOTHING, **more: bool) -> Outcome:
        """Run a command in ``project``, and strike at its calls."""
        return self._disk.run(
            arguments,
            strike,
            cwd=self.cli.folder,
            watch=self.root,
            variables=self.cli.variables,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A command, the world that it runs in, and what it says when it is done.

    Attributes:
        name: Of the scene.
        arguments: The command.
        prepare: Makes the world.
        tell: Writes into a ledger what the command did, or (False) tried to do.
        workspace: The folder of the notebooks.
        store: Where their versions are.
        target: Where they are brought to.
        offline: Whether no store is reached meanwhile.
        again: Exit statuses of the same command when it has been done already.
    """

    name: str
    arguments: tuple[str, ...]
    prepare: Callable[[World], None]
    tell: Callable[[Ledger, bool], None] = lambda _ledger, _done: None
    workspace: str = "project"
    store: str = EMBEDDED
    target: str | None = None
    offline: bool = False
    again: frozenset[int] = field(default=frozenset({0}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """What a scene is without a strike.

    Attributes:
        before: The files before the command.
        after: The files after it.
        outcome: What it said, and its calls: what the ``run`` of its world returns.
    """

    before: Mapping[str, bytes]
    after: Mapping[str, bytes]
    outcome: Any


def play(scene: Scene, world: World) -> Clean:
    """Prepare *scene*, keep its world, and run its command once without a strike."""
    world.prepare(scene)
    before = world.files()
    outcome = world.run(scene.arguments, offline=scene.offline)
    assert outcome.exit_code == 0, outcome.said
    return Clean(before=before, after=world.files(), outcome=outcome)


def assert_survived(scene: Scene, world: World, clean: Clean, *, done: bool) -> None:
    """Check all that must hold after the command of *scene* was struck.

    Args:
        scene: The scene.
        world: As the strike left it.
        clean: What happens without a strike.
        done: Whether the command said that it is done.
    """
    ledger = deepcopy(world.told)
    scene.tell(ledger, done)
    _check_files(world, clean)
    _check_stores(scene, world, ledger, done=done)
    if not done:
        again = world.run(scene.arguments, offline=scene.offline)
        assert again.exit_code in scene.again, again.said
        scene.tell(ledger, True)
        _check_stores(scene, world, ledger, done=True)
    assert world.files() == clean.after
    _check_work_goes_on(scene, world, ledger)


def _check_files(world: World, clean: Clean) -> None:
    found = world.files()
    for path in {*found, *clean.before, *clean.after}:
        allowed = {clean.before.get(path), clean.after.get(path)}
        assert found.get(path) in allowed, f"{path}: {(found.get(path) or b'nothing')[:200]!r}"
    held = set(found.values())
    for data in clean.before.values():
        if data not in held:
            assert data in world.stored(), f"lost: {data[:200]!r}"


def _check_stores(scene: Scene, world: World, ledger: Ledger, *, done: bool) -> None:
    if not ledger.places:
        return
    with world.store(scene.store) as store:
        assert_kept(store, ledger)
    if scene.target is not None:
        # What was cut off while it made a store has made none.
        with suppress(*() if done else (StoreNotFound,)), world.store(scene.target) as store:
            assert_kept(store, ledger if done else ledger.optional())


def _check_work_goes_on(scene: Scene, world: World, ledger: Ledger) -> None:
    """Change and save every notebook in the workspace: all of their versions have a record then."""
    ledger.deliver()
    drafts = Ledger()
    drafts.places = {
        place: expected for place, expected in ledger.places.items() if place[0] is Area.WORKSPACE
    }
    drafts.let_go = ledger.let_go
    folder = world.root / scene.workspace
    for path in world.files():
        if path.startswith(f"{scene.workspace}/"):
            relative = path.removeprefix(f"{scene.workspace}/")
            data = small(f"after {path}")
            (folder / relative).write_bytes(data)
            drafts.acknowledge(f"{NAMESPACE}/{relative}", data)
    saved = world.cli("save", cwd=folder, exit_code=None)
    assert saved.exit_code == 0, saved
    if any(world.root.glob("project/.nbvc/outbox/0*")):
        # No key could be kept that shows whose they are: such versions a push alone delivers.
        waiting = world.cli("status", "--json", cwd=folder).json["outbox"]["waiting"]
        assert not waiting[0]["own"], saved
        world.cli("push", cwd=folder)
    with world.store(scene.target or scene.store) as store:
        assert_settled(store, drafts)
    assert_no_litter(world.root)
